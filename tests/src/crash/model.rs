//! What must stand in a server, told naively: written from the rules in `docs/reliability.md`, and from no line of the
//! server's own.

use std::collections::{BTreeMap, BTreeSet};

/// What stands somewhere, as names and values that compare and print: `account u-0-1` is `linked`.
pub type Facts = BTreeMap<String, String>;

/// One thing that an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A user links an account.
    Link(String),
    /// A user takes it away, and every right on it.
    Unlink(String),
    /// A user lets an agent act.
    Delegate(String, String),
    /// A user lets it act no more.
    Revoke(String, String),
    /// An agent has a goal: changes nothing that is kept.
    Goal(String),
}

impl What {
    /// The user it is about.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Link(user) | Self::Unlink(user) | Self::Delegate(_, user) | Self::Revoke(_, user) => Some(user),
            Self::Goal(_) => None,
        }
    }

    /// Whether it takes something away.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        matches!(self, Self::Unlink(_) | Self::Revoke(..))
    }
}

/// An event with its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its id.
    pub id: String,
    /// What it says.
    pub what: What,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Events in one request: all of them, or none.
    Batch(Vec<Said>),
    /// A batch that was acknowledged, again: nothing may happen.
    Repeat(Vec<Said>),
    /// A person stops an agent.
    Suspend(String),
    /// A person lets it go on.
    Resume(String),
    /// An agent is registered.
    Register(String),
    /// A registration is forgotten.
    Forget(String),
    /// A key for an agent that nobody let act; its name is the agent's.
    Key(String),
    /// That agent says what it did: an alert, and what policy does about it.
    Stray(String, String),
    /// It says so again: nothing may happen.
    StrayAgain(String, String),
    /// A person's word on what waits for one because of that agent.
    Decide(String, bool),
    /// That agent asks whether it may call a tool: the question and the ruling stand together.
    Ask(String, String),
}

/// An agent that nobody let act.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stray {
    /// Its key, where its answer arrived.
    pub key: Option<String>,
    /// How often it was seen.
    pub seen: u32,
    /// What a person said, where one did.
    pub decided: Option<bool>,
}

/// What one client has had acknowledged. Clients share nothing, so that each knows what is to stand.
#[derive(Debug, Clone, Default)]
pub struct Model {
    events: BTreeSet<String>,
    /// Events that were ruled on.
    ruled: BTreeSet<String>,
    linked: BTreeMap<String, bool>,
    /// Delegations by agent and user: how many are in each state.
    delegations: BTreeMap<(String, String), BTreeMap<&'static str, u32>>,
    suspended: BTreeSet<String>,
    registered: BTreeSet<String>,
    /// Agents that nobody let act.
    pub strays: BTreeMap<String, Stray>,
}

impl Model {
    /// The operation has happened.
    pub fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Batch(events) => events.iter().for_each(|said| self.hear(said)),
            Operation::Repeat(_) | Operation::StrayAgain(..) => {}
            Operation::Suspend(agent) => drop(self.suspended.insert(agent.clone())),
            Operation::Resume(agent) => drop(self.suspended.remove(agent)),
            Operation::Register(agent) => drop(self.registered.insert(agent.clone())),
            Operation::Forget(agent) => drop(self.registered.remove(agent)),
            Operation::Key(agent) => drop(self.strays.entry(agent.clone()).or_default()),
            Operation::Stray(agent, id) => {
                self.events.insert(id.clone());
                self.strays.entry(agent.clone()).or_default().seen += 1;
            }
            Operation::Ask(_, id) => {
                self.events.insert(id.clone());
                self.ruled.insert(id.clone());
            }
            Operation::Decide(agent, yes) => self.strays.entry(agent.clone()).or_default().decided = Some(*yes),
        }
    }

    fn hear(&mut self, said: &Said) {
        self.events.insert(said.id.clone());
        match &said.what {
            What::Link(user) => {
                self.linked.insert(user.clone(), true);
                // What was lent before there was an account counts from now on.
                self.each_state(|(_, of)| of == user, ("dormant", "live"));
            }
            What::Unlink(user) => {
                // An account that was never linked is none.
                self.linked.entry(user.clone()).and_modify(|linked| *linked = false);
                // What was lent is gone for good, and does not come back with the account.
                self.each_state(|(_, of)| of == user, ("live", "ended"));
                self.each_state(|(_, of)| of == user, ("dormant", "ended"));
            }
            What::Delegate(agent, user) => {
                let state = if self.linked.get(user) == Some(&true) { "live" } else { "dormant" };
                let of = self.delegations.entry((agent.clone(), user.clone())).or_default();
                *of.entry(state).or_default() += 1;
            }
            What::Revoke(agent, user) => {
                self.each_state(|(by, of)| by == agent && of == user, ("live", "ended"));
                self.each_state(|(by, of)| by == agent && of == user, ("dormant", "ended"));
            }
            What::Goal(_) => {}
        }
    }

    fn each_state(&mut self, concerned: impl Fn(&(String, String)) -> bool, (from, to): (&'static str, &'static str)) {
        for (_, states) in self.delegations.iter_mut().filter(|(who, _)| concerned(who)) {
            let moved = states.remove(from).unwrap_or(0);
            if moved > 0 {
                *states.entry(to).or_default() += moved;
            }
        }
    }

    /// Everything that must stand, and nothing else may.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let mut facts = Facts::new();
        let mut fact = |name: String, value: String| drop(facts.insert(name, value));
        for id in &self.events {
            fact(format!("event {id}"), "1".to_owned());
        }
        for id in &self.ruled {
            fact(format!("ruling {id}"), "1".to_owned());
        }
        for (user, linked) in &self.linked {
            let state = if *linked { "linked" } else { "unlinked" };
            fact(format!("account {user}"), state.to_owned());
        }
        for ((agent, user), states) in &self.delegations {
            for (state, count) in states {
                fact(format!("delegation {agent} {user} {state}"), count.to_string());
            }
        }
        for agent in &self.suspended {
            fact(format!("agent {agent}"), "suspended".to_owned());
        }
        for agent in &self.registered {
            fact(format!("registration {agent}"), "1".to_owned());
        }
        for (agent, stray) in &self.strays {
            fact(format!("key {agent}"), "1".to_owned());
            if stray.seen > 0 {
                fact(format!("alert {agent}"), stray.seen.to_string());
                let word = stray.decided.map_or("waits", |yes| if yes { "approved" } else { "rejected" });
                fact(format!("approval {agent}"), word.to_owned());
            }
        }
        facts
    }
}

/// What differs, a line each.
#[must_use]
pub fn difference(wanted: &Facts, found: &Facts) -> Vec<String> {
    let names: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    let nothing = "nothing".to_owned();
    let differing = names.into_iter().filter(|name| wanted.get(*name) != found.get(*name));
    differing
        .map(|name| {
            let (wanted, found) = (wanted.get(name).unwrap_or(&nothing), found.get(name).unwrap_or(&nothing));
            format!("{name}: {found} instead of {wanted}")
        })
        .collect()
}

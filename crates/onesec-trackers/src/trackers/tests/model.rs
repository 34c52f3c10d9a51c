//! Links, delegations and their ends in any interleaving, against a model that looks through its whole log.

use crate::LedgerChange;
use proptest::prelude::*;

use super::*;

/// What happens, in terms of a few names.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Link(usize),
    Unlink(usize),
    /// Name, agent, delegator (a user below 2, an agent above), user, lifetime.
    Delegate(usize, usize, usize, usize, Option<i64>),
    Revoke(usize, usize),
    RevokeId(usize),
}

const USERS: [&str; 2] = ["ann", "bob"];
const AGENTS: [&str; 4] = ["a", "b", "c", "d"];

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..2_usize).prop_map(Op::Link),
        2 => (0..2_usize).prop_map(Op::Unlink),
        6 => (0..12_usize, 0..4_usize, 0..6_usize, 0..2_usize, prop::option::of(1_i64..2000))
            .prop_map(|(name, agent, by, user, life)| Op::Delegate(name, agent, by, user, life)),
        1 => (0..4_usize, 0..6_usize).prop_map(|(agent, by)| Op::Revoke(agent, by)),
        1 => (0..12_usize).prop_map(Op::RevokeId),
    ]
}

/// Ops with time passed before each, and how long each took to arrive; some are sent twice.
pub(super) fn log() -> impl Strategy<Value = Vec<Record>> {
    let step = (
        op(),
        prop_oneof![1 => Just(0_i64), 2 => 0_i64..200],
        prop_oneof![4 => Just(0_i64), 1 => 0_i64..3000],
        prop::bool::weighted(0.15),
    );
    prop::collection::vec(step, 1..60).prop_map(|steps| {
        let (mut clock, mut records) = (10_000, Vec::new());
        for (op, passed, delay, again) in steps {
            clock += passed;
            let mut record = told(&op, clock - delay);
            record.late = delay > 120;
            record.observed_at = at(clock);
            if again {
                records.push(record.clone());
            }
            records.push(record);
        }
        records
    })
}

fn name_of(by: usize) -> &'static str {
    if by < 2 { USERS[by] } else { AGENTS[by - 2] }
}

fn told(op: &Op, secs: i64) -> Record {
    match *op {
        Op::Link(user) => link(secs, USERS[user], ""),
        Op::Unlink(user) => unlink(secs, USERS[user]),
        Op::Delegate(name, agent, by, user, life) => {
            let user = if by < 2 { USERS[by] } else { USERS[user] };
            delegation(secs, [&format!("d-{name}"), AGENTS[agent], name_of(by), user], |d| {
                d.expires_at = life.map(|life| at(secs + life));
            })
        }
        Op::Revoke(agent, by) => revoke(secs, AGENTS[agent], name_of(by)),
        Op::RevokeId(name) => {
            command(secs, Command::RevokeDelegation { delegation: id(&format!("d-{name}")), reason: None })
        }
    }
}

/// One accepted delegation, and all that was ever accepted of the rest.
#[derive(Debug, Clone)]
struct Given {
    name: String,
    agent: String,
    by: String,
    user: String,
    at: Timestamp,
    expires: Option<Timestamp>,
    parent: Option<usize>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Model {
    given: Vec<Given>,
    links: Vec<(String, Timestamp)>,
    unlinks: Vec<(String, Timestamp)>,
    revoked: Vec<(String, String, Timestamp)>,
    tombstones: Vec<String>,
}

impl Model {
    fn apply(&mut self, record: &Record) {
        let event = match &record.body {
            Body::Command(Command::RevokeDelegation { delegation, .. }) => {
                if !self.given.iter().any(|g| g.name == delegation.as_str()) {
                    self.tombstones.push(delegation.to_string());
                }
                self.given.iter_mut().filter(|g| g.name == delegation.as_str()).for_each(|g| g.ended = true);
                return;
            }
            Body::Event(event) => event,
            _ => return,
        };
        let user = event.common.user_id.as_ref().map(ToString::to_string).unwrap_or_default();
        let agent = event.common.agent_id.as_ref().map(ToString::to_string).unwrap_or_default();
        match &event.details {
            Details::ConnectedAccountLink(_) => self.links.push((user, record.at)),
            Details::ConnectedAccountUnlink(_) => self.unlinks.push((user, record.at)),
            Details::AgentDelegationRevoked(d) => self.revoked.push((agent, d.delegated_by.to_string(), record.at)),
            Details::AgentIdentityDelegation(d) => self.delegate(record, d, [agent, user]),
            _ => {}
        }
    }

    fn delegate(&mut self, record: &Record, d: &AgentIdentityDelegation, [agent, user]: [String; 2]) {
        let (name, by) = (d.delegation_id.clone().unwrap().to_string(), d.delegated_by.to_string());
        let known = self.given.iter().any(|g| g.name == name) || self.tombstones.contains(&name);
        if by == agent || known || d.expires_at.is_some_and(|end| end <= record.at) {
            return;
        }
        let parent = if by == user { None } else { Some(self.parent(&by, &user, record.at)) };
        if parent == Some(None) {
            return;
        }
        let new = Given {
            name,
            agent,
            by,
            user,
            at: record.at,
            expires: d.expires_at,
            parent: parent.flatten(),
            ended: false,
        };
        let chain = self.chain(&new);
        let outlives = chain.get(1).is_some_and(|p| new.expires > p.expires && p.expires.is_some());
        let cycle = chain.iter().skip(1).any(|above| above.agent == new.agent);
        if chain.len() > 3 || cycle || outlives || self.is_void(&new) {
            return;
        }
        let expires = new.expires.or(chain.get(1).and_then(|p| p.expires));
        let new = Given { expires, ..new };
        if !record.late {
            self.sweep(&new);
        }
        self.given.push(new);
    }

    /// Old ends are written down when somebody delegates anew.
    fn sweep(&mut self, new: &Given) {
        let over = |g: &Given| g.expires.is_some_and(|end| end + Duration::from_secs(120) < new.at);
        let same = |g: &Given| g.agent == new.agent && g.user == new.user;
        self.given.iter_mut().filter(|g| same(g) && over(g)).for_each(|g| g.ended = true);
    }

    fn parent(&self, by: &str, user: &str, now: Timestamp) -> Option<usize> {
        let fits = |g: &Given| g.agent == by && g.user == user && self.holds(g, now);
        let fitting = self.given.iter().enumerate().filter(|(_, g)| fits(g));
        fitting.max_by_key(|(_, g)| (g.at, g.name.clone())).map(|(i, _)| i)
    }

    /// The delegation and all above it.
    fn chain(&self, given: &Given) -> Vec<Given> {
        let mut all = vec![given.clone()];
        while let Some(parent) = all.last().and_then(|g| g.parent) {
            all.push(self.given[parent].clone());
        }
        all
    }

    /// Ended by an unlink or revocation that is not older.
    fn is_void(&self, given: &Given) -> bool {
        let unlinked = self.unlinks.iter().any(|(user, end)| *user == given.user && *end >= given.at);
        let theirs = |by: &String| *by == given.by || *by == given.user;
        let revoked =
            |(agent, by, end): &(String, String, Timestamp)| *agent == given.agent && theirs(by) && *end >= given.at;
        unlinked || self.revoked.iter().any(revoked)
    }

    fn holds(&self, given: &Given, now: Timestamp) -> bool {
        let chain = self.chain(given);
        chain.iter().all(|g| !g.ended && !self.is_void(g)) && given.expires.is_none_or(|end| now < end)
    }

    fn is_linked(&self, user: &str) -> bool {
        let last = |times: &[(String, Timestamp)]| times.iter().filter(|(u, _)| u == user).map(|(_, at)| *at).max();
        last(&self.links) > last(&self.unlinks)
    }

    fn stands(&self, agent: &str, user: &str, now: Timestamp) -> &'static str {
        let mut known = self.given.iter().filter(|g| g.agent == agent && g.user == user).peekable();
        let any = known.peek().is_some();
        match (known.any(|g| self.holds(g, now)), self.is_linked(user)) {
            (true, true) => "authorised",
            (true, false) => "dormant",
            (false, _) if any => "ended",
            (false, _) => "never",
        }
    }
}

fn word(trackers: &Trackers, record: &Record) -> &'static str {
    match trackers.preview(record).access.expect("a use").standing {
        Standing::Authorised { .. } => "authorised",
        Standing::Dormant { .. } => "dormant",
        Standing::Ended { .. } => "ended",
        Standing::Never => "never",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_interleaving_leaves_an_agent_authorised_that_should_not_be(log in log()) {
        let (mut trackers, mut model) = (trackers(), Model::default());
        for record in &log {
            trackers.pass(record);
            model.apply(record);
            let now = record.observed_at.as_secs() - at(0).as_secs();
            for agent in AGENTS {
                for user in USERS {
                    let record = usage(now, [agent, user, "github"]);
                    let want = model.stands(agent, user, at(now));
                    prop_assert_eq!(word(&trackers, &record), want, "{} for {} after {:?}", agent, user, record);
                    let any = model.given.iter().any(|g| g.agent == agent && model.holds(g, at(now)));
                    let nobody = exchange(now, [agent, "", "github"], "repo");
                    prop_assert_eq!(trackers.preview(&nobody).access.unwrap().any_user_delegated, Some(any));
                }
            }
        }
    }

    #[test]
    fn rows_written_through_are_the_rows_of_the_ledger(log in log()) {
        let mut trackers = trackers();
        let mut table = std::collections::BTreeMap::new();
        for record in &log {
            trackers.pass(record);
            for row in trackers.changes() {
                if let LedgerChange::AgentSeen(agent, at) = &row {
                    let Some(LedgerChange::Agent(known)) = table.get_mut(&(2, agent.to_string())) else {
                        panic!("{agent} was seen before it had a row");
                    };
                    known.last_seen = *at;
                } else {
                    table.insert(key(&row), row);
                }
            }
        }
        for mut row in trackers.ledger_rows() {
            let kept = table.remove(&key(&row));
            if let (LedgerChange::Agent(row), Some(LedgerChange::Agent(kept))) = (&mut row, &kept) {
                prop_assert!(row.last_seen.since(kept.last_seen) < std::time::Duration::from_secs(60));
                row.last_seen = kept.last_seen;
            }
            prop_assert_eq!(kept, Some(row));
        }
        prop_assert!(table.is_empty());
    }
}

fn key(row: &LedgerChange) -> (u8, String) {
    match row {
        LedgerChange::Account(a) => (0, format!("{} {} {:?}", a.user_id, a.connection, a.account_id)),
        LedgerChange::Delegation(d) => (1, format!("{} {}", d.id, d.connection)),
        LedgerChange::Agent(a) => (2, a.agent_id.to_string()),
        LedgerChange::AgentSeen(agent, _) => (2, agent.to_string()),
        LedgerChange::Registration(agent, _) => (3, agent.to_string()),
    }
}

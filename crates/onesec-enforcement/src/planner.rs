//! From a change of an alert to actions: whether, on whom, and how far without a person.
//!
//! Everything here is a function of the records before it, so that a replay plans the same and plans nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use onesec_telemetry::{AgentId, Alert, Mode, Name, Seq, Severity, Thumbprint, Timestamp};
use serde::{Deserialize, Serialize};

use crate::policy::Policy;
use crate::spec::ActionSpec;
use crate::target::Target;

/// A change of an alert that policies are asked about.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The alert after it.
    pub alert: &'a Alert,
    /// The record that changed it.
    pub seq: Seq,
    /// When.
    pub now: Timestamp,
    /// The address of the socket that the agent itself used, where we saw it.
    pub source: Option<IpAddr>,
    /// How bad it is without what others merely report; absent where there is nothing but that.
    pub proved: Option<Severity>,
    /// Whether the alert's user is known by a verified credential or by authority, and not merely named.
    pub user_is_known: bool,
    /// Dry run or live.
    pub mode: Mode,
}

impl Occasion<'_> {
    /// Whether a policy is about this alert only because of what others merely report.
    fn is_hearsay(&self, policy: &Policy) -> bool {
        self.proved.is_none_or(|proved| proved < policy.when.min_severity)
    }

    /// Whether an action would rest on somebody's mere word: about what happened, or about whose account it was. An agent
    /// may well say of itself what it did; whom it did it to is not its to say.
    fn is_doubtful(&self, (policy, spec): (&Policy, &ActionSpec)) -> bool {
        self.is_hearsay(policy) || spec.aims_at_user() && !self.user_is_known
    }
}

/// What is to become of one action of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Planned {
    /// Hash of alert, transition, policy and index: the same for the same cause, however often it is worked out.
    pub id: Name,
    /// Which policy.
    pub policy: Name,
    /// Which of its actions.
    pub index: usize,
    /// On whom; absent where there is nobody.
    pub target: Option<Target>,
    /// How far.
    pub fate: Fate,
    /// Whether it goes ahead of everything that is not CRITICAL.
    pub urgent: bool,
}

/// How far an action goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is carried out.
    Execute,
    /// Live mode would.
    DryRun,
    /// A person is asked first, and for this long.
    Ask(Duration),
    /// Not at all, and why.
    Skip(&'static str),
}

/// What was done lately, so that it is not done again and not too often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planner {
    cooling: BTreeMap<Key, Cooling>,
    /// Ends of cool-downs in order: the first to end makes room.
    ends: BTreeSet<(Timestamp, Key)>,
    minutes: BTreeMap<Lane, Minute>,
}

/// What has room of its own, so that nothing in another lane takes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Lane {
    policy: Name,
    urgent: bool,
    live: bool,
    /// Something is done, and not merely said to have been left.
    acts: bool,
    hearsay: bool,
}

type Key = [u8; 16];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Cooling {
    until: Timestamp,
    severity: Severity,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Minute {
    began: Timestamp,
    count: u32,
    told: bool,
    /// Whose alerts it was used for, each with the first; no more than `count`.
    agents: BTreeMap<Option<AgentId>, Seq>,
}

impl Planner {
    /// What `policies` want done about a change of an alert, in the order in which they say it.
    pub fn plan(&mut self, policies: &[Policy], occasion: Occasion<'_>) -> Vec<Planned> {
        self.plan_where(policies, occasion, |_| true)
    }

    /// The same, of what is done to users only: for when nothing has changed but that the user is known by now.
    pub fn plan_at_user(&mut self, policies: &[Policy], occasion: Occasion<'_>) -> Vec<Planned> {
        self.plan_where(policies, occasion, ActionSpec::aims_at_user)
    }

    fn plan_where(
        &mut self,
        policies: &[Policy],
        occasion: Occasion<'_>,
        wanted: impl Fn(&ActionSpec) -> bool,
    ) -> Vec<Planned> {
        let mut plan = Vec::new();
        for policy in policies.iter().filter(|policy| policy.is_about(occasion.alert)) {
            for (index, spec) in policy.actions.iter().enumerate().filter(|(_, spec)| wanted(spec)) {
                plan.extend(self.consider(policy, (index, spec), occasion));
            }
        }
        plan
    }

    /// `None` where it is held back and a receipt of this minute says so already.
    fn consider(
        &mut self,
        policy: &Policy,
        (index, spec): (usize, &ActionSpec),
        occasion: Occasion<'_>,
    ) -> Option<Planned> {
        let Occasion { alert, mode, now, .. } = occasion;
        let urgent = alert.severity == Severity::Critical;
        let planned = |target: Option<Target>, fate: Fate| {
            let id = action_id(alert, occasion.seq, (policy.name.as_str(), index));
            Some(Planned { id, policy: policy.name.clone(), index, target, fate, urgent })
        };
        let (target, refusal) = match Target::of(spec.aims_at(), alert, occasion.source) {
            Err(why) => (None, Some(why)),
            Ok(target) => {
                let spared = target.is_spared(&policy.never).then_some("the policy never touches it");
                (Some(target), spared)
            }
        };
        // What is not done takes no room from what is; its receipts are bounded all the same.
        let doubtful = occasion.is_doubtful((policy, spec));
        let key = key((policy, index, refusal), doubtful, occasion);
        if self.cools(&key, alert.severity, now) {
            return None;
        }
        let lane = Lane {
            policy: policy.name.clone(),
            urgent,
            live: mode == Mode::Live,
            acts: refusal.is_none(),
            hearsay: doubtful,
        };
        match self.count((lane, policy.max_per_minute), occasion) {
            Room::Left => {}
            Room::None { told: false } if refusal.is_none() => {
                return planned(target, Fate::Skip("the policy has acted as often as it may in a minute"));
            }
            Room::None { .. } => return None,
        }
        self.cool(key, Cooling { until: now + policy.cooldown, severity: alert.severity }, now);
        if let Some(why) = refusal {
            return planned(target, Fate::Skip(why));
        }
        // Nobody is stopped on somebody's word alone: a person says whether it is true.
        let hearsay = spec.is_harmful() && doubtful;
        let fate = match (mode, policy.approval) {
            (Mode::DryRun, _) => Fate::DryRun,
            (Mode::Live, Some(patience)) => Fate::Ask(patience),
            (Mode::Live, None) if hearsay => Fate::Ask(Policy::PATIENCE),
            (Mode::Live, None) => Fate::Execute,
        };
        planned(target, fate)
    }

    /// Whether the same was done lately for something at least as bad.
    fn cools(&self, key: &Key, severity: Severity, now: Timestamp) -> bool {
        self.cooling.get(key).is_some_and(|cooling| now < cooling.until && severity <= cooling.severity)
    }

    fn cool(&mut self, key: Key, cooling: Cooling, now: Timestamp) {
        while let Some(&(end, oldest)) = self.ends.first()
            && (end <= now || self.ends.len() >= MOST_COOLING)
        {
            self.ends.remove(&(end, oldest));
            self.cooling.remove(&oldest);
        }
        if let Some(former) = self.cooling.insert(key, cooling) {
            self.ends.remove(&(former.until, key));
        }
        self.ends.insert((cooling.until, key));
    }

    /// Takes a place in the lane. The last third of them is kept for agents that have had none: however much one of them
    /// does, the next is not overlooked.
    fn count(&mut self, (lane, most): (Lane, u32), Occasion { alert, seq, now, .. }: Occasion<'_>) -> Room {
        if self.minutes.len() >= MOST_LANES {
            self.minutes.retain(|_, minute| now < minute.began + MINUTE);
        }
        let fresh = || Minute { began: now, count: 0, told: false, agents: BTreeMap::new() };
        let minute = self.minutes.entry(lane).or_insert_with(fresh);
        if now >= minute.began + MINUTE {
            *minute = fresh();
        }
        let is_first = minute.agents.get(&alert.agent_id).is_none_or(|first| *first == seq);
        if minute.count < if is_first { most } else { most - most / 3 } {
            minute.count += 1;
            minute.agents.entry(alert.agent_id.clone()).or_insert(seq);
            return Room::Left;
        }
        Room::None { told: std::mem::replace(&mut minute.told, true) }
    }
}

enum Room {
    Left,
    None { told: bool },
}

/// What a cool-down protects: never the address alone, so that no agent hides behind another's.
fn key((policy, index, refusal): (&Policy, usize, Option<&str>), doubtful: bool, occasion: Occasion<'_>) -> Key {
    let alert = occasion.alert;
    let part = |id: Option<&str>| id.map_or_else(|| "\u{1e}".to_owned(), str::to_owned);
    let parts = [
        policy.name.to_string(),
        index.to_string(),
        occasion.mode.as_str().to_owned(),
        alert.detector.to_string(),
        part(alert.agent_id.as_ref().map(AsRef::as_ref)),
        part(alert.user_id.as_ref().map(AsRef::as_ref)),
        part(alert.connection.as_ref().map(AsRef::as_ref)),
        // An alert on somebody's word must not keep one that was seen from being acted on.
        doubtful.to_string(),
        // Nor must what could not be done keep what can.
        part(refusal),
    ];
    let digest = Thumbprint::of(parts.join(UNIT).as_bytes());
    let mut key = Key::default();
    for (to, from) in key.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    key
}

fn action_id(alert: &Alert, seq: Seq, (policy, index): (&str, usize)) -> Name {
    let text = [alert.tenant.as_str(), alert.id.as_str(), &seq.to_string(), policy, &index.to_string()].join(UNIT);
    let digest = Thumbprint::of(text.as_bytes()).to_string();
    #[expect(clippy::expect_used, reason = "thirty printable ASCII characters are an identifier")]
    Name::new(&format!("act_{}", digest.get(..26).unwrap_or_default())).expect("an identifier")
}

/// Between parts of what is hashed; no identifier contains it.
const UNIT: &str = "\u{1f}";
const MINUTE: Duration = Duration::from_secs(60);
/// Things that are left alone at a time; beyond it the first whose time ends is forgotten.
const MOST_COOLING: usize = 50_000;
/// Policies come and go; their minutes are forgotten once so many are there.
const MOST_LANES: usize = 2_000;

#[cfg(test)]
mod tests;

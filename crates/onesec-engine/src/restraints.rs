//! What holds agents and addresses back for a while: decided by a person or by a policy that was live, and therefore in
//! force in every mode until its time is over.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use onesec_enforcement::{Phase, Verdict};
use onesec_telemetry::{AgentId, Command, Record, Timestamp};
use serde::{Deserialize, Serialize};

/// An agent that is held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restraint {
    /// So many requests pass; none where 0.
    pub limit: u32,
    /// In this time.
    pub per: Duration,
    /// Until then.
    pub until: Timestamp,
    /// When the newest passed, oldest first; never more than `limit`.
    passed: VecDeque<Timestamp>,
}

/// Everybody who is held back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Restraints {
    agents: BTreeMap<AgentId, Restraint>,
    addresses: BTreeMap<IpAddr, Timestamp>,
    /// Changes with every change of who is held back, so that readers need not compare.
    version: u64,
}

/// Why a request is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldBack {
    pub(crate) verdict: Verdict,
    pub(crate) reason: String,
}

impl Restraints {
    /// Who is held back, in order.
    pub fn agents(&self) -> impl Iterator<Item = (&AgentId, &Restraint)> {
        self.agents.iter()
    }

    /// Addresses that are refused, and until when.
    pub fn addresses(&self) -> impl Iterator<Item = (IpAddr, Timestamp)> {
        self.addresses.iter().map(|(address, until)| (*address, *until))
    }

    /// The same number means that nobody came or went.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Takes what a command says, where it is about this.
    pub(crate) fn obey(&mut self, command: &Command) {
        match command {
            Command::RestrainAgent { agent, limit, per, until, .. } => {
                // Nobody is let go by being held back once more: not by a rate when stopped, nor for a shorter time.
                let stays = |former: &Restraint| {
                    former.limit == 0 && *limit > 0 || former.limit <= *limit && former.until >= *until
                };
                if self.agents.get(agent).is_some_and(stays) {
                    return;
                }
                if self.agents.len() < MOST || self.agents.contains_key(agent) {
                    let fresh = Restraint {
                        limit: (*limit).min(MOST_PASSED),
                        per: *per,
                        until: *until,
                        passed: VecDeque::new(),
                    };
                    self.agents.insert(agent.clone(), fresh);
                }
            }
            Command::ReleaseAgent { agent } => drop(self.agents.remove(agent)),
            Command::BlockAddress { address, until, .. } => {
                if self.addresses.len() < MOST || self.addresses.contains_key(&address.to_canonical()) {
                    let blocked = self.addresses.entry(address.to_canonical()).or_insert(*until);
                    *blocked = (*blocked).max(*until);
                }
            }
            Command::UnblockAddress { address } => drop(self.addresses.remove(&address.to_canonical())),
            _ => return,
        }
        self.version += 1;
    }

    /// Forgets what is over.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        if self.agents.is_empty() && self.addresses.is_empty() {
            return;
        }
        let before = self.agents.len() + self.addresses.len();
        self.agents.retain(|_, restraint| now < restraint.until);
        self.addresses.retain(|_, until| now < *until);
        self.version += u64::from(before != self.agents.len() + self.addresses.len());
    }

    /// Whether a request is held back; nothing changes by asking.
    pub(crate) fn ask(&self, record: &Record, phase: Phase) -> Option<HeldBack> {
        let network = record.network.map(|address| address.to_canonical());
        if let Some(until) = network.and_then(|address| self.addresses.get(&address)) {
            let reason = format!("requests from this address are refused until {until}");
            return Some(HeldBack { verdict: refused(phase), reason });
        }
        let (agent, restraint) = self.agents.get_key_value(record.agent()?)?;
        let until = restraint.until;
        if restraint.limit == 0 {
            return Some(HeldBack {
                verdict: refused(phase),
                reason: format!("agent `{agent}` is stopped until {until}"),
            });
        }
        let now = record.observed_at;
        let oldest = restraint.passed.front().filter(|_| restraint.passed.len() >= restraint.limit as usize)?;
        let again = *oldest + restraint.per;
        if phase == Phase::Release || again <= now {
            return None;
        }
        let (limit, seconds) = (restraint.limit, restraint.per.as_secs());
        let reason = format!("agent `{agent}` may do {limit} requests in {seconds} s until {until}");
        Some(HeldBack { verdict: Verdict::RateLimit { retry_after: again.since(now) }, reason })
    }

    /// Counts a request that passed.
    pub(crate) fn count(&mut self, record: &Record) {
        let Some(restraint) = record.agent().and_then(|agent| self.agents.get_mut(agent)) else { return };
        while restraint.passed.len() >= restraint.limit.max(1) as usize {
            restraint.passed.pop_front();
        }
        restraint.passed.push_back(record.observed_at);
    }
}

const fn refused(phase: Phase) -> Verdict {
    match phase {
        Phase::Request => Verdict::Deny,
        Phase::Release => Verdict::Withhold,
    }
}

/// Agents, and addresses, that are held back at a time.
const MOST: usize = 10_000;
/// The highest limit: each of its requests is remembered.
const MOST_PASSED: u32 = 10_000;

//! People's decisions on approvals: how many, and how long each was looked at.

use std::time::Duration;

use compact_str::CompactString;
use onesec_telemetry::{Body, Command, Details, Record, Timestamp};
use serde::{Deserialize, Serialize};

use crate::facts::ApprovalFacts;
use crate::pool::Entry;
use crate::shared::{Seed, Sym};
use crate::trackers::State;

/// Somebody who approves.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Approver {
    name: Sym,
    /// When, and how long it was looked at; oldest first.
    recent: Vec<(Timestamp, Duration)>,
}

/// A decision, wherever it was made.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    approver: CompactString,
    at: Timestamp,
    /// From opening to decision, where both are known.
    dwell: Option<Duration>,
    mismatch: bool,
    approves: bool,
}

impl Decision {
    pub(crate) fn of(record: &Record) -> Option<Self> {
        match &record.body {
            Body::Command(Command::DecideApproval { approve, .. }) => Some(Self {
                approver: CompactString::from(record.sender.owner.as_ref()?.as_str()),
                at: record.at,
                dwell: None,
                mismatch: false,
                approves: *approve,
            }),
            Body::Event(event) => {
                let Details::ApprovalDecision(d) = &event.details else { return None };
                let decided = d.decided_at.unwrap_or(record.at);
                let approves = d.decision.as_str().to_ascii_lowercase().starts_with("appr")
                    || matches!(d.decision.as_str(), "allow" | "allowed" | "yes" | "accept" | "accepted");
                let differ = d
                    .shown_digest
                    .as_ref()
                    .zip(d.action_digest.as_ref())
                    .is_some_and(|(shown, done)| !shown.as_str().trim().eq_ignore_ascii_case(done.as_str().trim()));
                Some(Self {
                    approver: CompactString::from(d.approver.as_str()),
                    at: record.at,
                    dwell: d.opened_at.map(|opened| decided.since(opened)),
                    mismatch: differ && approves,
                    approves,
                })
            }
            _ => None,
        }
    }

    /// How long it can have been looked at: not longer than since the decision before.
    fn looked_at(&self, before: Option<Timestamp>) -> Duration {
        let since = before.map(|before| self.at.since(before));
        match (self.dwell, since) {
            (Some(dwell), Some(since)) => dwell.min(since),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => WITHIN,
        }
    }
}

impl State {
    pub(crate) fn approval_facts(&self, record: &Record) -> Option<ApprovalFacts> {
        let decision = Decision::of(record)?;
        let known = self.approver(&decision.approver);
        let recent = known.map_or(&[][..], |known| &known.recent);
        let within = recent.iter().filter(|(at, _)| decision.at.since(*at) < WITHIN);
        let mut dwells: Vec<Duration> = within.map(|(_, dwell)| *dwell).collect();
        if decision.approves {
            dwells.push(decision.looked_at(recent.last().map(|(at, _)| *at)));
        }
        dwells.sort_unstable();
        Some(ApprovalFacts {
            approver: decision.approver.to_string(),
            mismatch: decision.mismatch,
            count: u32::try_from(dwells.len()).unwrap_or(u32::MAX),
            median_dwell: dwells.get(dwells.len() / 2).copied().unwrap_or(WITHIN),
            window: WITHIN,
        })
    }

    fn approver(&self, name: &str) -> Option<&Approver> {
        let slot = self.behaviour.approvers.find(self.shared.seed.of(name), |known| *known.name == *name)?;
        self.behaviour.approvers.get(slot)
    }

    pub(crate) fn settle_decision(&mut self, decision: &Decision, owner: Option<Sym>) {
        if !decision.approves {
            return;
        }
        let hash = self.shared.seed.of(&decision.approver);
        let found = self.behaviour.approvers.find(hash, |known| *known.name == *decision.approver);
        let slot = found.unwrap_or_else(|| {
            let new = Approver { name: self.shared.name(&decision.approver), recent: Vec::new() };
            self.behaviour.approvers.insert(hash, owner, new).0
        });
        let Some(known) = self.behaviour.approvers.get_mut(slot) else { return };
        let dwell = decision.looked_at(known.recent.last().map(|(at, _)| *at));
        known.recent.retain(|(at, _)| decision.at.since(*at) < WITHIN);
        if known.recent.len() >= MOST_RECENT {
            known.recent.remove(0);
        }
        known.recent.push((decision.at, dwell));
    }
}

impl Entry for Approver {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.of(&self.name)
    }
}

/// Decisions within this are one sitting.
const WITHIN: Duration = Duration::from_secs(600);
/// Decisions that are remembered.
const MOST_RECENT: usize = 64;

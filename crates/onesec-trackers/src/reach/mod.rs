//! `ReachTracker`: for how many users and connections, how often in vain, after how long a rest; tasks' users, decoys,
//! ledgers that are complete. What is kept per agent hangs on the agent's own statistics and costs no look-up.

mod attempts;
mod canaries;
mod peaks;
mod pools;
mod recent;
#[cfg(test)]
mod tests;
mod told;

use std::collections::BTreeSet;

use onesec_telemetry::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use attempts::{Attempt, Attempts};
pub(crate) use canaries::Canaries;
pub(crate) use peaks::Peaks;
pub(crate) use pools::{Failing, TaskFor};
pub(crate) use recent::Recent;
pub(crate) use told::{IssuedFor, MOST_PAIRS, NEAR, Stage, TOLD_WITHIN, Tale, Untold, Watching};

use crate::config::Bounds;
use crate::facts::LostFacts;
use crate::pool::Pool;
use crate::shared::{Seed, Sym};
use crate::state::{StateError, StateReader, StateWriter};

/// How far one agent reaches, by one class of records.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Reach {
    /// Users exchanged for.
    pub(crate) users: Recent,
    /// Connections that nobody delegated, or that were refused.
    pub(crate) undelegated: Recent,
    /// Exchanges that passed.
    pub(crate) exchanges: u32,
    /// The last of them.
    pub(crate) last: Option<Timestamp>,
    /// What few agents have.
    rare: Option<Box<Rare>>,
}

/// What is kept of an agent that does not simply work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Rare {
    /// Present while an agent that was at rest is waking.
    pub(crate) waking: Option<Waking>,
    /// Present while there are failures.
    pub(crate) attempts: Option<Attempts>,
    /// Present for agents that serve many.
    pub(crate) peaks: Option<Peaks>,
}

impl Reach {
    pub(crate) fn waking(&self) -> Option<&Waking> {
        self.rare.as_ref()?.waking.as_ref()
    }

    pub(crate) fn attempts(&self) -> Option<&Attempts> {
        self.rare.as_ref()?.attempts.as_ref()
    }

    pub(crate) fn peaks(&self) -> Option<&Peaks> {
        self.rare.as_ref()?.peaks.as_ref()
    }

    /// What few agents have, made where there is none.
    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Changes what few agents have, where this one has any of it. What is empty then is no longer kept.
    pub(crate) fn with_rare(&mut self, change: impl FnOnce(&mut Rare)) {
        let Some(rare) = &mut self.rare else { return };
        change(rare);
        self.rare.take_if(|rare| **rare == Rare::default());
    }
}

/// An agent that was at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waking {
    /// Its last exchange before.
    pub(crate) since: Timestamp,
    pub(crate) woke: Timestamp,
    /// Within ten minutes.
    pub(crate) exchanges: u32,
}

/// What is not kept per agent.
#[derive(Debug)]
pub(crate) struct ReachTracker {
    pub(crate) tasks: Pool<TaskFor>,
    pub(crate) failing: Pool<Failing>,
    pub(crate) untold: Pool<Untold>,
    /// Tokens that Auth0 has yet to tell of.
    pub(crate) issued: Pool<IssuedFor>,
    pub(crate) watching: Watching,
    pub(crate) canaries: Canaries,
    /// Connections whose links are all known, by a person's word.
    pub(crate) complete: BTreeSet<Sym>,
    /// Not yet told.
    pub(crate) lost: Option<LostFacts>,
    /// Learned baselines that were evicted.
    pub(crate) baselines_evicted: u64,
}

impl ReachTracker {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let share = bounds.key_share;
        Self {
            tasks: Pool::new(bounds.tasks, share),
            failing: Pool::new(MOST_CONNECTIONS, share),
            untold: Pool::new(bounds.pairs.min(MOST_PAIRS), share),
            issued: Pool::new(bounds.tokens.min(MOST_PAIRS), share),
            watching: Watching::default(),
            canaries: Canaries::default(),
            complete: BTreeSet::new(),
            lost: None,
            baselines_evicted: 0,
        }
    }

    pub(crate) fn evictions(&self) -> u64 {
        self.tasks.evictions() + self.failing.evictions() + self.untold.evictions() + self.issued.evictions()
    }

    pub(crate) fn save(&self, out: &mut StateWriter) {
        out.put("reach/tasks", &self.tasks.saved());
        out.put("reach/failing", &self.failing.saved());
        out.put("reach/told", &(self.untold.saved(), self.issued.saved(), self.watching));
        out.put("reach/canaries", &self.canaries);
        out.put("reach/complete", &self.complete);
        out.put("reach/lost", &(&self.lost, self.baselines_evicted));
    }

    pub(crate) fn load(bounds: &Bounds, seed: &Seed, from: StateReader<'_>) -> Result<Self, StateError> {
        let new = Self::new(bounds);
        let (lost, baselines_evicted) = from.get("reach/lost")?;
        let mut told = from.stream("reach/told")?;
        Ok(Self {
            tasks: new.tasks.fill(&mut from.stream("reach/tasks")?, seed)?,
            failing: new.failing.fill(&mut from.stream("reach/failing")?, seed)?,
            untold: new.untold.fill(&mut told, seed)?,
            issued: new.issued.fill(&mut told, seed)?,
            watching: told.next()?,
            canaries: from.get("reach/canaries")?,
            complete: from.get("reach/complete")?,
            lost,
            baselines_evicted,
        })
    }
}

/// Distinct users that are kept of an agent.
pub(crate) const MOST_USERS: usize = 1_024;
/// Connections that are kept of an agent, and in all.
pub(crate) const MOST_UNDELEGATED: usize = 64;
/// Connections that may be marked, or be seen to fail.
pub(crate) const MOST_CONNECTIONS: usize = 10_000;

//! Whom tasks are for, and which providers are down.

use serde::{Deserialize, Serialize};

use super::recent::Recent;
use crate::pool::Entry;
use crate::shared::{Seed, Sym};
use crate::window::Split;

/// Whom a task is for: as stated, where `agent` is empty, or as one agent showed it first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TaskFor {
    pub(crate) agent: Sym,
    pub(crate) task: Sym,
    /// The user; where stated: absent for a task of several users.
    pub(crate) users: Split<Option<Sym>>,
}

impl Entry for TaskFor {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.pair(&self.agent, &self.task)
    }
}

/// A connection at which settled agents fail as they do when a provider is down.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Failing {
    pub(crate) connection: Sym,
    pub(crate) agents: Recent,
}

impl Entry for Failing {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.of(&self.connection)
    }
}

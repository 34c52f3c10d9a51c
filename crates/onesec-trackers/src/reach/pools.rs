//! Whom tasks are for, which providers are down, and which exchanges Auth0 has yet to tell of.

use std::time::Duration;

use onesec_telemetry::Timestamp;
use serde::{Deserialize, Serialize};

use super::recent::{Recent, micros};
use crate::pool::Entry;
use crate::shared::{Seed, Shared, Sym};
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

    fn share(&mut self, shared: &mut Shared) {
        shared.share(&mut self.agent);
        shared.share(&mut self.task);
        for user in self.users.both_mut().flatten() {
            shared.share(user);
        }
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

    fn share(&mut self, shared: &mut Shared) {
        shared.share(&mut self.connection);
    }
}

/// Exchanges that the gateway let pass for a user at a connection, and that Auth0 has yet to tell of.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Untold {
    pub(crate) user: Sym,
    pub(crate) connection: Sym,
    /// Oldest first.
    times: Vec<i64>,
}

impl Untold {
    pub(crate) const fn new(user: Sym, connection: Sym) -> Self {
        Self { user, connection, times: Vec::new() }
    }

    /// The exchange that something told of `at` may be: the nearest.
    pub(crate) fn nearest(&self, at: Timestamp) -> Option<usize> {
        let at = at.as_micros();
        let distance = |time: &i64| time.abs_diff(at);
        let near = self.times.iter().enumerate().filter(|(_, time)| distance(time) <= NEAR.as_micros() as u64);
        near.min_by_key(|(_, time)| distance(time)).map(|(place, _)| place)
    }

    /// Auth0 told of it: exactly one exchange is explained by it.
    pub(crate) fn told(&mut self, at: Timestamp) {
        if let Some(place) = self.nearest(at) {
            self.times.remove(place);
        }
    }

    /// The gateway let one pass.
    pub(crate) fn pass(&mut self, at: Timestamp) {
        let at = at.as_micros();
        let place = self.times.partition_point(|time| *time <= at);
        self.times.insert(place, at);
        let newest = self.times.last().map_or(at, |last| *last);
        self.times.retain(|time| *time > newest.saturating_sub(micros(TOLD_WITHIN)));
        if self.times.len() > MOST_UNTOLD {
            self.times.remove(0);
        }
    }

    /// Whether Auth0 can no longer tell of any of it in time.
    pub(crate) fn is_over(&self, at: Timestamp) -> bool {
        self.times.last().is_none_or(|last| *last <= at.as_micros().saturating_sub(micros(TOLD_WITHIN)))
    }
}

impl Entry for Untold {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.pair(&self.user, &self.connection)
    }

    fn share(&mut self, shared: &mut Shared) {
        shared.share(&mut self.user);
        shared.share(&mut self.connection);
    }
}

/// An entry of Auth0's log is about an exchange that is not further from it than this.
const NEAR: Duration = Duration::from_secs(30);
/// What Auth0 tells later than this is late anyhow.
const TOLD_WITHIN: Duration = Duration::from_secs(600);
const MOST_UNTOLD: usize = 64;

//! What is kept per agent, per (agent, user), per (agent, user, connection) and per delegation root.

use onesec_telemetry::Timestamp;
use onesec_telemetry::id::confusable_skeleton;
use serde::{Deserialize, Serialize};

use super::Network;
use crate::few::Few;
use crate::pool::Entry;
use crate::reach::Reach;
use crate::shared::{Seed, Set, Shared, Sym};
use crate::window::{Split, Window};

/// One agent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AgentStats {
    pub(crate) name: Sym,
    pub(crate) sides: Split<Side>,
    /// First and last record of any kind: for people.
    pub(crate) first: Timestamp,
    pub(crate) seen: Timestamp,
    /// `seen` as the last row showed it.
    pub(crate) shown: Timestamp,
    /// Its id takes part in telling look-alikes.
    pub(crate) registered: bool,
    /// The agent that it looked like when it was seen first.
    pub(crate) confusable: Option<Sym>,
    /// Connections that it exchanged for.
    pub(crate) connections: Few<Sym>,
    /// (user, connection) of the baselines that changed last: for people.
    pub(crate) baselines: Few<(Sym, Sym)>,
}

/// What is known about an agent from one class of records.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Side {
    /// First record.
    pub(crate) first: Option<Timestamp>,
    /// Last record that passed.
    pub(crate) last: Option<Timestamp>,
    pub(crate) window: Window,
    /// Newest first.
    pub(crate) networks: Few<Network>,
    pub(crate) reach: Reach,
}

impl AgentStats {
    pub(crate) fn new(name: Sym, at: Timestamp) -> Self {
        Self {
            name,
            sides: Split::default(),
            first: at,
            seen: at,
            shown: at,
            registered: false,
            confusable: None,
            connections: Few::new(),
            baselines: Few::new(),
        }
    }

    /// Remembers that the agent exchanged for `connection`; `true` if that is new.
    pub(crate) fn add_connection(&mut self, connection: &str, shared: &mut Shared) -> bool {
        if self.connections.iter().any(|c| &**c == connection) || self.connections.len() >= MOST_CONNECTIONS {
            return false;
        }
        let place = self.connections.partition_point(|known| **known < *connection);
        self.connections.insert(place, shared.name(connection));
        true
    }

    /// Remembers whose baseline changed; the oldest of sixteen is forgotten.
    pub(crate) fn add_baseline(&mut self, key: (Sym, Sym)) {
        if self.baselines.contains(&key) {
            return;
        }
        if self.baselines.len() >= MOST_BASELINES {
            self.baselines.remove(0);
        }
        self.baselines.push(key);
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.sides.both().any(|side| side.window.is_armed() || side.reach.attempts().is_some())
    }
}

impl Side {
    /// Moves `network` to the front; `true` if it is new.
    pub(crate) fn add_network(&mut self, network: Network) -> bool {
        if self.networks.first() == Some(&network) {
            return false;
        }
        let known = self.networks.iter().position(|n| *n == network);
        if let Some(at) = known {
            self.networks.remove(at);
        }
        self.networks.truncate(MOST_NETWORKS - 1);
        self.networks.insert(0, network);
        known.is_none()
    }
}

impl Entry for AgentStats {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.of(&self.name)
    }
}

/// One agent on behalf of one user.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AgentUser {
    pub(crate) agent: Sym,
    pub(crate) user: Sym,
    pub(crate) windows: Split<Window>,
}

impl Entry for AgentUser {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.pair(&self.agent, &self.user)
    }
}

/// Everything below one delegation root.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Root {
    pub(crate) agent: Sym,
    pub(crate) windows: Split<Window>,
}

impl Entry for Root {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.of(&self.agent)
    }
}

/// One agent on behalf of one user at one connection.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) agent: Sym,
    pub(crate) user: Sym,
    pub(crate) connection: Sym,
    pub(crate) learned: Split<Learned>,
    /// When the last token that was issued expires.
    pub(crate) token_until: Option<Timestamp>,
    /// Exchanges since, while it was valid.
    pub(crate) while_held: u32,
}

/// What was learned, and what was asked for beyond it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Learned {
    /// Since when; void once the account was unlinked at or after it.
    pub(crate) since: Timestamp,
    pub(crate) scopes: Option<Set>,
    pub(crate) pending: Option<Set>,
}

impl Learned {
    /// Itself, unless an unlink came after.
    pub(crate) fn valid(&self, void: Option<Timestamp>) -> Option<&Self> {
        let known = self.scopes.is_some() || self.pending.is_some();
        (known && void.is_none_or(|end| self.since > end)).then_some(self)
    }

    /// Forgets what was void at `at`; `false` if `at` itself is.
    pub(crate) fn open(&mut self, at: Timestamp, void: Option<Timestamp>) -> bool {
        if void.is_some_and(|end| at <= end) {
            return false;
        }
        if self.valid(void).is_none() {
            *self = Self { since: at, ..Self::default() };
        }
        true
    }
}

impl Pair {
    pub(crate) const fn new(agent: Sym, user: Sym, connection: Sym) -> Self {
        let learned = Split::of_proved(Learned { since: Timestamp::EPOCH, scopes: None, pending: None });
        Self { agent, user, connection, learned, token_until: None, while_held: 0 }
    }

    /// Whether forgetting it would lose more than the last token.
    pub(crate) fn has_baseline(&self) -> bool {
        self.learned.both().any(|side| side.scopes.is_some() || side.pending.is_some())
    }
}

impl Entry for Pair {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.triple(&self.agent, &self.user, &self.connection)
    }
}

/// The first agent whose id looks as it does.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Skeleton {
    pub(crate) agent: Sym,
}

impl Skeleton {
    /// What it looks like is worked out again: that is rare, and keeping it is not free.
    pub(crate) fn is(&self, skeleton: &str) -> bool {
        confusable_skeleton(&self.agent) == skeleton
    }
}

impl Entry for Skeleton {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.of(&confusable_skeleton(&self.agent))
    }
}

const MOST_NETWORKS: usize = 16;
const MOST_CONNECTIONS: usize = 64;
const MOST_BASELINES: usize = 16;

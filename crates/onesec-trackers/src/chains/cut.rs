//! Taking delegations back.

use onesec_telemetry::{DelegationId, Timestamp};
use serde::{Deserialize, Serialize};

use super::DelegationChainTracker;
use crate::shared::{Seed, Sym};

/// Whose delegations to an agent were taken back: what arrives later and is older is void.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct RevokedKey {
    agent: Sym,
    /// Who took them back: the delegator or the user.
    by: Sym,
    /// Only those in this user's name.
    user: Option<Sym>,
    /// Only those at this connection.
    connection: Option<Sym>,
}

impl RevokedKey {
    pub(crate) fn new(agent: &str, by: &str, [user, connection]: [Option<&str>; 2]) -> Self {
        Self {
            agent: Sym::lone(agent),
            by: Sym::lone(by),
            user: user.map(Sym::lone),
            connection: connection.map(Sym::lone),
        }
    }

    /// Every key under which a delegation may have been taken back.
    pub(crate) fn that_end(agent: &str, by: &str, [user, connection]: [&str; 2]) -> Vec<Self> {
        let whose = [by, user];
        let users = [None, Some(user)];
        let connections = [None, Some(connection)];
        let at = |by| users.into_iter().flat_map(move |user| connections.map(|c| Self::new(agent, by, [user, c])));
        whose.into_iter().flat_map(at).collect()
    }
}

/// What a revocation names.
#[derive(Debug)]
pub(crate) enum Cut<'a> {
    /// One delegation.
    Id {
        id: &'a DelegationId,
        /// Whose it must be, where that is said.
        agent: Option<&'a str>,
        connection: Option<&'a str>,
    },
    /// What `by` let `agent` do.
    Pair { agent: &'a str, by: &'a str, user: Option<&'a str>, connection: Option<&'a str> },
}

impl DelegationChainTracker {
    pub(crate) fn is_tombstone(&self, id: &DelegationId) -> bool {
        !self.tombstones.is_empty() && self.tombstones.contains_key(id)
    }

    pub(crate) fn revoked_until(&self, key: &RevokedKey) -> Option<Timestamp> {
        self.revoked.get(key).copied()
    }

    /// The rows that a revocation at `at` ends by itself, in a fixed order.
    pub(crate) fn named_by(&self, cut: &Cut<'_>, at: Timestamp, seed: &Seed) -> Vec<u32> {
        let mut rows = match cut {
            Cut::Id { id, .. } => self.with_id(seed.of(id.as_str()), id),
            Cut::Pair { agent, connection, .. } => self.held_by(seed, agent, *connection),
        };
        rows.retain(|&row| self.row(row).is_some_and(|row| row.ended.is_none()) && self.is_named(row, cut, at));
        rows
    }

    fn is_named(&self, row: u32, cut: &Cut<'_>, at: Timestamp) -> bool {
        let Some(row) = self.row(row) else { return false };
        match *cut {
            Cut::Id { agent, connection, .. } => {
                agent.is_none_or(|agent| *row.agent == *agent) && connection.is_none_or(|c| *row.connection == *c)
            }
            Cut::Pair { by, user, .. } => {
                let theirs = *row.by == *by || *row.user == *by;
                // A grant that is younger than the revocation was made in its knowledge.
                theirs && user.is_none_or(|user| *row.user == *user) && row.created <= at
            }
        }
    }

    /// Whether taking back would leave a mark for what has not arrived yet, and a new one.
    pub(crate) fn needs_mark(&self, cut: &Cut<'_>, seed: &Seed) -> bool {
        match *cut {
            Cut::Id { id, .. } => self.with_id(seed.of(id.as_str()), id).is_empty() && !self.is_tombstone(id),
            Cut::Pair { agent, by, user, connection } => {
                !self.revoked.contains_key(&RevokedKey::new(agent, by, [user, connection]))
            }
        }
    }

    /// Leaves the mark.
    pub(crate) fn mark(&mut self, cut: &Cut<'_>, at: Timestamp, seed: &Seed) {
        match *cut {
            Cut::Id { id, .. } => {
                if self.with_id(seed.of(id.as_str()), id).is_empty() {
                    let end = self.tombstones.entry(id.clone()).or_insert(at);
                    *end = at.max(*end);
                }
            }
            Cut::Pair { agent, by, user, connection } => {
                let end = self.revoked.entry(RevokedKey::new(agent, by, [user, connection])).or_insert(at);
                *end = at.max(*end);
            }
        }
    }
}

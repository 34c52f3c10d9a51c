//! `DelegationChainTracker`: who lets whom act, over how many hops. A ledger: nothing is evicted.

mod cut;
mod grow;
mod rows;

use std::collections::BTreeMap;

use hashbrown::HashTable;
use onesec_telemetry::{DelegationId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::facts::Ending;
use crate::shared::{Key, Set, Sym};

pub(crate) use cut::{Cut, RevokedKey};
pub(crate) use grow::{Ground, Grown, Growth, Wish};

/// No row.
pub(crate) const NONE: u32 = u32::MAX;

/// Delegations, and what was taken back.
#[derive(Debug, Default)]
pub(crate) struct DelegationChainTracker {
    rows: Vec<Row>,
    /// Rows by id: one per connection.
    by_id: HashTable<u32>,
    /// By (agent, user, connection).
    grants: HashTable<Grant>,
    /// By agent.
    agents: HashTable<u32>,
    delegates: Vec<Delegate>,
    live: usize,
    /// Agents that hold one which has not ended.
    authorised: usize,
    /// Agents that delegated further as a root.
    roots: usize,
    /// Ids that were taken back before they were seen.
    tombstones: BTreeMap<DelegationId, Timestamp>,
    /// Delegations up to these times were taken back, whenever they arrive.
    revoked: BTreeMap<RevokedKey, Timestamp>,
}

/// One delegation at one connection. Its content never changes; only its end is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: DelegationId,
    pub(crate) connection: Sym,
    pub(crate) agent: Sym,
    pub(crate) user: Sym,
    pub(crate) by: Sym,
    pub(crate) account: Option<Sym>,
    /// The bound in force: its own, else its parent's.
    pub(crate) bound: Option<Set>,
    pub(crate) created: Timestamp,
    /// The end in force: its own, else its parent's.
    pub(crate) expires: Option<Timestamp>,
    pub(crate) ended: Option<(Ending, Timestamp)>,
    /// Hash of what was stated, to tell a replay from a conflict.
    pub(crate) content: u64,
    pub(crate) depth: u8,
    /// Deepest that anything below may be.
    pub(crate) max_depth: u8,
    pub(crate) attested: bool,
    #[serde(skip, default = "none")]
    pub(crate) parent: u32,
    #[serde(skip, default = "none")]
    pub(crate) first_child: u32,
    #[serde(skip, default = "none")]
    pub(crate) next_sibling: u32,
    #[serde(skip, default = "none")]
    pub(crate) next_alive: u32,
    /// The row of (user, connection) among the accounts.
    #[serde(skip, default = "none")]
    pub(crate) holder: u32,
}

const fn none() -> u32 {
    NONE
}

/// The delegations of one (agent, user, connection).
#[derive(Debug)]
struct Grant {
    /// Any row of it: it holds the names.
    row: u32,
    /// The first that has not ended; the next ones hang on it.
    first_alive: u32,
    /// The one that ended last.
    last_ended: u32,
}

/// What an agent holds, by connection.
#[derive(Debug)]
struct Delegate {
    agent: Sym,
    /// It is a root with something below it.
    is_root: bool,
    connections: Vec<Held>,
}

#[derive(Debug)]
struct Held {
    connection: Sym,
    alive: Vec<u32>,
    without_end: u32,
    /// How many end when.
    ends: BTreeMap<Timestamp, u32>,
}

impl Delegate {
    fn is_authorised(&self) -> bool {
        self.connections.iter().any(|held| !held.alive.is_empty())
    }
}

impl Row {
    /// Whether it has not ended, and its time is not over at `now` (RFC 7519, section 4.1.4: at its end it is over).
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        self.ended.is_none() && self.expires.is_none_or(|end| now < end)
    }

    /// The end at `now`: the written one, or its time.
    pub(crate) fn ending(&self, now: Timestamp) -> Option<(Ending, Timestamp)> {
        let expired = self.expires.filter(|&end| end <= now).map(|end| (Ending::Expired, end));
        self.ended.or(expired)
    }

    /// Whether it covers the account that a record names.
    pub(crate) fn covers_account(&self, account: Option<&str>) -> bool {
        match (self.account.as_deref(), account) {
            (Some(own), Some(wanted)) => own == wanted,
            _ => true,
        }
    }
}

/// Rows of one (agent, user, connection) that have not ended, newest entry first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alive<'a> {
    chains: &'a DelegationChainTracker,
    at: u32,
}

impl<'a> Iterator for Alive<'a> {
    type Item = (u32, &'a Row);
    fn next(&mut self) -> Option<Self::Item> {
        let (at, row) = (self.at, self.chains.row(self.at)?);
        self.at = row.next_alive;
        Some((at, row))
    }
}

impl DelegationChainTracker {
    #[inline]
    pub(crate) fn row(&self, at: u32) -> Option<&Row> {
        self.rows.get(at as usize)
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Entries in the ledger: ended ones and tombstones included.
    pub(crate) fn len(&self) -> usize {
        self.rows.len() + self.tombstones.len() + self.revoked.len()
    }

    /// Delegations that have not ended.
    pub(crate) const fn live_len(&self) -> usize {
        self.live
    }

    /// Agents that hold a delegation which has not ended.
    pub(crate) fn agents_len(&self) -> usize {
        self.authorised
    }

    /// The delegations of (agent, user, connection) that have not ended, and the one that ended last.
    #[inline]
    pub(crate) fn grants(&self, hash: u64, key: &Key<'_>) -> Option<(Alive<'_>, Option<&Row>)> {
        let grant = self.grants.find(hash, |grant| self.row(grant.row).is_some_and(|row| row.is_for(key)))?;
        let alive = Alive { chains: self, at: grant.first_alive };
        Some((alive, self.row(grant.last_ended)))
    }

    /// Whether any user's delegation to `agent` at `connection` holds at `now`.
    pub(crate) fn any_user(&self, hash: u64, key: [&str; 2], now: Timestamp) -> bool {
        self.held(hash, key)
            .is_some_and(|held| held.without_end > 0 || held.ends.last_key_value().is_some_and(|(&end, _)| now < end))
    }

    /// Whether `agent` is at the root of something.
    pub(crate) fn is_root(&self, hash: u64, agent: &str) -> bool {
        self.roots > 0 && self.delegate_of(hash, agent).is_some_and(|d| d.is_root)
    }

    /// The row at the root of `row`'s chain.
    pub(crate) fn root<'a>(&'a self, mut row: &'a Row) -> &'a Row {
        // A chain is at most five deep, and parents are older than children: this ends.
        while let Some(parent) = self.row(row.parent) {
            row = parent;
        }
        row
    }
    fn delegate_of(&self, hash: u64, agent: &str) -> Option<&Delegate> {
        let get = |at: u32| self.delegates.get(at as usize);
        let at = self.agents.find(hash, |&at| get(at).is_some_and(|d| &*d.agent == agent))?;
        get(*at)
    }

    fn held(&self, hash: u64, key: [&str; 2]) -> Option<&Held> {
        let delegate = self.delegate_of(hash, key[0])?;
        delegate.connections.iter().find(|c| *c.connection == *key[1])
    }

    /// Every row with this id: one per connection.
    pub(crate) fn with_id(&self, hash: u64, id: &DelegationId) -> Vec<u32> {
        let mut found: Vec<u32> =
            self.by_id.iter_hash(hash).copied().filter(|&at| self.row(at).is_some_and(|r| r.id == *id)).collect();
        self.sort(&mut found);
        found
    }

    /// By id and connection: no history shows in the order.
    pub(crate) fn sort(&self, rows: &mut [u32]) {
        let key = |at: &u32| self.row(*at).map(|row| (&row.id, &row.connection));
        rows.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
    }

    /// What hangs below `at` and has not ended, in a fixed order, `at` not included.
    pub(crate) fn below(&self, at: u32) -> Vec<u32> {
        let mut all = Vec::new();
        let mut level = vec![at];
        while !level.is_empty() {
            let mut next: Vec<u32> = level.iter().flat_map(|&parent| self.children(parent)).collect();
            self.sort(&mut next);
            all.extend_from_slice(&next);
            level = next;
        }
        all.retain(|&at| self.row(at).is_some_and(|row| row.ended.is_none()));
        all
    }

    fn children(&self, at: u32) -> impl Iterator<Item = u32> {
        let first = self.row(at).map_or(NONE, |row| row.first_child);
        let next = |at: &u32| self.row(*at).map(|row| row.next_sibling);
        std::iter::successors(Some(first), next).take_while(|&at| at != NONE)
    }
}

impl Row {
    fn is_for(&self, key: &Key<'_>) -> bool {
        key.is(&self.agent, &self.user, &self.connection)
    }
}

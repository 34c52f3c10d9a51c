//! Adding rows, ending them, and keeping what finds them in step.

use std::collections::BTreeMap;

use onesec_telemetry::{DelegationId, Timestamp};
use serde::Serialize;

use super::{Delegate, DelegationChainTracker, Grant, Held, NONE, RevokedKey, Row};
use crate::facts::Ending;
use crate::shared::{Key, Seed, Sym, both};
use crate::state::{StateError, Stream};

/// The ledger as it is saved, sorted: parents, which are shallower than their children, go first.
#[derive(Serialize)]
struct Saved<'a> {
    rows: Vec<(&'a Row, Option<&'a DelegationId>)>,
    tombstones: &'a BTreeMap<DelegationId, Timestamp>,
    revoked: &'a BTreeMap<RevokedKey, Timestamp>,
}

impl DelegationChainTracker {
    /// Adds a row; its parent is set already.
    pub(crate) fn add(&mut self, row: Row, seed: &Seed) -> u32 {
        let at = u32::try_from(self.rows.len()).unwrap_or(NONE);
        let (parent, alive) = (row.parent, row.ended.is_none());
        let id_hash = seed.of(row.id.as_str());
        self.live += usize::from(alive);
        self.rows.push(row);
        let rows = &self.rows;
        self.by_id.insert_unique(id_hash, at, |&at| rows.get(at as usize).map_or(0, |r| seed.of(r.id.as_str())));
        self.adopt(parent, at);
        if parent != NONE {
            self.mark_root(at, seed);
        }
        self.index_grant(at, seed);
        if alive {
            self.hold(at, seed);
        }
        at
    }

    fn adopt(&mut self, parent: u32, child: u32) {
        let first = self.rows.get_mut(parent as usize).map_or(NONE, |p| std::mem::replace(&mut p.first_child, child));
        if let Some(row) = self.rows.get_mut(child as usize) {
            row.next_sibling = first;
        }
    }

    fn mark_root(&mut self, at: u32, seed: &Seed) {
        let Some(root) = self.row(at).map(|row| self.root(row).agent.clone()) else { return };
        let Some(delegate) = self.delegate(&root, seed) else { return };
        let newly = !std::mem::replace(&mut delegate.is_root, true);
        self.roots += usize::from(newly);
    }

    fn delegate(&mut self, agent: &Sym, seed: &Seed) -> Option<&mut Delegate> {
        let delegates = &mut self.delegates;
        let is = |at: &u32| delegates.get(*at as usize).is_some_and(|d| d.agent == *agent);
        let at = match self.agents.find(seed.of(agent), is) {
            Some(&at) => at,
            None => {
                let at = u32::try_from(delegates.len()).unwrap_or(NONE);
                delegates.push(Delegate { agent: agent.clone(), is_root: false, connections: Vec::new() });
                let rehash = |at: &u32| delegates.get(*at as usize).map_or(0, |d| seed.of(&d.agent));
                self.agents.insert_unique(seed.of(agent), at, rehash);
                at
            }
        };
        self.delegates.get_mut(at as usize)
    }

    fn index_grant(&mut self, at: u32, seed: &Seed) {
        let rows = &self.rows;
        let Some(row) = rows.get(at as usize) else { return };
        let key = [&*row.agent, &*row.user, &*row.connection];
        let is = |grant: &Grant| rows.get(grant.row as usize).is_some_and(|row| row.is_for(&Key::new(key)));
        let rehash =
            |grant: &Grant| rows.get(grant.row as usize).map_or(0, |r| seed.triple(&r.agent, &r.user, &r.connection));
        let entry = self.grants.entry(seed.triple(key[0], key[1], key[2]), is, rehash);
        let new = || Grant { row: at, first_alive: NONE, last_ended: NONE };
        let grant = entry.or_insert_with(new).into_mut();
        if row.ended.is_some() {
            if rows.get(grant.last_ended as usize).is_none_or(|last| ended_order(last) < ended_order(row)) {
                grant.last_ended = at;
            }
            return;
        }
        let next = std::mem::replace(&mut grant.first_alive, at);
        if let Some(row) = self.rows.get_mut(at as usize) {
            row.next_alive = next;
        }
    }

    fn hold(&mut self, at: u32, seed: &Seed) {
        let Some(row) = self.row(at) else { return };
        let (agent, connection, expires) = (row.agent.clone(), row.connection.clone(), row.expires);
        let Some(delegate) = self.delegate(&agent, seed) else { return };
        let was_authorised = delegate.is_authorised();
        let place = delegate.connections.iter().position(|c| c.connection == connection).unwrap_or_else(|| {
            let held = Held { connection, alive: Vec::new(), without_end: 0, ends: BTreeMap::new() };
            delegate.connections.reserve_exact(1);
            delegate.connections.push(held);
            delegate.connections.len() - 1
        });
        let Some(held) = delegate.connections.get_mut(place) else { return };
        held.alive.push(at);
        match expires {
            None => held.without_end += 1,
            Some(end) => *held.ends.entry(end).or_default() += 1,
        }
        self.authorised += usize::from(!was_authorised);
    }

    /// Where the row's account is.
    pub(crate) fn set_holder(&mut self, at: u32, holder: u32) {
        if let Some(row) = self.rows.get_mut(at as usize) {
            row.holder = holder;
        }
    }

    /// Ends a row that has not ended, and takes it out of what is found.
    pub(crate) fn end(&mut self, at: u32, end: (Ending, Timestamp), seed: &Seed) {
        let Some(row) = self.rows.get_mut(at as usize).filter(|row| row.ended.is_none()) else { return };
        row.ended = Some(end);
        self.live = self.live.saturating_sub(1);
        let (agent, connection, expires) = (row.agent.clone(), row.connection.clone(), row.expires);
        let hash = seed.triple(&row.agent, &row.user, &row.connection);
        self.release(hash, at);
        let Some(delegate) = self.delegate(&agent, seed) else { return };
        let Some(held) = delegate.connections.iter_mut().find(|c| c.connection == connection) else { return };
        if let Some(place) = held.alive.iter().position(|&other| other == at) {
            held.alive.swap_remove(place);
        }
        match expires {
            None => held.without_end = held.without_end.saturating_sub(1),
            Some(end) => forget(&mut held.ends, end),
        }
        if !delegate.is_authorised() {
            self.authorised = self.authorised.saturating_sub(1);
        }
    }

    fn release(&mut self, hash: u64, at: u32) {
        let rows = &self.rows;
        let Some(row) = rows.get(at as usize) else { return };
        let key = [&*row.agent, &*row.user, &*row.connection];
        let is = |grant: &Grant| rows.get(grant.row as usize).is_some_and(|row| row.is_for(&Key::new(key)));
        let Some(grant) = self.grants.find_mut(hash, is) else { return };
        let next = row.next_alive;
        if rows.get(grant.last_ended as usize).is_none_or(|last| ended_order(last) < ended_order(row)) {
            grant.last_ended = at;
        }
        if grant.first_alive == at {
            grant.first_alive = next;
            return;
        }
        let mut before = grant.first_alive;
        while let Some(row) = self.rows.get_mut(before as usize) {
            if row.next_alive == at {
                row.next_alive = next;
                return;
            }
            before = row.next_alive;
        }
    }

    /// What is saved: sorted by depth, id and connection; parents by id.
    pub(crate) fn saved(&self) -> impl Serialize + '_ {
        let mut order: Vec<u32> = (0..u32::try_from(self.rows.len()).unwrap_or(NONE)).collect();
        let key = |at: &u32| self.row(*at).map(|row| (row.depth, &row.id, &row.connection));
        order.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        let rows = order.iter().filter_map(|&at| self.row(at));
        let rows = rows.map(|row| (row, self.row(row.parent).map(|parent| &parent.id))).collect();
        Saved { rows, tombstones: &self.tombstones, revoked: &self.revoked }
    }

    /// From what was saved.
    pub(crate) fn fill(mut from: Stream<'_>, seed: &Seed) -> Result<Self, StateError> {
        let mut new = Self::default();
        let count = from.count()?;
        new.rows.reserve_exact(count);
        // Nothing is in them that would have to be hashed again.
        new.by_id.reserve(count, |_| 0);
        new.grants.reserve(count, |_| 0);
        new.agents.reserve(count, |_| 0);
        for _ in 0..count {
            let (mut row, parent): (Row, Option<DelegationId>) = from.next()?;
            let parents = parent.map(|id| new.with_id(seed.of(id.as_str()), &id)).unwrap_or_default();
            let same = |&at: &u32| new.row(at).is_some_and(|p| p.connection == row.connection);
            row.parent = parents.into_iter().find(same).unwrap_or(NONE);
            new.add(row, seed);
        }
        (new.tombstones, new.revoked) = (from.next()?, from.next()?);
        Ok(new)
    }

    /// Whether `agent` holds a delegation at `connection` for exactly one user: the rows of that user.
    pub(crate) fn only_user(&self, seed: &Seed, key: [&str; 2], now: Timestamp) -> Option<&Sym> {
        let held = self.held(seed.of(key[0]), key)?;
        let mut users = held.alive.iter().filter_map(|&at| self.row(at)).filter(|r| r.holds(now)).map(|r| &r.user);
        let first = users.next()?;
        users.all(|user| user == first).then_some(first)
    }

    /// Rows of `agent` that have not ended, at one connection or all.
    pub(crate) fn held_by(&self, seed: &Seed, agent: &str, connection: Option<&str>) -> Vec<u32> {
        let Some(delegate) = self.delegate_of(seed.of(agent), agent) else { return Vec::new() };
        let wanted = delegate.connections.iter().filter(|c| connection.is_none_or(|wanted| &*c.connection == wanted));
        let mut rows: Vec<u32> = wanted.flat_map(|c| c.alive.iter().copied()).collect();
        self.sort(&mut rows);
        rows
    }

    /// The hash of (agent, user, connection) from its parts.
    pub(crate) const fn triple(agent: u64, user: u64, connection: u64) -> u64 {
        both(both(agent, user), connection)
    }
}

fn forget(ends: &mut BTreeMap<Timestamp, u32>, end: Timestamp) {
    if let Some(count) = ends.get_mut(&end) {
        *count -= 1;
        if *count == 0 {
            ends.remove(&end);
        }
    }
}

/// What ended last, the younger one on a tie; then by id.
fn ended_order(row: &Row) -> (Option<Timestamp>, Timestamp, &DelegationId) {
    (row.ended.map(|(_, at)| at), row.created, &row.id)
}

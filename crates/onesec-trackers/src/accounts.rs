//! `ConnectedAccountTracker`: accounts that people linked, and who may act on them. A ledger: nothing is evicted.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashTable;
use onesec_telemetry::{ScopeSet, Timestamp};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::facts::AccountState;
use crate::shared::{Seed, Set, Shared, Sym};
use crate::state::{StateError, Stream};

/// Accounts by (user, connection).
#[derive(Debug, Default)]
pub(crate) struct ConnectedAccountTracker {
    index: HashTable<u32>,
    holders: Vec<Holder>,
    accounts: usize,
    linked: usize,
    /// Connections at which anything was ever linked.
    connections: BTreeSet<Sym>,
    /// By agent.
    accepted: BTreeMap<Sym, Vec<Accepted>>,
}

/// Scopes that a person accepted for an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Accepted {
    pub(crate) connection: Sym,
    /// For this user; absent: for all users of the agent.
    pub(crate) user: Option<Sym>,
    pub(crate) at: Timestamp,
    pub(crate) scopes: Set,
}

/// What a user holds at a connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(crate) user: Sym,
    pub(crate) connection: Sym,
    pub(crate) accounts: SmallVec<[Account; 1]>,
    /// The last unlink that named no account.
    pub(crate) all_unlinked: Option<Timestamp>,
    /// Rows of delegations that have not ended.
    #[serde(skip)]
    pub(crate) alive: SmallVec<[u32; 4]>,
}

/// One account. Both times only grow, so that no order of records matters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) id: Option<Sym>,
    pub(crate) linked: Option<Timestamp>,
    pub(crate) unlinked: Option<Timestamp>,
    pub(crate) scopes: Option<Set>,
}

impl Holder {
    const fn new(user: Sym, connection: Sym) -> Self {
        Self { user, connection, accounts: SmallVec::new_const(), all_unlinked: None, alive: SmallVec::new_const() }
    }

    /// When `account` was unlinked last.
    pub(crate) fn unlinked(&self, account: &Account) -> Option<Timestamp> {
        account.unlinked.max(self.all_unlinked)
    }

    /// Since when `account` is linked, if it is. An unlink wins ties.
    pub(crate) fn linked(&self, account: &Account) -> Option<Timestamp> {
        account.linked.filter(|&at| self.unlinked(account).is_none_or(|end| at > end))
    }

    /// When anything here was unlinked last: what was learned before is void.
    pub(crate) fn any_unlinked(&self) -> Option<Timestamp> {
        self.accounts.iter().map(|a| a.unlinked).max().flatten().max(self.all_unlinked)
    }

    /// The account that a record means. An account without id stands for any; without a name the linked one counts.
    pub(crate) fn resolve(&self, account: Option<&str>) -> Option<&Account> {
        if let Some(wanted) = account {
            let exact = self.accounts.iter().find(|a| a.id.as_deref() == Some(wanted));
            return exact.or_else(|| self.accounts.iter().find(|a| a.id.is_none()));
        }
        let last = |a: &&Account| (self.linked(a), self.unlinked(a), a.id.is_none(), std::cmp::Reverse(a.id.clone()));
        match self.accounts.as_slice() {
            [only] => Some(only),
            several => several.iter().max_by_key(last),
        }
    }

    /// What became of the account.
    pub(crate) fn state(&self, account: Option<&str>) -> AccountState<'_> {
        let Some(found) = self.resolve(account) else {
            return self.all_unlinked.map_or(AccountState::NeverLinked, |at| AccountState::Unlinked { at });
        };
        match (self.linked(found), self.unlinked(found)) {
            (Some(since), _) => AccountState::Linked { since, scopes: found.scopes.as_deref() },
            (None, Some(at)) => AccountState::Unlinked { at },
            (None, None) => AccountState::NeverLinked,
        }
    }

    /// The unlink that ended what was delegated at `created` on `account`, if there was one.
    ///
    /// A delegation that names no account holds as long as another account was linked throughout.
    pub(crate) fn void_since(&self, account: Option<&str>, created: Timestamp) -> Option<Timestamp> {
        if let Some(at) = self.all_unlinked.filter(|&at| at >= created) {
            return Some(at);
        }
        if account.is_some() {
            return self.resolve(account).and_then(|a| a.unlinked).filter(|&at| at >= created);
        }
        let ends = self.accounts.iter().filter(|a| a.unlinked.is_some_and(|at| at >= created));
        let covered = |end: Timestamp| self.accounts.iter().any(|a| self.linked(a).is_some_and(|since| since <= end));
        ends.filter_map(|a| a.unlinked).filter(|&end| !covered(end)).min()
    }
}

impl ConnectedAccountTracker {
    /// Finds the row of (user, connection).
    #[inline]
    pub(crate) fn find(&self, hash: u64, user: &str, connection: &str) -> Option<u32> {
        let is = |at: &&u32| self.holder(**at).is_some_and(|h| &*h.user == user && &*h.connection == connection);
        self.index.find(hash, |at| is(&at)).copied()
    }

    #[inline]
    pub(crate) fn holder(&self, at: u32) -> Option<&Holder> {
        self.holders.get(at as usize)
    }

    pub(crate) fn holder_mut(&mut self, at: u32) -> Option<&mut Holder> {
        self.holders.get_mut(at as usize)
    }

    pub(crate) fn holders(&self) -> &[Holder] {
        &self.holders
    }

    /// Accounts in the ledger, unlinked ones included.
    pub(crate) const fn len(&self) -> usize {
        self.accounts
    }

    /// Accounts that are linked.
    pub(crate) const fn linked_len(&self) -> usize {
        self.linked
    }

    /// The row of (user, connection), made where there is none.
    pub(crate) fn entry(&mut self, user: &str, connection: &str, shared: &mut Shared) -> u32 {
        let hash = shared.seed.pair(user, connection);
        if let Some(at) = self.find(hash, user, connection) {
            return at;
        }
        let (user, connection) = (shared.name(user), shared.name(connection));
        self.add(Holder::new(user, connection), &shared.seed)
    }

    /// The same for names that are shared already.
    pub(crate) fn entry_of(&mut self, user: &Sym, connection: &Sym, seed: &Seed) -> u32 {
        let is = |at: &u32| {
            let holder = self.holders.get(*at as usize);
            holder.is_some_and(|h| h.user.is(user, Some(user)) && h.connection.is(connection, Some(connection)))
        };
        match self.index.find(seed.pair(user, connection), is) {
            Some(&at) => at,
            None => self.add(Holder::new(user.clone(), connection.clone()), seed),
        }
    }

    fn add(&mut self, holder: Holder, seed: &Seed) -> u32 {
        let at = u32::try_from(self.holders.len()).unwrap_or(u32::MAX);
        let hash = seed.pair(&holder.user, &holder.connection);
        self.accounts += holder.accounts.len();
        self.linked += holder.accounts.iter().filter(|a| holder.linked(a).is_some()).count();
        if holder.accounts.iter().any(|a| a.linked.is_some()) {
            self.connections.insert(holder.connection.clone());
        }
        self.holders.push(holder);
        let holders = &self.holders;
        self.index
            .insert_unique(hash, at, |&at| holders.get(at as usize).map_or(0, |h| seed.pair(&h.user, &h.connection)));
        at
    }

    /// Which account of `holder` a link means: the only one where it names none.
    fn place(holder: &Holder, account: Option<&str>) -> Option<usize> {
        let exact = holder.accounts.iter().position(|a| a.id.as_deref() == account);
        exact.or_else(|| (account.is_none() && holder.accounts.len() == 1).then_some(0))
    }

    /// Whether a link at `at` is older than an unlink that it would undo.
    pub(crate) fn link_is_old(&self, holder: Option<u32>, account: Option<&str>, at: Timestamp) -> bool {
        let Some(holder) = holder.and_then(|h| self.holder(h)) else { return false };
        let own = Self::place(holder, account).and_then(|i| holder.accounts.get(i));
        let unnamed = holder.accounts.iter().find(|a| a.id.is_none());
        // An unlink of an account that nobody had named ends a link by name as well.
        let ends = [holder.all_unlinked, own.and_then(|a| a.unlinked), unnamed.and_then(|a| a.unlinked)];
        ends.into_iter().flatten().any(|end| end >= at)
    }

    /// Whether the ledger would need another row for this account.
    pub(crate) fn is_new(&self, holder: Option<u32>, account: Option<&str>) -> bool {
        holder.and_then(|h| self.holder(h)).is_none_or(|h| Self::place(h, account).is_none())
    }

    /// Links. Links that are older than the last one change nothing.
    pub(crate) fn link(&mut self, at: u32, account: Option<Sym>, link: (Timestamp, Option<Set>)) {
        let Some(holder) = self.holders.get_mut(at as usize) else { return };
        let before = linked_count(holder);
        let place = Self::place(holder, account.as_deref()).unwrap_or_else(|| {
            holder.accounts.push(Account { id: account, ..Account::default() });
            self.accounts += 1;
            holder.accounts.len() - 1
        });
        if let Some(found) = holder.accounts.get_mut(place)
            && found.linked.is_none_or(|last| link.0 >= last)
        {
            found.linked = Some(link.0);
            found.scopes = link.1;
            if !self.connections.contains(&holder.connection) {
                self.connections.insert(holder.connection.clone());
            }
        }
        self.linked = self.linked + linked_count(holder) - before;
    }

    /// Unlinks one account, or all of them. Leaves a mark even where nothing was linked: an older link may come late.
    pub(crate) fn unlink(&mut self, at: u32, account: Option<Sym>, time: Timestamp) {
        let Some(holder) = self.holders.get_mut(at as usize) else { return };
        let before = linked_count(holder);
        match account {
            None => holder.all_unlinked = holder.all_unlinked.max(Some(time)),
            Some(id) => {
                let exact = holder.accounts.iter().position(|a| a.id.as_ref() == Some(&id));
                let place = exact.or_else(|| holder.accounts.iter().position(|a| a.id.is_none()));
                let place = place.unwrap_or_else(|| {
                    holder.accounts.push(Account { id: Some(id), ..Account::default() });
                    self.accounts += 1;
                    holder.accounts.len() - 1
                });
                if let Some(found) = holder.accounts.get_mut(place) {
                    found.unlinked = found.unlinked.max(Some(time));
                }
            }
        }
        self.linked = self.linked + linked_count(holder) - before;
    }

    /// What a person accepted for (agent, user, connection), and for all users of the agent.
    pub(crate) fn accepted(
        &self,
        agent: &str,
        at: (Option<&str>, &str),
        void: Option<Timestamp>,
    ) -> [Option<&ScopeSet>; 2] {
        let Some(rows) = self.accepted.get(agent) else { return [None, None] };
        let get = |user: Option<&str>| rows.iter().find(|a| &*a.connection == at.1 && a.user.as_deref() == user);
        let own = at.0.and_then(|user| get(Some(user))).filter(|a| void.is_none_or(|end| a.at > end));
        [own.map(|a| &*a.scopes), get(None).map(|a| &*a.scopes)]
    }

    /// Adds to what was accepted; what was accepted before the last unlink is forgotten.
    pub(crate) fn accept(&mut self, agent: Sym, row: Accepted, shared: &mut Shared) {
        let found = row.user.as_deref().and_then(|user| {
            let hash = shared.seed.pair(user, &row.connection);
            self.find(hash, user, &row.connection)
        });
        let void = found.and_then(|at| self.holder(at)).and_then(Holder::any_unlinked);
        let rows = self.accepted.entry(agent).or_default();
        match rows.iter_mut().find(|a| a.connection == row.connection && a.user == row.user) {
            Some(old) if void.is_none_or(|end| old.at > end) => {
                old.scopes = shared.set(&old.scopes.union(&row.scopes));
                old.at = row.at;
            }
            Some(old) => *old = row,
            None => {
                rows.push(row);
                rows.sort_unstable_by(|a, b| (&a.connection, &a.user).cmp(&(&b.connection, &b.user)));
            }
        }
    }

    /// Connections at which anything was ever linked.
    pub(crate) fn connections(&self) -> impl Iterator<Item = &str> {
        self.connections.iter().map(|c| &**c)
    }

    /// How many baselines people changed.
    pub(crate) fn accepted_len(&self) -> usize {
        self.accepted.values().map(Vec::len).sum()
    }

    /// What people accepted for `agent`.
    pub(crate) fn accepted_of(&self, agent: &str) -> &[Accepted] {
        self.accepted.get(agent).map_or(&[], Vec::as_slice)
    }

    /// What is saved, in order.
    pub(crate) fn saved(&self) -> (Vec<&Holder>, &BTreeMap<Sym, Vec<Accepted>>) {
        let mut holders: Vec<&Holder> = self.holders.iter().filter(|h| h.is_worth_keeping()).collect();
        holders.sort_unstable_by(|a, b| (&a.user, &a.connection).cmp(&(&b.user, &b.connection)));
        (holders, &self.accepted)
    }

    /// From what was saved.
    pub(crate) fn fill(
        mut holders: Stream<'_>,
        accepted: BTreeMap<Sym, Vec<Accepted>>,
        seed: &Seed,
    ) -> Result<Self, StateError> {
        let mut new = Self { accepted, ..Self::default() };
        let count = holders.count()?;
        new.holders.reserve_exact(count);
        // Nothing is in it that would have to be hashed again.
        new.index.reserve(count, |_| 0);
        for _ in 0..count {
            new.add(holders.next()?, seed);
        }
        Ok(new)
    }
}

impl Holder {
    /// Rows that only delegations need are made anew with the delegations.
    fn is_worth_keeping(&self) -> bool {
        !self.accounts.is_empty() || self.all_unlinked.is_some()
    }
}

fn linked_count(holder: &Holder) -> usize {
    holder.accounts.iter().filter(|a| holder.linked(a).is_some()).count()
}

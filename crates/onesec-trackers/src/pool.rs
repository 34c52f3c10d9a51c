//! Bounded statistics: a quota per sending key, eviction from the key with most entries, oldest first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hashbrown::HashTable;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::shared::{Seed, Sym};
use crate::state::{StateError, Stream};

/// The key that brought an entry in; none for onesec's own channels, which have no quota.
pub(crate) type Owner = Option<Sym>;

/// What a pool keeps.
pub(crate) trait Entry {
    /// By what it is found.
    fn hash(&self, seed: &Seed) -> u64;
}

/// Entries by hash. An entry that was used since it came to the front of its queue gets a second turn.
#[derive(Debug)]
pub(crate) struct Pool<V> {
    index: HashTable<u32>,
    slots: Vec<Slot<V>>,
    free: Vec<u32>,
    owners: BTreeMap<Owner, VecDeque<u32>>,
    by_count: BTreeSet<(usize, Reverse<Owner>)>,
    bound: usize,
    quota: usize,
    evictions: u64,
}

#[derive(Debug)]
struct Slot<V> {
    /// The hash, and in a bit that the index does not look at whether the entry was used.
    hash: u64,
    value: Option<V>,
}

impl<V> Slot<V> {
    const USED: u64 = 1 << 56;

    const fn new(hash: u64, value: V) -> Self {
        Self { hash: hash & !Self::USED, value: Some(value) }
    }

    const fn hash(&self) -> u64 {
        self.hash & !Self::USED
    }

    const fn is_used(&self) -> bool {
        self.hash & Self::USED != 0
    }

    const fn set_used(&mut self, used: bool) {
        self.hash = self.hash() | if used { Self::USED } else { 0 };
    }
}

/// A pool as it is saved: per owner, oldest first.
#[derive(Serialize)]
struct Saved<V> {
    evictions: u64,
    entries: usize,
    owners: Vec<(Owner, Vec<(bool, V)>)>,
}

impl<V> Pool<V> {
    /// Holds at most `bound` entries, and at most `bound / share` of one key.
    pub(crate) fn new(bound: usize, share: usize) -> Self {
        let bound = bound.clamp(1, u32::MAX as usize / 2);
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            owners: BTreeMap::new(),
            by_count: BTreeSet::new(),
            bound,
            quota: (bound / share.max(1)).max(1),
            evictions: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) const fn evictions(&self) -> u64 {
        self.evictions
    }

    /// The slot of the entry with `hash` that `is` recognises.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is: impl Fn(&V) -> bool) -> Option<u32> {
        let hash = hash & !Slot::<V>::USED;
        let is = |slot: &Slot<V>| slot.hash() == hash && slot.value.as_ref().is_some_and(&is);
        self.index.find(hash, |&at| self.slots.get(at as usize).is_some_and(is)).copied()
    }

    #[inline]
    pub(crate) fn get(&self, slot: u32) -> Option<&V> {
        self.slots.get(slot as usize).and_then(|s| s.value.as_ref())
    }

    /// The entry, which counts as used.
    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut V> {
        let slot = self.slots.get_mut(slot as usize)?;
        slot.hash |= Slot::<V>::USED;
        slot.value.as_mut()
    }

    /// Adds an entry that is not there yet, and returns its slot and what had to go for it.
    pub(crate) fn insert(&mut self, hash: u64, owner: Owner, value: V) -> (u32, Option<V>) {
        let own = self.owners.get(&owner).map_or(0, VecDeque::len);
        let gone = if owner.is_some() && own >= self.quota {
            self.evict(&owner)
        } else if self.len() >= self.bound {
            let most = self.by_count.last().map(|(_, Reverse(most))| most.clone());
            most.and_then(|most| self.evict(&most))
        } else {
            None
        };
        (self.place(owner, Slot::new(hash, value)), gone)
    }

    fn place(&mut self, owner: Owner, slot: Slot<V>) -> u32 {
        let at = self.put(slot);
        self.enqueue(owner, at);
        at
    }

    fn put(&mut self, slot: Slot<V>) -> u32 {
        let hash = slot.hash();
        let at = match self.free.pop() {
            Some(at) => at,
            None => u32::try_from(self.slots.len()).unwrap_or(u32::MAX),
        };
        match self.slots.get_mut(at as usize) {
            Some(place) => *place = slot,
            None => self.slots.push(slot),
        }
        let slots = &self.slots;
        self.index.insert_unique(hash, at, |&at| slots.get(at as usize).map_or(0, Slot::hash));
        at
    }

    fn enqueue(&mut self, owner: Owner, at: u32) {
        let queue = self.owners.entry(owner.clone()).or_default();
        let before = queue.len();
        queue.push_back(at);
        if before > 0 {
            self.by_count.remove(&(before, Reverse(owner.clone())));
        }
        self.by_count.insert((before + 1, Reverse(owner)));
    }

    fn evict(&mut self, owner: &Owner) -> Option<V> {
        let queue = self.owners.get_mut(owner)?;
        let before = queue.len();
        // Everything has had its second turn after one round.
        for _ in 0..=before {
            let at = queue.pop_front()?;
            let slot = self.slots.get_mut(at as usize)?;
            if slot.is_used() {
                slot.set_used(false);
                queue.push_back(at);
                continue;
            }
            let (value, hash) = (slot.value.take(), slot.hash());
            self.by_count.remove(&(before, Reverse(owner.clone())));
            if before > 1 {
                self.by_count.insert((before - 1, Reverse(owner.clone())));
            } else {
                self.owners.remove(owner);
            }
            if let Ok(entry) = self.index.find_entry(hash, |&other| other == at) {
                entry.remove();
            }
            self.free.push(at);
            self.evictions += 1;
            return value;
        }
        None
    }

    /// Drops an owner's oldest entries while `stale`, at most two: so that time alone does not fill the pool.
    pub(crate) fn shed(&mut self, owner: &Owner, stale: impl Fn(&V) -> bool) {
        for _ in 0..2 {
            let oldest = self.owners.get(owner).and_then(VecDeque::front).copied();
            let Some(slot) = oldest.and_then(|at| self.slots.get_mut(at as usize)) else { return };
            if !slot.value.as_ref().is_some_and(&stale) {
                return;
            }
            slot.set_used(false);
            self.evict(owner);
            self.evictions -= 1;
        }
    }

    /// All entries, in no order that may show.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &V> {
        self.slots.iter().filter_map(|s| s.value.as_ref())
    }
}

impl<V: Entry + Serialize + DeserializeOwned> Pool<V> {
    /// What is written to a snapshot.
    pub(crate) fn saved(&self) -> impl Serialize + '_
    where
        V: Serialize,
    {
        let entry = |at: &u32| self.slots.get(*at as usize).and_then(|s| s.value.as_ref().map(|v| (s.is_used(), v)));
        let owners = self.owners.iter();
        Saved {
            evictions: self.evictions,
            entries: self.len(),
            owners: owners.map(|(owner, queue)| (owner.clone(), queue.iter().filter_map(entry).collect())).collect(),
        }
    }

    /// Fills an empty pool with what [`Pool::saved`] wrote.
    pub(crate) fn fill(mut self, from: &mut Stream<'_>, seed: &Seed) -> Result<Self, StateError> {
        let evictions: u64 = from.next()?;
        let entries = from.count()?.min(self.bound);
        self.slots.reserve_exact(entries);
        // Nothing is in it that would have to be hashed again.
        self.index.reserve(entries, |_| 0);
        for _ in 0..from.count()? {
            let owner: Owner = from.next()?;
            let count = from.count()?;
            let fits = self.len() + count <= self.bound && (owner.is_none() || count <= self.quota);
            if fits && !self.owners.contains_key(&owner) {
                self.fill_queue(owner, count, (from, seed))?;
                continue;
            }
            // Another bound than when it was saved: the oldest make room.
            for _ in 0..count {
                let (used, value): (bool, V) = from.next()?;
                let (at, _) = self.insert(value.hash(seed), owner.clone(), value);
                if let Some(slot) = self.slots.get_mut(at as usize) {
                    slot.set_used(used);
                }
            }
        }
        self.evictions += evictions;
        Ok(self)
    }

    /// All entries of one owner, which has none yet and for which there is room.
    fn fill_queue(
        &mut self,
        owner: Owner,
        count: usize,
        (from, seed): (&mut Stream<'_>, &Seed),
    ) -> Result<(), StateError> {
        let mut queue = VecDeque::with_capacity(count);
        for _ in 0..count {
            let (used, value): (bool, V) = from.next()?;
            let mut slot = Slot::new(value.hash(seed), value);
            slot.set_used(used);
            queue.push_back(self.put(slot));
        }
        if count > 0 {
            self.by_count.insert((count, Reverse(owner.clone())));
            self.owners.insert(owner, queue);
        }
        Ok(())
    }
}

/// Marks of what was evicted: a fixed number of bits, so it may remember too much, never too little.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Evicted(Vec<u64>);

impl Evicted {
    pub(crate) fn mark(&mut self, hash: u64) {
        if self.0.is_empty() {
            self.0 = vec![0; WORDS];
        }
        for bit in Self::bits(hash) {
            if let Some(word) = self.0.get_mut(bit / 64) {
                *word |= 1 << (bit % 64);
            }
        }
    }

    pub(crate) fn has(&self, hash: u64) -> bool {
        !self.0.is_empty()
            && Self::bits(hash).all(|bit| self.0.get(bit / 64).is_some_and(|word| word & (1 << (bit % 64)) != 0))
    }

    fn bits(hash: u64) -> impl Iterator<Item = usize> {
        let (low, high) = (hash as u32, (hash >> 32) as u32 | 1);
        (0..4_u32).map(move |i| low.wrapping_add(high.wrapping_mul(i)) as usize % (WORDS * 64))
    }
}

/// 256 KiB of marks: 200 000 evictions until one in a hundred newcomers is taken for an evicted one.
const WORDS: usize = 1 << 15;

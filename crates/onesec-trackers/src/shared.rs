//! Names and sets of scopes kept once however many entries use them, and the hashes they are found by.

use std::borrow::Borrow;
use std::hash::BuildHasher as _;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use arcstr::ArcStr;
use hashbrown::HashTable;
use onesec_telemetry::ScopeSet;

use crate::names::Known;

/// An identifier that many entries share: a pointer of one word. It was canonical when it came in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Sym(ArcStr);

impl Sym {
    /// Whether it is `text`, which is quick to tell where `same` is `text` and shared.
    #[inline]
    pub(crate) fn is(&self, text: &str, same: Option<&Self>) -> bool {
        same.is_some_and(|same| ArcStr::ptr_eq(&self.0, &same.0)) || *self.0 == *text
    }

    /// A name of its own, shared with nobody.
    pub(crate) fn lone(text: &str) -> Self {
        Self(ArcStr::from(text))
    }

    /// Where it is in memory: the same for all who share it.
    pub(crate) fn place(&self) -> usize {
        self.0.as_ptr().addr()
    }

    /// Back to the typed identifier.
    pub(crate) fn id<T: FromStr>(&self) -> Option<T> {
        self.0.parse().ok()
    }
}

impl Deref for Sym {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Sym {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A set of scopes that many entries share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Set(Arc<ScopeSet>);

impl Set {
    /// A set of its own, shared with nobody.
    pub(crate) fn lone(set: ScopeSet) -> Self {
        Self(Arc::new(set))
    }

    /// Where it is in memory: the same for all who share it.
    pub(crate) fn place(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl Deref for Set {
    type Target = ScopeSet;
    fn deref(&self) -> &ScopeSet {
        &self.0
    }
}

/// (agent, user, connection): as a record names them, and as they are shared where they were found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) agent: (&'a str, Option<&'a Sym>),
    pub(crate) user: (&'a str, Option<&'a Sym>),
    pub(crate) connection: (&'a str, Option<&'a Sym>),
}

impl<'a> Key<'a> {
    pub(crate) const fn new([agent, user, connection]: [&'a str; 3]) -> Self {
        Self { agent: (agent, None), user: (user, None), connection: (connection, None) }
    }

    #[inline]
    pub(crate) fn is_for(&self, agent: &Sym, user: &Sym) -> bool {
        agent.is(self.agent.0, self.agent.1) && user.is(self.user.0, self.user.1)
    }

    #[inline]
    pub(crate) fn is(&self, agent: &Sym, user: &Sym, connection: &Sym) -> bool {
        self.is_for(agent, user) && connection.is(self.connection.0, self.connection.1)
    }
}

/// Hashes for look-ups. Random per process: no order may come from them.
#[derive(Debug, Clone)]
pub(crate) struct Seed(ahash::RandomState);

impl Default for Seed {
    fn default() -> Self {
        let random = std::collections::hash_map::RandomState::new();
        let seed = |i: u64| random.hash_one(i);
        Self(ahash::RandomState::with_seeds(seed(1), seed(2), seed(3), seed(4)))
    }
}

impl Seed {
    pub(crate) fn random(&self) -> ahash::RandomState {
        self.0.clone()
    }

    pub(crate) fn of(&self, text: &str) -> u64 {
        self.0.hash_one(text)
    }

    pub(crate) fn of_bytes(&self, bytes: &[u8]) -> u64 {
        self.0.hash_one(bytes)
    }

    pub(crate) fn of_set(&self, set: &ScopeSet) -> u64 {
        self.0.hash_one(set)
    }

    pub(crate) fn pair(&self, a: &str, b: &str) -> u64 {
        both(self.of(a), self.of(b))
    }

    pub(crate) fn triple(&self, a: &str, b: &str, c: &str) -> u64 {
        both(self.pair(a, b), self.of(c))
    }
}

/// The hash of two things in this order.
pub(crate) const fn both(a: u64, b: u64) -> u64 {
    let mixed = (a.rotate_left(26) ^ b).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}

/// The same for every process and version: for marks that are saved.
pub(crate) fn stable_hash(parts: &[&str]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes().chain(std::iter::once(0xff)) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    both(hash, 0x51_7c_c1_b7)
}

/// Where names and sets are shared. What nobody uses any more is dropped when the table has doubled.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) seed: Seed,
    names: HashTable<Sym>,
    names_limit: usize,
    sets: HashTable<Set>,
    sets_limit: usize,
}

impl Shared {
    /// The shared form of `text`.
    pub(crate) fn name(&mut self, text: &str) -> Sym {
        let hash = self.seed.of(text);
        if let Some(found) = self.names.find(hash, |name| &**name == text) {
            return found.clone();
        }
        let sym = Sym::lone(text);
        self.add_name(hash, sym.clone());
        sym
    }

    /// What the entries of a snapshot share; no name and no set is there twice.
    pub(crate) fn of(known: &Known, seed: Seed) -> Self {
        let (names, sets) = (known.names.len(), known.sets.len());
        let mut shared = Self {
            seed,
            names: HashTable::with_capacity(names),
            names_limit: (names * 2).max(LEAST),
            sets: HashTable::with_capacity(sets),
            sets_limit: (sets * 2).max(LEAST),
        };
        for name in &known.names {
            shared.add_name(shared.seed.of(name), name.clone());
        }
        for set in &known.sets {
            shared.add_set(shared.seed.of_set(set), set.clone());
        }
        shared
    }

    fn add_name(&mut self, hash: u64, sym: Sym) {
        if self.names.len() >= self.names_limit {
            self.names.retain(|name| ArcStr::strong_count(&name.0).is_none_or(|count| count > 1));
            self.names_limit = (self.names.len() * 2).max(LEAST);
        }
        let seed = &self.seed;
        self.names.insert_unique(hash, sym, |name| seed.of(name));
    }

    /// The shared form of `set`.
    pub(crate) fn set(&mut self, set: &ScopeSet) -> Set {
        let hash = self.seed.of_set(set);
        if let Some(found) = self.sets.find(hash, |known| **known == *set) {
            return found.clone();
        }
        let shared = Set::lone(set.clone());
        self.add_set(hash, shared.clone());
        shared
    }

    fn add_set(&mut self, hash: u64, set: Set) {
        if self.sets.len() >= self.sets_limit {
            self.sets.retain(|known| Arc::strong_count(&known.0) > 1);
            self.sets_limit = (self.sets.len() * 2).max(LEAST);
        }
        let seed = &self.seed;
        self.sets.insert_unique(hash, set, |known| seed.of_set(known));
    }
}

const LEAST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_uses_are_dropped() {
        let mut shared = Shared::default();
        let kept = shared.name("kept");
        for i in 0..10 * LEAST {
            shared.name(&i.to_string());
        }
        assert!(shared.names.len() <= 2 * LEAST);
        assert!(ArcStr::ptr_eq(&kept.0, &shared.name("kept").0));
    }

    #[test]
    fn the_stable_hash_stays_what_it_was() {
        assert_eq!(stable_hash(&["a", "b"]), stable_hash(&["a", "b"]));
        assert_ne!(stable_hash(&["ab", ""]), stable_hash(&["a", "b"]));
    }
}

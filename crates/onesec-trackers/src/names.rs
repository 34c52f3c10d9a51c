//! Names and sets of scopes are written to a snapshot once; what refers to them has their numbers.
//!
//! What is saved derives how, and that has no place for a table that goes along. So the table of the snapshot that a thread
//! writes or reads is known to that thread, for as long as it does.

use std::cell::RefCell;
use std::hash::Hash;
use std::sync::Arc;

use hashbrown::{HashMap, HashTable};
use onesec_telemetry::ScopeSet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::shared::{Set, Sym, both};
use crate::state::{StateError, StateReader, StateWriter};

thread_local! {
    static WRITING: RefCell<Option<Numbers>> = const { RefCell::new(None) };
    static READING: RefCell<Option<Arc<Known>>> = const { RefCell::new(None) };
}

/// Lets `save` write sections, and writes the table of what they refer to. Numbers go by first use, so that equal states
/// are equal bytes.
pub(crate) fn numbered(out: &mut StateWriter, save: impl FnOnce(&mut StateWriter)) {
    WRITING.set(Some(Numbers::default()));
    save(out);
    let Numbers { names, sets } = WRITING.take().unwrap_or_default();
    let names: Vec<&str> = names.known.iter().map(|name| &**name).collect();
    let sets: Vec<&ScopeSet> = sets.known.iter().map(|set| &**set).collect();
    out.put(SECTION, &(names, sets));
}

/// All that the sections of a snapshot refer to, by number.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) names: Vec<Sym>,
    pub(crate) sets: Vec<Set>,
}

impl Known {
    pub(crate) fn read(from: StateReader<'_>) -> Result<Arc<Self>, StateError> {
        let mut from = from.stream(SECTION)?;
        let names = (0..from.count()?).map(|_| from.next::<&str>().map(Sym::lone)).collect::<Result<_, _>>()?;
        let sets = (0..from.count()?).map(|_| from.next().map(Set::lone)).collect::<Result<_, _>>()?;
        Ok(Arc::new(Self { names, sets }))
    }

    /// Lets this thread read what refers to it.
    pub(crate) fn while_reading<T>(self: &Arc<Self>, read: impl FnOnce() -> T) -> T {
        READING.set(Some(Arc::clone(self)));
        let done = read();
        READING.set(None);
        done
    }
}

#[derive(Default)]
struct Numbers {
    names: Table<Sym>,
    sets: Table<Set>,
}

/// Numbers by place in memory, and for the few things that are there twice by what they are.
struct Table<T> {
    by_place: HashTable<(usize, u32)>,
    by_value: HashMap<T, u32, ahash::RandomState>,
    known: Vec<T>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        // No order comes from either.
        Self {
            by_place: HashTable::new(),
            by_value: HashMap::with_hasher(crate::shared::Seed::default().random()),
            known: Vec::new(),
        }
    }
}

impl<T: Hash + Eq + Clone> Table<T> {
    fn number(&mut self, value: &T, place: usize) -> u32 {
        let hash = hash_of_place(place);
        if let Some(&(_, number)) = self.by_place.find(hash, |(known, _)| *known == place) {
            return number;
        }
        let known = &mut self.known;
        let number = *self.by_value.entry_ref(value).or_insert_with(|| {
            known.push(value.clone());
            u32::try_from(known.len() - 1).unwrap_or(u32::MAX)
        });
        self.by_place.insert_unique(hash, (place, number), |(known, _)| hash_of_place(*known));
        number
    }
}

/// Addresses are nobody's input: a multiplication spreads them well enough.
const fn hash_of_place(place: usize) -> u64 {
    both(place as u64, 0)
}

impl Serialize for Sym {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = WRITING.with_borrow_mut(|to| Some(to.as_mut()?.names.number(self, self.place())));
        number.ok_or_else(|| serde::ser::Error::custom(OUTSIDE))?.serialize(serializer)
    }
}

impl Serialize for Set {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = WRITING.with_borrow_mut(|to| Some(to.as_mut()?.sets.number(self, self.place())));
        number.ok_or_else(|| serde::ser::Error::custom(OUTSIDE))?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sym {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)? as usize;
        let found = READING.with_borrow(|from| from.as_ref()?.names.get(number).cloned());
        found.ok_or_else(|| serde::de::Error::custom(OUTSIDE))
    }
}

impl<'de> Deserialize<'de> for Set {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)? as usize;
        let found = READING.with_borrow(|from| from.as_ref()?.sets.get(number).cloned());
        found.ok_or_else(|| serde::de::Error::custom(OUTSIDE))
    }
}

/// The section of a snapshot that has the names.
const SECTION: &str = "names";
const OUTSIDE: &str = "no such number in the table of a snapshot";

//! A list that mostly holds one thing: the first is kept in place, and several are behind one word.

use std::ops::Deref;

use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thin_vec::ThinVec;

/// Takes the room of one `T` and one word. What was behind that word stays there, so that a list which grows and shrinks
/// allocates once.
#[derive(Debug, Clone)]
pub(crate) struct Few<T> {
    /// Set only where `several` is empty.
    one: Option<T>,
    several: ThinVec<T>,
}

impl<T> Few<T> {
    pub(crate) const fn new() -> Self {
        Self { one: None, several: ThinVec::new() }
    }

    fn as_slice(&self) -> &[T] {
        if self.several.is_empty() { self.one.as_slice() } else { &self.several }
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        if self.several.is_empty() { self.one.as_mut_slice() } else { &mut self.several }
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.as_mut_slice().get_mut(at)
    }

    pub(crate) fn push(&mut self, value: T) {
        self.insert(self.len(), value);
    }

    /// Puts `value` at `at`, or at the end where there are fewer.
    pub(crate) fn insert(&mut self, at: usize, value: T) {
        if self.is_empty() && self.several.capacity() == 0 {
            self.one = Some(value);
            return;
        }
        self.several.extend(self.one.take());
        self.several.insert(at.min(self.several.len()), value);
    }

    /// Takes out what is at `at`; nothing where there are fewer.
    pub(crate) fn remove(&mut self, at: usize) -> Option<T> {
        if at >= self.len() {
            return None;
        }
        self.one.take().or_else(|| Some(self.several.remove(at)))
    }

    pub(crate) fn truncate(&mut self, most: usize) {
        if most == 0 {
            self.one = None;
        }
        self.several.truncate(most);
    }

    /// Takes out the first `count`.
    pub(crate) fn drop_first(&mut self, count: usize) {
        if count > 0 {
            self.one = None;
            self.several.drain(..count.min(self.several.len()));
        }
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.one.take_if(|one| !keep(one));
        self.several.retain(keep);
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        self.as_slice()
    }
}

impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Few<T> {}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Self {
        let mut few = Self::new();
        all.into_iter().for_each(|value| few.push(value));
        few
    }
}

impl<T: Serialize> Serialize for Few<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.len()))?;
        self.iter().try_for_each(|value| seq.serialize_element(value))?;
        seq.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Elements(std::marker::PhantomData))
    }
}

struct Elements<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Elements<T> {
    type Value = Few<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Few<T>, A::Error> {
        let mut few = Few::new();
        while let Some(value) = seq.next_element()? {
            few.push(value);
        }
        Ok(few)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Insert(usize, u8),
        Remove(usize),
        Truncate(usize),
        DropFirst(usize),
        Retain(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_usize..4, 0_u8..8).prop_map(|(at, value)| Step::Insert(at, value)),
            (0_usize..4).prop_map(Step::Remove),
            (0_usize..4).prop_map(Step::Truncate),
            (0_usize..4).prop_map(Step::DropFirst),
            (0_u8..8).prop_map(Step::Retain),
        ]
    }

    proptest! {
        #[test]
        fn is_a_list_like_any_other(steps in prop::collection::vec(step(), 0..40)) {
            let (mut few, mut list) = (Few::<u8>::new(), Vec::<u8>::new());
            for step in steps {
                match step {
                    Step::Insert(at, value) => {
                        few.insert(at, value);
                        list.insert(at.min(list.len()), value);
                    }
                    Step::Remove(at) => prop_assert_eq!(few.remove(at), (at < list.len()).then(|| list.remove(at))),
                    Step::Truncate(most) => {
                        few.truncate(most);
                        list.truncate(most);
                    }
                    Step::DropFirst(count) => {
                        few.drop_first(count);
                        list.drain(..count.min(list.len()));
                    }
                    Step::Retain(least) => {
                        few.retain(|value| *value >= least);
                        list.retain(|value| *value >= least);
                    }
                }
                prop_assert_eq!(&*few, &*list);
                let bytes = postcard::to_stdvec(&few).unwrap();
                prop_assert_eq!(&bytes, &postcard::to_stdvec(&list).unwrap());
                prop_assert_eq!(postcard::from_bytes::<Few<u8>>(&bytes).unwrap(), few.clone());
            }
        }
    }

    #[test]
    fn one_thing_takes_no_heap_and_several_one_word() {
        assert_eq!(size_of::<Few<Box<u8>>>(), 2 * size_of::<usize>());
        let mut few: Few<u8> = [1].into_iter().collect();
        assert_eq!(few.several.capacity(), 0);
        few.push(2);
        let room = few.several.capacity();
        few.truncate(0);
        few.push(3);
        assert_eq!((few.several.capacity(), few.several.len()), (room, 1), "what it had, it uses again");
    }
}

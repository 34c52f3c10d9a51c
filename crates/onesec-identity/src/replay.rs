//! Remembering what was used once, as long as it could be used again, and no more than fits.

use std::collections::{BTreeMap, BTreeSet};

use onesec_telemetry::{Thumbprint, Timestamp};

/// Ids of one-time tokens that were seen. Full means refuse: forgetting one would let it be replayed.
///
/// One cache holds what may share a bound: give every tenant, or every kind of sender, its own, so that nobody can
/// fill it for others. Not `Clone`: two copies would each accept the same token.
#[derive(Debug)]
pub struct ReplayCache {
    capacity: usize,
    seen: BTreeMap<Thumbprint, Timestamp>,
    by_expiry: BTreeSet<(Timestamp, Thumbprint)>,
    latest: Timestamp,
}

/// Why a one-time token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayRefused {
    /// It was used before.
    #[error("the token was already used")]
    Replayed,
    /// As many are remembered as there is room for, and all are still good.
    #[error("too many one-time tokens are in use")]
    Full,
    /// It may be forgotten already: whether it was used, nobody can say any more.
    #[error("the token is too old to tell whether it was used")]
    Expired,
}

impl ReplayRefused {
    /// The reason as a stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Replayed => "replayed",
            Self::Full => "replay_cache_full",
            Self::Expired => "expired",
        }
    }
}

impl ReplayCache {
    /// Room for `capacity` ids; about 200 bytes each, whatever their length.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { capacity, seen: BTreeMap::new(), by_expiry: BTreeSet::new(), latest: Timestamp::EPOCH }
    }

    /// Takes `jti` of `issuer` if it was never taken, and remembers it until it is refused anyway. `until` is when
    /// a verifier begins to refuse it, leeway included, such as [`crate::VerifiedDpop::replayable_until`].
    ///
    /// A `now` before an earlier one counts as the earlier one.
    ///
    /// # Errors
    /// [`ReplayRefused`]. Nothing is remembered then that was not before.
    pub fn admit(
        &mut self,
        (issuer, jti): (&str, &str),
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), ReplayRefused> {
        self.forget(now);
        if until <= self.latest {
            return Err(ReplayRefused::Expired);
        }
        let key = key_of(issuer, jti);
        if self.seen.contains_key(&key) {
            return Err(ReplayRefused::Replayed);
        }
        if self.seen.len() >= self.capacity {
            return Err(ReplayRefused::Full);
        }
        self.seen.insert(key, until);
        self.by_expiry.insert((until, key));
        Ok(())
    }

    fn forget(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
        while let Some(&(until, key)) = self.by_expiry.first() {
            if until > self.latest {
                return;
            }
            self.by_expiry.pop_first();
            self.seen.remove(&key);
        }
    }

    /// How many ids are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }
}

/// One digest per pair: the length keeps (`ab`, `c`) and (`a`, `bc`) apart.
fn key_of(issuer: &str, jti: &str) -> Thumbprint {
    let length = (issuer.len() as u64).to_be_bytes();
    Thumbprint::of(&[&length, issuer.as_bytes(), jti.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn what_was_used_once_is_not_used_again() {
        let mut cache = ReplayCache::new(10);
        assert_eq!(cache.admit(("a", "1"), at(60), at(0)), Ok(()));
        assert_eq!(cache.admit(("a", "1"), at(60), at(59)), Err(ReplayRefused::Replayed));
        assert_eq!(cache.admit(("a", "1"), at(999), at(59)), Err(ReplayRefused::Replayed), "another expiry");
        assert_eq!(cache.admit(("b", "1"), at(60), at(59)), Ok(()));
        assert_eq!(cache.admit(("ab", "c"), at(60), at(59)), Ok(()));
        assert_eq!(cache.admit(("a", "bc"), at(60), at(59)), Ok(()));
        assert_eq!(cache.admit(("a", "1"), at(60), at(60)), Err(ReplayRefused::Expired));
        assert!(cache.is_empty());
    }

    #[test]
    fn full_means_refuse_until_something_expires() {
        let mut cache = ReplayCache::new(2);
        assert_eq!(cache.admit(("a", "1"), at(10), at(0)), Ok(()));
        assert_eq!(cache.admit(("a", "2"), at(20), at(0)), Ok(()));
        assert_eq!(cache.admit(("a", "3"), at(30), at(9)), Err(ReplayRefused::Full));
        assert_eq!(cache.admit(("a", "1"), at(10), at(9)), Err(ReplayRefused::Replayed));
        assert_eq!(cache.admit(("a", "3"), at(30), at(10)), Ok(()));
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn a_clock_set_back_brings_nothing_back() {
        let mut cache = ReplayCache::new(2);
        assert_eq!(cache.admit(("a", "1"), at(10), at(0)), Ok(()));
        assert_eq!(cache.admit(("a", "2"), at(99), at(10)), Ok(()));
        assert_eq!(cache.admit(("a", "1"), at(10), at(5)), Err(ReplayRefused::Expired));
    }

    proptest! {
        #[test]
        fn nothing_is_taken_twice_and_the_bound_holds(
            uses in prop::collection::vec((0_u8..12, 1_i64..30, 0_i64..10), 0..80)
        ) {
            let (mut cache, mut taken, mut now) = (ReplayCache::new(6), BTreeMap::new(), 0);
            for (id, life, step) in uses {
                now += step;
                // An id keeps its expiry, as a signed token does.
                let until = *taken.entry(id).or_insert((now + life, 0));
                if cache.admit(("a", &id.to_string()), at(until.0), at(now)).is_ok() {
                    let count = &mut taken.get_mut(&id).expect("entry").1;
                    *count += 1;
                    prop_assert_eq!(*count, 1);
                }
                prop_assert!(cache.len() <= 6);
            }
        }
    }
}

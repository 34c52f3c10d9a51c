//! Distinct things within a window, exact up to a bound.

use std::time::Duration;

use onesec_telemetry::Timestamp;
use serde::{Deserialize, Serialize};

use crate::few::Few;

/// When each of several things was last seen. Ascending by key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Recent(Few<(u64, Timestamp)>);

impl Recent {
    /// Distinct things in the window that ends at the newest of them or at `at`, `with` among them.
    pub(crate) fn count(&self, at: Timestamp, with: Option<u64>, window: Duration) -> u32 {
        let within = self.within(at, window);
        let others = self.0.iter().filter(|(key, last)| within(*last) && Some(*key) != with).count();
        let own = with.is_some_and(|key| within(at) || self.last(key).is_some_and(&within));
        u32::try_from(others).unwrap_or(u32::MAX).saturating_add(u32::from(own))
    }

    /// What is in the window that ends at the newest of them or at `at`.
    fn within(&self, at: Timestamp, window: Duration) -> impl Fn(Timestamp) -> bool + use<> {
        let newest = self.0.iter().map(|(_, last)| *last).fold(at, Timestamp::max);
        let start = newest.as_micros().saturating_sub(micros(window));
        move |at| at.as_micros() > start
    }

    fn last(&self, key: u64) -> Option<Timestamp> {
        let place = self.0.binary_search_by_key(&key, |(known, _)| *known).ok()?;
        self.0.get(place).map(|(_, last)| *last)
    }

    /// Remembers one; the oldest of more than `most` is forgotten, and what has left the window with it.
    pub(crate) fn note(&mut self, at: Timestamp, key: u64, (window, most): (Duration, usize)) {
        match self.0.binary_search_by_key(&key, |(known, _)| *known) {
            Ok(place) => {
                if let Some((_, last)) = self.0.get_mut(place) {
                    *last = at.max(*last);
                }
                return;
            }
            Err(place) => {
                self.0.insert(place, (key, at));
            }
        }
        let within = self.within(at, window);
        self.0.retain(|(_, last)| within(*last));
        if self.0.len() > most {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, (key, last))| (*last, *key)).map(|(place, _)| place);
            oldest.map(|place| self.0.remove(place));
        }
    }
}

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

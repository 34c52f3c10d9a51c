//! Exchanges that failed, and those that did not in the same time.

use onesec_telemetry::Timestamp;
use serde::{Deserialize, Serialize};

use super::recent::micros;
use crate::config::ProbingLimits;
use crate::facts::{FAIL_WINDOW, SUCCESS_WITHIN};

/// How one exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) at: i64,
    pub(crate) user: u64,
    pub(crate) connection: u64,
    pub(crate) failed: bool,
}

/// The newest attempts of an agent that has failed of late: nothing is kept of one that has not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Attempts {
    /// Oldest first.
    recent: Vec<Attempt>,
    /// When there was last more of it than is in order.
    probed: Option<Timestamp>,
}

/// What the attempts amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) failed: u32,
    pub(crate) tried: u32,
    pub(crate) users: u32,
    pub(crate) connections: u32,
}

impl Tally {
    /// Enough failures, over enough users or connections, or nearly nothing but failures.
    pub(crate) fn is_probing(&self, limits: &ProbingLimits) -> bool {
        let spread = self.users.max(self.connections) >= limits.distinct;
        let nearly_all = u64::from(self.failed) * 100 >= u64::from(self.tried) * u64::from(limits.percent);
        self.failed >= limits.failures && (spread || nearly_all)
    }
}

impl Attempts {
    /// What is in the window that ends at `at`, with `this` where it is known how it ended. `passed`: so many are known to
    /// have passed in the same time.
    pub(crate) fn tally(&self, at: Timestamp, this: Option<Attempt>, passed: u32) -> Tally {
        let start = at.as_micros().saturating_sub(micros(FAIL_WINDOW));
        let mut users = [0_u64; MOST];
        let mut connections = [0_u64; MOST];
        let (mut seen_users, mut seen_connections) = (0, 0);
        let mut tally = Tally::default();
        for attempt in self.recent.iter().copied().filter(|a| a.at > start).chain(this) {
            tally.tried += 1;
            if attempt.failed {
                tally.failed += 1;
                add(&mut users, &mut seen_users, attempt.user);
                add(&mut connections, &mut seen_connections, attempt.connection);
            }
        }
        (tally.users, tally.connections) = (seen_users, seen_connections);
        tally.tried = tally.tried.max(passed);
        tally
    }

    /// When there was last more than is in order, where a success at `at` would be one of it.
    pub(crate) fn probed(&self, at: Timestamp) -> Option<Timestamp> {
        self.probed.filter(|probed| at.since(*probed) <= SUCCESS_WITHIN)
    }

    /// Whether the agent has tried this of late.
    pub(crate) fn has_tried(&self, user: u64, connection: u64) -> bool {
        self.recent.iter().any(|attempt| attempt.user == user && attempt.connection == connection)
    }

    /// Remembers one.
    pub(crate) fn note(&mut self, attempt: Attempt, probing: bool) {
        let place = self.recent.partition_point(|known| known.at <= attempt.at);
        self.recent.insert(place, attempt);
        let newest = self.recent.last().map_or(attempt.at, |last| last.at);
        let start = newest.saturating_sub(micros(FAIL_WINDOW));
        self.recent.retain(|known| known.at > start);
        if self.recent.len() >= MOST {
            // Successes go first: nobody hides failures behind them.
            let oldest = self.recent.iter().position(|known| !known.failed).unwrap_or_default();
            self.recent.remove(oldest);
        }
        if probing {
            self.probed = self.probed.max(Some(Timestamp::from_micros(attempt.at)));
        }
    }

    /// Whether nothing of it matters any more.
    pub(crate) fn is_over(&self, at: Timestamp) -> bool {
        let start = at.as_micros().saturating_sub(micros(FAIL_WINDOW));
        self.probed(at).is_none() && !self.recent.iter().any(|known| known.failed && known.at > start)
    }
}

fn add(seen: &mut [u64; MOST], count: &mut u32, key: u64) {
    let known = seen.get(..*count as usize).unwrap_or_default().contains(&key);
    if let Some(place) = seen.get_mut(*count as usize).filter(|_| !known) {
        *place = key;
        *count += 1;
    }
}

/// So many are kept.
const MOST: usize = 64;

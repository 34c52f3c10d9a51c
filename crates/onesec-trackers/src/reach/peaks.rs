//! How many distinct users an agent usually has in a window: a histogram of peaks, which forgets slowly.

use std::time::Duration;

use onesec_telemetry::Timestamp;
use serde::{Deserialize, Serialize};

use super::recent::micros;

/// Peaks of windows that are over, and the one that is not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Peaks {
    /// By bucket.
    counts: Vec<u16>,
    /// Number of the window that is open.
    open: i64,
    peak: u32,
}

impl Peaks {
    /// `count` were seen at `at`.
    pub(crate) fn note(&mut self, at: Timestamp, count: u32, window: Duration) {
        let number = at.as_micros().div_euclid(micros(window).max(1));
        if number > self.open {
            if self.peak > 0 {
                self.close();
            }
            (self.open, self.peak) = (number, 0);
        }
        self.peak = self.peak.max(count);
    }

    fn close(&mut self) {
        self.counts.resize(BUCKETS, 0);
        if let Some(count) = self.counts.get_mut(bucket(self.peak)) {
            *count = count.saturating_add(1);
        }
        if self.total() >= FORGET_AT {
            self.counts.iter_mut().for_each(|count| *count /= 2);
        }
    }

    fn total(&self) -> u32 {
        self.counts.iter().map(|&count| u32::from(count)).sum()
    }

    /// The 99th percentile; 0 where there were too few windows to tell.
    pub(crate) fn usual(&self) -> u32 {
        let total = self.total();
        if total < LEAST {
            return 0;
        }
        let mut left = total / 100;
        for (index, &count) in self.counts.iter().enumerate().rev() {
            if u32::from(count) > left {
                return largest(index);
            }
            left -= u32::from(count);
        }
        0
    }
}

/// Exact below 8, then four to an octave.
fn bucket(count: u32) -> usize {
    if count < 8 {
        return count as usize;
    }
    let octave = count.ilog2();
    let quarter = (count >> (octave - 2)) & 3;
    (8 + (octave - 3) * 4 + quarter).min(BUCKETS as u32 - 1) as usize
}

/// The largest count of a bucket.
const fn largest(index: usize) -> u32 {
    let index = index as u32;
    if index < 8 {
        return index;
    }
    let (octave, quarter) = ((index - 8) / 4 + 3, (index - 8) % 4);
    ((5 + quarter) << (octave - 2)) - 1
}

/// Up to 1 024 and beyond.
const BUCKETS: usize = 40;
/// Windows from which on the percentile means something.
const LEAST: u32 = 100;
/// Windows at which all counts are halved: a month of them.
const FORGET_AT: u32 = 4_096;

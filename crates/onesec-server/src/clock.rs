//! The only place that reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use onesec_telemetry::Timestamp;

/// Wall time at the start plus a monotonic clock: never decreases, and a step of the wall clock does not move it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Timestamp,
    since: Instant,
}

impl Clock {
    /// Starts at wall time.
    #[must_use]
    pub fn start() -> Self {
        Self { start: wall(), since: Instant::now() }
    }

    /// The same clock, resumed at `floor` where that is later: after a restart time goes on where the journal left it.
    #[must_use]
    pub fn not_before(mut self, floor: Timestamp) -> Self {
        self.start = self.start.max(floor);
        self
    }

    /// How far the wall clock is ahead of this one, in microseconds; negative where it is behind.
    #[must_use]
    pub fn wall_is_ahead_by(&self) -> i64 {
        wall().as_micros().saturating_sub(self.now().as_micros())
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.start + self.since.elapsed()
    }
}

/// Notices when the wall clock is moved. The clock goes on all the same: nobody lengthens a minute by it.
#[derive(Debug, Default)]
pub(crate) struct StepWatch {
    /// How far the wall clock was ahead when that was last said.
    said: i64,
}

impl StepWatch {
    /// By how much it was moved since that was last said, where that is more than a minute, in microseconds.
    pub(crate) fn step(&mut self, ahead: i64) -> Option<i64> {
        let by = ahead.saturating_sub(self.said);
        if by.unsigned_abs() <= LARGEST_SLEW {
            return None;
        }
        self.said = ahead;
        Some(by)
    }
}

/// A time service moves a clock by less than that without a step.
const LARGEST_SLEW: u64 = 60_000_000;

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH + since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_said_once_and_so_is_the_way_back() {
        let mut watch = StepWatch::default();
        assert_eq!(watch.step(59_000_000), None, "slewed");
        assert_eq!(watch.step(-7_200_000_000), Some(-7_200_000_000));
        assert_eq!(watch.step(-7_199_000_000), None, "said already");
        assert_eq!(watch.step(1_000), Some(7_200_001_000));
        assert_eq!(watch.step(i64::MIN), Some(i64::MIN), "no panic");
    }

    #[test]
    fn a_clock_that_goes_on_where_the_journal_left_it_is_ahead_of_the_wall() {
        let clock = Clock::start();
        assert!(clock.wall_is_ahead_by().abs() < 60_000_000);
        let resumed = clock.not_before(clock.now() + std::time::Duration::from_secs(7_200));
        assert!(resumed.wall_is_ahead_by() < -7_000_000_000);
    }
}

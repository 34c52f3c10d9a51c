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

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.start + self.since.elapsed()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH + since
}

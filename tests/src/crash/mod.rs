//! Crashes beside a model: random operations, an end at a named place or by `kill -9`, a restart, and a comparison of
//! everything that stands with what was acknowledged.
//!
//! A *round* is one life of a server: it comes up, what stands is compared, clients work, and it ends. A *series* is a
//! directory with rounds one after the other, and ends with a look at every action, at the journal's proofs, and at the
//! alerts recomputed from records alone. Everything random comes from the seed; what depends on the machine's time, such
//! as which of two clients is served first, does not repeat.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test harness")]

pub mod client;
pub mod model;
pub mod observed;
pub mod series;
pub mod settled;

use std::collections::BTreeMap;

pub use series::Series;

/// How a round ends, unless its clients are done before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// When it comes by the named place the Nth time.
    Place(&'static str, u64),
    /// In the middle of writing to the journal's files, before or after they are synced, the Nth time. Needs the power-failure
    /// library.
    Disk(&'static str, u64),
    /// `kill -9` after so many milliseconds.
    Kill(u64),
}

/// What was asked of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server's program.
    pub program: String,
    /// Rounds.
    pub rounds: u64,
    /// Rounds in one directory.
    pub each: u64,
    /// Where everything random comes from.
    pub seed: u64,
    /// `kill -9` instead of named places.
    pub kills: bool,
    /// Without the library that takes back what was not synced, even where it can be built.
    pub without_power: bool,
}

/// What a run has seen.
#[derive(Debug, Default)]
pub struct Report {
    /// Rounds that were played.
    pub rounds: u64,
    /// Rounds that ended where they were to end, by place.
    pub ended: BTreeMap<String, u64>,
    /// Rounds whose place was not reached: killed instead.
    pub not_reached: u64,
    /// Ends while the server came up.
    pub at_start: u64,
    /// Operations that were acknowledged.
    pub acknowledged: u64,
    /// Bytes of writes that power failures took back.
    pub taken_back: u64,
    /// Actions that were looked at.
    pub actions: u64,
    /// What must not be, each with the seed that repeats its series.
    pub wrong: Vec<String>,
}

impl Report {
    /// Adds what another run has seen.
    pub fn add(&mut self, other: Self) {
        self.rounds += other.rounds;
        for (place, count) in other.ended {
            *self.ended.entry(place).or_default() += count;
        }
        self.not_reached += other.not_reached;
        self.at_start += other.at_start;
        self.acknowledged += other.acknowledged;
        self.taken_back += other.taken_back;
        self.actions += other.actions;
        self.wrong.extend(other.wrong);
    }
}

/// Plays all rounds, two series at a time. A series ends with its first fault.
#[must_use]
pub fn play(plan: &Plan) -> Report {
    let series = plan.rounds.div_ceil(plan.each.max(1));
    let next = std::sync::atomic::AtomicU64::new(0);
    let report = std::sync::Mutex::new(Report::default());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if number >= series {
                        break;
                    }
                    let rounds = plan.each.min(plan.rounds - number * plan.each);
                    let seen = Series::new(plan, plan.seed.wrapping_add(number)).play(rounds);
                    report.lock().expect("lock").add(seen);
                }
            });
        }
    });
    report.into_inner().expect("lock")
}

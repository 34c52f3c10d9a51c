//! Ten million random names from one key, beside agents whose decisions must not change for it.

use std::time::{Duration, Instant};

use onesec_e2e::flood::control_group;
use onesec_engine::Settings;

use crate::Report;

/// Random names between any two records of the story, of which there are about a thousand.
const PER_RECORD: u64 = 10_000;

/// With the room that a server has. Takes minutes, however long it was given.
pub(crate) fn names(report: &mut Report, _: Duration) {
    let start = Instant::now();
    let outcome = control_group(&Settings::default(), PER_RECORD);
    report.put("flood: random records from one key", outcome.random as f64, "records");
    report.put("flood: each, made and judged", start.elapsed().as_secs_f64() * 1e6 / outcome.random as f64, "µs");
    report.put("flood: statistics that had to go for others", outcome.evicted as f64, "entries");
    report.put("flood: records of others that were compared", outcome.compared as f64, "records");
    report.put("flood: of these, judged otherwise (target 0)", outcome.differing.len() as f64, "records");
}

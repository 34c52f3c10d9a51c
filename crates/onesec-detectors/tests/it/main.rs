//! What is counted rather than timed: a clean exchange of somebody known asks for no memory.

use std::time::Duration;

use onesec_detector::{Detector, Findings};
use onesec_detectors::{Settings, all};
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{Event, Record};
use onesec_testkit::{Draft, START, at, records};
use onesec_trackers::{LedgerChange, Settled, TrackerConfig, Trackers};

const AGENTS: usize = 50;

struct Judges {
    trackers: Trackers,
    detectors: Vec<Box<dyn Detector>>,
    found: Findings,
    changes: Vec<LedgerChange>,
}

impl Judges {
    fn judge(&mut self, record: &Record) {
        let facts = self.trackers.observe(record);
        let kind = record.event().map(Event::kind);
        for detector in &mut self.detectors {
            if kind.is_some_and(|kind| detector.descriptor().reads(kind)) {
                detector.judge(record, &facts, &mut self.found);
            }
        }
        drop(facts);
        self.trackers.settle(Settled::Passed);
        self.changes.clear();
        self.trackers.changes_into(&mut self.changes);
    }
}

fn names(i: usize) -> (String, String) {
    (format!("agent-{i}"), format!("auth0|user-{i}"))
}

fn links() -> Vec<Record> {
    let both = |i| -> [Draft; 2] {
        let (agent, user) = names(i);
        let link = at("0s").trusted().link(&user, "github").scopes("read:org");
        [link, at("0s").trusted().delegate(&user, &agent, "github").scopes("read:org")]
    };
    records((0..AGENTS).flat_map(both))
}

fn exchanges() -> Vec<Record> {
    let exchange = |i| {
        let (agent, user) = names(i);
        at("1s").gateway(&agent).exchange(&user, "github").scopes("read:org")
    };
    records((0..AGENTS).map(exchange))
}

#[test]
fn a_clean_exchange_of_somebody_known_allocates_nothing() {
    let trackers = Trackers::new(TrackerConfig::default(), Catalogue::builtin());
    let (detectors, found, changes) = (all(&Settings::default()), Findings::new(), Vec::new());
    let mut judges = Judges { trackers, detectors, found, changes };
    links().iter().for_each(|record| judges.judge(record));
    judges.found = Findings::new();
    let mut records = exchanges();
    let (mut now, mut counts) = (START + Duration::from_secs(60), Vec::new());
    // Ten rounds until everything has grown to the size that it keeps.
    for round in 0..30 {
        for record in &mut records {
            now = now + Duration::from_secs(1);
            (record.at, record.observed_at) = (now, now);
            let counted = allocation_counter::measure(|| judges.judge(record));
            if round >= 20 {
                counts.push(counted.count_total);
            }
        }
    }
    assert!(judges.found.is_empty(), "{:?}", judges.found.as_slice());
    let allocating: Vec<u64> = counts.iter().copied().filter(|count| *count > 0).collect();
    assert!(allocating.is_empty(), "{} of {} records allocate: {allocating:?}", allocating.len(), counts.len());
}

//! How far agents reach: what is merely reported changes nothing for what is proved, and nothing is lost on the way.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::state::{StateReader, StateWriter};

/// One step: who says it, of whom, what.
fn step() -> impl Strategy<Value = (bool, usize, usize, u8, i64)> {
    (any::<bool>(), 0..2_usize, 0..7_usize, 0..6_u8, 1_i64..90)
}

fn told(secs: i64, (agent, user, what): (usize, usize, u8)) -> Record {
    let (agent, user) = (["bot", "imp"][agent], format!("user-{user}"));
    let names = [agent, user.as_str(), ["github", "slack"][usize::from(what % 2)]];
    let mut record = if what < 3 { exchange(secs, names, "read:user") } else { response(secs, names, "read:user") };
    if let Body::Event(event) = &mut record.body {
        event.common.task_id = opt(["t-1", "t-2", ""][usize::from(what % 3)]);
        if let Details::TokenExchangeResponse(d) = &mut event.details {
            d.success = what == 5;
            d.expires_in = Some(120);
        }
    }
    record
}

fn measured(trackers: &mut Trackers, record: &Record) -> String {
    let facts = trackers.observe(record);
    let seen = format!("{:?} {:?}", facts.reach, facts.exchange);
    trackers.settle(Settled::Passed);
    seen
}

fn reloaded(trackers: &Trackers) -> Trackers {
    let mut out = StateWriter::default();
    trackers.save(&mut out);
    let sections: BTreeMap<String, Vec<u8>> = out.into_sections().into_iter().collect();
    Trackers::load(TrackerConfig::default(), Catalogue::builtin(), StateReader::new(&sections)).unwrap()
}

proptest! {
    #[test]
    fn hearsay_changes_nothing_for_what_is_proved(steps in proptest::collection::vec(step(), 1..80), cut in 0..80_usize) {
        let mut with = Trackers::new(TrackerConfig::default(), Catalogue::builtin());
        let mut without = Trackers::new(TrackerConfig::default(), Catalogue::builtin());
        let mut clock = 1_000;
        for (index, (proved, agent, user, what, passed)) in steps.into_iter().enumerate() {
            clock += passed;
            let record = told(clock, (agent, user, what));
            if proved {
                prop_assert_eq!(measured(&mut with, &record), measured(&mut without, &record));
            } else {
                measured(&mut with, &claimed(record, "k-1"));
            }
            if index == cut {
                with = reloaded(&with);
            }
        }
    }
}

#[test]
fn a_snapshot_that_has_half_of_it_is_damaged() {
    let mut out = StateWriter::default();
    Trackers::new(TrackerConfig::default(), Catalogue::builtin()).save(&mut out);
    let whole: BTreeMap<String, Vec<u8>> = out.into_sections().into_iter().collect();
    for name in whole.keys().filter(|name| name.starts_with("reach/")) {
        let mut half = whole.clone();
        half.remove(name);
        let loaded = Trackers::load(TrackerConfig::default(), Catalogue::builtin(), StateReader::new(&half));
        assert!(loaded.is_err(), "without {name}, decoys that were set would be forgotten");
    }
}

#[test]
fn what_was_forgotten_is_told_once() {
    let mut config = TrackerConfig::default();
    (config.bounds.agents, config.bounds.pairs, config.bounds.key_share) = (4, 4, 1);
    config.exchange_rate.limit = 2;
    let mut trackers = Trackers::new(config, Catalogue::builtin());
    let ask = |secs: i64, agent: &str| exchange(secs, [agent, "ann", "github"], "read:user");
    for secs in 1..6 {
        measured(&mut trackers, &ask(secs, "loud"));
    }
    let mut told = Vec::new();
    for (secs, agent) in (10..).zip(["a", "b", "c", "d", "e", "f"]) {
        let record = ask(secs, agent);
        let lost = trackers.observe(&record).lost;
        told.extend(lost.filter(|lost| lost.armed > 0));
        trackers.settle(Settled::Passed);
    }
    let armed: u32 = told.iter().map(|lost| lost.armed).sum();
    assert_eq!(u64::from(armed), trackers.stats().armed_evicted, "{told:?}");
    assert!(armed > 0);
}

//! Each check catches the detector that breaks it, and passes the one that does not.

use std::collections::{BTreeMap, HashSet};

use onesec_detector::{
    Descriptor, Detector, Evidence, Facts, Finding, Findings, Module, Record, Severity, StateError, StateReader,
    StateWriter, Timestamp,
};
use onesec_telemetry::{EventId, Kind};

use super::*;

fn descriptor(stateless: bool) -> Descriptor {
    Descriptor {
        stateless,
        owasp: &["ASI03"],
        blind_spot: "whatever it cannot see",
        mitigation: "Look at it.",
        ..Descriptor::new("sample", Module::TokenVault, "A sample")
    }
}

/// Which checks the detector fails; that of memory, which takes long, is asked for by name.
fn failed(make: Make<'_>) -> Vec<&'static str> {
    let quick = CHECKS.iter().filter(|(name, _)| *name != "state_is_bounded");
    quick.filter(|(_, check)| check(make).is_err()).map(|(name, _)| *name).collect()
}

/// A detector made of a closure, with state of its own.
struct Made<S, J> {
    descriptor: Descriptor,
    state: S,
    judge: J,
    load: bool,
}

impl<S, J> Detector for Made<S, J>
where
    S: Send + serde::Serialize + serde::de::DeserializeOwned,
    J: FnMut(&mut S, &Record, &mut Findings) + Send,
{
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
    fn judge(&mut self, record: &Record, _: &Facts<'_>, out: &mut Findings) {
        (self.judge)(&mut self.state, record, out);
    }
    fn save(&self, out: &mut StateWriter) {
        if !self.descriptor.stateless {
            out.put("state", &self.state);
        }
    }
    fn load(&mut self, state: StateReader<'_>) -> Result<(), StateError> {
        if self.load {
            self.state = state.get("state")?;
        }
        Ok(())
    }
}

fn made<S, J>(state: S, judge: J) -> Box<dyn Detector>
where
    S: Send + serde::Serialize + serde::de::DeserializeOwned + 'static,
    J: FnMut(&mut S, &Record, &mut Findings) + Send + 'static,
{
    Box::new(Made { descriptor: descriptor(false), state, judge, load: true })
}

fn every(n: u64, count: &mut u64, record: &Record, out: &mut Findings) {
    *count += 1;
    if count.is_multiple_of(n) && record.event().is_some() {
        out.report(Finding::about(record, Severity::Medium, "one in so many"));
    }
}

#[test]
fn a_detector_that_counts_and_saves_its_count_is_fine() {
    let make = || made(0_u64, |count, record, out| every(7, count, record, out));
    assert_eq!(failed(&make), Vec::<&str>::new());
    assert_eq!(state_is_bounded(&make), Ok(()));
}

#[test]
fn one_that_forgets_on_load_is_caught() {
    let make = || -> Box<dyn Detector> {
        let judge = |count: &mut u64, record: &Record, out: &mut Findings| every(7, count, record, out);
        Box::new(Made { descriptor: descriptor(false), state: 0_u64, judge, load: false })
    };
    assert_eq!(failed(&make), ["same_after_restart"]);
}

#[test]
fn one_that_hides_its_state_is_caught() {
    let make = || -> Box<dyn Detector> {
        let judge = |count: &mut u64, record: &Record, out: &mut Findings| every(7, count, record, out);
        Box::new(Made { descriptor: descriptor(true), state: 0_u64, judge, load: true })
    };
    assert_eq!(failed(&make), ["same_after_restart"]);
}

#[test]
fn one_that_refuses_its_own_state_is_caught() {
    struct Refuses(Descriptor);
    impl Detector for Refuses {
        fn descriptor(&self) -> &Descriptor {
            &self.0
        }
        fn judge(&mut self, _: &Record, _: &Facts<'_>, _: &mut Findings) {}
        fn save(&self, out: &mut StateWriter) {
            out.put("here", &1_u8);
        }
        fn load(&mut self, state: StateReader<'_>) -> Result<(), StateError> {
            state.get::<u8>("elsewhere").map(|_| ())
        }
    }
    let breach = same_after_restart(&|| Box::new(Refuses(descriptor(false)))).expect_err("refused");
    assert!(matches!(breach, Breach::NotLoaded { .. }), "{breach}");
}

#[test]
fn one_that_says_what_its_hash_order_says_is_caught() {
    let make = || -> Box<dyn Detector> {
        let judge = |seen: &mut HashSet<String>, record: &Record, out: &mut Findings| {
            if let Some(agent) = record.agent() {
                seen.insert(agent.to_string());
            }
            if seen.len() > 64 {
                let gone = seen.iter().next().cloned().expect("not empty");
                seen.remove(&gone);
                out.report(Finding::about(record, Severity::Low, format!("forgot {gone}")));
            }
        };
        made(HashSet::new(), judge)
    };
    assert!(failed(&make).contains(&"same_every_time"));
}

#[test]
fn one_that_remembers_everybody_is_caught() {
    let make = || {
        made(BTreeMap::new(), |seen: &mut BTreeMap<String, u32>, record, _| {
            if let Some(agent) = record.agent() {
                *seen.entry(agent.to_string()).or_default() += 1;
            }
        })
    };
    assert_eq!(failed(&make), Vec::<&str>::new());
    assert!(matches!(state_is_bounded(&make), Err(Breach::Unbounded { .. })));
}

#[test]
fn one_that_says_it_keeps_no_state_and_does_is_caught() {
    struct Claims(Descriptor);
    impl Detector for Claims {
        fn descriptor(&self) -> &Descriptor {
            &self.0
        }
        fn judge(&mut self, _: &Record, _: &Facts<'_>, _: &mut Findings) {}
        fn save(&self, out: &mut StateWriter) {
            out.put("state", &7_u8);
        }
    }
    assert_eq!(state_is_bounded(&|| Box::new(Claims(descriptor(true)))), Err(Breach::NotStateless(1)));
}

#[test]
fn one_that_panics_on_one_kind_is_caught() {
    let make = || {
        made((), |(), record, _| {
            assert!(record.event().is_none_or(|e| e.kind() != Kind::X402Payment), "cannot read payments");
        })
    };
    assert!(failed(&make).contains(&"never_panics"));
}

#[test]
fn one_that_panics_on_a_tick_is_caught() {
    struct Ticks(Descriptor);
    impl Detector for Ticks {
        fn descriptor(&self) -> &Descriptor {
            &self.0
        }
        fn judge(&mut self, _: &Record, _: &Facts<'_>, _: &mut Findings) {}
        fn tick(&mut self, _: Timestamp, _: &mut Findings) {
            panic!("no clock");
        }
    }
    assert!(failed(&|| Box::new(Ticks(descriptor(true)))).contains(&"late_raises_nothing"));
}

#[test]
fn one_that_panics_on_the_second_sight_of_an_event_is_caught() {
    let make = || {
        made(Vec::new(), |seen: &mut Vec<String>, record, _| {
            let Some(event) = record.event() else { return };
            assert!(!seen.contains(&event.id.to_string()), "twice");
            seen.push(event.id.to_string());
            let _ = (seen.len() > 500).then(|| seen.remove(0));
        })
    };
    assert_eq!(late_raises_nothing(&make).map_err(|b| matches!(b, Breach::Panics { .. })), Err(true));
}

#[test]
fn one_that_invents_evidence_is_caught() {
    let make = || {
        made((), |(), record, out| {
            let invented = Evidence::from(&EventId::new("never-fed").expect("an id"));
            out.report(Finding::new(onesec_detector::Entity::of(record), invented, Severity::Low, "made up"));
        })
    };
    assert_eq!(failed(&make), ["evidence_names_events"]);
}

#[test]
fn one_that_does_not_say_what_it_is_is_caught() {
    let check = |wrong: fn(&mut Descriptor)| {
        let make = move || -> Box<dyn Detector> {
            let mut descriptor = descriptor(true);
            wrong(&mut descriptor);
            Box::new(Made { descriptor, state: (), judge: |(): &mut (), _: &Record, _: &mut Findings| {}, load: true })
        };
        descriptor_is_well_formed(&make).is_err()
    };
    assert!(!check(|_| {}));
    assert!(check(|d| d.code = "Sample"));
    assert!(check(|d| d.code = "sample--two"));
    assert!(check(|d| d.title = " "));
    assert!(check(|d| d.blind_spot = ""));
    assert!(check(|d| d.mitigation = ""));
    assert!(check(|d| d.owasp = &["ASI11"]));
    assert!(check(|d| d.owasp = &["asi3"]));
    assert!(check(|d| d.kinds = &[Kind::ToolCall, Kind::ToolCall]));
}

/// The engine caps what late records raise; the check would notice if it did not.
#[test]
fn a_loud_detector_is_quiet_on_late_records() {
    let make = || made((), |(), record, out| out.report(Finding::about(record, Severity::Critical, "loud")));
    assert_eq!(failed(&make), Vec::<&str>::new());
}

//! A detector of your own, in a crate of your own: an agent that writes while its user sleeps.
//!
//! It keeps a little state (whom it has seen work at night), so it shows saving, loading and a bound as well. One line of
//! tests, `contract!`, says whether it is fit for the engine; `scenarios/` shows what it finds.
//!
//! ```
//! use custom_detector::NightShift;
//! use onesec_detector::Detector;
//!
//! assert_eq!(NightShift::new(1_000).descriptor().code, "night-shift");
//! ```

use std::collections::BTreeMap;

use onesec_detector::{
    Descriptor, Detector, Evidence, Facts, Finding, Findings, Module, Record, Severity, StateError, StateReader,
    StateWriter, Timestamp,
};
use onesec_telemetry::{EventId, Kind};

/// The hours of the day, in UTC, in which nobody should be writing.
const NIGHT: std::ops::Range<i64> = 0..5;

/// Fires on the second exchange of an agent in one night: the first may be a job that ran late.
#[derive(Debug)]
pub struct NightShift {
    descriptor: Descriptor,
    /// The first exchange of an agent in a night, by agent: the night, and the event.
    first: BTreeMap<String, (i64, EventId)>,
    capacity: usize,
}

impl NightShift {
    /// Remembers at most `capacity` agents: what grows with traffic has a bound.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let descriptor = Descriptor {
            owasp: &["ASI10"],
            kinds: &[Kind::TokenExchange],
            blind_spot: "agents that wait for the morning; users who live elsewhere",
            mitigation: "Ask whoever runs the agent what it is for at night.",
            ..Descriptor::new("night-shift", Module::AiContainment, "Agent at work at night")
        };
        Self { descriptor, first: BTreeMap::new(), capacity }
    }

    /// Nights gone by are forgotten first; if all are of this night, the first by name, which is as good as any.
    fn make_room(&mut self, night: i64) {
        if self.first.len() >= self.capacity {
            self.first.retain(|_, (other, _)| *other == night);
        }
        while self.first.len() >= self.capacity && self.first.pop_first().is_some() {}
    }
}

/// Which night it is, if it is night.
fn night_of(at: Timestamp) -> Option<i64> {
    let hours = at.as_secs().div_euclid(3600);
    NIGHT.contains(&hours.rem_euclid(24)).then(|| hours.div_euclid(24))
}

impl Detector for NightShift {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let counts = facts.exchange.as_ref().is_some_and(|exchange| exchange.counts);
        let (Some(event), Some(agent), Some(night)) = (record.event(), record.agent(), night_of(record.at)) else {
            return;
        };
        if !counts {
            return;
        }
        match self.first.get(agent.as_str()) {
            Some((when, first)) if *when == night => {
                let evidence = Evidence::from(first).and(&event.id);
                let entity = onesec_detector::Entity::agent_of(record);
                out.report(Finding::new(entity, evidence, Severity::Medium, "exchanges at night, more than once"));
            }
            _ => {
                self.make_room(night);
                self.first.insert(agent.to_string(), (night, event.id.clone()));
            }
        }
    }

    fn save(&self, out: &mut StateWriter) {
        out.put("first", &self.first);
    }

    fn load(&mut self, state: StateReader<'_>) -> Result<(), StateError> {
        self.first = state.get("first")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use onesec_testkit::{contract, run_scenarios};

    use super::NightShift;

    contract!(NightShift::new(1_000));

    #[test]
    fn scenarios() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let report = run_scenarios(&dir, |_| Ok(vec![Box::new(NightShift::new(1_000))])).expect("scenarios");
        assert!(report.ok(), "{report}");
    }
}

//! Runs one scenario and compares what came of it.

use std::collections::BTreeMap;

use onesec_engine::{Assemble, Engine, Output};
use onesec_telemetry::{AlertId, Severity, TenantId};

use super::expect::Seen;
use super::report::{Case, Mismatch, Role};
use super::{Expected, Scenario};

/// Feeds the scenario to an engine.
pub(super) fn judge(scenario: &Scenario, assemble: Assemble) -> Case {
    let (mut case, engine) = prepared(scenario, assemble);
    let Some(mut engine) = engine else { return case };
    // A detector of no detectors is silent; one that is misspelt must not pass for it.
    let known = engine.descriptors().any(|d| d.code == scenario.detector);
    if !known && !scenario.silent {
        case.mismatches.push(Mismatch::Setup(format!("no detector `{}`", scenario.detector)));
    }
    let mut book = Book::default();
    for record in &scenario.records {
        let output = engine.apply(record);
        for code in &output.panicked {
            case.mismatches.push(Mismatch::Panic { detector: (*code).to_owned(), seq: record.seq.0 });
        }
        book.note(&output, &engine);
    }
    case.mismatches.extend(compare(scenario, &book.in_order()));
    case
}

/// What a scenario is about, without running it.
pub(super) fn describe(scenario: &Scenario, assemble: Assemble) -> Case {
    prepared(scenario, assemble).0
}

fn prepared(scenario: &Scenario, assemble: Assemble) -> (Case, Option<Engine>) {
    let mut case = Case {
        name: scenario.name.clone(),
        detector: scenario.detector.clone(),
        shows: scenario.shows.clone(),
        role: if scenario.silent { Role::Benign } else { Role::Attack },
        twin_of: scenario.twin_of.clone(),
        owasp: Vec::new(),
        file: scenario.file.clone(),
        mismatches: Vec::new(),
    };
    match Engine::new(TenantId::default_tenant(), scenario.settings.clone(), assemble) {
        Ok(engine) => {
            let known = engine.descriptors().find(|d| d.code == scenario.detector);
            case.owasp = known.map(|d| d.owasp.to_vec()).unwrap_or_default();
            (case, Some(engine))
        }
        Err(why) => {
            case.mismatches.push(Mismatch::Setup(why.to_string()));
            (case, None)
        }
    }
}

/// All alerts that there ever were, as they were last.
#[derive(Debug, Default)]
struct Book(BTreeMap<AlertId, (u64, Seen)>);

impl Book {
    fn note(&mut self, output: &Output, engine: &Engine) {
        let now = output.touched.iter().filter_map(|id| engine.alert(id).cloned());
        let alerts = output.transitions.iter().map(|t| t.after.clone()).chain(now);
        for alert in alerts {
            let number = self.0.len() as u64;
            let seen = Seen { alert: alert.clone(), would: None, refused: 0 };
            let (_, seen) = self.0.entry(alert.id.clone()).or_insert((number, seen));
            seen.alert = alert;
        }
        let Some(answer) = &output.answer else { return };
        for id in &output.touched {
            let Some((_, seen)) = self.0.get_mut(id) else { continue };
            seen.would = seen.would.max(Some(answer.would));
            seen.refused += u64::from(!answer.applies.passes());
        }
    }

    fn in_order(self) -> Vec<Seen> {
        let mut all: Vec<(u64, Seen)> = self.0.into_values().collect();
        all.sort_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, seen)| seen).collect()
    }
}

fn compare(scenario: &Scenario, seen: &[Seen]) -> Vec<Mismatch> {
    let mut left: Vec<&Seen> = seen.iter().collect();
    let mut mismatches = Vec::new();
    let mut unmet: Vec<&Expected> = Vec::new();
    for expected in &scenario.expected {
        match left.iter().position(|seen| expected.differences(seen).is_empty()) {
            Some(at) => {
                left.remove(at);
            }
            None => unmet.push(expected),
        }
    }
    for expected in unmet {
        // The one that comes nearest, so that the reader sees what is wrong about it.
        let same = |seen: &&&Seen| seen.alert.detector.as_str() == expected.detector;
        let near = left.iter().filter(same).map(|seen| expected.differences(seen)).min_by_key(Vec::len);
        mismatches.push(Mismatch::Missing { expected: Box::new(expected.clone()), nearest: near });
    }
    let own = |seen: &&&Seen| seen.alert.detector.as_str() == scenario.detector;
    let loud = left.iter().filter(own).filter(|seen| seen.alert.severity > Severity::Low);
    mismatches.extend(loud.map(|seen| Mismatch::Unexpected(Box::new(seen.alert.clone()))));
    mismatches
}

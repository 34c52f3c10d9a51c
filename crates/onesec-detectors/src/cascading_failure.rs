//! `cascading-failure`: trouble spreads over agents that share something (ASI08).

use onesec_detector::{Descriptor, Detector, Entity, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::AppId;
use onesec_trackers::facts::{Act, Spread, SpreadFacts};

use crate::words::plain;

/// Fires where, within two minutes, errors, time-outs and retries reach three agents in one task, at one tool or at one
/// connection, where two agents make each other try again and again, and where five agents do the very same thing.
///
/// **Blind spot**: faults that no agent reports; storms whose arguments differ.
#[derive(Debug)]
pub struct CascadingFailure(Descriptor);

impl CascadingFailure {
    /// There is nothing to set.
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI08"],
            references: &["OWASP Top 10 for Agentic Applications 2026, ASI08 Cascading Failures"],
            stateless: true,
            blind_spot: "faults that no agent reports; storms whose arguments differ",
            mitigation: "Stop the retries of those who share it, mend what they share, and start them again one by one.",
            ..Descriptor::new("cascading-failure", Module::AiContainment, "Failure spreads over agents")
        })
    }
}

impl Default for CascadingFailure {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for CascadingFailure {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(behaviour) = facts.behaviour.as_deref() else { return };
        for spread in &behaviour.spread {
            let Some((severity, reason)) = verdict(spread, behaviour.act.as_ref()) else { continue };
            let name = plain(&spread.name);
            let finding = Finding::about(record, severity, reason).of(entity(record, spread));
            out.report(finding.with("shared", name).with("agents", spread.agents).with("records", spread.records));
        }
    }
}

fn verdict(spread: &SpreadFacts, act: Option<&Act<'_>>) -> Option<(Severity, String)> {
    let minutes = spread.window.as_secs() / 60;
    let name = plain(&spread.name);
    let graded = |high: u32, medium: u32, number: u32| match number {
        n if n >= high => Some(Severity::High),
        n if n >= medium => Some(Severity::Medium),
        _ => None,
    };
    let agents = spread.agents;
    match spread.what {
        Spread::Task | Spread::Tool | Spread::Connection => {
            let what = match spread.what {
                Spread::Task => "task",
                Spread::Tool => "tool",
                _ => "connection",
            };
            let severity = graded(5, 3, agents)?;
            Some((severity, format!("{agents} agents met errors at {what} `{name}` within {minutes} minutes")))
        }
        Spread::Pair => {
            let severity = graded(50, 10, spread.records)?;
            let records = spread.records;
            Some((severity, format!("{name} made each other try again {records} times within {minutes} minutes")))
        }
        Spread::Act => {
            let severity = graded(10, 5, agents)?;
            // Many may look at the same thing.
            let severity = if act.is_some_and(Act::changes) { severity } else { Severity::Low };
            Some((severity, format!("{agents} agents did the very same thing within {minutes} minutes")))
        }
        _ => None,
    }
}

/// One alert for what is shared, not one for each agent.
fn entity(record: &Record, spread: &SpreadFacts) -> Entity {
    let connection = record.connection().filter(|_| spread.what == Spread::Connection).cloned();
    let app = connection.is_none().then(|| AppId::new(&spread.name).ok()).flatten();
    Entity { connection, app, ..Entity::default() }
}

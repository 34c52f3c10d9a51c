//! What the engine promises.

mod guard;
mod holds;
mod merging;
mod policy;
mod replay;
mod respond;

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, GuardClass, Module, Record, Severity};
use onesec_telemetry::event::Details;
use onesec_telemetry::{Body, Change, Command, Seq, TenantId};
use onesec_testkit::{Draft, at, records};

use crate::{Engine, Output, Settings};

/// A detector that says what an `agent_action` tells it to say: a severity, then words.
struct Loud(Descriptor);

impl Loud {
    fn boxed(code: &'static str, guard: GuardClass) -> Box<dyn Detector> {
        Box::new(Self(Descriptor { guard, stateless: true, ..Descriptor::new(code, Module::AiContainment, "Loud") }))
    }
}

impl Detector for Loud {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, _: &Facts<'_>, out: &mut Findings) {
        let Some(Details::AgentAction(action)) = record.event().map(|e| &e.details) else { return };
        for saying in action.action.as_str().split(';') {
            let mut words = saying.split_whitespace();
            let Some(severity) = words.next().and_then(Severity::from_name) else { continue };
            let mut finding = Finding::about(record, severity, saying.trim());
            for word in words {
                match word {
                    "binding" => finding.binding = true,
                    "panic" => panic!("as told"),
                    "send" => finding = finding.aspect("send"),
                    "delete" => finding = finding.aspect("delete"),
                    number => finding.standing = number.parse().ok(),
                }
            }
            out.report(finding);
        }
    }
}

/// `agent` does what makes [`Loud`] say `words`.
fn does(offset: &str, agent: &str, words: &str) -> Draft {
    at(offset).event("agent_action").agent(agent).with("action", words)
}

/// The same as a question before the act.
fn asks(offset: &str, agent: &str, words: &str) -> Draft {
    at(offset).decide(agent).event("agent_action").with("action", words)
}

fn engine_with(codes: &'static [(&'static str, GuardClass)], settings: Settings) -> Engine {
    let assemble = move |_: &Settings| Ok(codes.iter().map(|(code, guard)| Loud::boxed(code, *guard)).collect());
    Engine::new(TenantId::default_tenant(), settings, Box::new(assemble)).expect("an engine")
}

fn loud() -> Engine {
    engine_with(&[("loud", GuardClass::Advisory)], Settings::default())
}

fn apply(engine: &mut Engine, drafts: impl IntoIterator<Item = Draft>) -> Vec<Output> {
    records(drafts).iter().map(|record| engine.apply(record)).collect()
}

fn changes(outputs: &[Output]) -> Vec<Change> {
    outputs.iter().flat_map(|o| o.transitions.iter().map(|t| t.change)).collect()
}

/// A command at the place after `last`.
fn command(last: &Record, command: Command) -> Record {
    let mut record = records([at("0s").command(command)]).remove(0);
    (record.seq, record.observed_at, record.at) = (last.seq.next(), last.observed_at, last.observed_at);
    assert!(matches!(record.body, Body::Command(_)) && record.seq > Seq(0));
    record
}

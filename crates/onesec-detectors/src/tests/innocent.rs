//! Innocent sentences and events, full of words that attacks use: hardly one of them may raise more than LOW.

use onesec_engine::{Engine, Settings};
use onesec_telemetry::{Severity, TenantId};
use onesec_testkit::{at, records};
use serde_json::{Map, Value};

use super::scenarios::built_in;

const EVENTS: &str = include_str!("../../innocent/events.ndjson");

#[test]
fn hardly_an_innocent_event_raises_more_than_low() {
    let mut loud = Vec::new();
    let mut count = 0_usize;
    for line in EVENTS.lines() {
        count += 1;
        let event: Map<String, Value> = serde_json::from_str(line).expect("an event");
        let (kind, details) = (event["type"].as_str().expect("a kind"), event["details"].as_object().expect("details"));
        let draft = at("0s").own_key("helper").event(kind).details(details.clone()).agent("helper");
        let mut engine =
            Engine::new(TenantId::default_tenant(), Settings::default(), Box::new(built_in)).expect("an engine");
        for record in records([draft]) {
            let found = engine.apply(&record).findings;
            let worst = found.into_iter().filter(|finding| finding.brief.severity > Severity::Low);
            loud.extend(
                worst.map(|finding| format!("{} {}: {line}", finding.brief.severity.as_str(), finding.brief.reason)),
            );
        }
    }
    assert!(count >= 300, "{count} events");
    assert!(loud.len() * 100 <= count, "{} of {count}:\n{}", loud.len(), loud.join("\n"));
}

//! One detector inside your program: trackers measure a record, the detector judges it. No engine, runtime or clock.
//!
//! `cargo run -p embed-detector`
#![expect(clippy::print_stdout, reason = "an example that shows what it found")]

use onesec_detector::{Detector, Findings};
use onesec_detectors::UnauthorizedAgent;
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{
    Attestation, Body, DecodeOptions, EventId, KnownConnections, Record, Sender, Seq, Subject, TenantId, Timestamp,
    decode_event,
};
use onesec_trackers::{Settled, TrackerConfig, Trackers};

type Error = Box<dyn std::error::Error>;

/// What your framework has seen: one JSON event per line, as the contract has it.
const SEEN: [&str; 3] = [
    r#"{"type": "agent_identity_delegation", "details": {"agent_id": "mail-bot", "delegated_by": "ada", "connection": "google-oauth2"}}"#,
    r#"{"type": "token_exchange", "details": {"agent_id": "mail-bot", "user_id": "ada", "connection": "google-oauth2"}}"#,
    r#"{"type": "token_exchange", "details": {"agent_id": "cat-bot", "user_id": "ada", "connection": "google-oauth2"}}"#,
];

fn main() -> Result<(), Error> {
    for line in watch(&SEEN)? {
        println!("{line}");
    }
    Ok(())
}

/// Judges the events one after another and says what is wrong with them.
fn watch(events: &[&str]) -> Result<Vec<String>, Error> {
    let mut trackers = Trackers::new(TrackerConfig::default(), Catalogue::builtin());
    let mut detector = UnauthorizedAgent::new();
    let (mut found, mut said) = (Findings::new(), Vec::new());
    for (seq, text) in (1..).zip(events) {
        let record = record(seq, text)?;
        let facts = trackers.observe(&record);
        detector.judge(&record, &facts, &mut found);
        drop(facts);
        // What was refused or suspicious teaches the trackers nothing.
        trackers.settle(if found.is_empty() { Settled::Passed } else { Settled::PassedWithFindings });
        for finding in found.drain() {
            let agent = finding.entity.agent.as_ref().map_or("somebody", AsRef::as_ref);
            said.push(format!("{} {agent}: {}", finding.severity.as_str(), finding.reason));
        }
    }
    Ok(said)
}

/// Your program has the authority to say who delegated what, and it brings the time.
fn record(seq: u64, text: &str) -> Result<Record, Error> {
    let connections = KnownConnections::default();
    let options = DecodeOptions { connections: &connections, catalogue: Catalogue::builtin(), bound_agent: None };
    let (event, _warnings) = decode_event(text, options, &EventId::new(&format!("event-{seq}"))?)?;
    let now = Timestamp::from_secs(1_767_225_600 + i64::try_from(seq)?);
    Ok(Record {
        tenant: TenantId::default_tenant(),
        seq: Seq(seq),
        observed_at: now,
        at: now,
        late: false,
        sender: Sender::replay(),
        subject: event.common.user_id.clone().map_or(Subject::Unknown, Subject::Claimed),
        attestation: Attestation::Absent,
        network: None,
        text: None,
        body: Body::Event(event.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_that_nobody_delegated_to_is_found_and_the_other_is_not() {
        let said = watch(&SEEN).expect("valid events");
        assert_eq!(said, ["CRITICAL cat-bot: no user delegated this account to the agent"]);
    }
}

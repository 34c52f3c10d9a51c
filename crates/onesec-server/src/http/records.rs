//! Records as the API shows them.

use std::sync::Arc;

use onesec_journal::{RecordFilter, StoredRecord};
use onesec_telemetry::{Body, Command, Decided, Record, Sender, TextPart, TextScore, TextSignal, TextSpan};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::App;
use super::answer::{self, Answer};
use super::canaries::{CANARY, may_know};
use super::params::Params;
use crate::core::{decode_record, index_keys};
use crate::keys::Caller;

/// Records that match, newest first; ticks are nobody's business.
pub(super) async fn list(app: &Arc<App>, caller: &Caller, params: &Params) -> Answer {
    let filter = RecordFilter {
        kind: params.get("kind").map(str::to_owned),
        agent: params.parsed("agent_id")?,
        user: params.parsed("user_id")?,
        connection: params.parsed("connection")?,
        event_id: params.get("event_id").map(str::to_owned),
        since: params.time("since")?,
        until: params.time("until")?,
    };
    let (cursor, limit) = params.page()?;
    let tenant = caller.tenant.clone();
    let page = app.read(move |reader| reader.query_records((&tenant, &filter), &index_keys, (cursor.as_ref(), limit)));
    let knows = may_know(caller);
    answer::page("events", page.await?, |stored| shown(stored, knows))
}

fn shown(stored: StoredRecord, knows: bool) -> Option<Box<RawValue>> {
    let record = decode_record(&stored.bytes)?;
    let mut event = match &record.body {
        Body::Event(event) => match event.to_json() {
            Value::Object(event) => event,
            _ => return None,
        },
        Body::Decided(decided) => decided_json(decided, knows),
        Body::Command(Command::AddCanary(_) | Command::RemoveCanary { .. }) if !knows => return None,
        Body::Command(command) => named("command", json!(command)),
        Body::Skipped { detector, seq } => named("skipped", json!({"detector": detector, "seq": seq.0})),
        _ => return None,
    };
    event.insert("seq".into(), record.seq.0.into());
    event.insert("observed_at".into(), record.observed_at.to_string().into());
    event.insert("sender".into(), sender_json(&record.sender));
    event.insert("attribution".into(), record.attribution().as_str().into());
    event.insert("subject".into(), subject_json(&record));
    event.insert("network".into(), record.network.map(|ip| ip.to_string()).into());
    if let Some(text) = &record.text {
        event.insert("text".into(), text_json(text));
    }
    answer::text(&event)
}

/// What was found in the texts: how certain, what, and where.
fn text_json(text: &TextScore) -> Value {
    let span = |span: &TextSpan| json!({"start": span.start, "end": span.end, "why": span.why.as_str(), "weight": span.weight});
    let part = |part: &TextPart| {
        json!({
            "field": part.field, "score": part.value, "counts_at": part.reach.as_str(),
            "signals": part.signals.iter().map(TextSignal::as_str).collect::<Vec<_>>(),
            "spans": part.spans.iter().map(span).collect::<Vec<_>>(),
            "sampled": part.sampled, "length": part.len,
        })
    };
    json!({"model": text.model, "parts": text.parts.iter().map(part).collect::<Vec<_>>()})
}

fn named(kind: &str, details: Value) -> Map<String, Value> {
    let mut event = Map::new();
    event.insert("type".into(), kind.into());
    event.insert("details".into(), details);
    event
}

fn decided_json(decided: &Decided, knows: bool) -> Map<String, Value> {
    let told = decided.findings.iter().filter(|(detector, ..)| knows || detector.as_str() != CANARY);
    let findings = told.map(
        |(detector, severity, reason)| json!({"detector": detector, "severity": severity, "reason": reason.as_str()}),
    );
    let details = json!({
        "decides": decided.seq.0, "exchange_id": decided.exchange_id, "decision": decided.decision,
        "would": decided.would, "mode": decided.mode, "findings": findings.collect::<Vec<_>>(),
    });
    named("decided", details)
}

fn sender_json(sender: &Sender) -> Value {
    let channel = format!("{:?}", sender.channel).to_ascii_lowercase();
    json!({"channel": channel, "key": sender.key, "owner": sender.owner, "agent": sender.agent})
}

fn subject_json(record: &Record) -> Value {
    use onesec_telemetry::Subject;
    match &record.subject {
        Subject::Verified { user, issuer, parties } => {
            json!({"proof": "verified", "user_id": user, "issuer": issuer, "parties": parties})
        }
        Subject::Vouched(user) => json!({"proof": "vouched", "user_id": user}),
        Subject::Claimed(user) => json!({"proof": "claimed", "user_id": user}),
        _ => json!({"proof": "unknown"}),
    }
}

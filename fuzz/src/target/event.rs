//! Events: one alone, whole bodies, CloudEvents.

use onesec_server::core::{decode_record, encode_record};
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::event::Rejection;
use onesec_telemetry::limits::{MAX_BATCH_EVENTS, MAX_DEAD_LETTER_BYTES};
use onesec_telemetry::{
    Attestation, Body, BodyFormat, ConnectionName, DecodeOptions, Details, Event, EventId, Item, KnownConnections,
    Record, Sender, Seq, Subject, TenantId, Timestamp, Warning, decode_body, decode_event,
};
use serde_json::Value;

use super::secrets::{assert_gone, planted};
use crate::mutate::NAMES;
use crate::trace::Trace;

const EVENTS: &str = include_str!("../../corpus/events.ndjson");

/// The events of the corpus, one a line.
pub(super) fn corpus() -> Vec<Vec<u8>> {
    EVENTS.lines().map(|line| line.as_bytes().to_vec()).collect()
}

/// The same, a few at a time.
pub(super) fn batches() -> Vec<Vec<u8>> {
    let lines: Vec<&str> = EVENTS.lines().collect();
    lines.chunks(3).map(|few| format!("[{}]", few.join(",")).into_bytes()).chain(corpus().into_iter().take(4)).collect()
}

fn connections() -> KnownConnections {
    KnownConnections::new(["github", "google-oauth2"].iter().filter_map(|name| ConnectionName::new(name).ok()))
}

type Decoded = Result<(Event, Vec<Warning>), Rejection>;

fn decode(text: &str) -> Decoded {
    let known = connections();
    let options = DecodeOptions { connections: &known, catalogue: Catalogue::builtin(), bound_agent: None };
    decode_event(text, options, &EventId::new("fallback").expect("an id"))
}

/// What is refused names no secret; what is taken is shown, read again and stored as the same, and holds none.
pub(super) fn event(input: &[u8], trace: &mut Trace) {
    let Ok(text) = std::str::from_utf8(input) else { return trace.saw("not UTF-8") };
    let secrets = planted(text);
    match decode(text) {
        Err(rejection) => {
            trace.saw(&refusal(&rejection));
            assert_gone(&secrets, &format!("{rejection} {rejection:?}"), "a refusal");
        }
        Ok((event, warnings)) => {
            observe(&event, &warnings, trace);
            let shown = event.to_json().to_string();
            assert_gone(&secrets, &format!("{shown} {event:?} {warnings:?}"), "an event");
            assert!(shown.len() <= 24 * text.len() + 4_096, "{} bytes became {}", text.len(), shown.len());
            let again = decode(&shown);
            assert!(again.is_ok(), "what is shown is refused: {again:?}\n{shown}");
            let (again, _) = again.expect("looked at");
            assert_eq!(again.to_json().to_string(), shown, "shown, read and shown again");
            assert_eq!(without_envelope(again), without_envelope(event.clone()), "shown and read again");
            stored(event, &secrets);
        }
    }
}

/// Who writes an empty envelope and who writes none say the same.
fn without_envelope(mut event: Event) -> Event {
    event.envelope = None;
    event
}

/// A record is stored and read as the same, and holds no secret.
fn stored(event: Event, secrets: &[&'static str]) {
    let record = Record {
        tenant: TenantId::default_tenant(),
        seq: Seq(1),
        observed_at: Timestamp::from_secs(1_767_225_600),
        at: Timestamp::from_secs(1_767_225_600),
        late: false,
        sender: Sender::replay(),
        subject: Subject::Unknown,
        attestation: Attestation::Absent,
        network: None,
        text: None,
        body: Body::Event(event.into()),
    };
    let bytes = encode_record(&record);
    assert_gone(secrets, &String::from_utf8_lossy(&bytes), "a stored record");
    let back = decode_record(&bytes);
    assert!(back.as_ref() == Some(&record), "stored {record:?}\nread {back:?}");
}

fn refusal(rejection: &Rejection) -> String {
    // Names that senders make up would all be new.
    let known = rejection.pointer.split('/').filter(|part| NAMES.contains(part)).take(2);
    format!("{} {}", rejection.code.as_str(), known.collect::<Vec<_>>().join("/"))
}

fn observe(event: &Event, warnings: &[Warning], trace: &mut Trace) {
    let kind = event.kind();
    trace.saw(kind.as_str());
    trace.sized("event", event.to_json().to_string().len());
    for (present, what) in [
        (event.extra.is_some(), "extra"),
        (event.envelope.is_some(), "envelope"),
        (event.timestamp.is_some(), "timestamp"),
        (event.has_statement(), "statement"),
        (matches!(event.details, Details::Custom(_)), "custom"),
    ] {
        if present {
            trace.saw(&format!("{} {what}", kind.as_str()));
        }
    }
    if let Some(Value::Object(members)) = event.to_json().get("details") {
        let known = kind.spec().fields.iter().filter(|field| members.contains_key(field.name));
        known.for_each(|field| trace.saw(&format!("{}.{}", kind.as_str(), field.name)));
    }
    warnings.iter().for_each(|warning| trace.saw(&warning.code));
}

/// Whatever the framing, every item is judged as it would be alone; what is kept of a refused one is short and redacted.
pub(super) fn batch(input: &[u8], trace: &mut Trace) {
    for format in [BodyFormat::Json, BodyFormat::Ndjson] {
        let known = connections();
        let options = DecodeOptions { connections: &known, catalogue: Catalogue::builtin(), bound_agent: None };
        let mut made = 0;
        let next_id = || {
            made += 1;
            EventId::new(&format!("made-{made}")).expect("an id")
        };
        let items = match decode_body(input, format, options, next_id) {
            Ok(items) => items,
            Err(error) => {
                trace.saw(format!("{error:?}").split_whitespace().next().unwrap_or_default());
                continue;
            }
        };
        assert!((1..=MAX_BATCH_EVENTS).contains(&items.len()));
        trace.sized("items", items.len());
        let text = std::str::from_utf8(input).expect("decoded");
        let secrets = planted(text);
        for item in &items {
            match item {
                Item::Accepted { event, warnings } => {
                    observe(event, warnings, trace);
                    assert_gone(&secrets, &format!("{event:?} {warnings:?}"), "an event");
                    assert!(decode(&event.to_json().to_string()).is_ok(), "what is shown is refused: {event:?}");
                }
                Item::Rejected { rejection, redacted, size, .. } => {
                    trace.saw(&refusal(rejection));
                    assert!(redacted.len() <= MAX_DEAD_LETTER_BYTES && *size <= input.len());
                    assert_gone(&secrets, &format!("{rejection:?} {redacted}"), "a dead letter");
                }
            }
        }
        if format == BodyFormat::Json {
            each_alone(text, &items);
        }
    }
}

/// One bad event never spoils its batch, and a good one never helps a bad one.
fn each_alone(text: &str, items: &[Item]) {
    let text = text.trim_start_matches('\u{feff}');
    let Ok(raw) = serde_json::from_str::<Vec<&serde_json::value::RawValue>>(text) else { return };
    assert_eq!(raw.len(), items.len());
    for (raw, item) in raw.iter().zip(items) {
        match (decode(raw.get()), item) {
            (Ok((alone, _)), Item::Accepted { event, .. }) => assert_eq!(alone.details, event.details),
            (Err(alone), Item::Rejected { rejection, .. }) => assert_eq!(&alone, rejection),
            (alone, item) => assert_eq!(format!("{alone:?}"), format!("{item:?}"), "alone and in its batch"),
        }
    }
}

/// An event in the envelope of CloudEvents 1.0 is the event that it would be in ours.
pub(super) fn cloud(input: &[u8], trace: &mut Trace) {
    let Ok(text) = std::str::from_utf8(input) else { return trace.saw("not UTF-8") };
    let Ok(Value::Object(mut members)) = serde_json::from_str::<Value>(text) else { return event(input, trace) };
    let theirs = ["time", "data", "data_base64", "specversion"];
    if theirs.iter().any(|name| members.contains_key(*name)) {
        return event(input, trace);
    }
    // What serde_json's tree has made of it, so that both are spelt alike.
    let ours = decode(&Value::Object(members.clone()).to_string());
    for (from, to) in [("timestamp", "time"), ("details", "data")] {
        if let Some(value) = members.remove(from) {
            members.insert(to.to_owned(), value);
        }
    }
    members.insert("specversion".to_owned(), "1.0".into());
    let wrapped = Value::Object(members).to_string();
    event(wrapped.as_bytes(), trace);
    match (ours, decode(&wrapped)) {
        (Ok((ours, _)), Ok((theirs, _))) => {
            assert_eq!(
                (&ours.id, ours.timestamp, &ours.common, &ours.details, &ours.extra),
                (&theirs.id, theirs.timestamp, &theirs.common, &theirs.details, &theirs.extra)
            );
        }
        // One more member than in ours may be one too many.
        (Err(ours), Err(theirs)) => assert_eq!(ours.code, theirs.code, "{ours} / {theirs}"),
        (ours, theirs) => {
            let full = theirs.as_ref().is_err_and(|rejection| rejection.code == onesec_telemetry::Code::TooManyFields);
            assert!(full, "ours {ours:?}, as a CloudEvent {theirs:?}");
        }
    }
}

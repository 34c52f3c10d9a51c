//! What is read of a record's beginning is what the whole record says.

use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{
    AgentId, AppId, Command, ConnectionName, Decided, DecodeOptions, EventId, ExchangeId, KeyId, KnownConnections,
    Mode, Name, Party, Record, Sender, Subject, TenantId, UserId, decode_event,
};
use onesec_text::{Scorer, score_event};

use super::*;
use crate::core::encode_record;

/// Events of each kind.
const EVENTS: &str = include_str!("../../../../../fuzz/corpus/events.ndjson");

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn user(text: &str) -> UserId {
    UserId::new(text).expect("an id")
}

fn record(body: Body) -> Record {
    let at = Timestamp::from_secs(1_767_225_600);
    Record {
        tenant: TenantId::default_tenant(),
        seq: Seq(70_000),
        observed_at: at,
        at,
        late: false,
        sender: Sender::system(),
        subject: Subject::Unknown,
        attestation: Attestation::Absent,
        network: None,
        text: None,
        body,
    }
}

type Change = Box<dyn Fn(&mut Record)>;

/// Everything before the body that may differ, one thing at a time and all at once.
fn surroundings() -> Vec<Change> {
    let agent = || AgentId::new("bound").expect("an id");
    let key = Sender {
        channel: Channel::Ingest,
        key: Some(KeyId::new("key_1").expect("an id")),
        owner: Some(name("owner")),
        agent: Some(agent()),
        authority: Authority::Claim,
    };
    let gateway = Sender::gateway(agent(), None, Some(name("owner")));
    let mut changes: Vec<Change> = vec![Box::new(|_| {})];
    for sender in [key.clone(), gateway] {
        changes.push(Box::new(move |record| record.sender = sender.clone()));
    }
    for address in ["192.0.2.1", "2001:db8::1"] {
        changes.push(Box::new(move |record| record.network = Some(address.parse().expect("an address"))));
    }
    for subject in subjects() {
        changes.push(Box::new(move |record| record.subject = subject.clone()));
    }
    let scorer = Scorer::new();
    changes.push(Box::new(move |record| {
        (record.sender, record.subject) = (key.clone(), verified(Some(parties(true))));
        record.attestation = Attestation::Refused(name("expired"));
        record.text = record.event().and_then(|event| score_event(&scorer, event));
    }));
    changes
}

fn subjects() -> [Subject; 5] {
    [
        Subject::Claimed(user("auth0|said")),
        Subject::Vouched(user("auth0|vouched")),
        verified(None),
        verified(Some(parties(false))),
        verified(Some(parties(true))),
    ]
}

fn verified(parties: Option<Box<TokenParties>>) -> Subject {
    Subject::Verified { user: user("auth0|eve"), issuer: name("https://i.example/"), parties }
}

fn parties(full: bool) -> Box<TokenParties> {
    let app = || full.then(|| AppId::new("app").expect("an id"));
    let party = Party { sub: Some(name("auth0|svc")), client: app() };
    let actors = if full { vec![party.clone(), party.clone()] } else { Vec::new() };
    let claimed = Some(user("auth0|claimed"));
    Box::new(TokenParties { client: app(), actors, may_act: full.then_some(party), claimed })
}

fn keys_of(record: &Record) -> Vec<(Column, String)> {
    let mut keys = Vec::new();
    index_keys(&encode_record(record), &mut |column, value| keys.push((column, value.to_owned())));
    keys.sort();
    keys
}

/// By the record as a whole.
fn expected(record: &Record) -> Vec<(Column, String)> {
    let event = record.event().expect("an event");
    let mut keys = vec![(Column::Kind, event.kind_name().into_owned()), (Column::EventId, event.id.to_string())];
    keys.extend(record.agent().map(|id| (Column::Agent, id.to_string())));
    keys.extend(record.user().map(|id| (Column::User, id.to_string())));
    keys.extend(record.connection().map(|id| (Column::Connection, id.to_string())));
    keys.sort();
    keys
}

#[test]
fn the_keys_of_every_kind_of_event_are_those_of_the_whole_record() {
    let connections = KnownConnections::new([ConnectionName::new("github").expect("a name")]);
    let options = DecodeOptions { connections: &connections, catalogue: Catalogue::builtin(), bound_agent: None };
    let surroundings = surroundings();
    let mut kinds = std::collections::BTreeSet::new();
    for line in EVENTS.lines() {
        let fallback = EventId::new("fallback").expect("an id");
        // Some are there to be refused.
        let Ok((event, _)) = decode_event(line, options, &fallback) else { continue };
        kinds.insert(event.kind());
        for surround in &surroundings {
            let mut record = record(Body::Event(event.clone().into()));
            surround(&mut record);
            assert_eq!(keys_of(&record), expected(&record), "{line}");
        }
    }
    let missing: Vec<_> = Kind::ALL.iter().chain([&Kind::Custom]).filter(|kind| !kinds.contains(kind)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_keys_of_other_records_are_what_people_ask_for() {
    let decided = |exchange_id| {
        let (decision, would, mode) = (name("deny"), name("deny"), Mode::Live);
        record(Body::Decided(Decided { seq: Seq(1), exchange_id, decision, would, mode, findings: Vec::new() }))
    };
    let kind = |kind: &str| (Column::Kind, kind.to_owned());
    let exchange = ExchangeId::new("exc_1").expect("an id");
    assert_eq!(keys_of(&decided(Some(exchange))), [kind("decided"), (Column::EventId, "exc_1".to_owned())]);
    assert_eq!(keys_of(&decided(None)), [kind("decided")]);
    assert_eq!(keys_of(&record(Body::Command(Command::ClockStepped { by_micros: 7 }))), [kind("command")]);
    assert_eq!(keys_of(&record(Body::Skipped { detector: name("x"), seq: Seq(1) })), [kind("skipped")]);
    assert_eq!(keys_of(&record(Body::Tick)), []);
}

#[test]
fn bytes_that_are_no_record_have_no_keys() {
    let mut bytes = encode_record(&record(Body::Tick));
    let whole = bytes.clone();
    bytes[0] += 1;
    for bytes in [&bytes[..], &whole[..whole.len() - 1], &[], b"\x04"] {
        index_keys(bytes, &mut |column, value| panic!("{column:?} {value}"));
    }
}

//! By what records are found: the index and whoever queries it must agree.
//!
//! Every record is indexed, so what is read of one stops where its keys end, borrows, and repeats none of the checks
//! that were made when it was written.

use std::net::IpAddr;

use onesec_journal::Column;
use onesec_telemetry::event::{Envelope, Kind};
use onesec_telemetry::{Attestation, Authority, Body, Channel, Seq, TextScore, Timestamp, TokenParties};
use serde::Deserialize;

use super::codec::{decode_record, versioned};

/// Names the keys of a stored record.
pub(crate) fn index_keys(bytes: &[u8], put: &mut dyn FnMut(Column, &str)) {
    let Some(EventKeys { kind, custom, id, agent, user, connection }) = event_keys(bytes) else {
        return keys_of_others(bytes, put);
    };
    match custom {
        Some(name) => put(Column::Kind, &format!("custom.{name}")),
        None => put(Column::Kind, kind.as_str()),
    }
    put(Column::EventId, id);
    for (column, value) in [(Column::Agent, agent), (Column::User, user), (Column::Connection, connection)] {
        if let Some(value) = value {
            put(column, value);
        }
    }
}

fn keys_of_others(bytes: &[u8], put: &mut dyn FnMut(Column, &str)) {
    let Some(record) = decode_record(bytes) else { return };
    match &record.body {
        Body::Decided(decided) => {
            put(Column::Kind, "decided");
            if let Some(exchange) = &decided.exchange_id {
                put(Column::EventId, exchange.as_str());
            }
        }
        Body::Command(_) => put(Column::Kind, "command"),
        Body::Skipped { .. } => put(Column::Kind, "skipped"),
        _ => {}
    }
}

struct EventKeys<'a> {
    kind: Kind,
    custom: Option<&'a str>,
    id: &'a str,
    agent: Option<&'a str>,
    user: Option<&'a str>,
    connection: Option<&'a str>,
}

/// The keys of an event; `None` where the record is none.
fn event_keys(bytes: &[u8]) -> Option<EventKeys<'_>> {
    let (head, rest) = postcard::take_from_bytes::<RecordHead<'_>>(versioned(bytes)?).ok()?;
    let (body, rest) = postcard::take_from_bytes::<u32>(rest).ok()?;
    if body != EVENT {
        return None;
    }
    let (EventHead { id, common, kind, .. }, rest) = postcard::take_from_bytes::<EventHead<'_>>(rest).ok()?;
    let custom = match kind {
        Kind::Custom => Some(postcard::take_from_bytes::<&str>(rest).ok()?.0),
        _ => None,
    };
    let user = match head.subject {
        SubjectHead::Verified { user, .. } | SubjectHead::Claimed(user) | SubjectHead::Vouched(user) => Some(user),
        SubjectHead::Unknown => common.user,
    };
    Some(EventKeys { kind, custom, id, agent: common.agent, user, connection: common.connection })
}

/// Where [`Body::Event`] stands among its variants.
const EVENT: u32 = 0;

/// A record up to its body.
#[derive(Deserialize)]
struct RecordHead<'a> {
    _tenant: &'a str,
    _seq: Seq,
    _observed_at: Timestamp,
    _at: Timestamp,
    _late: bool,
    #[serde(borrow)]
    _sender: SenderHead<'a>,
    #[serde(borrow)]
    subject: SubjectHead<'a>,
    _attestation: Attestation,
    _network: Option<IpAddr>,
    _text: Option<Box<TextScore>>,
}

#[derive(Deserialize)]
struct SenderHead<'a> {
    _channel: Channel,
    #[serde(borrow)]
    _key: Option<&'a str>,
    #[serde(borrow)]
    _owner: Option<&'a str>,
    #[serde(borrow)]
    _agent: Option<&'a str>,
    _authority: Authority,
}

/// [`Subject`](onesec_telemetry::Subject), borrowed.
#[derive(Deserialize)]
enum SubjectHead<'a> {
    Unknown,
    Claimed(&'a str),
    Verified { user: &'a str, _issuer: &'a str, _parties: Option<Box<TokenParties>> },
    Vouched(&'a str),
}

/// An event up to its details, whose number is that of their kind.
#[derive(Deserialize)]
struct EventHead<'a> {
    id: &'a str,
    _timestamp: Option<Timestamp>,
    _envelope: Option<Box<Envelope>>,
    #[serde(borrow)]
    common: CommonHead<'a>,
    kind: Kind,
}

#[derive(Deserialize)]
struct CommonHead<'a> {
    #[serde(borrow)]
    agent: Option<&'a str>,
    #[serde(borrow)]
    user: Option<&'a str>,
    #[serde(borrow)]
    connection: Option<&'a str>,
    #[serde(borrow)]
    _task: Option<&'a str>,
    #[serde(borrow)]
    _session: Option<&'a str>,
    #[serde(borrow)]
    _trace: Option<&'a str>,
    #[serde(borrow)]
    _client: Option<&'a str>,
}

#[cfg(test)]
mod tests;

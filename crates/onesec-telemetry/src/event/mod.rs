//! Events: an envelope, what is common to all kinds, and typed details.

#[macro_use]
mod macros;
mod access;
mod batch;
mod decode;
pub mod field;
mod kinds;
mod members;
mod reject;
mod schema;
mod spec;
mod values;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use access::Common;
pub use batch::{BodyError, BodyFormat, Item, decode_body};
pub use decode::{DecodeOptions, KnownConnections, Reading, decode_event};
pub use field::{Chain, Text};
pub use kinds::*;
pub use reject::{Code, Fault, Rejection, Warning};
pub use schema::{contract_version, event_schemas, kind_schema};
pub use spec::{Category, Custom, FieldSpec, KindSpec, Need};
pub use values::{Json, Statement};

use crate::id::{EventId, Name};
use crate::time::Timestamp;

/// One thing that happened, decoded, canonical and free of secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Unique per sending key; made by the edge where the sender gave none.
    pub id: EventId,
    /// When, as the sender says. Counts only where its key has `trusted_time`.
    pub timestamp: Option<Timestamp>,
    /// The rest of the envelope; decides nothing.
    pub envelope: Option<Box<Envelope>>,
    /// Agent, user, connection, task…
    pub common: Common,
    /// What the kind says.
    pub details: Details,
    /// Members that the kind does not know, redacted: a JSON object.
    pub extra: Option<Json>,
}

/// What senders say about an event and that steers nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Envelope {
    /// The sending component.
    pub source: Option<Text>,
    /// The sender's own opinion.
    pub severity: Option<Text>,
    /// The sender's own words.
    pub summary: Option<Text>,
    /// The address that the sender saw.
    pub source_ip: Option<Text>,
    /// The client that the sender saw.
    pub user_agent: Option<Text>,
    /// The sender's request id; many events may share one.
    pub request_id: Option<Name>,
    /// Unknown members of the envelope, redacted.
    pub extra: Option<Json>,
}

impl Event {
    /// An event without envelope or unknown members.
    #[must_use]
    pub const fn new(id: EventId, common: Common, details: Details) -> Self {
        Self { id, timestamp: None, envelope: None, common, details, extra: None }
    }

    /// Which kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.details.kind()
    }

    /// Whether a signed statement came along that the edge has to verify.
    #[must_use]
    pub const fn has_statement(&self) -> bool {
        matches!(&self.details, Details::AgentIdentityDelegation(said) if said.attestation.is_some())
    }

    /// The wire name of the kind, `custom.<name>` included.
    #[must_use]
    pub fn kind_name(&self) -> std::borrow::Cow<'static, str> {
        match &self.details {
            Details::Custom(custom) => format!("custom.{}", custom.name).into(),
            known => known.kind().as_str().into(),
        }
    }

    /// The event as the API shows it: the wire envelope with canonical values.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut details = match self.extra.as_ref().map(Json::to_value) {
            Some(Value::Object(extra)) => extra,
            _ => Map::new(),
        };
        self.details.show(&mut details);
        let common = &self.common;
        let shared = [
            ("agent_id", common.agent_id.as_ref().map(AsRef::<str>::as_ref)),
            ("user_id", common.user_id.as_ref().map(AsRef::as_ref)),
            ("connection", common.connection.as_ref().map(AsRef::as_ref)),
            ("task_id", common.task_id.as_ref().map(AsRef::as_ref)),
            ("session_id", common.session_id.as_ref().map(AsRef::as_ref)),
            ("trace_id", common.trace_id.as_ref().map(AsRef::as_ref)),
            ("client_id", common.client_id.as_ref().map(AsRef::as_ref)),
        ];
        for (name, value) in shared {
            put(&mut details, name, value);
        }
        let mut event = Map::new();
        put(&mut event, "id", Some(self.id.as_str()));
        put(&mut event, "type", Some(&self.kind_name()));
        put(&mut event, "timestamp", self.timestamp.map(|t| t.to_string()).as_deref());
        if let Some(envelope) = &self.envelope {
            envelope.show(&mut event);
        }
        event.insert("details".into(), Value::Object(details));
        Value::Object(event)
    }
}

impl Envelope {
    fn show(&self, event: &mut Map<String, Value>) {
        put(event, "source", self.source.as_ref().map(Text::as_str));
        put(event, "severity", self.severity.as_ref().map(Text::as_str));
        put(event, "summary", self.summary.as_ref().map(Text::as_str));
        put(event, "source_ip", self.source_ip.as_ref().map(Text::as_str));
        put(event, "user_agent", self.user_agent.as_ref().map(Text::as_str));
        put(event, "request_id", self.request_id.as_ref().map(Name::as_str));
        if let Some(Value::Object(extra)) = self.extra.as_ref().map(Json::to_value) {
            for (name, value) in extra {
                event.entry(name).or_insert(value);
            }
        }
    }
}

fn put(map: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        map.insert(name.to_owned(), Value::String(value.to_owned()));
    }
}

#[cfg(test)]
mod tests;

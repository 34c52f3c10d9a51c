//! An entry in the words of the contract: text that is decoded like every other event, limits, redaction and all.

use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{DecodeOptions, Event, EventId, KnownConnections, Rejection, decode_event};
use serde_json::{Map, Value, json};

use super::entry::Entry;

/// An event of the contract that is being written.
pub(super) struct Wire {
    kind: &'static str,
    details: Map<String, Value>,
}

impl Wire {
    /// An event of `kind` that names whom the entry names.
    pub(super) fn of(entry: &Entry<'_>, kind: &'static str) -> Self {
        let mut wire = Self { kind, details: Map::new() };
        let agent = entry.agent_id.as_deref().or(entry.external_agent_id.as_deref());
        wire.put("user_id", entry.user_id.as_deref());
        wire.put("connection", entry.connection.as_deref());
        wire.put("client_id", entry.client_id.as_deref());
        wire.put("agent_id", agent);
        wire.put("external_agent_id", entry.external_agent_id.as_deref());
        wire.put("trace_id", entry.trace());
        wire.put("client_name", entry.client_name.as_deref());
        wire.put("organization_id", entry.organization_id.as_deref());
        wire.put("log_type", entry.code.as_deref());
        wire
    }

    /// Puts a member of `details`, where there is something to put.
    pub(super) fn put(&mut self, name: &str, value: Option<impl Into<Value>>) {
        let value = value.map(Into::into).filter(|value: &Value| !value.is_null() && value.as_str() != Some(""));
        if let Some(value) = value {
            self.details.insert(name.to_owned(), value);
        }
    }

    /// Decodes what was written.
    pub(super) fn decode(self, entry: &Entry<'_>, catalogue: &Catalogue) -> Result<Event, Rejection> {
        let id = entry.id()?;
        let mut event = json!({"id": id, "type": self.kind, "source": "auth0", "details": self.details});
        if let Value::Object(members) = &mut event {
            let date = entry.date.and_then(|date| serde_json::from_str::<Value>(date.get()).ok());
            let shown = [
                ("timestamp", date),
                ("summary", entry.description.as_deref().map(Value::from)),
                ("source_ip", entry.ip.as_deref().map(Value::from)),
                ("user_agent", entry.user_agent.as_deref().map(Value::from)),
            ];
            let there = shown.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            members.extend(there.filter(|(_, value)| !value.is_null()));
        }
        // Auth0 knows its own connections.
        let options = DecodeOptions { connections: &KnownConnections::default(), catalogue, bound_agent: None };
        let fallback = EventId::new("log").map_err(|_| Rejection::new(onesec_telemetry::Code::EmptyId, "/id", ""))?;
        decode_event(&event.to_string(), options, &fallback).map(|(event, _)| event)
    }
}

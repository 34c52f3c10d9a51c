//! One event from JSON text: typed, canonical, redacted, or rejected with pointer, code and reason.

use serde_json::Value;

use super::kinds::{Details, Kind};
use super::members::Members;
use super::reject::{Code, Fault, Rejection, Warning};
use super::values::{Json, depth};
use super::{Common, Envelope, Event, Need};
use crate::catalogue::Catalogue;
use crate::id::{AgentId, ConnectionName, EventId, Name};
use crate::limits::{MAX_DEPTH, MAX_EVENT_BYTES};
use crate::suggest::did_you_mean;
use crate::time::Timestamp;
use crate::{limits, redact};

/// The connections that exist, to notice one that differs only in case.
#[derive(Debug, Clone, Default)]
pub struct KnownConnections(std::collections::HashMap<String, ConnectionName>);

impl KnownConnections {
    /// Knows `names`.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = ConnectionName>) -> Self {
        Self(names.into_iter().map(|name| (name.as_str().to_lowercase(), name)).collect())
    }

    /// The known connection that `name` is a case variant of, if it is one.
    #[must_use]
    pub fn case_variant(&self, name: &ConnectionName) -> Option<&ConnectionName> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&name.as_str().to_lowercase()).filter(|known| *known != name)
    }
}

/// What decoding depends on besides the text.
#[derive(Debug, Clone, Copy)]
pub struct DecodeOptions<'a> {
    /// Connections whose case variants are rejected.
    pub connections: &'a KnownConnections,
    /// Canonical scopes.
    pub catalogue: &'a Catalogue,
    /// The agent that the sending key is bound to: fills in a missing `agent_id`.
    pub bound_agent: Option<&'a AgentId>,
}

/// State of one reading: what fields need to know and what they have to say.
#[derive(Debug)]
pub struct Reading<'a> {
    pub(super) connections: &'a KnownConnections,
    warnings: Vec<Warning>,
}

/// Decodes one event. `fallback_id` names it where the sender did not.
///
/// # Errors
/// [`Rejection`] with code, pointer and reason.
pub fn decode_event(
    text: &str,
    options: DecodeOptions<'_>,
    fallback_id: &EventId,
) -> Result<(Event, Vec<Warning>), Rejection> {
    if text.len() > MAX_EVENT_BYTES {
        let message = format!("an event must not be larger than {MAX_EVENT_BYTES} bytes");
        return Err(Rejection::new(Code::EventTooLarge, "", message));
    }
    let mut cx = Reading { connections: options.connections, warnings: Vec::new() };
    let mut members = Members::read(text, "")?;
    if members.list.iter().any(|(name, _)| name == "specversion") {
        unwrap_cloud_event(&mut members)?;
    }
    let kind_name = members
        .need::<Name>("type", &mut cx)?
        .ok_or_else(|| Rejection::new(Code::MissingType, "/type", "an event needs a `type`"))?;
    let (kind, custom) = read_kind(kind_name.as_str())?;
    let id = members.need::<Name>("id", &mut cx)?;
    let id = id.and_then(|id| EventId::new(id.as_str()).ok()).unwrap_or_else(|| fallback_id.clone());
    let timestamp = members.need::<Timestamp>("timestamp", &mut cx)?;
    let raw_details = members.take_raw("details").unwrap_or("{}");
    let (common, details, extra) = read_details((kind, custom), raw_details, options, &mut cx)?;
    let envelope = read_envelope(members, &mut cx)?;
    Ok((Event { id, timestamp, envelope, common, details, extra }, cx.warnings))
}

/// CloudEvents 1.0, structured mode: `time` and `data` under our names, their attributes kept as data.
fn unwrap_cloud_event(members: &mut Members<'_>) -> Result<(), Rejection> {
    for (name, _) in &mut members.list {
        match name.as_ref() {
            "time" => *name = "timestamp".into(),
            "data" => *name = "details".into(),
            "data_base64" => {
                return Err(Rejection::new(Code::WrongType, "/data_base64", "`data` must be a JSON object"));
            }
            _ => {}
        }
    }
    let double = |wanted: &str| members.list.iter().filter(|(name, _)| name == wanted).count() > 1;
    for name in ["timestamp", "details"] {
        if double(name) {
            return Err(Rejection::new(Code::DuplicateMember, &format!("/{name}"), "stands twice in this CloudEvent"));
        }
    }
    Ok(())
}

fn read_kind(name: &str) -> Result<(Kind, &str), Rejection> {
    if let Some(kind) = Kind::from_wire(name) {
        return Ok((kind, ""));
    }
    if let Some(custom) = name.strip_prefix("custom.") {
        let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');
        if (1..=64).contains(&custom.len()) && custom.bytes().all(allowed) {
            return Ok((Kind::Custom, custom));
        }
        let message = "a custom kind is `custom.` and a name of 1 to 64 characters a-z, 0-9, `_`, `.`, `-`";
        return Err(Rejection::new(Code::BadCustomName, "/type", message));
    }
    let shown = redact::redact_text(name);
    let mut rejection = Rejection::new(Code::UnknownKind, "/type", format!("`{shown}` is no kind of the contract"));
    rejection.suggestion = did_you_mean(name, Kind::ALL.iter().map(|k| k.as_str())).map(str::to_owned);
    if let Some(suggestion) = &rejection.suggestion {
        rejection.message = format!("{}, did you mean `{suggestion}`?", rejection.message);
    }
    Err(rejection)
}

fn read_details(
    (kind, custom): (Kind, &str),
    raw: &str,
    options: DecodeOptions<'_>,
    cx: &mut Reading<'_>,
) -> Result<(Common, Details, Option<Json>), Rejection> {
    let mut members = Members::read(raw, "/details")?;
    let missing = |name: &str| {
        let message = format!("{} needs `{name}`", kind.as_str());
        Rejection::new(Code::MissingField, &format!("/details/{name}"), message)
    };
    let mut details = Details::read(kind, custom, &mut members, cx).map_err(Fault::into_rejection)?.map_err(missing)?;
    let mut common = Common {
        agent_id: members.need("agent_id", cx)?,
        user_id: members.need("user_id", cx)?,
        connection: members.need("connection", cx)?,
        task_id: members.need("task_id", cx)?,
        session_id: members.need("session_id", cx)?,
        trace_id: members.need("trace_id", cx)?,
        client_id: members.need("client_id", cx)?,
    };
    let (named_agent, named_user) = details.named();
    common.agent_id = common.agent_id.or(named_agent).or_else(|| options.bound_agent.cloned());
    common.user_id = common.user_id.or(named_user);
    for need in kind.spec().needs {
        let named = match need {
            Need::Agent => common.agent_id.is_some(),
            Need::User => common.user_id.is_some(),
            Need::Connection => common.connection.is_some(),
            Need::Task => common.task_id.is_some(),
        };
        if !named {
            return Err(missing(need.field()));
        }
    }
    let catalogue = options.catalogue;
    let provider = common.connection.as_ref().and_then(|c| catalogue.provider_of_connection(c.as_str()));
    if let Some(scopes) = details.scopes_mut() {
        let provider = provider.or_else(|| catalogue.provider_of_scopes(scopes));
        *scopes = catalogue.canonical(provider, scopes);
    }
    warn(kind, &common, &members, cx);
    Ok((common, details, members.rest()?))
}

fn warn(kind: Kind, common: &Common, members: &Members<'_>, cx: &mut Reading<'_>) {
    if kind == Kind::AgentIdentityDelegation && common.connection.is_none() {
        cx.warnings.push(Warning {
            code: "delegation-without-connection".into(),
            message: "without `connection` it covers what `delegations.default_connections` names, none by default"
                .into(),
        });
    }
    if kind == Kind::Custom {
        return;
    }
    let spec = kind.spec();
    for (name, _) in members.list.iter().take(8) {
        let known = spec.fields.iter().map(|f| f.name);
        let known =
            known.chain(["agent_id", "user_id", "connection", "task_id", "session_id", "trace_id", "client_id"]);
        // Only what looks like a misspelt field is worth a word: senders may add their own.
        if let Some(meant) = did_you_mean(name, known) {
            let name = redact::redact_text(name);
            cx.warnings.push(Warning {
                code: "unknown-field".into(),
                message: format!("`{name}` is kept but not read, did you mean `{meant}`?"),
            });
        }
    }
}

fn read_envelope(mut members: Members<'_>, cx: &mut Reading<'_>) -> Result<Option<Box<Envelope>>, Rejection> {
    if members.list.is_empty() {
        return Ok(None);
    }
    let mut envelope = Envelope {
        source: members.need("source", cx)?,
        severity: members.need("severity", cx)?,
        summary: members.need("summary", cx)?,
        source_ip: members.need("source_ip", cx)?,
        user_agent: members.need("user_agent", cx)?,
        request_id: members.need("request_id", cx)?,
        extra: None,
    };
    envelope.extra = members.rest()?;
    Ok(Some(Box::new(envelope)))
}

/// What is kept of text that could not be decoded: redacted as JSON where it is JSON, as text otherwise, and capped.
#[must_use]
pub(super) fn redact_rejected(text: &str) -> String {
    let cap = limits::MAX_DEAD_LETTER_BYTES;
    let redacted = match serde_json::from_str::<Value>(text) {
        Ok(mut value) if depth(text) <= MAX_DEPTH => {
            redact::redact_json(&mut value);
            value.to_string()
        }
        _ => redact::redact_text(text).into_owned(),
    };
    if redacted.len() <= cap {
        return redacted;
    }
    let end = (0..=cap).rev().find(|i| redacted.is_char_boundary(*i)).unwrap_or(0);
    redacted.get(..end).unwrap_or_default().to_owned()
}

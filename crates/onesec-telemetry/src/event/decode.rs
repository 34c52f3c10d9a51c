//! One event from JSON text: typed, canonical, redacted, or rejected with pointer, code and reason.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::field::{FieldType, Json, depth, wrong_type};
use super::kinds::{Common, Details, Kind, Need};
use super::{Envelope, Event};
use crate::catalogue::Catalogue;
use crate::id::{AgentId, ConnectionName, EventId, Name};
use crate::limits::{MAX_DEPTH, MAX_EVENT_BYTES, MAX_FIELD_NAME_BYTES, MAX_FIELDS};
use crate::suggest::did_you_mean;
use crate::time::Timestamp;
use crate::{limits, redact};

/// The stable codes of rejections. What a client branches on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// Not JSON, or not an object.
    Malformed,
    /// Larger than [`MAX_EVENT_BYTES`].
    EventTooLarge,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// More members than [`MAX_FIELDS`].
    TooManyFields,
    /// A member's name is longer than [`MAX_FIELD_NAME_BYTES`].
    FieldNameTooLong,
    /// A member stands twice: readers would disagree on which counts.
    DuplicateMember,
    /// No `type`.
    MissingType,
    /// A `type` that the contract does not know.
    UnknownKind,
    /// `custom.` with a name outside `[a-z0-9_.-]{1,64}`.
    BadCustomName,
    /// A required member is missing.
    MissingField,
    /// A member has the wrong JSON type.
    WrongType,
    /// An identifier is empty.
    EmptyId,
    /// An identifier is too long.
    IdTooLong,
    /// An identifier has a character nobody can see.
    HiddenCharacter,
    /// A connection that differs from a known one only in case.
    UnknownConnection,
    /// No RFC 3339 time and no number of seconds.
    BadTime,
    /// No scope by RFC 6749, section 3.3, or too many.
    BadScope,
    /// No SHA-256.
    BadThumbprint,
    /// A free text is too long.
    TextTooLong,
    /// A list is too long.
    TooManyItems,
    /// The same id came before with other content.
    IdConflict,
    /// The ledger has no room for another entry of this kind.
    LedgerFull,
    /// The sender's quota of new entities is used up.
    QuotaExceeded,
}

impl Code {
    /// The wire form, such as `missing-field`.
    #[must_use]
    pub fn as_str(self) -> Cow<'static, str> {
        match serde_json::to_value(self) {
            Ok(Value::String(code)) => code.into(),
            _ => "malformed".into(),
        }
    }
}

/// What is wrong with one value; the reader adds where.
#[derive(Debug, Clone)]
pub struct Fault {
    code: Code,
    message: String,
    suggestion: Option<String>,
}

impl Fault {
    pub(super) const fn new(code: Code, message: String) -> Self {
        Self { code, message, suggestion: None }
    }

    pub(super) fn suggesting(mut self, what: &str) -> Self {
        self.suggestion = Some(what.to_owned());
        self
    }

    pub(super) fn at(self, pointer: String) -> Rejection {
        Rejection { code: self.code, pointer, message: self.message, suggestion: self.suggestion }
    }
}

/// Why one event was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Rejection {
    /// Stable code.
    pub code: Code,
    /// JSON pointer (RFC 6901) to the culprit, relative to the event.
    pub pointer: String,
    /// For people.
    pub message: String,
    /// What the sender may have meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl Rejection {
    /// A rejection that concerns the member at `pointer`.
    #[must_use]
    pub fn new(code: Code, pointer: &str, message: impl Into<String>) -> Self {
        Self { code, pointer: pointer.to_owned(), message: message.into(), suggestion: None }
    }
}

impl std::error::Error for Rejection {}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at `{}`: {}", self.code.as_str(), self.pointer, self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, ", did you mean `{suggestion}`?"),
            None => Ok(()),
        }
    }
}

/// Something odd about an event that was accepted all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Warning {
    /// Stable code, such as `unknown-field`.
    pub code: Cow<'static, str>,
    /// For people.
    pub message: String,
}

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

/// The members of a JSON object, each still as text.
#[derive(Debug)]
pub(super) struct Members<'a> {
    at: &'static str,
    list: Vec<(Cow<'a, str>, &'a str)>,
}

struct Object<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::with_capacity(16);
                while let Some(name) = map.next_key::<Key<'de>>()? {
                    let value: &'de RawValue = map.next_value()?;
                    list.push((name.0, value.get()));
                }
                Ok(Object(list))
            }
        }
        deserializer.deserialize_map(Visit)
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Members<'a> {
    fn read(text: &'a str, at: &'static str) -> Result<Self, Rejection> {
        let trimmed = text.trim();
        if !trimmed.starts_with('{') {
            return Err(wrong_type("an object", trimmed).at(at.to_owned()));
        }
        let Object(list) = serde_json::from_str(trimmed)
            .map_err(|e| Fault::new(Code::Malformed, format!("is no valid JSON: {}", plain(&e))).at(at.to_owned()))?;
        if list.len() > MAX_FIELDS {
            return Err(Fault::new(Code::TooManyFields, format!("must not have more than {MAX_FIELDS} members"))
                .at(at.to_owned()));
        }
        for (i, (name, _)) in list.iter().enumerate() {
            if name.len() > MAX_FIELD_NAME_BYTES {
                let message = format!("a member's name must not be longer than {MAX_FIELD_NAME_BYTES} bytes");
                return Err(Fault::new(Code::FieldNameTooLong, message).at(at.to_owned()));
            }
            if list.iter().take(i).any(|(earlier, _)| earlier == name) {
                return Err(Fault::new(Code::DuplicateMember, "stands twice".into()).at(pointer(at, name)));
            }
        }
        Ok(Self { at, list })
    }

    fn take_raw(&mut self, name: &str) -> Option<&'a str> {
        let at = self.list.iter().position(|(n, _)| n == name)?;
        let (_, raw) = self.list.swap_remove(at);
        (raw != "null").then_some(raw)
    }

    /// Takes the member `name`, or one of its aliases, out of the list and reads it.
    pub(super) fn take<T: FieldType>(
        &mut self,
        name: &str,
        aliases: &[&str],
        cx: &mut Reading<'_>,
    ) -> Result<Option<T>, Fault> {
        let mut value = None;
        for spelling in std::iter::once(&name).chain(aliases) {
            let Some(raw) = self.take_raw(spelling) else { continue };
            if value.is_some() {
                return Err(Fault::new(Code::DuplicateMember, format!("stands twice, also as `{name}`"))
                    .placed(self.at, spelling));
            }
            value = Some(T::read(raw, cx).map_err(|fault| fault.placed(self.at, spelling))?);
        }
        Ok(value)
    }

    fn need<T: FieldType>(&mut self, name: &str, cx: &mut Reading<'_>) -> Result<Option<T>, Rejection> {
        self.take(name, &[], cx).map_err(Fault::into_rejection)
    }

    /// What is left, redacted. Unknown members are kept for custom detectors.
    fn rest(self) -> Result<Option<Json>, Rejection> {
        if self.list.is_empty() {
            return Ok(None);
        }
        let mut map = serde_json::Map::new();
        for (name, raw) in self.list {
            if depth(raw) >= MAX_DEPTH {
                let message = format!("must not be nested more than {MAX_DEPTH} deep");
                return Err(Fault::new(Code::TooDeep, message).at(pointer(self.at, &name)));
            }
            let value = serde_json::from_str(raw)
                .map_err(|_| Fault::new(Code::Malformed, "is no valid JSON".into()).at(pointer(self.at, &name)))?;
            map.insert(name.into_owned(), value);
        }
        Ok(Some(Json::redacted(Value::Object(map))))
    }
}

impl Fault {
    /// Remembers the place inside the message's fault until it becomes a rejection.
    fn placed(mut self, at: &str, name: &str) -> Self {
        self.message = format!("{}\u{0}{}", pointer(at, name), self.message);
        self
    }

    fn into_rejection(self) -> Rejection {
        match self.message.split_once('\u{0}') {
            Some((at, message)) => Rejection {
                code: self.code,
                pointer: at.to_owned(),
                message: message.to_owned(),
                suggestion: self.suggestion,
            },
            None => self.at(String::new()),
        }
    }
}

/// RFC 6901 escapes; a name that is a secret does not reach an answer.
fn pointer(at: &str, name: &str) -> String {
    let name = redact::redact_text(name).replace('~', "~0").replace('/', "~1");
    format!("{at}/{name}")
}

/// serde_json's message without the input: its texts quote none, but some name types of ours.
fn plain(error: &serde_json::Error) -> String {
    format!("{} at column {}", if error.is_eof() { "it ends too early" } else { "syntax error" }, error.column())
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

//! Field types: how one member of `details` is read, shown and described.

use std::borrow::Cow;
use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decode::Reading;
use super::reject::{Code, Fault};
use crate::id::{
    AccountId, AgentId, AppId, ConnectionName, DelegationId, ExchangeId, IdError, Name, SessionId, TaskId, UserId,
};
use crate::limits::{MAX_LIST_ITEMS, MAX_TEXT_BYTES};
use crate::redact;
use crate::scope::ScopeSet;
use crate::secret::Thumbprint;
use crate::time::Timestamp;

/// What a member of `details` may be: one implementation per type of the contract.
pub trait FieldType: Sized {
    /// The type's name in the contract, such as `scopes`.
    const NAME: &'static str;

    /// Reads the JSON text of one value. Redaction has happened when this returns.
    ///
    /// # Errors
    /// [`Fault`] with code and message; the caller adds the pointer.
    fn read(raw: &str, cx: &mut Reading<'_>) -> Result<Self, Fault>;

    /// The value as the API shows it.
    fn show(&self) -> Value;

    /// Its JSON Schema, saying what senders may write.
    fn schema() -> Value;
}

pub(super) fn wrong_type(want: &str, raw: &str) -> Fault {
    let got = match raw.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    };
    Fault::new(Code::WrongType, format!("must be {want}, not {got}"))
}

pub(super) fn string<'a>(raw: &'a str, want: &str) -> Result<Cow<'a, str>, Fault> {
    struct Visit;
    impl<'de> serde::de::Visitor<'de> for Visit {
        type Value = Cow<'de, str>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }
        fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Self::Value, E> {
            Ok(Cow::Borrowed(v))
        }
        fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
            Ok(Cow::Owned(v.to_owned()))
        }
        fn visit_string<E>(self, v: String) -> Result<Self::Value, E> {
            Ok(Cow::Owned(v))
        }
    }
    if !raw.starts_with('"') {
        return Err(wrong_type(want, raw));
    }
    let mut json = serde_json::Deserializer::from_str(raw);
    serde::Deserializer::deserialize_str(&mut json, Visit)
        .map_err(|_| Fault::new(Code::Malformed, "is no valid JSON string".into()))
}

pub(super) fn parse<'a, T: Deserialize<'a>>(raw: &'a str, want: &str) -> Result<T, Fault> {
    serde_json::from_str(raw).map_err(|_| wrong_type(want, raw))
}

fn id_fault(error: IdError) -> Fault {
    let code = match error {
        IdError::Empty => Code::EmptyId,
        IdError::TooLong => Code::IdTooLong,
        IdError::HiddenCharacter => Code::HiddenCharacter,
    };
    Fault::new(code, error.to_string())
}

macro_rules! id_fields {
    ($($name:ident),*) => {$(
        impl FieldType for $name {
            const NAME: &'static str = "str";
            fn read(raw: &str, _: &mut Reading<'_>) -> Result<Self, Fault> {
                let text = string(raw, "a string")?;
                // A token where an id belongs must not become a key that is shown everywhere.
                Self::new(&redact::redact_text(&text)).map_err(id_fault)
            }
            fn show(&self) -> Value {
                Value::String(self.to_string())
            }
            fn schema() -> Value {
                serde_json::json!({"type": "string", "minLength": 1, "maxLength": crate::limits::MAX_ID_BYTES})
            }
        }
    )*};
}
id_fields!(AgentId, UserId, AccountId, AppId, DelegationId, ExchangeId, TaskId, SessionId, Name);

impl FieldType for ConnectionName {
    const NAME: &'static str = "str";
    fn read(raw: &str, cx: &mut Reading<'_>) -> Result<Self, Fault> {
        let text = string(raw, "a string")?;
        let name = Self::new(&redact::redact_text(&text)).map_err(id_fault)?;
        match cx.connections.case_variant(&name) {
            None => Ok(name),
            Some(known) => {
                Err(Fault::new(Code::UnknownConnection, "differs from a known connection only in case".into())
                    .suggesting(known.as_str()))
            }
        }
    }
    fn show(&self) -> Value {
        Value::String(self.to_string())
    }
    fn schema() -> Value {
        Name::schema()
    }
}

/// Free text: bounded and redacted when read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(CompactString);

impl Text {
    /// Redacts `raw` and keeps the rest.
    #[must_use]
    pub fn redacted(raw: &str) -> Self {
        Self(CompactString::from(redact::redact_text(raw)))
    }

    /// The text, free of secrets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.as_str())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FieldType for Text {
    const NAME: &'static str = "str";
    fn read(raw: &str, _: &mut Reading<'_>) -> Result<Self, Fault> {
        if raw.len() > MAX_TEXT_BYTES {
            return Err(Fault::new(Code::TextTooLong, format!("must not be longer than {MAX_TEXT_BYTES} bytes")));
        }
        string(raw, "a string").map(|text| Self::redacted(&text))
    }
    fn show(&self) -> Value {
        Value::String(self.0.to_string())
    }
    fn schema() -> Value {
        serde_json::json!({"type": "string", "maxLength": MAX_TEXT_BYTES})
    }
}

impl FieldType for bool {
    const NAME: &'static str = "bool";
    fn read(raw: &str, _: &mut Reading<'_>) -> Result<Self, Fault> {
        match raw.trim_matches('"') {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(wrong_type("true or false", raw)),
        }
    }
    fn show(&self) -> Value {
        Value::Bool(*self)
    }
    fn schema() -> Value {
        serde_json::json!({"oneOf": [{"type": "boolean"}, {"enum": ["true", "false"]}]})
    }
}

impl FieldType for i64 {
    const NAME: &'static str = "int";
    fn read(raw: &str, _: &mut Reading<'_>) -> Result<Self, Fault> {
        raw.trim_matches('"').parse().map_err(|_| wrong_type("a whole number", raw))
    }
    fn show(&self) -> Value {
        Value::from(*self)
    }
    fn schema() -> Value {
        serde_json::json!({"oneOf": [{"type": "integer"}, {"type": "string", "pattern": "^-?[0-9]+$"}]})
    }
}

impl FieldType for f64 {
    const NAME: &'static str = "num";
    fn read(raw: &str, _: &mut Reading<'_>) -> Result<Self, Fault> {
        let number: Self = raw.trim_matches('"').trim().parse().map_err(|_| wrong_type("a number", raw))?;
        if number.is_finite() { Ok(number) } else { Err(wrong_type("a finite number", raw)) }
    }
    fn show(&self) -> Value {
        Value::from(*self)
    }
    fn schema() -> Value {
        serde_json::json!({"oneOf": [{"type": "number"}, {"type": "string"}]})
    }
}

impl FieldType for Timestamp {
    const NAME: &'static str = "time";
    fn read(raw: &str, _: &mut Reading<'_>) -> Result<Self, Fault> {
        let text = if raw.starts_with('"') { string(raw, "a time")? } else { Cow::Borrowed(raw) };
        text.parse().map_err(|_| Fault::new(Code::BadTime, crate::time::TimeError.to_string()))
    }
    fn show(&self) -> Value {
        Value::String(self.to_string())
    }
    fn schema() -> Value {
        serde_json::json!({"oneOf": [{"type": "string", "format": "date-time"}, {"type": "number", "minimum": 0}]})
    }
}

impl FieldType for ScopeSet {
    const NAME: &'static str = "scopes";
    fn read(raw: &str, _: &mut Reading<'_>) -> Result<Self, Fault> {
        let parsed = if raw.starts_with('[') {
            let items: Vec<Cow<'_, str>> = parse(raw, "a string or an array of strings")?;
            Self::parse_all(items.iter().map(|i| redact::redact_text(i)).collect::<Vec<_>>().iter().map(AsRef::as_ref))
        } else {
            let text = string(raw, "a string or an array of strings")?;
            Self::parse(&redact::redact_text(&text))
        };
        parsed.map_err(|e| Fault::new(Code::BadScope, e.to_string()))
    }
    fn show(&self) -> Value {
        self.iter().map(|s| Value::String(s.to_string())).collect()
    }
    fn schema() -> Value {
        serde_json::json!({"oneOf": [
            {"type": "string", "description": "separated by spaces or commas"},
            {"type": "array", "items": {"type": "string"}, "maxItems": crate::limits::MAX_SCOPES}
        ]})
    }
}

impl FieldType for Thumbprint {
    const NAME: &'static str = "thumbprint";
    fn read(raw: &str, _: &mut Reading<'_>) -> Result<Self, Fault> {
        let text = string(raw, "a SHA-256 in hex or base64url")?;
        text.parse().map_err(|e: crate::secret::ThumbprintError| Fault::new(Code::BadThumbprint, e.to_string()))
    }
    fn show(&self) -> Value {
        Value::String(self.to_string())
    }
    fn schema() -> Value {
        serde_json::json!({"type": "string", "pattern": "^([0-9a-fA-F]{64}|[A-Za-z0-9_-]{43}=?)$"})
    }
}

/// A list of bounded, redacted strings.
pub type Texts = Vec<Text>;

impl FieldType for Texts {
    const NAME: &'static str = "[str]";
    fn read(raw: &str, _: &mut Reading<'_>) -> Result<Self, Fault> {
        let items: Vec<Cow<'_, str>> = parse(raw, "an array of strings")?;
        if items.len() > MAX_LIST_ITEMS {
            return Err(Fault::new(Code::TooManyItems, format!("must not have more than {MAX_LIST_ITEMS} items")));
        }
        Ok(items.iter().map(|i| Text::redacted(i)).collect())
    }
    fn show(&self) -> Value {
        self.iter().map(FieldType::show).collect()
    }
    fn schema() -> Value {
        serde_json::json!({"type": "array", "items": {"type": "string"}, "maxItems": MAX_LIST_ITEMS})
    }
}

/// Who delegated to whom, outermost delegator first: an array, or text with `->` or commas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chain(pub Vec<Name>);

impl FieldType for Chain {
    const NAME: &'static str = "[str]";
    fn read(raw: &str, _: &mut Reading<'_>) -> Result<Self, Fault> {
        let hops: Vec<String> = if raw.starts_with('[') {
            parse(raw, "an array of strings or a text such as `user -> agent`")?
        } else {
            let text = string(raw, "an array of strings or a text such as `user -> agent`")?;
            text.replace("->", ",").replace('→', ",").split(',').map(str::to_owned).collect()
        };
        if hops.len() > MAX_LIST_ITEMS {
            return Err(Fault::new(Code::TooManyItems, format!("must not have more than {MAX_LIST_ITEMS} hops")));
        }
        let names = hops.iter().map(|hop| Name::new(&redact::redact_text(hop)).map_err(id_fault));
        names.collect::<Result<_, _>>().map(Self)
    }
    fn show(&self) -> Value {
        self.0.iter().map(FieldType::show).collect()
    }
    fn schema() -> Value {
        serde_json::json!({"oneOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]})
    }
}

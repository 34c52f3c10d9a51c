//! Field types that hold more than a word: JSON values and signed statements.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decode::Reading;
use super::field::{FieldType, parse, string, wrong_type};
use super::reject::{Code, Fault};
use crate::limits::{MAX_DEPTH, MAX_TEXT_BYTES};
use crate::secret::{Secret, Thumbprint};
use crate::{redact, strict_json};

/// Any JSON value, redacted, kept as compact text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Box<str>);

impl Json {
    /// Redacts and keeps `value`.
    #[must_use]
    pub fn redacted(mut value: Value) -> Self {
        redact::redact_json(&mut value);
        Self(value.to_string().into_boxed_str())
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value; `null` never comes back wrongly, as the text was made from a value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FieldType for Json {
    const NAME: &'static str = "json";
    fn read(raw: &str, _: &mut Reading<'_>) -> Result<Self, Fault> {
        let shallow = |json: &str| if depth(json) > MAX_DEPTH { Err(too_deep()) } else { Ok(()) };
        shallow(raw)?;
        let value = strict_json::value(raw).map(Self::redacted)?;
        // A mark is an object in the place of a secret: one deeper, and it is to be read again.
        shallow(value.as_str())?;
        Ok(value)
    }
    fn show(&self) -> Value {
        self.to_value()
    }
    fn schema() -> Value {
        Value::Bool(true)
    }
}

pub(super) fn too_deep() -> Fault {
    Fault::new(Code::TooDeep, format!("must not be nested more than {MAX_DEPTH} deep"))
}

/// How deep arrays and objects nest in `json`, which is valid JSON text.
pub(super) fn depth(json: &str) -> usize {
    let (mut deepest, mut now, mut in_string, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A signed statement (JWT) that the edge verifies. What stays is its thumbprint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Statement {
    /// SHA-256 of the statement's text.
    pub thumbprint: Thumbprint,
    /// The text, until the edge has verified it; never journalled.
    #[serde(skip)]
    pub text: Option<Secret>,
}

impl PartialEq for Statement {
    fn eq(&self, other: &Self) -> bool {
        self.thumbprint == other.thumbprint
    }
}

impl FieldType for Statement {
    const NAME: &'static str = "str";
    fn read(raw: &str, _: &mut Reading<'_>) -> Result<Self, Fault> {
        if raw.len() > MAX_TEXT_BYTES {
            return Err(Fault::new(Code::TextTooLong, format!("must not be longer than {MAX_TEXT_BYTES} bytes")));
        }
        if raw.starts_with('{') {
            return shown_before(raw);
        }
        let text = Secret::new(string(raw, "a signed JWT")?.into_owned());
        Ok(Self { thumbprint: text.thumbprint(), text: Some(text) })
    }
    fn show(&self) -> Value {
        serde_json::json!({"redacted": format!("sha256:{}", self.thumbprint)})
    }
    fn schema() -> Value {
        serde_json::json!({"type": "string"})
    }
}

/// What [`Statement::show`] wrote: proves nothing, and may come back with an event that is sent again.
fn shown_before(raw: &str) -> Result<Statement, Fault> {
    let value: Value = parse(raw, "a signed JWT")?;
    let mark = value.get("redacted").and_then(Value::as_str).unwrap_or_default();
    let thumbprint = mark.parse().map_err(|_| wrong_type("a signed JWT", raw))?;
    Ok(Statement { thumbprint, text: None })
}

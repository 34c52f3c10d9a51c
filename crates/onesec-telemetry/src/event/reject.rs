//! Why an event was rejected, or what is odd about it: stable codes, JSON pointers, reasons.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[expect(unused_imports, reason = "named in the documentation")]
use crate::limits::{MAX_DEPTH, MAX_EVENT_BYTES, MAX_FIELD_NAME_BYTES, MAX_FIELDS};
use crate::strict_json::NotStrict;

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
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) suggestion: Option<String>,
}

impl From<NotStrict> for Fault {
    fn from(why: NotStrict) -> Self {
        match why {
            NotStrict::Twice => Self::new(Code::DuplicateMember, "has a member that stands twice".into()),
            NotStrict::Malformed => Self::new(Code::Malformed, "is no valid JSON".into()),
        }
    }
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

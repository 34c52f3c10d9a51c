//! One entry of the tenant log, as it stands in a stream or a page.

use std::borrow::Cow;

use onesec_telemetry::limits::MAX_EVENT_BYTES;
use onesec_telemetry::{Code, Rejection};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What of an entry is read, whatever its type; `details` is read by those who know the type.
#[derive(Debug, Deserialize)]
pub(super) struct Entry<'a> {
    pub(super) log_id: Option<Cow<'a, str>>,
    /// How the Management API calls it, too.
    #[serde(rename = "_id")]
    own_id: Option<Cow<'a, str>>,
    #[serde(rename = "type")]
    pub(super) code: Option<Cow<'a, str>>,
    /// As it stands: the contract reads times.
    #[serde(borrow)]
    pub(super) date: Option<&'a RawValue>,
    pub(super) description: Option<Cow<'a, str>>,
    pub(super) connection: Option<Cow<'a, str>>,
    pub(super) client_id: Option<Cow<'a, str>>,
    pub(super) client_name: Option<Cow<'a, str>>,
    pub(super) ip: Option<Cow<'a, str>>,
    pub(super) user_agent: Option<Cow<'a, str>>,
    pub(super) user_id: Option<Cow<'a, str>>,
    pub(super) organization_id: Option<Cow<'a, str>>,
    pub(super) agent_id: Option<Cow<'a, str>>,
    pub(super) external_agent_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    details: Option<&'a RawValue>,
    references: Option<References<'a>>,
}

#[derive(Debug, Deserialize)]
struct References<'a> {
    correlation_id: Option<Cow<'a, str>>,
    trace_id: Option<Cow<'a, str>>,
}

/// A stream wraps the entry, a page does not.
#[derive(Deserialize)]
struct Wrapped<'a> {
    log_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl<'a> Entry<'a> {
    /// Reads an element of a stream, or of a page.
    pub(super) fn read(text: &'a str) -> Result<Self, Rejection> {
        if text.len() > MAX_EVENT_BYTES {
            let message = format!("an entry must not be larger than {MAX_EVENT_BYTES} bytes");
            return Err(Rejection::new(Code::EventTooLarge, "", message));
        }
        let wrapped: Wrapped<'_> = serde_json::from_str(text).map_err(|error| unreadable("", &error))?;
        let Some(data) = wrapped.data.map(RawValue::get).filter(|data| data.starts_with('{')) else {
            return serde_json::from_str(text).map_err(|error| unreadable("", &error));
        };
        let mut entry: Self = serde_json::from_str(data).map_err(|error| unreadable("/data", &error))?;
        entry.log_id = entry.log_id.or(wrapped.log_id);
        Ok(entry)
    }

    /// What tells the entry from every other one of the tenant.
    pub(super) fn id(&self) -> Result<&str, Rejection> {
        let id = self.log_id.as_deref().or(self.own_id.as_deref()).map(str::trim).filter(|id| !id.is_empty());
        id.ok_or_else(|| Rejection::new(Code::MissingField, "/log_id", "an entry needs a `log_id`"))
    }

    /// `details`, where they are what the type has; nothing of them otherwise.
    pub(super) fn details<T: Deserialize<'a> + Default>(&self) -> Result<T, Rejection> {
        let Some(details) = self.details.filter(|details| details.get().starts_with('{')) else {
            return Ok(T::default());
        };
        serde_json::from_str(details.get()).map_err(|error| unreadable("/details", &error))
    }

    /// What belongs together at the tenant.
    pub(super) fn trace(&self) -> Option<&str> {
        let references = self.references.as_ref()?;
        references.trace_id.as_deref().or(references.correlation_id.as_deref())
    }
}

/// Says what is wrong and nothing of what was there.
fn unreadable(pointer: &str, error: &serde_json::Error) -> Rejection {
    // `duplicate field` is what serde says of a member that stands twice; the rest may quote what was sent.
    if error.is_data() && error.to_string().starts_with("duplicate field") {
        return Rejection::new(Code::DuplicateMember, pointer, "has a member that stands twice");
    }
    let (code, message) = if error.is_data() {
        (Code::WrongType, "is no entry of a tenant log")
    } else {
        (Code::Malformed, "is no JSON")
    };
    Rejection::new(code, pointer, message)
}

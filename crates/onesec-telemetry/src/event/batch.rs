//! Request bodies: one event, an array, NDJSON or CloudEvents; one bad event never spoils its batch.

use serde_json::value::RawValue;

use super::Event;
use super::decode::{DecodeOptions, decode_event, redact_rejected};
use super::reject::{Code, Rejection, Warning};
use crate::id::EventId;
use crate::limits::MAX_BATCH_EVENTS;
use crate::secret::Thumbprint;

/// How a body is framed, as its content type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyFormat {
    /// `application/json` and CloudEvents: one object or an array.
    Json,
    /// `application/x-ndjson`: one object a line.
    Ndjson,
}

impl BodyFormat {
    /// From the media type of a request; parameters such as `charset` are ignored.
    #[must_use]
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media.as_str() {
            ""
            | "application/json"
            | "application/cloudevents+json"
            | "application/cloudevents-batch+json"
            | "text/json" => Some(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
                Some(Self::Ndjson)
            }
            _ => None,
        }
    }
}

/// Why a body as a whole was refused. Nothing of it is kept but its size and hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Not UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// Nothing in it.
    #[error("the body has no event")]
    Empty,
    /// Neither an object nor an array of valid JSON.
    #[error("the body is no valid JSON (line {line}, column {column})")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// A second document after the first: readers would disagree on what was sent.
    #[error("the body has more than one JSON document: send an array, or NDJSON with its content type")]
    SeveralDocuments,
    /// More than [`MAX_BATCH_EVENTS`].
    #[error("a batch must not have more than {MAX_BATCH_EVENTS} events")]
    TooManyEvents,
}

/// The verdict on one item of a batch.
#[derive(Debug)]
pub enum Item {
    /// Decoded; with what is odd about it.
    Accepted {
        /// The event.
        event: Box<Event>,
        /// Oddities.
        warnings: Vec<Warning>,
    },
    /// Rejected; with what may be kept of it.
    Rejected {
        /// Why.
        rejection: Rejection,
        /// The text, redacted and capped.
        redacted: String,
        /// Size of the original in bytes.
        size: usize,
        /// SHA-256 of the original.
        digest: Thumbprint,
    },
}

/// Decodes a whole body. `next_id` names events that came without an id.
///
/// # Errors
/// [`BodyError`] where the body cannot be split into items at all.
pub fn decode_body(
    body: &[u8],
    format: BodyFormat,
    options: DecodeOptions<'_>,
    mut next_id: impl FnMut() -> EventId,
) -> Result<Vec<Item>, BodyError> {
    let text = std::str::from_utf8(body).map_err(|_| BodyError::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(BodyError::Empty);
    }
    let parts = match format {
        BodyFormat::Ndjson => text.lines().map(str::trim).filter(|l| !l.is_empty()).collect(),
        BodyFormat::Json => split_json(text)?,
    };
    if parts.is_empty() {
        return Err(BodyError::Empty);
    }
    if parts.len() > MAX_BATCH_EVENTS {
        return Err(BodyError::TooManyEvents);
    }
    Ok(parts.into_iter().map(|part| decode_item(part, options, &mut next_id)).collect())
}

fn split_json(text: &str) -> Result<Vec<&str>, BodyError> {
    let mut documents = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let first = documents.next().ok_or(BodyError::Empty)?.map_err(not_json)?;
    match documents.next() {
        None => {}
        Some(Ok(_)) => return Err(BodyError::SeveralDocuments),
        Some(Err(e)) => return Err(not_json(e)),
    }
    if !first.get().starts_with('[') {
        return Ok(vec![first.get()]);
    }
    let items: Vec<&RawValue> = serde_json::from_str(first.get()).map_err(not_json)?;
    Ok(items.into_iter().map(RawValue::get).collect())
}

#[expect(clippy::needless_pass_by_value, reason = "fits map_err")]
fn not_json(error: serde_json::Error) -> BodyError {
    BodyError::NotJson { line: error.line(), column: error.column() }
}

fn decode_item(text: &str, options: DecodeOptions<'_>, next_id: &mut impl FnMut() -> EventId) -> Item {
    match decode_event(text, options, &next_id()) {
        Ok((event, warnings)) => Item::Accepted { event: Box::new(event), warnings },
        Err(rejection) => {
            let too_large = rejection.code == Code::EventTooLarge;
            Item::Rejected {
                rejection,
                redacted: if too_large { String::new() } else { redact_rejected(text) },
                size: text.len(),
                digest: Thumbprint::of(text.as_bytes()),
            }
        }
    }
}

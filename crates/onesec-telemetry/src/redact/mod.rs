//! Redaction: what decoding ends with, so that no secret reaches journal, dead letter, log or id.
//!
//! In text, a secret becomes a mark `redacted:sha256:<16 hex digits>:len=<bytes>`; in JSON, the value
//! under a telling name becomes `{"redacted": "sha256:<64 hex digits>", "len": <bytes>}`. The hash is
//! SHA-256 of the exact text, so that a token can still be recognised by who holds it. What reads like a command gets
//! `:command` behind its mark, `"looks": "command"` in JSON: it is not judged, and must not pass for a secret unseen.
//! Redacting twice changes nothing. It takes time linear in the text, whatever the text.
//!
//! It errs on the side of redacting; what it cannot know is a secret without shape, name or place,
//! such as a password in the middle of a sentence.

mod hidden;
mod names;
mod pairs;
mod scan;
mod shapes;
#[cfg(test)]
mod tests;
mod urls;

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::secret::Thumbprint;

pub use hidden::hides_command;
pub use names::is_telling_name;

/// Replaces every secret in free text: JWT and JWE shapes, known token prefixes, `Bearer` and `Basic`
/// values, private keys in PEM, credentials, query and fragment of URLs, and the values of
/// `key=value` and `key: value` pairs whose [name tells](is_telling_name).
///
/// Text without a secret is borrowed.
#[must_use]
pub fn redact_text(text: &str) -> Cow<'_, str> {
    scan::redact(text)
}

/// Replaces every secret in a JSON value, at any depth: strings, arrays, objects and numbers under a
/// [telling name](is_telling_name) as a whole, all other strings and the member names by [`redact_text`].
///
/// `null` and booleans stay, and so do numbers under a name that counts `tokens`.
pub fn redact_json(value: &mut Value) {
    redact_at(value, 0);
}

/// What stands for a secret in JSON.
#[must_use]
pub fn redacted_value(secret: &str) -> Value {
    let mut mark = Map::with_capacity(2);
    mark.insert("redacted".into(), Value::String(format!("sha256:{}", Thumbprint::of(secret.as_bytes()))));
    mark.insert("len".into(), Value::from(secret.len()));
    if hidden::is_command(secret) {
        mark.insert(LOOKS.into(), "command".into());
    }
    Value::Object(mark)
}

const LOOKS: &str = "looks";

/// Deeper values are redacted as a whole: no honest event is nested so, and the stack has an end.
const MAX_NESTING: usize = 128;

fn redact_at(value: &mut Value, depth: usize) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => {
            if let Cow::Owned(redacted) = redact_text(text) {
                *text = redacted;
            }
        }
        Value::Array(_) | Value::Object(_) if depth >= MAX_NESTING => *value = redacted_whole(value),
        Value::Array(items) => items.iter_mut().for_each(|item| redact_at(item, depth + 1)),
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                redact_member(name, member, depth + 1);
            }
            redact_names(members);
        }
    }
}

fn redact_member(name: &str, member: &mut Value, depth: usize) {
    if is_redacted(member) {
        return;
    }
    let harmless = match member {
        Value::Null | Value::Bool(_) => true,
        Value::Number(_) => names::may_count(name),
        Value::String(_) | Value::Array(_) | Value::Object(_) => false,
    };
    if harmless || !is_telling_name(name) {
        redact_at(member, depth);
    } else {
        *member = redacted_whole(member);
    }
}

fn redacted_whole(value: &Value) -> Value {
    match value {
        Value::String(text) => redacted_value(text),
        other => redacted_value(&other.to_string()),
    }
}

/// Whether the value is what [`redacted_value`] makes.
fn is_redacted(value: &Value) -> bool {
    let Value::Object(members) = value else { return false };
    let digest = members.get("redacted").and_then(Value::as_str).and_then(|text| text.strip_prefix("sha256:"));
    let looks = members.get(LOOKS).is_some_and(|looks| looks == "command");
    members.len() == 2 + usize::from(looks)
        && digest.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
        && members.get("len").is_some_and(Value::is_u64)
}

fn redact_names(members: &mut Map<String, Value>) {
    if members.keys().all(|name| matches!(redact_text(name), Cow::Borrowed(_))) {
        return;
    }
    let old = std::mem::take(members);
    members.extend(old.into_iter().map(|(name, member)| (redact_text(&name).into_owned(), member)));
}

//! `seta` and `feta`: an exchange at Token Vault, made or refused.

use std::borrow::Cow;

use onesec_telemetry::{Rejection, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::Wire;
use super::entry::Entry;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details<'a> {
    subject_token_type: Option<Cow<'a, str>>,
    issued_token_type: Option<Cow<'a, str>>,
    scope: Option<Value>,
    expires_at: Option<Value>,
    is_privileged_worker: Option<bool>,
    token_thumbprint: Option<Cow<'a, str>>,
    audit_context: Option<Cow<'a, str>>,
    failure_reason: Option<Cow<'a, str>>,
    token_broker: Option<Value>,
    enterprise_connection: Option<Value>,
}

/// `seta`.
pub(super) fn made(entry: &Entry<'_>) -> Result<Option<Wire>, Rejection> {
    let details: Details<'_> = entry.details()?;
    let mut wire = told(entry, &details);
    wire.put("success", Some(true));
    wire.put("scopes", details.scope.filter(|scope| scope.is_string() || scope.is_array()));
    wire.put("issued_token_type", details.issued_token_type.as_deref());
    // How it is written is not documented: one that cannot be read joins the exchange by time instead.
    let print = details.token_thumbprint.as_deref().filter(|text| text.parse::<onesec_telemetry::Thumbprint>().is_ok());
    wire.put("token_thumbprint", print);
    wire.put("expires_in", lives(entry, details.expires_at.as_ref()));
    Ok(Some(wire))
}

/// `feta`.
pub(super) fn refused(entry: &Entry<'_>) -> Result<Option<Wire>, Rejection> {
    let details: Details<'_> = entry.details()?;
    let mut wire = told(entry, &details);
    wire.put("success", Some(false));
    wire.put("error", Some(details.failure_reason.as_deref().unwrap_or("unknown")));
    wire.put("error_description", entry.description.as_deref());
    Ok(Some(wire))
}

fn told(entry: &Entry<'_>, details: &Details<'_>) -> Wire {
    let mut wire = Wire::of(entry, "token_exchange_response");
    wire.put("subject_token_type", details.subject_token_type.as_deref());
    wire.put("is_privileged_worker", details.is_privileged_worker);
    wire.put("audit_context", details.audit_context.as_deref());
    wire.put("token_broker", details.token_broker.clone());
    wire.put("enterprise_connection", details.enterprise_connection.clone());
    wire
}

/// Seconds that the token lives, from the entry's own date on.
fn lives(entry: &Entry<'_>, expires_at: Option<&Value>) -> Option<i64> {
    let date: Value = serde_json::from_str(entry.date?.get()).ok()?;
    let lives = time(expires_at?)?.as_secs() - time(&date)?.as_secs();
    (0..=MOST_SECONDS).contains(&lives).then_some(lives)
}

/// RFC 3339, or seconds or milliseconds since 1970: which of them is not documented.
fn time(value: &Value) -> Option<Timestamp> {
    if let Some(number) = value.as_i64() {
        let seconds = if number > 100_000_000_000 { number / 1_000 } else { number };
        return Some(Timestamp::from_secs(seconds));
    }
    value.as_str()?.parse().ok()
}

/// A year.
const MOST_SECONDS: i64 = 366 * 86_400;

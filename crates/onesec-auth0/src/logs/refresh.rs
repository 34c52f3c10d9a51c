//! `sertft`, `fertft`, `ferrt`, `srrt`: refresh tokens, used, refused, used twice, revoked.

use std::borrow::Cow;

use onesec_telemetry::Rejection;
use serde::Deserialize;
use serde_json::Value;

use super::Wire;
use super::entry::Entry;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details<'a> {
    requested_audience: Option<Value>,
    requested_scope: Option<Value>,
    failure_reason: Option<Cow<'a, str>>,
    credential_id: Option<Cow<'a, str>>,
    #[serde(rename = "tokenCounter")]
    token_counter: Option<Value>,
    #[serde(rename = "latestCounter")]
    latest_counter: Option<Value>,
}

/// `sertft`: an application got a token for a user, by a refresh token.
pub(super) fn used(entry: &Entry<'_>) -> Result<Option<Wire>, Rejection> {
    let details: Details<'_> = entry.details()?;
    let Some(mut wire) = super::governed::token(entry, "refresh_token") else { return Ok(None) };
    wire.put("scopes", details.requested_scope.filter(|scope| scope.is_string() || scope.is_array()));
    wire.put("audience", details.requested_audience.filter(Value::is_string));
    Ok(Some(wire))
}

/// `fertft`.
pub(super) fn refused(entry: &Entry<'_>) -> Result<Option<Wire>, Rejection> {
    let details: Details<'_> = entry.details()?;
    let mut wire = Wire::of(entry, "custom.auth0.refresh_refused");
    wire.put("error", details.failure_reason.as_deref());
    wire.put("audience", details.requested_audience.filter(Value::is_string));
    Ok(Some(wire))
}

/// `ferrt`: a rotating refresh token was used again, so that two have it (RFC 9700, section 4.14.2).
pub(super) fn reused(entry: &Entry<'_>) -> Result<Option<Wire>, Rejection> {
    let details: Details<'_> = entry.details()?;
    let mut wire = Wire::of(entry, "custom.auth0.refresh_reused");
    // Under names that do not speak of tokens: nothing secret is in a count.
    wire.put("used_counter", details.token_counter.filter(Value::is_number));
    wire.put("latest_counter", details.latest_counter.filter(Value::is_number));
    Ok(Some(wire))
}

/// `srrt`.
pub(super) fn revoked(entry: &Entry<'_>) -> Result<Option<Wire>, Rejection> {
    let details: Details<'_> = entry.details()?;
    let mut wire = Wire::of(entry, "custom.auth0.refresh_revoked");
    wire.put("revoked_id", details.credential_id.as_deref());
    Ok(Some(wire))
}

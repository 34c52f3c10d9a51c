//! `connected_accounts_…`: a user linked an account, or took it back.

use std::borrow::Cow;

use onesec_telemetry::Rejection;
use serde::Deserialize;

use super::Wire;
use super::entry::Entry;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details<'a> {
    #[serde(borrow)]
    connected_account: Option<Account<'a>>,
    error: Option<Problem<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Account<'a> {
    id: Option<Cow<'a, str>>,
    connection: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: Option<Cow<'a, str>>,
    title: Option<Cow<'a, str>>,
    detail: Option<Cow<'a, str>>,
    status: Option<u16>,
}

/// `connected_accounts_connection_succeeded`. With which scopes only the Management API knows.
pub(super) fn linked(entry: &Entry<'_>) -> Result<Option<Wire>, Rejection> {
    account_of(entry, "connected_account_link").map(Some)
}

/// `connected_accounts_delete_succeeded`.
pub(super) fn unlinked(entry: &Entry<'_>) -> Result<Option<Wire>, Rejection> {
    account_of(entry, "connected_account_unlink").map(Some)
}

/// `connected_accounts_connection_failed`.
pub(super) fn link_failed(entry: &Entry<'_>) -> Result<Option<Wire>, Rejection> {
    failed(entry, "custom.auth0.link_failed").map(Some)
}

/// `connected_accounts_delete_failed`.
pub(super) fn unlink_failed(entry: &Entry<'_>) -> Result<Option<Wire>, Rejection> {
    failed(entry, "custom.auth0.unlink_failed").map(Some)
}

fn account_of(entry: &Entry<'_>, kind: &'static str) -> Result<Wire, Rejection> {
    let account = entry.details::<Details<'_>>()?.connected_account.unwrap_or_default();
    let mut wire = Wire::of(entry, kind);
    wire.put("account_id", account.id.as_deref());
    if entry.connection.is_none() {
        wire.put("connection", account.connection.as_deref());
    }
    Ok(wire)
}

fn failed(entry: &Entry<'_>, kind: &'static str) -> Result<Wire, Rejection> {
    let details: Details<'_> = entry.details()?;
    let mut wire = Wire::of(entry, kind);
    wire.put("account_id", details.connected_account.and_then(|account| account.id).as_deref());
    let problem = details.error.unwrap_or_default();
    wire.put("error", problem.kind.as_deref().or(problem.title.as_deref()));
    wire.put("error_description", problem.detail.as_deref());
    wire.put("status", problem.status);
    Ok(wire)
}

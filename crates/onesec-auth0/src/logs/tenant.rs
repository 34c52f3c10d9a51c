//! `sapi`: somebody changed the tenant through the Management API.

use std::borrow::Cow;

use onesec_telemetry::Rejection;
use serde::Deserialize;
use serde_json::Value;

use super::Wire;
use super::entry::Entry;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details<'a> {
    #[serde(borrow)]
    request: Option<Request<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Request<'a> {
    method: Option<Cow<'a, str>>,
    path: Option<Cow<'a, str>>,
    body: Option<Value>,
}

/// What is worth knowing of: who may ask for tokens, with what, and who watches. Changes of users are everyday business.
pub(super) const WATCHED: &[&str] = &[
    "actions",
    "agents",
    "attack-protection",
    "client-grants",
    "clients",
    "connections",
    "grants",
    "keys",
    "log-streams",
    "network-acls",
    "resource-servers",
    "token-exchange-profiles",
];

/// A change of what is watched. Of what was sent only the names of its members are kept.
pub(super) fn changed(entry: &Entry<'_>) -> Result<Option<Wire>, Rejection> {
    let request = entry.details::<Details<'_>>()?.request.unwrap_or_default();
    let (Some(method), Some(path)) = (request.method, request.path) else { return Ok(None) };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let below = path.split_once("/api/v2/").map_or(path, |(_, below)| below).trim_matches('/');
    let mut parts = below.split('/');
    let target = parts.next().unwrap_or_default();
    let action = match method.to_ascii_lowercase().as_str() {
        "post" => "create",
        "patch" | "put" => "update",
        "delete" => "delete",
        _ => return Ok(None),
    };
    if !WATCHED.contains(&target) {
        return Ok(None);
    }
    let mut wire = Wire::of(entry, "custom.auth0.tenant_change");
    wire.put("target", Some(target));
    wire.put("action", Some(action));
    wire.put("target_id", parts.next());
    wire.put("path", Some(format!("/api/v2/{below}")));
    let members = request.body.as_ref().and_then(Value::as_object);
    let names: Vec<Value> =
        members.into_iter().flatten().take(MOST_NAMES).map(|(name, _)| name.clone().into()).collect();
    wire.put("members", (!names.is_empty()).then_some(names));
    // A stream that is paused tells nothing any more.
    let status = members.and_then(|members| members.get("status")).and_then(Value::as_str);
    wire.put("status", status.filter(|_| target == "log-streams"));
    Ok(Some(wire))
}

const MOST_NAMES: usize = 32;

//! Exchanges beside Token Vault: on behalf of a user, custom, for an identity assertion.

use std::borrow::Cow;

use onesec_telemetry::Rejection;
use serde::Deserialize;
use serde_json::Value;

use super::Wire;
use super::entry::Entry;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details<'a> {
    actor: Option<Value>,
    subject_token_type: Option<Cow<'a, str>>,
    requested_token_type: Option<Cow<'a, str>>,
    failure_reason: Option<Cow<'a, str>>,
}

/// An application got a token for a user. `None` where the entry does not name both.
pub(super) fn token(entry: &Entry<'_>, grant: &'static str) -> Option<Wire> {
    let (app, user) = (entry.client_id.as_deref()?, entry.user_id.as_deref()?);
    let mut wire = Wire::of(entry, "oauth_token");
    wire.put("app_id", Some(app));
    wire.put("username", Some(user));
    wire.put("grant_type", Some(grant));
    Some(wire)
}

/// `success_on_behalf_of_token_exchange`, `secte`, `idjag_exchange_succeeded`.
pub(super) fn made(entry: &Entry<'_>) -> Result<Option<Wire>, Rejection> {
    let details: Details<'_> = entry.details()?;
    let Some(mut wire) = token(entry, "urn:ietf:params:oauth:grant-type:token-exchange") else { return Ok(None) };
    parties(&mut wire, &details);
    Ok(Some(wire))
}

/// What failed of these, and of the JWT bearer grant.
pub(super) fn refused(entry: &Entry<'_>) -> Result<Option<Wire>, Rejection> {
    let details: Details<'_> = entry.details()?;
    let mut wire = Wire::of(entry, "custom.auth0.exchange_refused");
    wire.put("error", details.failure_reason.as_deref());
    parties(&mut wire, &details);
    Ok(Some(wire))
}

fn parties(wire: &mut Wire, details: &Details<'_>) {
    wire.put("subject_token_type", details.subject_token_type.as_deref());
    wire.put("requested_token_type", details.requested_token_type.as_deref());
    let actors = actors(details.actor.as_ref());
    wire.put("actor", (!actors.is_empty()).then_some(actors));
}

/// The chain of actors, from the one who acts now inwards (RFC 8693, section 4.1).
fn actors(actor: Option<&Value>) -> Vec<Value> {
    fn next<'a>(actor: &&'a Value) -> Option<&'a Value> {
        actor.get("act")
    }
    std::iter::successors(actor, next).filter_map(|actor| actor.get("sub")).take(MOST_ACTORS).cloned().collect()
}

/// Auth0 nests five; more is not worth keeping.
const MOST_ACTORS: usize = 5;

//! The privileged worker exchange: a client with a key asks for a user who is not there.

use onesec_telemetry::{ScopeSet, Secret, Timestamp};
use serde_json::{Map, Value, json};

use crate::answer::{Refusal, USER_NOT_FOUND};
use crate::exchange::pick_account;
use crate::grants::{Grant, Refused};
use crate::jws;
use crate::logs::Exchanged;
use crate::state::State;

pub(crate) const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
pub(crate) const VAULT_TOKEN: &str = "http://auth0.com/oauth/token-type/token-vault-access-token";
const TYPE: &str = "token-vault-req+jwt";
/// Older requests are refused, whatever their `exp`.
const MAX_AGE_SECS: i64 = 60;
const MAX_CONTEXT_CHARS: usize = 256;

const BAD_REQUEST: Refusal = (401, "invalid_request", "The subject token is invalid.");
const NOT_GRANTED: Refusal = (403, "access_denied", "The client has no privileged access to this.");

/// Trades a signed request for the provider's token, within the client's grants.
pub(crate) fn exchange(
    state: &mut State,
    grant: &Grant<'_>,
    (token, connection): (&Secret, &str),
) -> Result<Value, Refused> {
    let granted = grant.client.worker.iter().find(|(name, _)| name == connection);
    let user = user_of(state, grant, token)?;
    let (_, granted) = granted.ok_or(NOT_GRANTED)?;
    let at = pick_account(state, (&user, connection), None)?;
    let account = state.accounts.get(at).map(|account| account.scopes.clone()).unwrap_or_default();
    let allowed = account.difference(&account.difference(granted));
    let scopes = match grant.form.get("scope") {
        None => allowed.clone(),
        Some(text) => ScopeSet::parse(text).map_err(|_| NOT_GRANTED)?,
    };
    if scopes.is_empty() || !scopes.difference(&allowed).is_empty() {
        return Err(NOT_GRANTED.into());
    }
    // A narrower token is another token: the cached one has every scope.
    let (token, lives) = if scopes == account {
        state.provider_token(at, grant.now)?
    } else {
        state.new_provider_token(connection, grant.now)?
    };
    let made = Exchanged {
        client: &grant.client.id,
        user: &user,
        connection,
        token: token.thumbprint(),
        scopes: &scopes,
        types: (JWT, VAULT_TOKEN),
        expires_at: grant.now + lives,
    };
    state.log_exchange(grant.now, &made);
    Ok(json!({"access_token": token.expose_to_wire(), "scope": scopes.to_string(), "expires_in": lives.as_secs(),
        "issued_token_type": VAULT_TOKEN, "token_type": "Bearer"}))
}

/// The user whom a genuine, fresh and new request names.
fn user_of(state: &mut State, grant: &Grant<'_>, token: &Secret) -> Result<String, Refusal> {
    let claims = jws::claims(token, &grant.client.keys, TYPE).ok_or(BAD_REQUEST)?;
    let text = |name| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let addressed = text("iss") == grant.client.id && text("aud") == state.issuer();
    let explained = (1..=MAX_CONTEXT_CHARS).contains(&text("audit_context").chars().count());
    let until = good_until(&claims, grant.now).filter(|_| addressed && explained && !text("jti").is_empty());
    let until = until.ok_or(BAD_REQUEST)?;
    let new = state.worker_requests.admit((&grant.client.id, text("jti")), until, grant.now);
    new.map_err(|_| BAD_REQUEST)?;
    state.users.get(text("sub")).cloned().ok_or(USER_NOT_FOUND)
}

fn good_until(claims: &Map<String, Value>, now: Timestamp) -> Option<Timestamp> {
    let time = |name| claims.get(name).and_then(Value::as_i64);
    let (issued, now) = (time("iat")?, now.as_secs());
    let in_time = (now - MAX_AGE_SECS..=now).contains(&issued) && time("exp").is_none_or(|exp| exp > now);
    in_time.then(|| Timestamp::from_secs(issued + MAX_AGE_SECS + 1))
}

//! The Token Vault exchanges of refresh and access tokens; those of workers stand in `worker`.

use onesec_identity::{AccessTokenPolicy, TokenRefused, verify_access_token};
use onesec_telemetry::{Scope, Secret, Thumbprint};
use serde_json::{Value, json};

use crate::answer::{INVALID_GRANT, REFRESH_FLOW_FAILED, Refusal, TOKEN_NOT_FOUND, USER_NOT_FOUND};
use crate::fault::Fault;
use crate::grants::{Grant, Refused};
use crate::logs::Exchanged;
use crate::state::State;
use crate::worker;

const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";
pub(crate) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const PROVIDER_TOKEN: &str = "http://auth0.com/oauth/token-type/federated-connection-access-token";

/// Trades an Auth0 token for the provider's. `scope` is ignored: the answer always has all of the account.
pub(crate) fn exchange(state: &mut State, grant: &Grant<'_>) -> Result<Value, Refused> {
    let required = |name| grant.form.get(name).ok_or((400, "invalid_request", "Missing required parameter."));
    let subject_token = Secret::new(required("subject_token")?.to_owned());
    let connection = required("connection")?;
    let (requested, subject_type) = (required("requested_token_type")?, required("subject_token_type")?);
    if (requested, subject_type) == (worker::VAULT_TOKEN, worker::JWT) {
        return worker::exchange(state, grant, (&subject_token, connection));
    }
    if requested != PROVIDER_TOKEN {
        return Err((400, "invalid_request", "Unsupported requested_token_type.").into());
    }
    let user = match subject_type {
        REFRESH_TOKEN => by_refresh_token(state, grant, &subject_token)?,
        ACCESS_TOKEN => by_access_token(state, grant, &subject_token)?,
        _ => return Err((400, "invalid_request", "Unsupported subject_token_type.").into()),
    };
    let at = pick_account(state, (&user, connection), grant.form.get("login_hint"))?;
    let (token, lives) = state.provider_token(at, grant.now)?;
    let mut scopes = state.accounts.get(at).map(|account| account.scopes.clone()).unwrap_or_default();
    if *grant.fault == Fault::ScopeWiderThanAccount
        && let Ok(extra) = Scope::new("simulated.extra")
    {
        scopes.insert(extra);
    }
    let made = Exchanged {
        client: &grant.client.id,
        user: &user,
        connection,
        token: token.thumbprint(),
        scopes: &scopes,
        types: (subject_type, PROVIDER_TOKEN),
        expires_at: grant.now + lives,
    };
    state.log_exchange(grant.now, &made);
    Ok(json!({"access_token": token.expose_to_wire(), "scope": scopes.to_string(), "expires_in": lives.as_secs(),
        "issued_token_type": PROVIDER_TOKEN, "token_type": "Bearer"}))
}

/// The same, with an entry in the log where it was refused.
pub(crate) fn logged(state: &mut State, grant: &Grant<'_>) -> Result<Value, Refused> {
    let answer = exchange(state, grant);
    if let Err(refused) = &answer {
        let print = grant.form.get("subject_token").map(|token| Thumbprint::of(token.as_bytes()));
        let user = print.and_then(|print| state.refresh_tokens.get(&print)).map(|token| token.user.clone());
        let details = json!({
            "subject_token_type": grant.form.get("subject_token_type"), "failure_reason": refused.reason(),
            "is_privileged_worker": grant.form.get("subject_token_type") == Some(worker::JWT),
        });
        let entry = json!({"client_id": grant.client.id, "user_id": user, "connection": grant.form.get("connection"),
            "details": details});
        state.log("feta", grant.now, entry);
    }
    answer
}

fn by_refresh_token(state: &State, grant: &Grant<'_>, token: &Secret) -> Result<String, Refusal> {
    let print: Thumbprint = token.thumbprint();
    let stored = state.refresh_tokens.get(&print).filter(|stored| stored.client == grant.client.id);
    stored.map(|stored| stored.user.clone()).ok_or(INVALID_GRANT)
}

/// Only a Custom API Client may exchange access tokens, and only those of the API it is linked to.
fn by_access_token(state: &State, grant: &Grant<'_>, token: &Secret) -> Result<String, Refusal> {
    let Some(api) = &grant.client.api else {
        return Err((403, "unauthorized_client", "The client is not linked to an API."));
    };
    let policy = AccessTokenPolicy::new(&state.issuer(), [api.as_str()]);
    match verify_access_token(token, &state.key_set(), &policy, grant.now) {
        Ok(proof) => Ok(proof.user().as_str().to_owned()),
        Err(TokenRefused::Expired) => Err((401, "expired_token", "The subject token has expired.")),
        Err(_) => Err((401, "invalid_request", "The subject token is invalid.")),
    }
}

pub(crate) fn pick_account(state: &State, of: (&str, &str), hint: Option<&str>) -> Result<usize, Refusal> {
    let mut theirs = state.accounts.iter().enumerate();
    let mut theirs = theirs.by_ref().filter(|(_, a)| (a.user.as_str(), a.connection.as_str()) == of).peekable();
    if theirs.peek().is_none() {
        return Err(TOKEN_NOT_FOUND);
    }
    let picked = theirs.find(|(_, account)| hint.is_none_or(|hint| account.login_hint.as_deref() == Some(hint)));
    match picked {
        None => Err(USER_NOT_FOUND),
        Some((_, account)) if account.revoked_at_provider => Err(REFRESH_FLOW_FAILED),
        Some((at, _)) => Ok(at),
    }
}

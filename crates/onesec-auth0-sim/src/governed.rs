//! Standard grants that a governed agent uses: RFC 8693 exchanges, and RFC 7523 assertions.

use onesec_identity::{AccessTokenPolicy, IdTokenPolicy, VerifiedSubject, verify_access_token, verify_id_token};
use onesec_telemetry::Secret;
use serde_json::{Value, json};

use crate::answer::{INVALID_GRANT, Refusal};
use crate::exchange::ACCESS_TOKEN;
use crate::grants::{Grant, Refused};
use crate::jws;
use crate::specs::AccessTokenSpec;
use crate::state::State;

const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const ID_JAG_TYPE: &str = "oauth-id-jag+jwt";
const ID_JAG_LIFE_SECS: i64 = 300;
/// So many actors a subject token may name already.
const MAX_ACTORS_BEFORE: usize = 4;

const BAD_SUBJECT: Refusal = (400, "invalid_request", "The subject token is invalid.");
const UNSUPPORTED: Refusal = (400, "invalid_request", "Unsupported token type.");
const TOO_DEEP: Refusal =
    (400, "invalid_request", "Delegation chain (`act` claim) depth exceeds the maximum allowed limit of 4");

/// `urn:ietf:params:oauth:grant-type:token-exchange`.
pub(crate) fn exchange(state: &mut State, grant: &Grant<'_>) -> Result<Value, Refused> {
    let required = |name| grant.form.get(name).ok_or((400, "invalid_request", "Missing required parameter."));
    let token = Secret::new(required("subject_token")?.to_owned());
    let (subject_type, audience) = (required("subject_token_type")?, required("audience")?);
    match (required("requested_token_type")?, subject_type) {
        (ACCESS_TOKEN, ACCESS_TOKEN) => on_behalf_of(state, grant, (&token, audience)),
        (ID_JAG, ACCESS_TOKEN) => {
            let user = by_access_token(state, grant, &token)?.user().as_str().to_owned();
            id_jag(state, grant, (&user, audience))
        }
        (ID_JAG, ID_TOKEN) => {
            let policy = IdTokenPolicy { issuer: state.issuer(), client_id: grant.client.id.clone() };
            let proof = verify_id_token(&token, &state.key_set(), &policy, grant.now).map_err(|_| BAD_SUBJECT)?;
            id_jag(state, grant, (proof.user().as_str(), audience))
        }
        _ => Err(UNSUPPORTED.into()),
    }
}

/// A user's token for the client's own API.
fn by_access_token(state: &State, grant: &Grant<'_>, token: &Secret) -> Result<VerifiedSubject, Refusal> {
    let api = grant.client.api.as_deref();
    let api = api.ok_or((403, "unauthorized_client", "The client is not linked to an API."))?;
    let policy = AccessTokenPolicy::new(&state.issuer(), [api]);
    verify_access_token(token, &state.key_set(), &policy, grant.now).map_err(|_| BAD_SUBJECT)
}

/// A new access token for another API, with the client as the current actor (RFC 8693, section 4.1).
fn on_behalf_of(state: &mut State, grant: &Grant<'_>, (token, audience): (&Secret, &str)) -> Result<Value, Refused> {
    let proof = by_access_token(state, grant, token)?;
    if proof.actors().len() > MAX_ACTORS_BEFORE {
        return Err(TOO_DEEP.into());
    }
    let nest = |inner: Option<Value>, sub: &str| match inner {
        Some(inner) => Some(json!({"sub": sub, "act": inner})),
        None => Some(json!({"sub": sub})),
    };
    let before = proof.actors().iter().rev().fold(None, |inner, actor| nest(inner, actor.sub.as_str()));
    let act = nest(before, &grant.client.id).unwrap_or_default();
    let scope = grant.form.get("scope").unwrap_or_default();
    let spec = AccessTokenSpec::new(proof.user().as_str(), audience, &grant.client.id).with_scopes(scope);
    let issued = state.mint(&spec.with_claim("act", act), grant.now)?;
    Ok(json!({"access_token": issued.expose_to_wire(), "scope": scope, "expires_in": 86_400,
        "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer"}))
}

/// An identity assertion for the authorisation server named by `audience`; no access token, hence `N_A`.
fn id_jag(state: &mut State, grant: &Grant<'_>, (user, audience): (&str, &str)) -> Result<Value, Refused> {
    let (now, scope) = (grant.now.as_secs(), grant.form.get("scope").unwrap_or_default());
    let claims = json!({"iss": state.issuer(), "sub": user, "aud": audience, "client_id": grant.client.id,
        "jti": format!("jag-{}", state.next_number()), "scope": scope, "resource": grant.form.get("resource"),
        "iat": now, "exp": now + ID_JAG_LIFE_SECS});
    let issued = state.sign(&claims, ID_JAG_TYPE)?;
    Ok(json!({"access_token": issued.expose_to_wire(), "issued_token_type": ID_JAG, "token_type": "N_A",
        "scope": scope, "expires_in": ID_JAG_LIFE_SECS}))
}

/// `urn:ietf:params:oauth:grant-type:jwt-bearer` with an identity assertion for this tenant and this client.
pub(crate) fn jwt_bearer(state: &mut State, grant: &Grant<'_>) -> Result<Value, Refused> {
    let assertion = grant.form.get("assertion").ok_or((400, "invalid_request", "Missing assertion."))?;
    let assertion = Secret::new(assertion.to_owned());
    let jwks: Vec<Value> = state.keys.iter().map(|(kid, key)| key.public_jwk(kid)).collect();
    let claims = jws::claims(&assertion, &jwks, ID_JAG_TYPE).ok_or(INVALID_GRANT)?;
    let text = |name| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let issuer = state.issuer();
    let ours = text("iss") == issuer && text("aud") == issuer && text("client_id") == grant.client.id;
    let expired = claims.get("exp").and_then(Value::as_i64).is_none_or(|exp| exp <= grant.now.as_secs());
    if !ours || expired {
        return Err(INVALID_GRANT.into());
    }
    let default_audience = format!("{issuer}userinfo");
    let audience = claims.get("resource").and_then(Value::as_str).unwrap_or(&default_audience);
    let spec = AccessTokenSpec::new(text("sub"), audience, &grant.client.id).with_scopes(text("scope"));
    let issued = state.mint(&spec, grant.now)?;
    Ok(json!({"access_token": issued.expose_to_wire(), "scope": text("scope"), "expires_in": 86_400,
        "token_type": "Bearer"}))
}

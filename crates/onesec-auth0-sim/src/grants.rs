//! `POST /oauth/token`: client authentication, then one grant.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use onesec_telemetry::Timestamp;
use serde_json::{Value, json};

use crate::answer::{self, INVALID_GRANT, Refusal, TOKEN_NOT_FOUND};
use crate::clients::authenticate;
use crate::config::SimError;
use crate::fault::{Endpoint, Fault};
use crate::form::Form;
use crate::http::Shared;
use crate::specs::{AccessTokenSpec, ClientSpec, GrantType};
use crate::state::{RequestKind, State};
use crate::{exchange, fault, governed};

/// How many of the Management API's tokens tests can ask for, newest first.
const MAX_TEXTS: usize = 256;
const BROKEN: Refusal = (500, "server_error", "The simulator failed.");

impl From<SimError> for Refused {
    fn from(_: SimError) -> Self {
        Self(BROKEN)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl Refused {
    /// What the log calls it.
    pub(crate) fn reason(&self) -> &'static str {
        match self.0 {
            refusal if refusal == TOKEN_NOT_FOUND => "tokenset_not_found",
            _ => "unknown",
        }
    }
}

/// A refusal on its way out, so that `?` works for both kinds of failure.
pub(crate) struct Refused(Refusal);

/// A grant with everything that its handler needs.
pub(crate) struct Grant<'a> {
    pub(crate) form: &'a Form,
    pub(crate) client: &'a ClientSpec,
    pub(crate) fault: &'a Fault,
    pub(crate) now: Timestamp,
}

pub(crate) async fn token(shared: Arc<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let form = match Form::read(&headers, &body) {
        Ok(form) => form,
        Err(refusal) => return answer::refuse(refusal),
    };
    let grant = form.get("grant_type").and_then(GrantType::from_urn);
    let fault = note_request(&shared, grant);
    if let Some(answer) = fault.instead().await {
        return answer;
    }
    let (answer, gate) = {
        let mut state = shared.state.lock();
        let answer = serve(&mut state, &form, &fault, (shared.clock)());
        let gate = if grant == Some(GrantType::TokenVault) { state.gate.clone() } else { None };
        (answer, gate)
    };
    if let Some(gate) = gate {
        gate.pass().await;
    }
    let mut answer = answer.unwrap_or_else(|Refused(refusal)| answer::refuse(refusal));
    if fault == fault::Fault::WrongContentType {
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    }
    answer
}

fn note_request(shared: &Shared, grant: Option<GrantType>) -> Fault {
    let (kind, endpoint) = match grant {
        Some(GrantType::TokenVault) => (RequestKind::TokenExchange, Endpoint::TokenExchange),
        Some(GrantType::RefreshToken) => (RequestKind::RefreshGrant, Endpoint::RefreshGrant),
        Some(GrantType::ClientCredentials) => (RequestKind::ClientCredentials, Endpoint::ClientCredentials),
        Some(GrantType::TokenExchange | GrantType::JwtBearer) => (RequestKind::Governed, Endpoint::Governed),
        None => {
            shared.state.lock().count(RequestKind::OtherGrant);
            return Fault::None;
        }
    };
    let mut state = shared.state.lock();
    state.count(kind);
    state.faults.next(endpoint)
}

fn serve(state: &mut State, form: &Form, fault: &Fault, now: Timestamp) -> Result<Response, Refused> {
    let named = form.get("grant_type").ok_or((400, "invalid_request", "Missing required parameter: grant_type"))?;
    let client = authenticate(state, form, now)?;
    let grant = GrantType::from_urn(named).ok_or((403, "unsupported_grant_type", "Unsupported grant type."))?;
    let withheld = state.setup.faults.iter().any(|fault| fault.withholds(&client.id, grant));
    if withheld || !client.grants.contains(&grant) {
        let description = format!("Grant type '{named}' not allowed for the client.");
        return Ok(answer::error(403, "unauthorized_client", &description));
    }
    let request = Grant { form, client: &client, fault, now };
    let body = match grant {
        GrantType::RefreshToken => refresh(state, &request)?,
        GrantType::ClientCredentials => client_credentials(state, &request)?,
        GrantType::TokenVault => exchange::logged(state, &request)?,
        GrantType::TokenExchange => governed::exchange(state, &request)?,
        GrantType::JwtBearer => governed::jwt_bearer(state, &request)?,
    };
    Ok(answer::json(StatusCode::OK, &body))
}

/// `refresh_token`, with an ID token if `openid` is asked for. `audience` gives tokens for that API.
fn refresh(state: &mut State, grant: &Grant<'_>) -> Result<Value, Refused> {
    let presented = grant.form.get("refresh_token").ok_or((400, "invalid_request", "Missing refresh_token."))?;
    let print = onesec_telemetry::Thumbprint::of(presented.as_bytes());
    let Some(stored) = state.refresh_tokens.get(&print).filter(|stored| stored.client == grant.client.id) else {
        return Err(INVALID_GRANT.into());
    };
    let (user, session) = (stored.user.clone(), stored.session.clone());
    let issuer = state.issuer();
    let default_audience = format!("{issuer}userinfo");
    let audience = grant.form.get("audience").unwrap_or(&default_audience);
    let scope = grant.form.get("scope").unwrap_or("openid profile offline_access");
    let spec = AccessTokenSpec::new(&user, audience, &grant.client.id).with_scopes(scope);
    let access_token = state.mint(&spec, grant.now)?;
    let details = json!({"requested_scope": scope, "requested_audience": audience});
    state.log("sertft", grant.now, json!({"client_id": grant.client.id, "user_id": user, "details": details}));
    let mut body = json!({"access_token": access_token.expose_to_wire(), "scope": scope,
        "expires_in": 86_400, "token_type": "Bearer"});
    let wanted = scope.split(' ').any(|scope| scope == "openid");
    if wanted && *grant.fault != Fault::NoIdToken {
        let issuer = if *grant.fault == Fault::WrongIdTokenIssuer { "https://elsewhere.test/" } else { &issuer };
        let now = grant.now.as_secs();
        let claims = json!({"iss": issuer, "sub": user, "aud": grant.client.id, "sid": session,
            "iat": now, "exp": now + 36_000});
        if let Value::Object(members) = &mut body {
            members.insert("id_token".into(), state.sign(&claims, "JWT")?.expose_to_wire().into());
        }
    }
    Ok(body)
}

fn client_credentials(state: &mut State, grant: &Grant<'_>) -> Result<Value, Refused> {
    let audience = grant.form.get("audience").ok_or((403, "access_denied", "No audience parameter was provided."))?;
    let scope = grant.form.get("scope").unwrap_or_default();
    let subject = format!("{}@clients", grant.client.id);
    let spec = AccessTokenSpec::new(&subject, audience, &grant.client.id)
        .with_scopes(scope)
        .with_claim("gty", "client-credentials".into());
    let token = state.mint(&spec, grant.now)?;
    if audience == format!("{}api/v2/", state.issuer()) {
        let allowed = grant.client.management.clone();
        state.management_texts.truncate(MAX_TEXTS - 1);
        state.management_texts.insert(0, token.clone());
        state.management_tokens.insert(token.thumbprint(), (grant.now + spec.lifetime, allowed));
    }
    Ok(json!({"access_token": token.expose_to_wire(), "scope": scope, "expires_in": 86_400, "token_type": "Bearer"}))
}

//! Connecting an account by the My Account API: a ticket for the browser, a code that comes back, PKCE (RFC 7636).

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use onesec_telemetry::{ScopeSet, Thumbprint, Timestamp};
use serde_json::{Value, json};

use crate::accounts::{describe, next_fault, user_of};
use crate::answer;
use crate::http::Shared;
use crate::state::{Account, random_text};

/// One that was begun.
pub(crate) struct Connecting {
    user: String,
    connection: String,
    redirect_uri: String,
    state: Option<String>,
    scopes: ScopeSet,
    challenge: Option<String>,
    ticket: String,
    /// What the browser brought back.
    code: Option<String>,
    until: Timestamp,
}

const SCOPE: &str = "create:me:connected_accounts";
const KNOWN: [&str; 7] = [
    "connection",
    "redirect_uri",
    "state",
    "scopes",
    "code_challenge",
    "code_challenge_method",
    "authorization_params",
];
const LIFE_S: u64 = 300;

/// `POST /me/v1/connected-accounts/connect`.
pub(crate) async fn connect(
    Extract(shared): Extract<Arc<Shared>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Some(answer) = next_fault(&shared).instead().await {
        return answer;
    }
    let user = match user_of(&shared, &headers, SCOPE) {
        Ok(user) => user,
        Err(refused) => return *refused,
    };
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let unknown = body.as_object().into_iter().flatten().find(|(name, _)| !KNOWN.contains(&name.as_str()));
    let (Some(connection), Some(redirect_uri), None) = (text("connection"), text("redirect_uri"), unknown) else {
        return invalid("connection");
    };
    let (challenge, method) = (text("code_challenge"), text("code_challenge_method"));
    if challenge.is_some() && (method.as_deref() != Some("S256") || challenge.as_ref().is_some_and(|c| c.len() < 43)) {
        return invalid("code_challenge");
    }
    let scopes = body.get("scopes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let Ok(scopes) = ScopeSet::parse(&scopes.collect::<Vec<_>>().join(" ")) else { return invalid("scopes") };
    let (Ok(session), Ok(ticket)) = (random_text(), random_text()) else { return invalid("auth_session") };
    let until = (shared.clock)() + std::time::Duration::from_secs(LIFE_S);
    let begun = Connecting {
        user,
        connection,
        redirect_uri,
        state: text("state"),
        scopes,
        challenge,
        ticket,
        code: None,
        until,
    };
    let body = json!({"connect_uri": format!("{}/connect", base(&headers)), "auth_session": session,
        "connect_params": {"ticket": begun.ticket}, "expires_in": LIFE_S});
    shared.state.lock().connecting.insert(session, begun);
    answer::json(StatusCode::CREATED, &body)
}

/// `GET /connect?ticket=`: the user's browser, and a user who agrees.
pub(crate) async fn browser(
    Extract(shared): Extract<Arc<Shared>>,
    Query(q): Query<HashMap<String, String>>,
) -> Response {
    let Ok(code) = random_text() else { return invalid("ticket") };
    let mut state = shared.state.lock();
    let ticket = q.get("ticket").cloned().unwrap_or_default();
    let begun = state.connecting.values_mut().find(|begun| begun.ticket == ticket && begun.code.is_none());
    let Some(begun) = begun else { return answer::problem(StatusCode::BAD_REQUEST, "Unknown ticket") };
    begun.code = Some(code.clone());
    let mut back = format!("{}?connect_code={code}", begun.redirect_uri);
    if let Some(state) = &begun.state {
        back.push_str(&format!(
            "&state={}",
            url::form_urlencoded::byte_serialize(state.as_bytes()).collect::<String>()
        ));
    }
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::FOUND;
    if let Ok(value) = HeaderValue::from_str(&back) {
        answer.headers_mut().insert(header::LOCATION, value);
    }
    answer
}

/// `POST /me/v1/connected-accounts/complete`: once, by the same user, from the same place, with the verifier.
pub(crate) async fn complete(
    Extract(shared): Extract<Arc<Shared>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Some(answer) = next_fault(&shared).instead().await {
        return answer;
    }
    let user = match user_of(&shared, &headers, SCOPE) {
        Ok(user) => user,
        Err(refused) => return *refused,
    };
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let now = (shared.clock)();
    let mut state = shared.state.lock();
    let Some(begun) = state.connecting.remove(&text("auth_session")) else { return invalid("auth_session") };
    let verifies = begun
        .challenge
        .as_ref()
        .is_none_or(|challenge| *challenge == Thumbprint::of(text("code_verifier").as_bytes()).to_base64url());
    let own = begun.user == user && begun.until > now && begun.redirect_uri == text("redirect_uri");
    if !own || !verifies || begun.code.as_deref() != Some(text("connect_code").as_str()) {
        return invalid("connect_code");
    }
    let there = |account: &Account| account.user == user && account.connection == begun.connection;
    if state.accounts.iter().any(there) {
        return answer::problem(StatusCode::CONFLICT, "The account is connected already");
    }
    let id = format!("cac_sim{}", state.next_number());
    let account = Account {
        id,
        user,
        connection: begun.connection,
        scopes: begun.scopes,
        login_hint: None,
        created_at: now,
        revoked_at_provider: false,
        cached: None,
    };
    let body = describe(&account);
    state.accounts.push(account);
    answer::json(StatusCode::CREATED, &body)
}

fn invalid(field: &str) -> Response {
    let body = json!({"type": "https://auth0.test/errors/validation", "status": 400, "title": "Invalid request",
        "detail": "The request is invalid.", "validation_errors": [{"detail": format!("{field} is invalid"), "field": field}]});
    answer::raw(400, "application/problem+json", axum::body::Body::from(body.to_string()))
}

fn base(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("http://{host}")
}

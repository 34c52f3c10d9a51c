//! Connected accounts over HTTP: My Account API for the user, Management API for the administrator.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use onesec_identity::{AccessTokenPolicy, verify_access_token};
use onesec_telemetry::{Scope, Secret};
use serde_json::{Value, json};

use crate::answer;
use crate::fault::{Endpoint, Fault};
use crate::http::Shared;
use crate::state::{Account, RequestKind, State};

type Params = Query<HashMap<String, String>>;

/// `GET /me/v1/connected-accounts/accounts`.
pub(crate) async fn list_mine(Extract(shared): Extract<Arc<Shared>>, headers: HeaderMap, Query(q): Params) -> Response {
    let fault = next_fault(&shared);
    if let Some(answer) = fault.instead().await {
        return answer;
    }
    let user = match user_of(&shared, &headers, "read:me:connected_accounts") {
        Ok(user) => user,
        Err(refused) => return *refused,
    };
    let state = shared.state.lock();
    let wanted = |a: &&Account| a.user == user && q.get("connection").is_none_or(|c| *c == a.connection);
    page("accounts", state.accounts.iter().filter(wanted), &q)
}

/// `DELETE /me/v1/connected-accounts/accounts/{id}`: forgets the tokens, but does not revoke them at the provider.
pub(crate) async fn delete_mine(
    Extract(shared): Extract<Arc<Shared>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let fault = next_fault(&shared);
    if let Some(answer) = fault.instead().await {
        return answer;
    }
    let user = match user_of(&shared, &headers, "delete:me:connected_accounts") {
        Ok(user) => user,
        Err(refused) => return *refused,
    };
    let mut state = shared.state.lock();
    if !state.accounts.iter().any(|account| account.user == user && account.id == id) {
        return answer::problem(StatusCode::NOT_FOUND, "Not Found");
    }
    if fault != Fault::Lie {
        state.accounts.retain(|account| account.user != user || account.id != id);
    }
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

/// `GET /api/v2/users/{id}/connected-accounts`.
pub(crate) async fn list_as_admin(
    Extract(shared): Extract<Arc<Shared>>,
    headers: HeaderMap,
    (Path(user), Query(q)): (Path<String>, Params),
) -> Response {
    if let Err(refused) = crate::management::admit(&shared, &headers, "read:users").await {
        return *refused;
    }
    let state = shared.state.lock();
    if !state.users.contains(&user) {
        return answer::problem(StatusCode::NOT_FOUND, "Not Found");
    }
    page("connected_accounts", state.accounts.iter().filter(|a| a.user == user), &q)
}

fn page<'a>(name: &str, accounts: impl Iterator<Item = &'a Account>, query: &HashMap<String, String>) -> Response {
    let number = |key: &str, default| query.get(key).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (from, take): (usize, usize) = (number("from", 0), number("take", 10).clamp(1, 50));
    let mut rest = accounts.skip(from);
    let items: Vec<Value> = rest.by_ref().take(take).map(describe).collect();
    let mut body = serde_json::Map::from_iter([(name.to_owned(), Value::Array(items))]);
    if rest.next().is_some() {
        body.insert("next".into(), (from + take).to_string().into());
    }
    answer::json(StatusCode::OK, &Value::Object(body))
}

fn describe(account: &Account) -> Value {
    let scopes: Vec<&str> = account.scopes.iter().map(Scope::as_str).collect();
    json!({"id": account.id, "connection": account.connection, "access_type": "offline", "scopes": scopes,
        "created_at": account.created_at.to_string()})
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(|token| Secret::new(token.to_owned()))
}

/// The user whose My Account token with `scope` the request carries.
fn user_of(shared: &Shared, headers: &HeaderMap, scope: &str) -> Result<String, Box<Response>> {
    let refuse = |status, title| Box::new(answer::problem(status, title));
    let now = (shared.clock)();
    let mut state = shared.state.lock();
    state.count(RequestKind::MyAccount);
    let proof = bearer(headers).and_then(|token| {
        let policy = AccessTokenPolicy::new(&state.issuer(), [my_account_audience(&state)]);
        verify_access_token(&token, &state.key_set(), &policy, now).ok()
    });
    let proof = proof.ok_or_else(|| refuse(StatusCode::UNAUTHORIZED, "Unauthorized"))?;
    let granted = Scope::new(scope).is_ok_and(|scope| proof.scopes().contains(&scope));
    if granted {
        Ok(proof.user().as_str().to_owned())
    } else {
        Err(refuse(StatusCode::FORBIDDEN, "Insufficient scope"))
    }
}

fn next_fault(shared: &Shared) -> Fault {
    shared.state.lock().faults.next(Endpoint::MyAccount)
}

fn my_account_audience(state: &State) -> String {
    format!("{}me/", state.issuer())
}

//! The Management API, as far as onesec uses it: refresh tokens and metadata of users.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State as Extract};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use onesec_telemetry::Timestamp;
use serde_json::{Map, Value, json};

use crate::accounts::bearer;
use crate::answer;
use crate::fault::{Endpoint, Fault};
use crate::http::Shared;
use crate::state::{RequestKind, State};

type Params = Query<HashMap<String, String>>;

/// `GET /api/v2/users/{id}/refresh-tokens`, and `DELETE` of them all.
pub(crate) async fn refresh_tokens(
    Extract(shared): Extract<Arc<Shared>>,
    (method, headers): (Method, HeaderMap),
    (Path(user), Query(q)): (Path<String>, Params),
) -> Response {
    let reads = method == Method::GET;
    let scope = if reads { "read:refresh_tokens" } else { "delete:refresh_tokens" };
    let lies = match admit(&shared, &headers, scope).await {
        Ok(lies) => lies,
        Err(refused) => return *refused,
    };
    let mut state = shared.state.lock();
    if !state.users.contains(&user) {
        return not_found();
    }
    if reads {
        return listing(&state, &user, &q);
    }
    if !lies {
        state.refresh_tokens.retain(|_, token| token.user != user);
    }
    no_content(StatusCode::ACCEPTED)
}

/// `DELETE /api/v2/refresh-tokens/{id}`.
pub(crate) async fn delete_refresh_token(
    Extract(shared): Extract<Arc<Shared>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let lies = match admit(&shared, &headers, "delete:refresh_tokens").await {
        Ok(lies) => lies,
        Err(refused) => return *refused,
    };
    let mut state = shared.state.lock();
    if !state.refresh_tokens.values().any(|token| token.id == id) {
        return not_found();
    }
    if !lies {
        state.refresh_tokens.retain(|_, token| token.id != id);
    }
    no_content(StatusCode::ACCEPTED)
}

/// `GET /api/v2/users/{id}`.
pub(crate) async fn user(
    Extract(shared): Extract<Arc<Shared>>,
    headers: HeaderMap,
    Path(user): Path<String>,
) -> Response {
    if let Err(refused) = admit(&shared, &headers, "read:users").await {
        return *refused;
    }
    shown(&shared.state.lock(), &user)
}

/// `GET /api/v2/users`: by page, oldest first, from `created_at:[… TO *]` on. A search gives 1 000 users and no more.
pub(crate) async fn users(Extract(shared): Extract<Arc<Shared>>, headers: HeaderMap, Query(q): Params) -> Response {
    if let Err(refused) = admit(&shared, &headers, "read:users").await {
        return *refused;
    }
    let number = |key: &str, default| q.get(key).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (page, take): (usize, usize) = (number("page", 0), number("per_page", 50).clamp(1, 100));
    if (page + 1) * take > MOST_FOUND {
        let why = ("Bad Request", "You can only page through the first 1000 records.");
        return refusal(StatusCode::BAD_REQUEST, why, "invalid_paging");
    }
    let since = q.get("q").and_then(|q| q.strip_prefix("created_at:[")?.strip_suffix(" TO *]")?.parse().ok());
    let state = shared.state.lock();
    let found = state.signed_up.iter().filter(|(at, _)| since.is_none_or(|since| *at >= since));
    let shown = |(at, user): &(Timestamp, String)| json!({"user_id": user, "created_at": at.to_string()});
    let users: Vec<Value> = found.skip(page * take).take(take).map(shown).collect();
    answer::json(StatusCode::OK, &Value::Array(users))
}

const MOST_FOUND: usize = 1_000;

/// `PATCH /api/v2/users/{id}`: the first level of `app_metadata` is merged, what is `null` goes.
pub(crate) async fn change_user(
    Extract(shared): Extract<Arc<Shared>>,
    headers: HeaderMap,
    (Path(user), Json(change)): (Path<String>, Json<Value>),
) -> Response {
    let lies = match admit(&shared, &headers, "update:users").await {
        Ok(lies) => lies,
        Err(refused) => return *refused,
    };
    let mut state = shared.state.lock();
    if state.users.contains(&user) && !lies {
        let metadata = state.metadata.entry(user.clone()).or_default();
        for (name, value) in change.get("app_metadata").and_then(Value::as_object).into_iter().flatten() {
            match value {
                Value::Null => drop(metadata.remove(name)),
                other => drop(metadata.insert(name.clone(), other.clone())),
            }
        }
    }
    shown(&state, &user)
}

fn shown(state: &State, user: &str) -> Response {
    if !state.users.contains(user) {
        return not_found();
    }
    let metadata = state.metadata.get(user).cloned().unwrap_or_default();
    let logins = state.setup.identities.iter().filter(|(of, _)| of == user);
    let identities: Vec<Value> =
        logins.map(|(_, name)| json!({"connection": name, "user_id": "1", "provider": name})).collect();
    let shown = json!({"user_id": user, "app_metadata": Value::Object(metadata), "identities": identities});
    answer::json(StatusCode::OK, &shown)
}

fn listing(state: &State, user: &str, query: &HashMap<String, String>) -> Response {
    let number = |key: &str, default| query.get(key).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (from, take): (usize, usize) = (number("from", 0), number("take", 50).clamp(1, 100));
    let mut own: Vec<_> = state.refresh_tokens.values().filter(|token| token.user == user).collect();
    own.sort_by(|a, b| a.id.cmp(&b.id));
    let shown = |token: &&crate::state::RefreshToken| json!({"id": token.id, "user_id": token.user, "client_id": token.client, "session_id": token.session});
    let tokens: Vec<Value> = own.iter().skip(from).take(take).map(shown).collect();
    let mut body = Map::from_iter([("tokens".to_owned(), Value::Array(tokens))]);
    if own.len() > from + take {
        body.insert("next".into(), (from + take).to_string().into());
    }
    answer::json(StatusCode::OK, &Value::Object(body))
}

/// Whether the request may pass, and whether its answer will be a lie.
pub(crate) async fn admit(shared: &Shared, headers: &HeaderMap, scope: &str) -> Result<bool, Box<Response>> {
    admit_at(shared, Endpoint::Management, (headers, scope)).await
}

/// The same, where faults of its own may be set.
pub(crate) async fn admit_at(
    shared: &Shared,
    endpoint: Endpoint,
    (headers, scope): (&HeaderMap, &str),
) -> Result<bool, Box<Response>> {
    let fault = {
        let mut state = shared.state.lock();
        state.count(RequestKind::Management);
        let own = if endpoint == Endpoint::Management { Fault::None } else { state.faults.next(endpoint) };
        if own == Fault::None { state.faults.next(Endpoint::Management) } else { own }
    };
    if let Some(answer) = fault.instead().await {
        return Err(Box::new(answer));
    }
    if fault == Fault::InsufficientScope || !allowed(shared, headers, scope)? {
        let message = format!("Insufficient scope, expected any of: {scope}");
        return Err(Box::new(refusal(StatusCode::FORBIDDEN, ("Forbidden", &message), "insufficient_scope")));
    }
    Ok(fault == Fault::Lie)
}

pub(crate) fn allowed(shared: &Shared, headers: &HeaderMap, scope: &str) -> Result<bool, Box<Response>> {
    let now = (shared.clock)();
    let state = shared.state.lock();
    let token = bearer(headers).and_then(|token| state.management_tokens.get(&token.thumbprint()));
    let Some((_, scopes)) = token.filter(|(expires_at, _)| *expires_at > now) else {
        return Err(Box::new(refusal(StatusCode::UNAUTHORIZED, ("Unauthorized", "Invalid token"), "invalid_token")));
    };
    Ok(scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|granted| granted == scope)))
}

/// The error shape of the Management API.
fn refusal(status: StatusCode, (error, message): (&str, &str), code: &str) -> Response {
    let body = json!({"statusCode": status.as_u16(), "error": error, "message": message, "errorCode": code});
    answer::json(status, &body)
}

pub(crate) fn not_found() -> Response {
    not_there("The user does not exist.", "inexistent_user")
}

pub(crate) fn not_there(message: &str, code: &str) -> Response {
    refusal(StatusCode::NOT_FOUND, ("Not Found", message), code)
}

pub(crate) fn no_content(status: StatusCode) -> Response {
    let mut answer = Response::default();
    *answer.status_mut() = status;
    answer
}

//! What ends a user's access: sessions, consents, and both with refresh tokens in one call.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State as Extract};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use crate::answer;
use crate::fault::Endpoint;
use crate::http::Shared;
use crate::management::{admit_at, no_content, not_found};
use crate::tenant::SimTenant;

/// `POST /api/v2/users/{id}/revoke-access`: needs both scopes.
pub(crate) async fn revoke_access(
    Extract(shared): Extract<Arc<Shared>>,
    headers: HeaderMap,
    Path(user): Path<String>,
) -> Response {
    let mut lies = false;
    for scope in ["delete:sessions", "delete:refresh_tokens"] {
        match admit_at(&shared, Endpoint::Sessions, (&headers, scope)).await {
            Ok(lie) => lies |= lie,
            Err(refused) => return *refused,
        }
    }
    let mut state = shared.state.lock();
    if !state.can_revoke_access || !state.users.contains(&user) {
        return not_found();
    }
    if !lies {
        state.sessions.retain(|_, whose| *whose != user);
        state.refresh_tokens.retain(|_, token| token.user != user);
    }
    no_content(StatusCode::ACCEPTED)
}

/// `GET /api/v2/users/{id}/sessions`, and `DELETE` of them all.
pub(crate) async fn sessions(
    Extract(shared): Extract<Arc<Shared>>,
    (method, headers): (Method, HeaderMap),
    Path(user): Path<String>,
) -> Response {
    let reads = method == Method::GET;
    let scope = if reads { "read:sessions" } else { "delete:sessions" };
    let lies = match admit_at(&shared, Endpoint::Sessions, (&headers, scope)).await {
        Ok(lies) => lies,
        Err(refused) => return *refused,
    };
    let mut state = shared.state.lock();
    if !state.users.contains(&user) {
        return not_found();
    }
    if reads {
        let own = state.sessions.iter().filter(|(_, whose)| **whose == user);
        let shown: Vec<Value> = own.map(|(id, user)| json!({"id": id, "user_id": user})).collect();
        return answer::json(StatusCode::OK, &json!({"sessions": shown}));
    }
    if !lies {
        state.sessions.retain(|_, whose| *whose != user);
    }
    no_content(StatusCode::ACCEPTED)
}

/// `GET /api/v2/grants?user_id=`, and `DELETE` of them all.
pub(crate) async fn grants(
    Extract(shared): Extract<Arc<Shared>>,
    (method, headers): (Method, HeaderMap),
    Query(q): Query<HashMap<String, String>>,
) -> Response {
    let reads = method == Method::GET;
    let scope = if reads { "read:grants" } else { "delete:grants" };
    let lies = match admit_at(&shared, Endpoint::Grants, (&headers, scope)).await {
        Ok(lies) => lies,
        Err(refused) => return *refused,
    };
    let user = q.get("user_id").cloned().unwrap_or_default();
    let mut state = shared.state.lock();
    if reads {
        let number = |key: &str, default| q.get(key).and_then(|text| text.parse().ok()).unwrap_or(default);
        let (page, size): (usize, usize) = (number("page", 0), number("per_page", 50));
        let own = state.grants.iter().filter(|(_, (whose, _))| *whose == user).skip(page * size).take(size);
        let shown = |(id, (user, client)): (&String, &(String, String))| json!({"id": id, "user_id": user, "clientID": client, "scope": []});
        return answer::json(StatusCode::OK, &Value::Array(own.map(shown).collect()));
    }
    if !lies {
        state.grants.retain(|_, (whose, _)| *whose != user);
    }
    no_content(StatusCode::NO_CONTENT)
}

impl SimTenant {
    /// `user` logs in.
    pub fn log_in(&self, user: &str) {
        let mut state = self.shared.state.lock();
        let id = format!("sess_{:08}", state.next_number());
        state.sessions.insert(id, user.to_owned());
    }

    /// `user` consents to `client`.
    pub fn consent(&self, user: &str, client: &str) {
        let mut state = self.shared.state.lock();
        let id = format!("cgr_{:08}", state.next_number());
        state.grants.insert(id, (user.to_owned(), client.to_owned()));
    }

    /// How many sessions and consents `user` has.
    #[must_use]
    pub fn sessions_and_grants_of(&self, user: &str) -> (usize, usize) {
        let state = self.shared.state.lock();
        let sessions = state.sessions.values().filter(|whose| *whose == user).count();
        (sessions, state.grants.values().filter(|(whose, _)| whose == user).count())
    }

    /// Whether the tenant is one that can end all access in one call; it is, unless told otherwise.
    pub fn can_revoke_access(&self, can: bool) {
        self.shared.state.lock().can_revoke_access = can;
    }
}

//! The tenant's log: what happens in it, as entries that a stream would deliver and `GET /api/v2/logs` lists.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use axum::extract::{Query, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use onesec_telemetry::{ScopeSet, Thumbprint, Timestamp};
use serde_json::{Map, Value, json};

use crate::answer;
use crate::http::Shared;
use crate::management::admit;
use crate::state::State;

/// How entries write the thumbprint of a token: Auth0 does not document it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Thumbprints {
    /// 64 hex digits.
    #[default]
    Hex,
    /// 43 characters of base64url.
    Base64Url,
    /// Some other way.
    Opaque,
}

/// Entries, oldest first.
#[derive(Default)]
pub(crate) struct Log {
    entries: VecDeque<Value>,
    written: u64,
    pub(crate) thumbprints: Thumbprints,
}

/// An exchange at Token Vault that was made.
pub(crate) struct Exchanged<'a> {
    pub(crate) client: &'a str,
    pub(crate) user: &'a str,
    pub(crate) connection: &'a str,
    pub(crate) token: Thumbprint,
    pub(crate) scopes: &'a ScopeSet,
    pub(crate) types: (&'a str, &'a str),
    pub(crate) expires_at: Timestamp,
}

impl Log {
    /// Entries from number `after` on, counted from the first that was ever written.
    pub(crate) fn after(&self, after: usize) -> Vec<Value> {
        let gone = usize::try_from(self.written).unwrap_or(usize::MAX) - self.entries.len();
        self.entries.iter().skip(after.saturating_sub(gone)).cloned().collect()
    }

    /// How many were ever written.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.written).unwrap_or(usize::MAX)
    }

    fn print(&self, token: &Thumbprint) -> String {
        match self.thumbprints {
            Thumbprints::Hex => token.to_string(),
            Thumbprints::Base64Url => token.to_base64url(),
            Thumbprints::Opaque => format!("v9:{}", token.to_string().chars().rev().collect::<String>()),
        }
    }
}

impl State {
    /// Writes an entry.
    pub(crate) fn log(&mut self, code: &str, now: Timestamp, members: Value) {
        let mut entry = Map::new();
        // As long as Auth0's, and ascending.
        let id = format!("900{:020}{:035}", now.as_micros().max(0), self.log.written);
        entry.insert("log_id".into(), id.clone().into());
        entry.insert("_id".into(), id.into());
        entry.insert("date".into(), now.to_string().into());
        entry.insert("type".into(), code.into());
        entry.insert("tenant_name".into(), "simulated".into());
        entry.insert("ip".into(), "192.0.2.10".into());
        if let Value::Object(members) = members {
            entry.extend(members.into_iter().filter(|(_, value)| !value.is_null()));
        }
        if self.log.entries.len() == MOST_ENTRIES {
            self.log.entries.pop_front();
        }
        self.log.entries.push_back(Value::Object(entry));
        self.log.written += 1;
    }

    pub(crate) fn log_exchange(&mut self, now: Timestamp, made: &Exchanged<'_>) {
        let (subject, issued) = made.types;
        let details = json!({
            "subject_token_type": subject, "issued_token_type": issued, "scope": made.scopes.to_string(),
            "expires_at": made.expires_at.to_string(), "is_privileged_worker": subject == crate::worker::JWT,
            "token_thumbprint": self.log.print(&made.token),
        });
        let who = json!({"client_id": made.client, "user_id": made.user, "connection": made.connection});
        self.log("seta", now, with(who, details));
    }

    /// `what` was done with an account.
    pub(crate) fn log_account(&mut self, what: &str, now: Timestamp, [user, connection, id]: [&str; 3]) {
        let details = json!({"connected_account": {"id": id}});
        self.log(what, now, with(json!({"user_id": user, "connection": connection}), details));
    }
}

fn with(mut entry: Value, details: Value) -> Value {
    if let Value::Object(entry) = &mut entry {
        entry.insert("details".into(), details);
    }
    entry
}

/// `GET /api/v2/logs`, by checkpoint (`from`, `take`) or by page, oldest first.
pub(crate) async fn list(
    Extract(shared): Extract<Arc<Shared>>,
    headers: HeaderMap,
    Query(q): Query<HashMap<String, String>>,
) -> Response {
    if let Err(refused) = admit(&shared, &headers, "read:logs").await {
        return *refused;
    }
    let number = |key: &str, default| q.get(key).and_then(|text| text.parse().ok()).unwrap_or(default);
    let state = shared.state.lock();
    let entries = &state.log.entries;
    let after = |from: &String| entries.iter().position(|entry| entry.get("log_id").is_some_and(|id| id == from));
    let (skip, take): (usize, usize) = match q.get("from") {
        // An entry that is kept no longer: from the oldest on.
        Some(from) => (after(from).map_or(0, |at| at + 1), number("take", 50)),
        None => (number("page", 0) * number("per_page", 50), number("per_page", 50)),
    };
    let page: Vec<&Value> = entries.iter().skip(skip).take(take.clamp(1, 100)).collect();
    answer::json(StatusCode::OK, &json!(page))
}

const MOST_ENTRIES: usize = 65_536;

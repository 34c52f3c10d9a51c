//! Revocations: asked for, looked at, tried again.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use onesec_journal::LedgerTable;
use onesec_telemetry::{AgentId, Channel, ConnectionName, Name, UserId};
use serde::Deserialize;

use super::App;
use super::alerts::note;
use super::answer::{self, Answer};
use super::body;
use super::params::Params;
use super::problem::Problem;
use crate::keys::Caller;
use crate::revoke::{NotBegun, Part, Target, Wish};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    user_id: Option<UserId>,
    connection: Option<ConnectionName>,
    agent_id: Option<AgentId>,
    parts: Option<Vec<Part>>,
    #[serde(default)]
    client_ids: Vec<String>,
    reason: Option<String>,
    request_id: Option<String>,
}

/// `POST /api/v1/revocations`: 202 once nothing of what was lent counts here any more; the rest goes on beside. The same
/// `request_id` again is answered with the same revocation.
pub(super) async fn create(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    let wanted: Wanted = body::json(request).await?;
    let long =
        wanted.client_ids.iter().chain(&wanted.request_id).any(|text| text.is_empty() || text.len() > MOST_BYTES);
    if long || wanted.client_ids.len() > MOST_CLIENTS {
        let detail = format!("at most {MOST_CLIENTS} client ids, and 1 to {MOST_BYTES} bytes for each name");
        return Err(Problem::unprocessable("too-many", detail));
    }
    let wish = Wish {
        target: Target { user_id: wanted.user_id, connection: wanted.connection, agent_id: wanted.agent_id },
        own: true,
        told: false,
        parts: wanted.parts,
        clients: wanted.client_ids,
        reason: note(wanted.reason)?,
        request_id: wanted.request_id,
        sender: caller.sender(Channel::Api),
    };
    let begun = app.revocations.begin(&caller.tenant, wish, Vec::new()).await.map_err(not_begun)?;
    let status = if begun.is_new { StatusCode::ACCEPTED } else { StatusCode::OK };
    answer::json(status, &begun.revocation)
}

pub(super) fn not_begun(why: NotBegun) -> Problem {
    match why {
        NotBegun::NoTarget => Problem::unprocessable("no-target", why.to_string()),
        NotBegun::NotAnAgents => Problem::unprocessable("not-an-agents", why.to_string()),
        NotBegun::OtherRequest => Problem::new(StatusCode::CONFLICT, "id-conflict", why.to_string()),
        NotBegun::TooMany => Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", why.to_string()),
        NotBegun::Journal(error) => error.into(),
        NotBegun::Core(error) => error.into(),
    }
}

/// `GET /api/v1/revocations`
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    answer::ledger_page(&app, (LedgerTable::Revocations, caller.tenant), &params, "revocations").await
}

/// `GET /api/v1/revocations/{id}`
pub(super) async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let row = answer::ledger_row(&app, (LedgerTable::Revocations, caller.tenant), id).await?;
    answer::ok(&answer::object(&row.ok_or_else(missing)?))
}

/// `POST /api/v1/revocations/{id}/retry`: what was refused or failed is tried once more, such as with another scope.
pub(super) async fn retry(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let id = Name::new(&id).map_err(|_| missing())?;
    let there = app.revocations.read(&caller.tenant, &id).await?;
    there.ok_or_else(missing)?;
    let again = app.revocations.again(&caller.tenant, &id).await.map_err(not_begun)?;
    let nothing = || Problem::new(StatusCode::CONFLICT, "not-failed", "there is no step to try again");
    answer::json(StatusCode::ACCEPTED, &again.ok_or_else(nothing)?)
}

fn missing() -> Problem {
    Problem::not_found("revocation")
}

const MOST_CLIENTS: usize = 100;
const MOST_BYTES: usize = 256;

//! Receipts of actions.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use onesec_journal::{OutboxState, OutboxTask, ResponseFilter};
use onesec_telemetry::{Channel, Response, Secret};
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::answer::{self, Answer};
use super::body;
use super::params::Params;
use super::problem::Problem;
use crate::enforce::{NotCompleted, NotUndone};
use crate::keys::Caller;

/// `GET /api/v1/responses`
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let filter = ResponseFilter {
        alert_id: params.parsed("alert_id")?,
        action: params.get("action").map(str::to_owned),
        state: params.get("status").map(str::to_owned),
        since: params.time("since")?,
    };
    let (cursor, limit) = params.page()?;
    let tenant = caller.tenant;
    let page = app.read(move |reader| reader.responses(&tenant, &filter, (cursor.as_ref(), limit))).await?;
    answer::page("responses", page, |response| answer::raw(response.doc))
}

/// `GET /api/v1/responses/{id}`: the receipt with every step that led to it.
pub(super) async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let tenant = caller.tenant;
    let steps = app.read(move |reader| reader.response_steps(&tenant, &id)).await?;
    if steps.is_empty() {
        return Err(Problem::not_found("response"));
    }
    let steps: Vec<_> = steps
        .into_iter()
        .map(|step| json!({"at": step.at, "status": step.kind, "receipt": answer::raw(step.doc)}))
        .collect();
    answer::ok(&json!({"steps": steps}))
}

/// `POST /api/v1/responses/{id}/undo`: takes back what can be taken back.
pub(super) async fn undo(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let (task, response) = found(&app, &caller, id).await?;
    match app.executors.undo(&task, response).await {
        Ok(response) => answer::ok(&response),
        Err(NotUndone::Core(error)) => Err(error.into()),
        Err(error) => Err(Problem::new(StatusCode::CONFLICT, "not-undone", error.to_string())),
    }
}

/// `POST /api/v1/responses/{id}/retry`: what was given up is tried once more, such as a message nobody took.
pub(super) async fn retry(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let (task, response) = found(&app, &caller, id).await?;
    if task.state != OutboxState::Failed {
        return Err(Problem::new(StatusCode::CONFLICT, "not-failed", "only what failed is tried again"));
    }
    answer::json(StatusCode::ACCEPTED, &app.executors.again(&task, response).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HandedIn {
    /// The user's own access token for the My Account API.
    my_account_token: Secret,
}

/// `POST /api/v1/responses/{id}/complete`: carries out what waits for a user's own token. The token is used for it, and is
/// neither kept nor logged.
pub(super) async fn complete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    let HandedIn { my_account_token } = body::json(request).await?;
    let found = found(&app, &caller, id).await?;
    let by = caller.sender(Channel::Api).owner;
    match app.executors.clone().complete(found, (my_account_token, by)).await {
        Ok(response) => answer::ok(&response),
        Err(NotCompleted::Core(error)) => Err(error.into()),
        Err(error) => Err(Problem::new(StatusCode::CONFLICT, "not-completed", error.to_string())),
    }
}

/// The action behind a receipt, and the receipt as it is now.
async fn found(app: &App, caller: &Caller, id: String) -> Result<(OutboxTask, Response), Problem> {
    let tenant = caller.tenant.clone();
    let read = move |reader: &onesec_journal::Reader| {
        let steps = reader.response_steps(&tenant, &id)?;
        Ok((reader.outbox_task(&tenant, &id)?, steps))
    };
    let (task, steps) = app.read(read).await?;
    let response = steps.last().and_then(|step| serde_json::from_str::<Response>(&step.doc).ok());
    task.zip(response).ok_or_else(|| Problem::not_found("response"))
}

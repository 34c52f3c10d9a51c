//! Receipts of actions.

use std::sync::Arc;

use axum::extract::{Path, State};
use onesec_journal::ResponseFilter;
use serde_json::json;

use super::App;
use super::answer::{self, Answer};
use super::params::Params;
use super::problem::Problem;
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

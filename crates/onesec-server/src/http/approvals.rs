//! What waits for a person. Nothing is decided by a GET: a link can only show.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use onesec_enforcement::{Approval, ApprovalError};
use onesec_telemetry::{Channel, Command, Name, ScopeSet, Thumbprint};
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::alerts::note;
use super::answer::{self, Answer};
use super::body;
use super::params::Params;
use super::problem::Problem;
use crate::core::Order;
use crate::keys::Caller;

/// `GET /api/v1/approvals`: what waits. What was decided is among the responses.
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    if params.get("status").is_some_and(|status| status != "pending") {
        return Err(Problem::unprocessable("bad-status", "`status` is pending: what was decided is in /responses"));
    }
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let now = app.core.now();
    let waiting: Vec<Value> = view.approvals.iter().filter(|a| now < a.expires_at).map(shown).collect();
    answer::ok(&json!({"approvals": waiting, "next": null, "four_eyes": view.settings.enforcement.four_eyes}))
}

/// `GET /api/v1/approvals/{id}`
pub(super) async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let found = view.approvals.iter().find(|approval| approval.id.as_str() == id);
    answer::ok(&shown(found.ok_or_else(|| Problem::not_found("approval"))?))
}

/// Who asked is told by owner: keys are nobody's business.
fn shown(approval: &Approval) -> Value {
    let wanted: Value = serde_json::from_str(&approval.wanted).unwrap_or_default();
    json!({
        "id": approval.id,
        "action_digest": approval.digest,
        "action": wanted.pointer("/queued/action").or(wanted.pointer("/response/action")),
        "request": wanted.get("request"),
        "findings": wanted.pointer("/held/findings"),
        "target": wanted.pointer("/response/target"),
        "policy": wanted.pointer("/response/policy"),
        "alert_id": approval.alert,
        "agent_id": approval.agent,
        "requested_at": approval.asked_at,
        "expires_at": approval.expires_at,
        "times": approval.times,
        "requested_by": approval.barred.owners,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Word {
    action_digest: Thumbprint,
    note: Option<String>,
    /// What the request asks for becomes usual for that agent and user.
    #[serde(default)]
    accept_scopes: bool,
}

/// `POST /api/v1/approvals/{id}/approve`
pub(super) async fn approve(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    decide(&app, &caller, (&id, true), request).await
}

/// `POST /api/v1/approvals/{id}/reject`
pub(super) async fn reject(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    decide(&app, &caller, (&id, false), request).await
}

async fn decide(app: &App, caller: &Caller, (id, approve): (&str, bool), request: Request) -> Answer {
    let word: Word = body::json(request).await?;
    let id = Name::new(id).map_err(|_| Problem::not_found("approval"))?;
    let (digest, note) = (word.action_digest, note(word.note)?);
    let usual = if word.accept_scopes && approve { usual(app, caller, &id)? } else { None };
    let command = Command::DecideApproval { id: id.clone(), digest, approve, note };
    let (tenant, sender) = (caller.tenant.clone(), caller.sender(Channel::Api));
    // Both at once: whoever hangs up in between has said both.
    let obeyed = app.core.order(Order { then: usual, ..Order::new(tenant, sender, command) }).await?;
    match obeyed.approval {
        Some(Ok(())) => answer::ok(&json!({"id": id, "decision": if approve { "approved" } else { "rejected" }})),
        Some(Err(error)) => Err(refused(error)),
        None => Err(Problem::internal()),
    }
}

/// The command that makes usual what a held exchange asks for.
fn usual(app: &App, caller: &Caller, id: &Name) -> Result<Option<Command>, Problem> {
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let Some(approval) = view.approvals.iter().find(|approval| approval.id == *id) else { return Ok(None) };
    let wanted: Value = serde_json::from_str(&approval.wanted).unwrap_or_default();
    let nothing = || Problem::unprocessable("no-scopes", "`accept_scopes` is for an exchange that names its scopes");
    let of = |place: &str| wanted.pointer(place).cloned().unwrap_or_default();
    let scopes = serde_json::from_value::<ScopeSet>(of("/request/details/scopes")).map_err(|_| nothing())?;
    let agent = serde_json::from_value(of("/request/agent_user_connection/0")).map_err(|_| nothing())?;
    let user = serde_json::from_value(of("/request/agent_user_connection/1")).ok();
    let connection = serde_json::from_value(of("/request/agent_user_connection/2")).map_err(|_| nothing())?;
    Ok(Some(Command::AcceptScopes { agent, user, connection, scopes }))
}

fn refused(error: ApprovalError) -> Problem {
    let (status, code) = match error {
        ApprovalError::OtherDigest => (StatusCode::CONFLICT, "other-digest"),
        ApprovalError::OwnRequest => (StatusCode::FORBIDDEN, "own-request"),
        ApprovalError::Expired => (StatusCode::GONE, "expired"),
        ApprovalError::Used => (StatusCode::GONE, "used"),
        _ => return Problem::not_found("approval"),
    };
    Problem::new(status, code, error.to_string())
}

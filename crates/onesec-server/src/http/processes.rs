//! Processes of agents: what `kill_process` may end. Who may say so may end them himself.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use onesec_telemetry::{Command, Name, ProcessId};
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::agents::{agent, order};
use super::answer::{self, Answer};
use super::body;
use super::problem::Problem;
use crate::keys::Caller;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    pid: u32,
    /// When it started, in clock ticks since the boot; told apart from whoever has its number next.
    start_ticks: u64,
}

/// `GET /api/v1/agents/{id}/processes`
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let agent = agent(&id)?;
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    answer::ok(&json!({"processes": view.processes.of(&agent)}))
}

/// `POST /api/v1/agents/{id}/processes`: a process of this machine belongs to the agent.
pub(super) async fn register(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    // Whoever names a process of this machine may have it ended, whosever it is.
    super::machine::operators_only(&app, &caller)?;
    let agent = agent(&id)?;
    let wanted: Wanted = body::json(request).await?;
    if onesec_actions::is_protected(wanted.pid) {
        return Err(Problem::unprocessable("protected", "the process is onesec itself, or one that it lives by"));
    }
    let found = onesec_actions::identify(wanted.pid).ok().filter(|found| found.start_ticks == wanted.start_ticks);
    let found =
        found.ok_or_else(|| Problem::unprocessable("no-such-process", "no such process runs on this machine"))?;
    let boot_id = Name::new(&found.boot_id).map_err(|_| Problem::internal())?;
    let process = ProcessId { pid: found.pid, start_ticks: found.start_ticks, boot_id };
    let command = Command::RegisterProcess { agent, process: process.clone() };
    order(&app, &caller, command).await?;
    answer::json(StatusCode::CREATED, &process)
}

/// `DELETE /api/v1/agents/{id}/processes/{pid}`: it has ended.
pub(super) async fn ended(State(app): State<Arc<App>>, caller: Caller, Path((id, pid)): Path<(String, u32)>) -> Answer {
    let agent = agent(&id)?;
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let known: Vec<ProcessId> = view.processes.of(&agent).iter().filter(|known| known.pid == pid).cloned().collect();
    if known.is_empty() {
        return Err(Problem::not_found("process"));
    }
    for process in known {
        order(&app, &caller, Command::ProcessEnded { agent: agent.clone(), process }).await?;
    }
    answer::ok(&json!({"agent_id": agent, "pid": pid}))
}

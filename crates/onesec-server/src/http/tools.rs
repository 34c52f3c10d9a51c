//! Tools of agents: the manifests that were shown, and which of them a person approved.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use onesec_telemetry::{Command, Name, Thumbprint};
use onesec_trackers::change::ToolRow;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::agents::order;
use super::alerts::note;
use super::answer::{self, Answer};
use super::body;
use super::params::Params;
use super::problem::Problem;
use crate::keys::Caller;

/// `GET /api/v1/tools`: by server and name.
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let state = params.get("state");
    if state.is_some_and(|state| !["pending", "approved", "changed"].contains(&state)) {
        return Err(Problem::unprocessable("bad-state", "`state` is pending, approved or changed"));
    }
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let wanted = |tool: &&ToolRow| state.is_none_or(|state| tool.state == state);
    let tools: Vec<Value> = view.tools.iter().filter(wanted).take(MOST_SHOWN).map(shown).collect();
    answer::ok(&json!({"tools": tools, "next": null}))
}

fn shown(tool: &ToolRow) -> Value {
    json!({
        "server": tool.server,
        "tool": tool.tool,
        "state": tool.state,
        "digest": tool.digest.to_string(),
        "approved_digest": tool.approved.map(|digest| digest.to_string()),
        "event_id": tool.event,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    tool: Name,
    server: Option<Name>,
    digest: Thumbprint,
    note: Option<String>,
}

/// `POST /api/v1/tools/approve`: of exactly the manifest that was seen.
pub(super) async fn approve(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    let wanted: Wanted = body::json(request).await?;
    let note = note(wanted.note)?;
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let known = view.tools.iter().find(|known| known.tool == wanted.tool && known.server == wanted.server);
    let known = known.ok_or_else(|| Problem::not_found("tool"))?;
    if known.digest != wanted.digest {
        let detail = "the manifest is not the one that this digest is of: look at it again";
        return Err(Problem::new(StatusCode::CONFLICT, "other-digest", detail));
    }
    let Wanted { tool, server, digest, .. } = wanted;
    let command = Command::ApproveTool { tool: tool.clone(), server: server.clone(), digest, note };
    order(&app, &caller, command).await?;
    answer::ok(&json!({"tool": tool, "server": server, "digest": digest.to_string(), "state": "approved"}))
}

/// So many are shown at once; `state` narrows them down.
const MOST_SHOWN: usize = 5_000;

//! Agents: what is known about them, suspended and resumed by people.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use onesec_journal::{LedgerFilter, LedgerRow, LedgerTable};
use onesec_telemetry::{AgentId, Channel, Command, ConnectionName, ScopeSet, UserId};
use onesec_trackers::change::DelegationRow;
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::alerts::note;
use super::answer::{self, Answer};
use super::body;
use super::params::{MAX_LIMIT, Params};
use super::problem::Problem;
use super::registrations::shown;
use crate::core::{Obeyed, Order};
use crate::keys::Caller;

/// `GET /api/v1/agents`
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    answer::ledger_page(&app, (LedgerTable::Agents, caller.tenant), &params, "agents").await
}

/// `GET /api/v1/agents/{id}`
pub(super) async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let agent = agent(&id)?;
    let registered = app.identity.agents.of(&caller.tenant, &agent).map(|known| shown(&known.said));
    let row = answer::ledger_row(&app, (LedgerTable::Agents, caller.tenant), agent.to_string()).await?;
    let mut shown = match (&row, &registered) {
        (Some(row), _) => answer::object(row),
        // Registered, and never seen yet.
        (None, Some(_)) => serde_json::Map::from_iter([("agent_id".to_owned(), json!(agent))]),
        (None, None) => return Err(Problem::not_found("agent")),
    };
    shown.insert("registration".to_owned(), json!(registered));
    answer::ok(&shown)
}

pub(super) fn agent(id: &str) -> Result<AgentId, Problem> {
    AgentId::new(id).map_err(|_| Problem::not_found("agent"))
}

pub(super) async fn order(app: &App, caller: &Caller, command: Command) -> Result<Obeyed, Problem> {
    let (tenant, sender) = (caller.tenant.clone(), caller.sender(Channel::Api));
    Ok(app.core.order(Order { tenant, sender, command, then: None, ledger: Vec::new() }).await?)
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Reason {
    reason: Option<String>,
}

/// `POST /api/v1/agents/{id}/suspend`: also an agent that nobody has met yet.
pub(super) async fn suspend(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    let agent = agent(&id)?;
    let empty = body::content_length(request.headers()).unwrap_or(0) == 0
        && !request.headers().contains_key(axum::http::header::TRANSFER_ENCODING);
    let reason = if empty { Reason::default() } else { body::json(request).await? };
    let command = Command::SuspendAgent { agent: agent.clone(), reason: note(reason.reason)? };
    let obeyed = order(&app, &caller, command).await?;
    answer::ok(&json!({"agent_id": agent, "state": "suspended", "seq": obeyed.seq.0}))
}

/// `POST /api/v1/agents/{id}/resume`
pub(super) async fn resume(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let agent = agent(&id)?;
    let obeyed = order(&app, &caller, Command::ResumeAgent { agent: agent.clone() }).await?;
    answer::ok(&json!({"agent_id": agent, "state": "active", "seq": obeyed.seq.0}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    scopes: Vec<String>,
    user_id: Option<UserId>,
}

/// `POST /api/v1/agents/{id}/baselines/{connection}/accept`
pub(super) async fn accept(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((id, connection)): Path<(String, String)>,
    request: Request,
) -> Answer {
    let agent = agent(&id)?;
    let connection = ConnectionName::new(&connection).map_err(|_| Problem::not_found("connection"))?;
    let accepted: Accepted = body::json(request).await?;
    let scopes = scopes(&accepted.scopes, &connection)?;
    let whose = (agent.clone(), accepted.user_id.clone(), connection.clone());
    within_delegations(&app, &caller, whose, &scopes).await?;
    let command = Command::AcceptScopes {
        agent: agent.clone(),
        user: accepted.user_id.clone(),
        connection: connection.clone(),
        scopes: scopes.clone(),
    };
    let obeyed = order(&app, &caller, command).await?;
    answer::ok(&json!({
        "agent_id": agent, "user_id": accepted.user_id, "connection": connection, "accepted": scopes,
        "seq": obeyed.seq.0,
    }))
}

/// Where every delegation in force states a bound, acceptance beyond all of them would change nothing: the bound is
/// what the user allowed, and only the user can allow more.
async fn within_delegations(
    app: &App,
    caller: &Caller,
    (agent_id, user_id, connection): (AgentId, Option<UserId>, ConnectionName),
    scopes: &ScopeSet,
) -> Result<(), Problem> {
    let catalogue = onesec_telemetry::catalogue::Catalogue::builtin();
    let provider = catalogue.provider_of_connection(connection.as_str());
    let filter = LedgerFilter {
        agent_id: Some(agent_id),
        user_id,
        connection: Some(connection),
        state: Some("live".to_owned()),
    };
    let (table, tenant) = (LedgerTable::Delegations, caller.tenant.clone());
    let read = move |reader: &onesec_journal::Reader| reader.ledger((table, &tenant), &filter, (None, MAX_LIMIT));
    let live = app.read(read).await?.items;
    let bounded = |row: &LedgerRow| {
        let row: Option<DelegationRow> = serde_json::from_str(&row.doc).ok();
        row.and_then(|row| row.scopes).is_some_and(|bound| !catalogue.beyond(provider, &bound, scopes).is_empty())
    };
    if live.is_empty() || !live.iter().all(bounded) {
        return Ok(());
    }
    let detail = "the delegation allows less: only the user can allow more, by delegating anew";
    Err(Problem::new(StatusCode::CONFLICT, "beyond-delegation", detail))
}

/// Scopes as events would have them: canonical for their provider.
fn scopes(said: &[String], connection: &ConnectionName) -> Result<ScopeSet, Problem> {
    let parsed = ScopeSet::parse_all(said.iter().map(String::as_str));
    let scopes = parsed.map_err(|error| Problem::unprocessable("bad-scope", error.to_string()))?;
    if scopes.is_empty() {
        return Err(Problem::unprocessable("no-scopes", "`scopes` must name at least one scope"));
    }
    let catalogue = onesec_telemetry::catalogue::Catalogue::builtin();
    Ok(catalogue.canonical(catalogue.provider_of_connection(connection.as_str()), &scopes))
}

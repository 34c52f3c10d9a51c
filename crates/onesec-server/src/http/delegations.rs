//! Delegations: who may act for whom, made and taken back by people.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use onesec_journal::{LedgerRow, LedgerTable};
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{
    AgentId, Channel, Command, ConnectionName, DecodeOptions, DelegationId, Event, Secret, TenantId, UserId,
    decode_event,
};
use onesec_trackers::change::DelegationRow;
use onesec_trackers::facts::DelegationOutcome;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::App;
use super::agents::order;
use super::answer::{self, Answer};
use super::body;
use super::drafts::{Drafted, draft};
use super::events::{event_id, new_ulid, tell_above};
use super::gate::{Peer, network};
use super::params::Params;
use super::problem::Problem;
use crate::core::{Submission, Taken};
use crate::identity::NoLink;
use crate::keys::Caller;

/// `GET /api/v1/delegations`
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    answer::ledger_page(&app, (LedgerTable::Delegations, caller.tenant), &params, "delegations").await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    user_id: UserId,
    agent_id: AgentId,
    connection: Option<ConnectionName>,
    scopes: Option<Value>,
    expires_at: Option<Value>,
    parent_id: Option<DelegationId>,
    attestation: Option<Value>,
}

/// `POST /api/v1/delegations`: an event like any other, from a sender whose word counts.
pub(super) async fn create(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    let peer = request.extensions().get::<Peer>().copied();
    let origin = network(peer, request.headers(), &app.trusted_proxies);
    let wanted: Wanted = body::json(request).await?;
    let event = event(&app, &caller, wanted).await?;
    let Drafted { draft, above } = draft(&app, &caller, (Channel::Api, origin), event.into());
    tell_above(&app, &caller.tenant, above).await?;
    let submission = Submission { tenant: caller.tenant.clone(), drafts: vec![draft], dead_letters: Vec::new() };
    let taken = app.core.ingest(submission).await?;
    let Some(Taken::Recorded { delegation: Some((id, outcome)), .. }) = taken.into_iter().next() else {
        return Err(Problem::internal());
    };
    if let DelegationOutcome::Refused(refusal) = outcome {
        let detail = format!("the delegation was refused: {}", refusal.as_str().replace('-', " "));
        return Err(Problem::new(StatusCode::CONFLICT, refusal.as_str(), detail));
    }
    let row = answer::ledger_row(&app, (LedgerTable::Delegations, caller.tenant.clone()), id.clone()).await?;
    let mut shown = row.as_ref().map_or_else(|| Map::from_iter([("id".to_owned(), json!(id))]), answer::object);
    // For the agent, which may lend less of it to others. Without a key of its own it cannot.
    if let Some(Ok(link)) = row.map(|row| link(&app, &caller.tenant, (&row, None))) {
        shown.insert("link".to_owned(), json!(link.expose_to_wire()));
    }
    answer::json(StatusCode::CREATED, &shown)
}

/// The delegation as an event. Below a parent it is the parent's agent who delegates.
async fn event(app: &App, caller: &Caller, wanted: Wanted) -> Result<Event, Problem> {
    let mut delegator = wanted.user_id.to_string();
    if let Some(parent) = &wanted.parent_id {
        let table = (LedgerTable::Delegations, caller.tenant.clone());
        let parent = answer::ledger_row(app, table, parent.to_string()).await?;
        if let Some(agent) = parent.and_then(|row| row.agent_id) {
            delegator = agent.to_string();
        }
    }
    let ulid = new_ulid(app.core.now()).ok_or_else(Problem::internal)?;
    let members = [
        ("agent_id", Some(json!(wanted.agent_id))),
        ("delegated_by", Some(json!(delegator))),
        ("user_id", Some(json!(wanted.user_id))),
        ("connection", wanted.connection.map(|c| json!(c))),
        ("scopes", wanted.scopes),
        ("expires_at", wanted.expires_at),
        ("parent_id", wanted.parent_id.map(|p| json!(p))),
        ("attestation", wanted.attestation),
    ];
    let details: Map<String, Value> =
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let text = json!({"type": "agent_identity_delegation", "details": details}).to_string();
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let options = DecodeOptions { connections: &view.connections, catalogue: Catalogue::builtin(), bound_agent: None };
    let (event, _) = decode_event(&text, options, &event_id(ulid)).map_err(|rejection| {
        let pointer = rejection.pointer.strip_prefix("/details").unwrap_or(&rejection.pointer).to_owned();
        Problem::unprocessable("rejected", rejection.message)
            .with("pointer", pointer)
            .with("rejection", rejection.code.as_str().into_owned())
    })?;
    Ok(event)
}

/// `GET /api/v1/delegations/{id}/link`: the delegation as a signed link, for the agent that it is for.
pub(super) async fn signed(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let missing = || Problem::not_found("delegation");
    let id = DelegationId::new(&id).map_err(|_| missing())?;
    let row = answer::ledger_row(&app, (LedgerTable::Delegations, caller.tenant.clone()), id.to_string()).await?;
    // Another agent's delegation is not there, whatever its id.
    let row = row.filter(|row| row.agent_id.is_some() && row.agent_id == caller.agent).ok_or_else(missing)?;
    let link = link(&app, &caller.tenant, (&row, params.get("kid")))?;
    answer::ok(&json!({"id": id, "link": link.expose_to_wire()}))
}

fn link(app: &App, tenant: &TenantId, (row, kid): (&LedgerRow, Option<&str>)) -> Result<Secret, Problem> {
    let identity = &app.identity;
    let row: DelegationRow = serde_json::from_str(&row.doc).map_err(|_| Problem::internal())?;
    let agent = identity.agents.of(tenant, &row.agent_id).ok_or_else(|| no_link(NoLink::NoKey))?;
    identity.links.issue((tenant, &row), (&agent, kid), app.core.now()).map_err(no_link)
}

fn no_link(why: NoLink) -> Problem {
    let code = match why {
        NoLink::NoKey => "no-key",
        NoLink::NotTheRoot => "not-the-root",
        NoLink::Ended => "ended",
        NoLink::Sign => return Problem::internal(),
    };
    Problem::new(StatusCode::CONFLICT, code, why.to_string())
}

/// `DELETE /api/v1/delegations/{id}`: it and all that hangs below it.
pub(super) async fn revoke(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let missing = || Problem::not_found("delegation");
    let id = DelegationId::new(&id).map_err(|_| missing())?;
    let table = (LedgerTable::Delegations, caller.tenant.clone());
    answer::ledger_row(&app, table, id.to_string()).await?.ok_or_else(missing)?;
    let obeyed = order(&app, &caller, Command::RevokeDelegation { delegation: id, reason: None }).await?;
    let ended = match obeyed.delegation {
        Some((_, DelegationOutcome::Revoked { ended })) => ended,
        // It had ended before: there is nothing left to take back.
        _ => Vec::new(),
    };
    answer::ok(&json!({"revoked": ended}))
}

//! Users: their accounts, who acts for them, and whether somebody may.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use onesec_journal::{LedgerFilter, LedgerTable, Page};
use onesec_telemetry::event::TokenExchange;
use onesec_telemetry::{AgentId, Common, ConnectionName, Details, Event, Name, ScopeSet, Sender, Subject, UserId};
use serde_json::{Map, Value, json};

use super::App;
use super::answer::{self, Answer};
use super::decide::{findings_json, word};
use super::events::{event_id, new_ulid};
use super::params::Params;
use super::problem::Problem;
use crate::core::Draft;
use crate::keys::Caller;

/// `GET /api/v1/accounts`
pub(super) async fn accounts(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    answer::ledger_page(&app, (LedgerTable::Accounts, caller.tenant), &params, "accounts").await
}

/// `GET /api/v1/users/{id}/agents`: live delegations, by agent; a page is cut by delegations.
pub(super) async fn agents(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let filter = LedgerFilter { user_id: Some(user(&id)?), state: Some("live".to_owned()), ..LedgerFilter::default() };
    let page = answer::ledger_rows(&app, (LedgerTable::Delegations, caller.tenant), filter, &params).await?;
    let mut by_agent: BTreeMap<AgentId, Vec<Map<String, Value>>> = BTreeMap::new();
    for row in &page.items {
        if let Some(agent) = row.agent_id.clone() {
            by_agent.entry(agent).or_default().push(answer::object(row));
        }
    }
    let items = by_agent.into_iter().map(|(agent, delegations)| json!({"agent_id": agent, "delegations": delegations}));
    answer::page("agents", Page { items: items.collect(), next: page.next }, |agent: Value| answer::text(&agent))
}

fn user(id: &str) -> Result<UserId, Problem> {
    UserId::new(id).map_err(|_| Problem::not_found("user"))
}

/// `GET /api/v1/users/{id}/can`: what the gateway would say; nothing is changed by asking.
pub(super) async fn can(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>, params: Params) -> Answer {
    let missing = |name: &'static str| Problem::bad_request("missing-parameter", format!("`{name}` is needed"));
    let user = user(&id)?;
    let agent: AgentId = params.parsed("agent_id")?.ok_or_else(|| missing("agent_id"))?;
    let connection: ConnectionName = params.parsed("connection")?.ok_or_else(|| missing("connection"))?;
    let scopes = params.get("scopes").map(ScopeSet::parse).transpose();
    let scopes = scopes.map_err(|error| Problem::bad_request("bad-parameter", error.to_string()))?;
    let draft = question(&app, user, (agent, connection), scopes)?;
    let (answer, findings) = app.core.preview(&caller.tenant, draft).await?;
    let why = match &answer.because {
        Some(brief) => brief.reason.clone(),
        None => "nothing speaks against it".to_owned(),
    };
    answer::ok(&json!({
        "verdict": word(answer.applies), "would": word(answer.would), "mode": answer.mode,
        "findings": findings_json(&findings), "why": why,
    }))
}

/// The exchange as the gateway would put it to the engine.
fn question(
    app: &App,
    user: UserId,
    (agent, connection): (AgentId, ConnectionName),
    scopes: Option<ScopeSet>,
) -> Result<Draft, Problem> {
    let catalogue = onesec_telemetry::catalogue::Catalogue::builtin();
    let provider = catalogue.provider_of_connection(connection.as_str());
    let details = Details::TokenExchange(TokenExchange {
        subject_token_type: None,
        scopes: scopes.map(|scopes| catalogue.canonical(provider, &scopes)),
        exchange_id: None,
        login_hint: None,
        audience: None,
        resource: None,
        actor: None,
        is_privileged_worker: None,
        account_id: None,
    });
    let common = Common {
        agent_id: Some(agent.clone()),
        user_id: Some(user.clone()),
        connection: Some(connection),
        ..Common::default()
    };
    let id = new_ulid(app.core.now()).map(event_id).ok_or_else(Problem::internal)?;
    let mut draft = Draft::new(Event::new(id, common, details), Sender::gateway(agent, None, None));
    let issuer = Name::new("preview").map_err(|_| Problem::internal())?;
    draft.subject = Subject::Verified { user, issuer, parties: None };
    Ok(draft)
}

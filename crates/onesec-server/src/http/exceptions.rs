//! Exceptions: silence with a reason, an owner and an end.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use onesec_enforcement::never_waivable;
use onesec_journal::{LedgerFilter, LedgerRow, LedgerTable, LedgerWrite};
use onesec_telemetry::suggest::did_you_mean;
use onesec_telemetry::{AgentId, Channel, Command, ConnectionName, Exception, Name, Timestamp, UserId};
use serde::Deserialize;

use super::App;
use super::alerts::note;
use super::answer::{self, Answer};
use super::body;
use super::events::new_ulid;
use super::params::{MAX_LIMIT, Params};
use super::problem::Problem;
use crate::core::Order;
use crate::keys::Caller;

/// `GET /api/v1/exceptions`
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    answer::ledger_page(&app, (LedgerTable::Exceptions, caller.tenant), &params, "exceptions").await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    detector: Name,
    agent_id: Option<AgentId>,
    user_id: Option<UserId>,
    connection: Option<ConnectionName>,
    reason: String,
    expires_at: Timestamp,
}

/// `POST /api/v1/exceptions`
pub(super) async fn create(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    let wanted: Wanted = body::json(request).await?;
    let now = app.core.now();
    check(&app, &caller, &wanted, now)?;
    check_room(&app, &caller).await?;
    let ulid = new_ulid(now).ok_or_else(Problem::internal)?;
    let reason = note(Some(wanted.reason))?.ok_or_else(Problem::internal)?;
    let exception = Exception {
        id: Name::new(&ulid.to_string()).map_err(|_| Problem::internal())?,
        detector: wanted.detector,
        agent_id: wanted.agent_id,
        user_id: wanted.user_id,
        connection: wanted.connection,
        reason,
        owner: caller.owner.clone().or_else(|| Name::new(caller.key.as_str()).ok()),
        expires_at: wanted.expires_at,
    };
    let row = row(&caller, &exception);
    let order = Order {
        tenant: caller.tenant.clone(),
        sender: caller.sender(Channel::Api),
        command: Command::AddException(exception.clone()),
        then: None,
        ledger: vec![LedgerWrite::Put { table: LedgerTable::Exceptions, row }],
    };
    app.core.order(order).await?;
    answer::json(StatusCode::CREATED, &exception)
}

fn check(app: &App, caller: &Caller, wanted: &Wanted, now: Timestamp) -> Result<(), Problem> {
    if wanted.reason.trim().is_empty() {
        return Err(Problem::unprocessable("no-reason", "`reason` must say why"));
    }
    if wanted.expires_at <= now || wanted.expires_at > now + LONGEST {
        return Err(Problem::unprocessable("bad-expiry", "`expires_at` must be at most 90 days ahead"));
    }
    let code = wanted.detector.as_str();
    if never_waivable(code) {
        return Err(Problem::unprocessable("never-waivable", "findings of this detector cannot be waived"));
    }
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    if view.detectors.iter().any(|detector| detector.code == code) {
        return Ok(());
    }
    let meant = did_you_mean(code, view.detectors.iter().map(|detector| detector.code));
    let hint = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
    Err(Problem::unprocessable("unknown-detector", format!("no detector of this code runs{hint}")))
}

/// Exceptions are looked through one by one for every finding: there is room for so many.
async fn check_room(app: &App, caller: &Caller) -> Result<(), Problem> {
    let tenant = caller.tenant.clone();
    let read = move |reader: &onesec_journal::Reader| {
        reader.ledger((LedgerTable::Exceptions, &tenant), &LedgerFilter::default(), (None, MAX_LIMIT))
    };
    let page = app.read(read).await?;
    if page.items.len() >= MAX_LIMIT as usize {
        return Err(Problem::new(StatusCode::CONFLICT, "too-many", "there are 1000 exceptions: end some first"));
    }
    Ok(())
}

fn row(caller: &Caller, exception: &Exception) -> LedgerRow {
    LedgerRow {
        tenant: caller.tenant.clone(),
        id: exception.id.to_string(),
        agent_id: exception.agent_id.clone(),
        user_id: exception.user_id.clone(),
        connection: exception.connection.clone(),
        state: "active".to_owned(),
        updated_seq: 0,
        expires_at: Some(exception.expires_at),
        doc: serde_json::to_string(exception).unwrap_or_default(),
    }
}

/// `DELETE /api/v1/exceptions/{id}`
pub(super) async fn remove(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let missing = || Problem::not_found("exception");
    let id = Name::new(&id).map_err(|_| missing())?;
    let (table, tenant) = (LedgerTable::Exceptions, caller.tenant.clone());
    answer::ledger_row(&app, (table, tenant.clone()), id.to_string()).await?.ok_or_else(missing)?;
    let order = Order {
        tenant: tenant.clone(),
        sender: caller.sender(Channel::Api),
        command: Command::RemoveException { id: id.clone() },
        then: None,
        ledger: vec![LedgerWrite::Remove { table, tenant, id: id.to_string() }],
    };
    app.core.order(order).await?;
    answer::ok(&serde_json::json!({"id": id, "removed": true}))
}

const LONGEST: Duration = Duration::from_secs(90 * 24 * 3_600);

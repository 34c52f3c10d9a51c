//! Decoys: for admins only. Whoever merely reads must not learn which users, accounts and clients are none.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use onesec_journal::{LedgerFilter, LedgerRow, LedgerTable, LedgerWrite};
use onesec_telemetry::{Alert, Canary, CanaryKind, Channel, Command, Name};
use serde::Deserialize;

use super::App;
use super::alerts::note;
use super::answer::{self, Answer};
use super::body;
use super::events::new_ulid;
use super::params::{MAX_LIMIT, Params};
use super::problem::Problem;
use crate::core::Order;
use crate::keys::{Caller, KeyScope};

/// The detector that is about them.
pub(super) const CANARY: &str = "canary";

/// `GET /api/v1/canaries`
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    answer::ledger_page(&app, (LedgerTable::Canaries, caller.tenant), &params, "canaries").await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    what: CanaryKind,
    value: Name,
    note: Option<String>,
}

/// `POST /api/v1/canaries`
pub(super) async fn create(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    let wanted: Wanted = body::json(request).await?;
    check_room(&app, &caller, &wanted).await?;
    let ulid = new_ulid(app.core.now()).ok_or_else(Problem::internal)?;
    let id = Name::new(&ulid.to_string()).map_err(|_| Problem::internal())?;
    let canary = Canary { id, what: wanted.what, value: wanted.value, note: note(wanted.note)? };
    let row = LedgerRow {
        tenant: caller.tenant.clone(),
        id: canary.id.to_string(),
        agent_id: None,
        user_id: None,
        connection: None,
        state: canary.what.as_str().to_owned(),
        updated_seq: 0,
        expires_at: None,
        doc: serde_json::to_string(&canary).unwrap_or_default(),
    };
    let order = Order {
        tenant: caller.tenant.clone(),
        sender: caller.sender(Channel::Api),
        command: Command::AddCanary(canary.clone()),
        then: None,
        ledger: vec![LedgerWrite::Put { table: LedgerTable::Canaries, row }],
    };
    app.core.order(order).await?;
    answer::json(StatusCode::CREATED, &canary)
}

/// There is room for so many, each of them once.
async fn check_room(app: &App, caller: &Caller, wanted: &Wanted) -> Result<(), Problem> {
    let tenant = caller.tenant.clone();
    let read = move |reader: &onesec_journal::Reader| {
        reader.ledger((LedgerTable::Canaries, &tenant), &LedgerFilter::default(), (None, MAX_LIMIT))
    };
    let page = app.read(read).await?;
    if page.items.len() >= MAX_LIMIT as usize {
        return Err(Problem::new(StatusCode::CONFLICT, "too-many", "there are 1000 canaries: remove some first"));
    }
    let known = |row: &LedgerRow| serde_json::from_str::<Canary>(&row.doc).ok();
    let same = |canary: Canary| canary.what == wanted.what && canary.value == wanted.value;
    if page.items.iter().filter_map(known).any(same) {
        return Err(Problem::new(StatusCode::CONFLICT, "known-canary", "this is a canary already"));
    }
    Ok(())
}

/// `DELETE /api/v1/canaries/{id}`
pub(super) async fn remove(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let missing = || Problem::not_found("canary");
    let id = Name::new(&id).map_err(|_| missing())?;
    let (table, tenant) = (LedgerTable::Canaries, caller.tenant.clone());
    answer::ledger_row(&app, (table, tenant.clone()), id.to_string()).await?.ok_or_else(missing)?;
    let order = Order {
        tenant: tenant.clone(),
        sender: caller.sender(Channel::Api),
        command: Command::RemoveCanary { id: id.clone() },
        then: None,
        ledger: vec![LedgerWrite::Remove { table, tenant, id: id.to_string() }],
    };
    app.core.order(order).await?;
    answer::ok(&serde_json::json!({"id": id, "removed": true}))
}

/// An alert as the caller may see it: to those who may not know the canaries it names the agent, and neither the user nor
/// the event in which the user stands.
pub(super) fn seen(mut alert: Alert, knows: bool) -> Alert {
    if !knows && alert.detector.as_str() == CANARY {
        (alert.user_id, alert.connection) = (None, None);
        alert.evidence.clear();
        alert.attributes.clear();
    }
    alert
}

/// The same of an alert as it is kept.
pub(super) fn seen_text(detector: &str, doc: String, knows: bool) -> String {
    if knows || detector != CANARY {
        return doc;
    }
    let alert = serde_json::from_str::<Alert>(&doc).map(|alert| seen(alert, false));
    alert.ok().and_then(|alert| serde_json::to_string(&alert).ok()).unwrap_or_else(|| "{}".to_owned())
}

/// Whether the caller may know which they are.
pub(super) fn may_know(caller: &Caller) -> bool {
    caller.scopes.allow(KeyScope::Admin)
}

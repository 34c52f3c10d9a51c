//! Alerts: listed, shown, decided on.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use onesec_journal::{AlertFilter, AlertRow, SeverityFilter};
use onesec_telemetry::{AlertId, AlertStatus, Channel, Command, Severity, Text};
use serde::Deserialize;

use super::App;
use super::answer::{self, Answer};
use super::body;
use super::canaries::{may_know, seen_text};
use super::params::Params;
use super::problem::Problem;
use crate::core::Order;
use crate::keys::Caller;

const STATUSES: [AlertStatus; 4] =
    [AlertStatus::Open, AlertStatus::Acknowledged, AlertStatus::Resolved, AlertStatus::FalsePositive];

/// `GET /api/v1/alerts`
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let filter = filter(&params)?;
    let (cursor, limit) = params.page()?;
    let knows = may_know(&caller);
    let page = app.read(move |reader| reader.alerts(&caller.tenant, &filter, (cursor.as_ref(), limit))).await?;
    answer::page("alerts", page, |row| answer::raw(seen_text(&row.detector, row.doc, knows)))
}

fn filter(params: &Params) -> Result<AlertFilter, Problem> {
    let severity = |name: &str| {
        let Some(text) = params.get(name) else { return Ok(None) };
        let detail = format!("`{name}` must be INFO, LOW, MEDIUM, HIGH or CRITICAL");
        let severity = Severity::from_name(text).ok_or_else(|| Problem::bad_request("bad-parameter", detail));
        severity.map(|severity| Some(severity.rank()))
    };
    let exact = severity("severity")?.map(SeverityFilter::Exactly);
    let least = severity("min_severity")?.map(SeverityFilter::AtLeast);
    if exact.is_some() && least.is_some() {
        return Err(Problem::bad_request("bad-parameter", "give `severity` or `min_severity`, not both"));
    }
    let status = params.get("status");
    if status.is_some_and(|status| STATUSES.iter().all(|known| known.as_str() != status)) {
        let detail = "`status` must be open, acknowledged, resolved or false_positive";
        return Err(Problem::bad_request("bad-parameter", detail));
    }
    Ok(AlertFilter {
        detector: params.get("detector").map(str::to_owned),
        severity: exact.or(least),
        status: status.map(str::to_owned),
        agent_id: params.parsed("agent_id")?,
        user_id: params.parsed("user_id")?,
        connection: params.parsed("connection")?,
        since: params.time("since")?,
    })
}

/// `GET /api/v1/alerts/{id}`
pub(super) async fn one(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let row = find(&app, &caller, &id).await?;
    answer::ok(&answer::raw(seen_text(&row.detector, row.doc, may_know(&caller))))
}

async fn find(app: &App, caller: &Caller, id: &str) -> Result<AlertRow, Problem> {
    let missing = || Problem::not_found("alert");
    let id = AlertId::new(id).map_err(|_| missing())?;
    let tenant = caller.tenant.clone();
    app.read(move |reader| reader.alert(&tenant, &id)).await?.ok_or_else(missing)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    status: String,
    note: Option<String>,
}

/// `PATCH /api/v1/alerts/{id}`
pub(super) async fn patch(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    let decision: Decision = body::json(request).await?;
    let status = STATUSES.into_iter().find(|s| s.as_str() == decision.status && *s != AlertStatus::Open);
    let detail = "`status` must be acknowledged, resolved or false_positive";
    let status = status.ok_or_else(|| Problem::unprocessable("bad-status", detail))?;
    let note = note(decision.note)?;
    let row = find(&app, &caller, &id).await?;
    let order = Order {
        tenant: caller.tenant.clone(),
        sender: caller.sender(Channel::Api),
        command: Command::SetAlertStatus { alert: row.id, status, note },
        then: None,
        ledger: Vec::new(),
    };
    app.core.order(order).await?;
    let row = find(&app, &caller, &id).await?;
    answer::ok(&answer::raw(seen_text(&row.detector, row.doc, may_know(&caller))))
}

/// A person's words: bounded, and free of secrets.
pub(super) fn note(text: Option<String>) -> Result<Option<Text>, Problem> {
    let Some(text) = text else { return Ok(None) };
    if text.len() > MAX_NOTE_BYTES {
        return Err(Problem::unprocessable("note-too-long", format!("at most {MAX_NOTE_BYTES} bytes of words")));
    }
    Ok(Some(Text::redacted(&text)))
}

const MAX_NOTE_BYTES: usize = 4_096;

//! Answers: JSON, pages of a listing, rows as they are kept.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use onesec_journal::{LedgerFilter, LedgerRow, LedgerTable, Page};
use onesec_telemetry::TenantId;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::App;
use super::params::Params;
use super::problem::Problem;

pub(super) type Answer = Result<Response, Problem>;

/// `value` as JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(value).map_err(|_| Problem::internal())?;
    Ok((status, [(CONTENT_TYPE, "application/json")], body).into_response())
}

pub(super) fn ok(value: &impl Serialize) -> Answer {
    json(StatusCode::OK, value)
}

/// `{"<name>":[…],"next":"cursor or null"}`, the items being JSON texts already.
pub(super) fn page<T>(name: &str, page: Page<T>, doc: impl Fn(T) -> Option<Box<RawValue>>) -> Answer {
    let mut body = String::with_capacity(page.items.len() * 512 + 64);
    body.push_str("{\"");
    body.push_str(name);
    body.push_str("\":[");
    for (i, item) in page.items.into_iter().filter_map(doc).enumerate() {
        if i > 0 {
            body.push(',');
        }
        body.push_str(item.get());
    }
    body.push_str("],\"next\":");
    match page.next {
        // A cursor is hex.
        Some(cursor) => body.push_str(&format!("\"{cursor}\"")),
        None => body.push_str("null"),
    }
    body.push('}');
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// A text that is JSON already.
pub(super) fn raw(doc: String) -> Option<Box<RawValue>> {
    RawValue::from_string(doc).ok()
}

/// A value as JSON text.
pub(super) fn text(value: &impl Serialize) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(value).ok()
}

/// A page of a ledger table, its rows shown as they are kept.
pub(super) async fn ledger_page(
    app: &App,
    (table, tenant): (LedgerTable, TenantId),
    params: &Params,
    name: &'static str,
) -> Answer {
    let filter = LedgerFilter {
        agent_id: params.parsed("agent_id")?,
        user_id: params.parsed("user_id")?,
        connection: params.parsed("connection")?,
        state: params.get("state").map(str::to_owned),
    };
    let rows = ledger_rows(app, (table, tenant), filter, params).await?;
    page(name, rows, |row| raw(row.doc))
}

pub(super) async fn ledger_rows(
    app: &App,
    (table, tenant): (LedgerTable, TenantId),
    filter: LedgerFilter,
    params: &Params,
) -> Result<Page<LedgerRow>, Problem> {
    let (cursor, limit) = params.page()?;
    app.read(move |reader| reader.ledger((table, &tenant), &filter, (cursor.as_ref(), limit))).await
}

/// One row of a ledger table.
pub(super) async fn ledger_row(
    app: &App,
    (table, tenant): (LedgerTable, TenantId),
    id: String,
) -> Result<Option<LedgerRow>, Problem> {
    app.read(move |reader| reader.ledger_row(table, &tenant, &id)).await
}

/// The row's document as an object.
pub(super) fn object(row: &LedgerRow) -> Map<String, Value> {
    serde_json::from_str(&row.doc).unwrap_or_default()
}

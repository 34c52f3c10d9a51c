//! Connections whose links are all known: there, an exchange without a link is suspicious.

use std::sync::Arc;

use axum::extract::{Path, State};
use onesec_telemetry::{Channel, Command, ConnectionName};
use serde_json::json;

use super::App;
use super::answer::{self, Answer};
use super::problem::Problem;
use crate::core::Order;
use crate::keys::Caller;

/// `POST /api/v1/connections/{name}/complete`
pub(super) async fn complete(State(app): State<Arc<App>>, caller: Caller, Path(name): Path<String>) -> Answer {
    set(&app, &caller, &name, true).await
}

/// `DELETE /api/v1/connections/{name}/complete`
pub(super) async fn incomplete(State(app): State<Arc<App>>, caller: Caller, Path(name): Path<String>) -> Answer {
    set(&app, &caller, &name, false).await
}

async fn set(app: &App, caller: &Caller, name: &str, complete: bool) -> Answer {
    let wrong = || Problem::unprocessable("bad-connection", "the path must name a connection");
    let connection = ConnectionName::new(name).ok().filter(|name| name.as_str() != "*").ok_or_else(wrong)?;
    let order = Order {
        tenant: caller.tenant.clone(),
        sender: caller.sender(Channel::Api),
        command: Command::SetLedgerComplete { connection: connection.clone(), complete },
        then: None,
        ledger: Vec::new(),
    };
    app.core.order(order).await?;
    answer::ok(&json!({"connection": connection, "ledger_complete": complete}))
}

//! How the server is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use onesec_telemetry::TenantId;
use serde_json::{Value, json};

use super::App;
use super::answer::{self, Answer};
use super::machine::operators_only;
use super::problem::Problem;
use crate::core::TenantView;
use crate::keys::Caller;

/// `GET /healthz`: the process is up.
pub(super) async fn healthz() -> Response {
    ([(CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#).into_response()
}

/// `GET /readyz`: requests will be judged and recorded. An open circuit is named, and is no reason to be taken out of
/// service: denials and telemetry still work.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Answer {
    let health = app.core.health();
    let views: Vec<Arc<TenantView>> = app.core.tenants().iter().filter_map(|t| app.core.view(t)).collect();
    let dead: Vec<&str> = views.iter().flat_map(|v| v.dead_detectors.iter().map(|(code, _)| *code)).collect();
    let ready = health.journal.is_ok() && health.engine && !health.stopping && dead.is_empty();
    let gateways = app.vaults.values().filter_map(|vault| vault.gateway.as_ref());
    let open = gateways.clone().any(|gateway| gateway.circuit() != "closed");
    let upstream = match (gateways.count(), open) {
        (0, _) => "not-configured",
        (_, true) => "circuit-open",
        (_, false) => "ok",
    };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer::json(
        status,
        &json!({
            "ready": ready,
            "journal": if health.journal.is_ok() { "ok" } else { "unwritable" },
            "engine": if health.engine { "ok" } else { "down" },
            "stopping": health.stopping,
            "dead_detectors": dead,
            "upstream": upstream,
        }),
    )
}

/// `GET /metrics`: of the whole server, so that with several tenants only operators may see it.
pub(super) async fn metrics(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    operators_only(&app, &caller)?;
    let text = tokio::task::spawn_blocking(move || {
        let uptime = app.core.now().since(app.started);
        app.metrics.render(&app.core, uptime)
    });
    let text = text.await.map_err(|_| Problem::internal())?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}

/// `GET /api/v1/status`
pub(super) async fn status(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let health = app.core.health();
    let now = app.core.now();
    let tenant: TenantId = caller.tenant.clone();
    let dead_letters = app.read(move |reader| reader.dead_letter_counts(&tenant)).await?;
    let vault = app.vaults.get(&caller.tenant);
    let told = app.log_streams.delivers(&caller.tenant) || app.logs.last_at(&caller.tenant).is_some();
    let mut journal = json!({
        "position": view.position.0,
        "observed_at": view.observed_at,
        "writable": health.journal.is_ok(),
    });
    // What all tenants write together says how busy the others are.
    if operators_only(&app, &caller).is_ok()
        && let Value::Object(members) = &mut journal
    {
        members.insert("lag".into(), health.waiting.into());
        members.insert("commits".into(), health.commits.into());
        let mean = health.records as f64 / health.commits.max(1) as f64;
        members.insert("records_per_commit".into(), mean.into());
    }
    answer::ok(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "tenant": caller.tenant,
        "started_at": app.started,
        "uptime_seconds": now.since(app.started).as_secs(),
        "mode": view.mode,
        "preset": view.preset,
        "token_vault": vault.is_some(),
        "log_stream": told.then(|| json!({"last_log_at": app.logs.last_at(&caller.tenant)})),
        "upstream": vault.and_then(|v| v.gateway.as_ref()).map(|gateway| gateway.circuit()),
        "counts": counts(&view, dead_letters),
        "journal": journal,
        "detectors": detectors(&view),
    }))
}

fn counts(view: &TenantView, (dead_letters, dropped): (u64, u64)) -> Value {
    let stats = &view.stats;
    json!({
        "alerts_open": view.alerts_open,
        "agents": stats.agents,
        "suspended_agents": stats.suspended,
        "accounts": stats.accounts,
        "accounts_linked": stats.accounts_linked,
        "delegations": stats.delegations,
        "delegations_live": stats.delegations_live,
        "pairs": stats.pairs,
        "tokens": stats.tokens,
        "dead_letters": dead_letters,
        "dead_letters_dropped": dropped,
    })
}

fn detectors(view: &TenantView) -> Vec<Value> {
    let row = |d: &crate::core::DetectorView| {
        let dead = view.dead_detectors.iter().any(|(code, _)| *code == d.code);
        json!({
            "code": d.code, "module": d.module, "alerts": d.alerts, "findings": d.findings, "errors": d.panics,
            "alive": !dead,
        })
    };
    view.detectors.iter().map(row).collect()
}

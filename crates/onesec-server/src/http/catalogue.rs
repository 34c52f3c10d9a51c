//! What there is: kinds of events, modules, detectors.

use std::sync::Arc;

use axum::extract::State;
use onesec_detector::Module;
use onesec_telemetry::event::event_schemas;
use serde_json::{Value, json};

use super::App;
use super::answer::{self, Answer};
use super::params::Params;
use super::problem::Problem;
use crate::keys::Caller;

/// `GET /api/v1/event-schemas`
pub(super) async fn event_schemas_of(params: Params) -> Answer {
    let all = event_schemas(params.get("category"));
    if all.get("total").and_then(Value::as_u64) == Some(0) {
        return Err(Problem::not_found("category"));
    }
    answer::ok(&all)
}

/// `GET /api/v1/modules`
pub(super) async fn modules(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let modules = Module::ALL.map(|module| {
        let own = view.detectors.iter().filter(|detector| detector.module == module.as_str());
        let detectors: Vec<Value> = own
            .map(|d| {
                let dead = view.dead_detectors.iter().any(|(code, _)| *code == d.code);
                json!({
                    "code": d.code, "title": d.title, "owasp": d.owasp, "blind_spot": d.blind_spot,
                    "mitigation": d.mitigation, "alerts": d.alerts, "findings": d.findings, "alive": !dead,
                })
            })
            .collect();
        let enabled = !view.settings.modules_off.iter().any(|off| off == module.as_str());
        json!({"name": module.as_str(), "enabled": enabled, "detectors": detectors})
    });
    answer::ok(&json!({"modules": modules, "detectors_off": view.settings.detectors_off}))
}

//! Enforcement: mode and preset.

use std::sync::Arc;

use axum::extract::{Request, State};
use onesec_enforcement::{Policy, Preset};
use onesec_telemetry::suggest::did_you_mean;
use onesec_telemetry::{Command, Mode, Thumbprint};
use serde::Deserialize;
use serde_json::json;

use super::App;
use super::agents::order;
use super::answer::{self, Answer};
use super::body;
use super::going_live;
use super::policies::source;
use super::problem::Problem;
use crate::core::{TenantView, preset_name};
use crate::keys::Caller;

/// `GET /api/v1/enforcement`
pub(super) async fn show(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    answer::ok(&shown(&view))
}

fn shown(view: &TenantView) -> serde_json::Value {
    let policies: Vec<_> = view.policies.iter().map(Policy::to_json).collect();
    let sources: serde_json::Map<_, _> =
        view.policies.iter().map(|policy| (policy.name.to_string(), source(&policy.name, view).into())).collect();
    let agents = view.restraints.agents().map(|(agent, restraint)| {
        json!({
            "agent_id": agent, "limit": restraint.limit, "per_seconds": restraint.per.as_secs(),
            "until": restraint.until,
        })
    });
    let addresses = view.restraints.addresses().map(|(address, until)| json!({"address": address, "until": until}));
    json!({
        "mode": view.mode,
        "preset": view.preset,
        "policies": policies,
        "policy_sources": sources,
        "four_eyes": view.settings.enforcement.four_eyes,
        "restrained_agents": agents.collect::<Vec<_>>(),
        "blocked_addresses": addresses.collect::<Vec<_>>(),
    })
}

/// `GET /api/v1/enforcement/presets`
pub(super) async fn presets(State(app): State<Arc<App>>, caller: Caller) -> Answer {
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let presets = Preset::ALL.map(|preset| {
        json!({
            "name": preset, "description": describe(preset), "active": preset == view.preset,
            "policies": preset.policies(),
        })
    });
    answer::ok(&json!({"presets": presets}))
}

const fn describe(preset: Preset) -> &'static str {
    match preset {
        Preset::Observe => "watch only",
        Preset::Balanced => "refuse what is certainly wrong, hold what is critical",
        Preset::Strict => "refuse or hold whatever is HIGH, withhold over-scoped tokens",
        Preset::VpsAgent => "for an agent on a server of its own: refuse what is critical",
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedMode {
    mode: String,
    /// The digest of what [`going_live`] reported: it must still be so.
    confirm: Option<Thumbprint>,
    /// Of how many days.
    days: Option<u64>,
}

/// `PUT /api/v1/enforcement/mode`
pub(super) async fn set_mode(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    let wanted: WantedMode = body::json(request).await?;
    let mode = [Mode::DryRun, Mode::Live].into_iter().find(|mode| mode.as_str() == wanted.mode);
    let mode = mode.ok_or_else(|| Problem::unprocessable("bad-mode", "`mode` must be dry_run or live"))?;
    match (mode, wanted.confirm) {
        (Mode::Live, Some(seen)) => going_live::confirmed(&app, &caller.tenant, (seen, wanted.days)).await?,
        (Mode::Live | Mode::DryRun, None) => {}
        (Mode::DryRun, Some(_)) => return Err(Problem::unprocessable("bad-confirm", "`confirm` is for going live")),
    }
    order(&app, &caller, Command::SetMode(mode)).await?;
    show(State(app), caller).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedPreset {
    preset: String,
}

/// `PUT /api/v1/enforcement/preset`
pub(super) async fn set_preset(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    let wanted: WantedPreset = body::json(request).await?;
    let Some(preset) = Preset::from_name(&wanted.preset) else {
        let meant = did_you_mean(&wanted.preset, Preset::ALL.map(Preset::as_str));
        let hint = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
        return Err(Problem::unprocessable("unknown-preset", format!("there is no such preset{hint}")));
    };
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let cannot_run = |error: onesec_engine::SetupError| Problem::unprocessable("preset-cannot-run", error.to_string());
    app.able.check_in_force((&view.settings, preset), &view.own_policies).map_err(cannot_run)?;
    order(&app, &caller, Command::SetPreset(preset_name(preset))).await?;
    show(State(app), caller).await
}

//! What policies would do about an alert that somebody makes up. Nothing is done, counted or recorded.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use onesec_enforcement::{Fate, Occasion, Planned, Planner, Policy};
use onesec_telemetry::{
    AgentId, Alert, AlertId, AlertStatus, Attribution, ConnectionName, Mode, Name, Seq, Severity, TenantId, Timestamp,
    UserId,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::App;
use super::answer::{self, Answer};
use super::body;
use super::problem::Problem;
use crate::keys::Caller;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    alert: Said,
    /// The address that the agent itself came from.
    address: Option<IpAddr>,
}

/// What policies look at; an alert as the API shows it will do.
#[derive(Deserialize)]
struct Said {
    detector: Name,
    severity: Severity,
    agent_id: Option<AgentId>,
    user_id: Option<UserId>,
    connection: Option<ConnectionName>,
    attribution: Option<Attribution>,
}

/// `POST /api/v1/enforcement/test`
pub(super) async fn test(State(app): State<Arc<App>>, caller: Caller, request: Request) -> Answer {
    let Wanted { alert, address } = body::json(request).await?;
    let view = app.core.view(&caller.tenant).ok_or_else(|| Problem::not_found("tenant"))?;
    let attribution = alert.attribution.unwrap_or(Attribution::Observed);
    let alert = made_up(caller.tenant, alert, app.core.now())?;
    let occasion = Occasion {
        alert: &alert,
        seq: Seq(0),
        now: alert.first_seen,
        source: address,
        proved: (attribution > Attribution::Reported).then_some(alert.severity),
        user_is_known: attribution == Attribution::Observed,
        mode: Mode::Live,
    };
    let plan = Planner::default().plan(&view.policies, occasion);
    let plan: Vec<Value> = plan.iter().map(|planned| shown(planned, &view.policies)).collect();
    answer::ok(&json!({"mode": view.mode, "would": plan}))
}

fn shown(planned: &Planned, policies: &[Policy]) -> Value {
    let policy = policies.iter().find(|policy| policy.name == planned.policy);
    let action = policy.and_then(|policy| policy.actions.get(planned.index)).map(onesec_enforcement::ActionSpec::shown);
    let (status, reason) = match planned.fate {
        Fate::Execute => ("executing", None),
        Fate::DryRun => ("dry_run", None),
        Fate::Ask(patience) => ("pending_approval", Some(format!("a person is asked, for {} s", patience.as_secs()))),
        Fate::Skip(why) => ("skipped", Some(why.to_owned())),
    };
    json!({
        "policy": planned.policy, "action": action, "target": planned.target.as_ref().map(ToString::to_string),
        "status": status, "reason": reason,
    })
}

fn made_up(tenant: TenantId, said: Said, now: Timestamp) -> Result<Alert, Problem> {
    let id = AlertId::new("made-up").map_err(|_| Problem::internal())?;
    let module = Name::new("made-up").map_err(|_| Problem::internal())?;
    Ok(Alert {
        id,
        detector: said.detector,
        owasp: Vec::new(),
        severity: said.severity,
        title: String::new(),
        description: String::new(),
        tenant,
        agent_id: said.agent_id,
        user_id: said.user_id,
        connection: said.connection,
        evidence: Vec::new(),
        first_seen: now,
        last_seen: now,
        occurrences: 1,
        attribution: said.attribution.unwrap_or(Attribution::Observed),
        module,
        status: AlertStatus::Open,
        mitigation: String::new(),
        attributes: Map::new(),
        chain: None,
        note: None,
    })
}

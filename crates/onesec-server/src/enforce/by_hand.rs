//! Actions that a person wants now, apart from policies and outbox: whoever asks waits for them.

use onesec_enforcement::{ActionSpec, Job, Outcome, Target};
use onesec_telemetry::{
    AgentId, Alert, AlertId, AlertStatus, Attribution, IdError, Name, Severity, TenantId, Timestamp,
};

use super::Executors;

impl Executors {
    /// Carries one out, about an agent.
    pub(crate) async fn by_hand(&self, whom: (&TenantId, &AgentId), spec: ActionSpec, target: Target) -> Outcome {
        let Some((action, job)) = self.job(whom, spec, target) else { return impossible() };
        action.run(&job).await
    }

    /// Takes one back.
    pub(crate) async fn undo_by_hand(&self, whom: (&TenantId, &AgentId), spec: ActionSpec, target: Target) -> Outcome {
        let Some((action, job)) = self.job(whom, spec, target) else { return impossible() };
        action.undo(&job).await
    }

    fn job(
        &self,
        whom: (&TenantId, &AgentId),
        spec: ActionSpec,
        target: Target,
    ) -> Option<(std::sync::Arc<dyn onesec_enforcement::Action>, Job)> {
        let action = self.actions.get(spec.kind())?.clone();
        let (alert, name) = (stand_in(whom, self.core.now()).ok()?, Name::new(BY_HAND).ok()?);
        Some((action, Job::new((name.clone(), name), spec, target, alert)))
    }
}

fn impossible() -> Outcome {
    Outcome::Failed { why: "nothing here carries such an action out".to_owned() }
}

/// Actions are about alerts; this one is in no list.
fn stand_in((tenant, agent): (&TenantId, &AgentId), now: Timestamp) -> Result<Alert, IdError> {
    Ok(Alert {
        id: AlertId::new(BY_HAND)?,
        detector: Name::new(BY_HAND)?,
        owasp: Vec::new(),
        severity: Severity::Critical,
        title: String::new(),
        description: String::new(),
        tenant: tenant.clone(),
        agent_id: Some(agent.clone()),
        user_id: None,
        connection: None,
        evidence: Vec::new(),
        first_seen: now,
        last_seen: now,
        occurrences: 1,
        attribution: Attribution::Observed,
        module: Name::new(BY_HAND)?,
        status: AlertStatus::Open,
        mitigation: String::new(),
        attributes: serde_json::Map::new(),
        chain: None,
        note: None,
    })
}

const BY_HAND: &str = "by-hand";

//! What the tests of this crate share: an alert, jobs about it, and a log that is kept.

use std::fmt::{Debug, Write as _};
use std::sync::Arc;

use onesec_enforcement::{ActionSpec, Job, Target};
use onesec_telemetry::{
    AgentId, Alert, AlertId, AlertStatus, Attribution, ConnectionName, Name, Severity, TenantId, Timestamp, UserId,
};
use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::span;

pub(crate) fn alert() -> Alert {
    Alert {
        id: AlertId::new("a1b2c3").expect("an id"),
        tenant: TenantId::new("default").expect("a tenant"),
        detector: Name::new("scope-escalation").expect("a code"),
        title: "bot-7 asks for more than it was granted".to_owned(),
        severity: Severity::High,
        owasp: Vec::new(),
        description: "calendar.write was never granted".to_owned(),
        agent_id: Some(AgentId::new("bot-7").expect("an agent")),
        user_id: Some(UserId::new("auth0|ada").expect("a user")),
        connection: Some(ConnectionName::new("google-oauth2").expect("a connection")),
        evidence: Vec::new(),
        first_seen: Timestamp::EPOCH,
        last_seen: Timestamp::from_secs(1_700_000_000),
        occurrences: 3,
        attribution: Attribution::Observed,
        module: Name::new("token-vault").expect("a module"),
        status: AlertStatus::Open,
        mitigation: "look at the agent's last task".to_owned(),
        attributes: serde_json::Map::new(),
        chain: None,
        note: None,
    }
}

pub(crate) fn job(spec: ActionSpec) -> Job {
    let target = Target::Agent(AgentId::new("bot-7").expect("an agent"));
    let names = (Name::new("act-1").expect("an id"), Name::new("vps-agent").expect("a policy"));
    Job::new(names, spec, target, alert())
}

/// Keeps all that is traced, at every level.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<String>>);

impl Kept {
    pub(crate) fn text(&self) -> String {
        self.0.lock().clone()
    }
}

struct Words<'a>(&'a mut String);

impl Visit for Words<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").expect("a string takes all");
    }
}

impl tracing::Subscriber for Kept {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        attributes.record(&mut Words(&mut self.0.lock()));
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Words(&mut self.0.lock()));
    }
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Words(&mut self.0.lock()));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

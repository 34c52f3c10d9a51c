//! `user-fan-out`: an agent that acts for more people than it serves.

use onesec_detector::{Descriptor, Detector, Entity, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::{AgentClass, Kind};

/// For how many users an agent may exchange within ten minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserLimits {
    /// An agent of class `personal`.
    pub personal: u32,
    /// An agent of class `service`, or three times as many as it usually has, if that is more.
    pub service: u32,
}

impl Default for UserLimits {
    fn default() -> Self {
        Self { personal: 2, service: 20 }
    }
}

/// Fires when an agent exchanges within ten minutes for more distinct users than its class has: 2 for `personal`, 20 for
/// `service` or three times the 99th percentile of its own ten minutes, once a hundred of them are known. CRITICAL for
/// workers, who show no token of the user's.
///
/// An agent that nobody registered is measured as a personal one; up to the service's limit it is MEDIUM, because nobody
/// said whom it serves.
///
/// **Blind spot**: an agent that takes more than ten minutes for as many; a service that grows so slowly that it gets used
/// to it; more than 1 024 users.
#[derive(Debug)]
pub struct UserFanOut {
    descriptor: Descriptor,
    limits: UserLimits,
}

impl UserFanOut {
    /// Fires beyond `limits`.
    #[must_use]
    pub fn new(limits: UserLimits) -> Self {
        let descriptor = Descriptor {
            owasp: &["ASI03", "ASI10"],
            references: &["MITRE ATT&CK T1528"],
            kinds: &[Kind::TokenExchange, Kind::TokenExchangeRequest, Kind::TokenExchangeResponse],
            warm_up: true,
            stateless: true,
            blind_spot: "an agent that takes its time; a service that grows so slowly that it gets used to it",
            mitigation: "Register the agent as `service` if it is one; otherwise suspend it and find out who sends it.",
            ..Descriptor::new("user-fan-out", Module::TokenVault, "Agent acts for more people than it serves")
        };
        Self { descriptor, limits }
    }
}

impl Detector for UserFanOut {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(reach) = facts.reach.as_ref().filter(|_| facts.exchange.as_ref().is_some_and(|e| e.counts)) else {
            return;
        };
        let registration = facts.agent.as_ref().and_then(|agent| agent.registration);
        let service = self.limits.service.max(reach.users_usual.saturating_mul(3)).min(MOST);
        let limit = match registration.map(|known| known.class) {
            Some(AgentClass::Service) => service,
            Some(AgentClass::Personal) | None => self.limits.personal,
        };
        if reach.users <= limit {
            return;
        }
        let severity = match registration {
            Some(known) if known.worker => Severity::Critical,
            Some(_) => Severity::High,
            None if reach.users > service => Severity::High,
            None => Severity::Medium,
        };
        let reason = format!("exchanged for {} users in 10 minutes; {limit} are in order", reach.users);
        let finding = Finding::about(record, severity, reason).of(Entity::agent_of(record));
        out.report(finding.with("users", reach.users).with("limit", limit).with("registered", registration.is_some()));
    }
}

/// More users than that are not told apart.
const MOST: u32 = 1_023;

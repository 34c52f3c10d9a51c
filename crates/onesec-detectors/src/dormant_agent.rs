//! `dormant-agent`: an agent that was at rest for long comes back as another one would.

use std::sync::Arc;

use onesec_detector::{Descriptor, Detector, Entity, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::Kind;
use onesec_telemetry::catalogue::{Catalogue, Class};
use onesec_trackers::facts::RestFacts;

use crate::scopes::{any_of_class, provider_of};

/// Fires on the first exchange of an agent after 30 days without one, and on those of the hour after it, where it comes from
/// a network that is new to it, asks for a scope to send, delete or administer, or exchanges more than 10 times in ten
/// minutes. That it was at rest is nothing by itself.
///
/// **Blind spot**: an agent that wakes gently, and waits for more than an hour.
#[derive(Debug)]
pub struct DormantAgent {
    descriptor: Descriptor,
    catalogue: Arc<Catalogue>,
    burst: u32,
}

impl DormantAgent {
    /// Classes of scopes come from `catalogue`; more than `burst` exchanges in ten minutes are many for somebody who has just
    /// woken. How long a rest is, is the tracker's (`TrackerConfig::rest_after`).
    #[must_use]
    pub fn new(catalogue: Arc<Catalogue>, burst: u32) -> Self {
        let descriptor = Descriptor {
            owasp: &["ASI10", "ASI03"],
            references: &["MITRE ATT&CK T1078"],
            kinds: &[Kind::TokenExchange, Kind::TokenExchangeRequest],
            warm_up: true,
            stateless: true,
            blind_spot: "an agent that wakes gently, and waits for more than an hour",
            mitigation: "Ask its owner whether the agent is meant to be back. Take back the delegations of agents that nobody \
                         uses.",
            ..Descriptor::new("dormant-agent", Module::TokenVault, "Agent back after a long rest")
        };
        Self { descriptor, catalogue, burst }
    }

    fn signs(&self, record: &Record, facts: &Facts<'_>, rest: RestFacts) -> Vec<&'static str> {
        let network = facts.agent.as_ref().is_some_and(|agent| agent.network_known == Some(false));
        let risky = facts.scopes.as_ref().is_some_and(|scopes| {
            let provider = provider_of(&self.catalogue, record, &scopes.effective);
            any_of_class(&self.catalogue, provider, &scopes.effective, &RISKY)
        });
        let signs = [(network, "new-network"), (risky, "high-risk-scope"), (rest.exchanges > self.burst, "burst")];
        signs.into_iter().filter(|(there, _)| *there).map(|(_, sign)| sign).collect()
    }
}

impl Detector for DormantAgent {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(rest) = facts.reach.as_ref().and_then(|reach| reach.rest) else {
            return;
        };
        let signs = self.signs(record, facts, rest);
        if signs.is_empty() {
            return;
        }
        let days = rest.woke.since(rest.since).as_secs() / 86_400;
        let reason = format!("back after {days} days without an exchange: {}", signs.join(", "));
        let mut finding = Finding::about(record, Severity::High, reason).of(Entity::agent_of(record));
        finding.aspects.extend(signs.iter().copied().map(Into::into));
        let signs: Vec<String> = signs.into_iter().map(str::to_owned).collect();
        out.report(finding.with("last_exchange", rest.since.to_string()).with("signs", signs));
    }
}

/// Classes that one would not expect first of somebody who was away.
const RISKY: [Class; 3] = [Class::Send, Class::Delete, Class::Admin];

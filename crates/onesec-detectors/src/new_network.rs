//! `new-network`: an agent exchanges from where it never did.

use std::time::Duration;

use onesec_detector::{Descriptor, Detector, Entity, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::Kind;

/// Fires on an exchange from a network (/24 of IPv4, /48 of IPv6) that is not among the sixteen that the agent came from
/// last. LOW while the agent is young: known for less than seven days, and with less than twenty exchanges.
///
/// **Blind spot**: an attacker in the agent's own network, or behind the same proxy.
#[derive(Debug)]
pub struct NewNetwork(Descriptor);

impl NewNetwork {
    /// There is nothing to set.
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI03"],
            references: &["MITRE ATT&CK T1078.004"],
            kinds: &[Kind::TokenExchange, Kind::TokenExchangeRequest],
            warm_up: true,
            stateless: true,
            blind_spot: "an attacker in the agent's own network, or behind the same proxy",
            mitigation: "Ask its owner whether the agent has moved; rotate its credential otherwise. Bind credentials to keys \
                         (`agents.possession`).",
            ..Descriptor::new("new-network", Module::TokenVault, "Agent comes from a new network")
        })
    }
}

impl Default for NewNetwork {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for NewNetwork {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(agent) = facts.agent.as_ref().filter(|agent| agent.network_known == Some(false)) else {
            return;
        };
        let (Some(reach), Some(address)) = (&facts.reach, record.network) else {
            return;
        };
        let known_for = agent.first_seen.map(|first| record.at.since(first)).unwrap_or_default();
        let young = known_for < SETTLED_AFTER && reach.exchanges < SETTLED_WITH;
        let severity = if young { Severity::Low } else { Severity::Medium };
        let reason = format!("exchange from {address}, where the agent never came from before");
        let finding = Finding::about(record, severity, reason).of(Entity::agent_of(record));
        out.report(finding.with("address", address.to_string()).with("young", young));
    }
}

const SETTLED_AFTER: Duration = Duration::from_secs(7 * 86_400);
const SETTLED_WITH: u32 = 20;

//! `connection-fan-out`: an agent that tries one connection after the other.

use onesec_detector::{Descriptor, Detector, Entity, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::Kind;

/// Fires when an agent exchanged, within ten minutes, at several distinct connections that nobody delegated to it or that
/// were refused (4 unless set otherwise). What is delegated and passes is not counted, however much of it there is.
///
/// What we refuse ourselves counts from the next exchange on.
///
/// **Blind spot**: an agent that takes more than ten minutes for as many, or spreads them over other agents.
#[derive(Debug)]
pub struct ConnectionFanOut {
    descriptor: Descriptor,
    connections: u32,
}

impl ConnectionFanOut {
    /// Fires from so many `connections` on.
    #[must_use]
    pub fn new(connections: u32) -> Self {
        let descriptor = Descriptor {
            owasp: &["ASI03", "ASI10"],
            references: &["MITRE ATT&CK T1528"],
            kinds: &[Kind::TokenExchange, Kind::TokenExchangeRequest, Kind::TokenExchangeResponse],
            stateless: true,
            blind_spot: "an agent that takes its time, or spreads its tries over other agents",
            mitigation: "Look at what made the agent go round; delegate what it needs, and suspend it otherwise.",
            ..Descriptor::new("connection-fan-out", Module::TokenVault, "Agent tries one connection after the other")
        };
        Self { descriptor, connections }
    }
}

impl Detector for ConnectionFanOut {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(reach) = facts.reach.as_ref().filter(|_| facts.exchange.as_ref().is_some_and(|e| e.counts)) else {
            return;
        };
        if reach.undelegated < self.connections {
            return;
        }
        let reason =
            format!("{} connections that nobody delegated, or that were refused, in 10 minutes", reach.undelegated);
        let finding = Finding::about(record, Severity::High, reason).of(Entity::agent_of(record));
        out.report(finding.with("connections", reach.undelegated).with("limit", self.connections));
    }
}

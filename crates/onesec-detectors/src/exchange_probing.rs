//! `exchange-probing`: an agent that tries what it might get.

use onesec_detector::{Descriptor, Detector, Entity, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::Kind;
use onesec_trackers::facts::FailureFacts;

/// Fires when 10 exchanges of an agent failed within five minutes, for 5 users or at 5 connections or more, or where 7 of
/// 10 tries failed. CRITICAL when, within ten minutes of that, it succeeds with something that it was never given before.
///
/// Where three agents that have been known for a day fail at a connection as they do when a provider is down (RFC 6749:
/// `temporarily_unavailable`, `server_error`; rate limits, time-outs), their findings become one alert of the connection;
/// what is judged of each stays as it is. What we refuse ourselves counts from the next exchange on.
///
/// **Blind spot**: an agent that probes slowly; a success on something that it was given before.
#[derive(Debug)]
pub struct ExchangeProbing(Descriptor);

impl ExchangeProbing {
    /// The limits are the tracker's (`TrackerConfig::probing`).
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI03"],
            references: &["RFC 6749, section 5.2", "MITRE ATT&CK T1110"],
            kinds: &[Kind::TokenExchange, Kind::TokenExchangeRequest, Kind::TokenExchangeResponse],
            stateless: true,
            blind_spot: "an agent that probes slowly; a success on something that it was given before",
            mitigation: "See what fails: a provider that is down, a set-up that is wrong, or an agent that is looking for a \
                         way. Suspend the agent in the last case, and revoke what it got.",
            ..Descriptor::new("exchange-probing", Module::TokenVault, "Agent tries what it might get")
        })
    }
}

impl Default for ExchangeProbing {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for ExchangeProbing {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(failures) = facts.reach.as_ref().and_then(|reach| reach.failures) else {
            return;
        };
        if failures.new_success && failures.probed.is_some() {
            let reason = "got a token for something new, after it had tried many";
            let finding = Finding::about(record, Severity::Critical, reason).aspect("success");
            out.report(finding.of(Entity::agent_of(record)).with("success", true));
            return;
        }
        let asks = record.event().is_some_and(|event| event.kind() != Kind::TokenExchangeResponse);
        if failures.probing && (failures.fails || asks) {
            out.report(probing(record, failures));
        }
    }
}

fn probing(record: &Record, failures: FailureFacts) -> Finding {
    let FailureFacts { failed, tried, users, connections, outage, .. } = failures;
    let reason =
        format!("{failed} of {tried} exchanges failed in 5 minutes, for {users} users at {connections} connections");
    // One provider that is down is one alert, not one of each agent.
    let entity = match record.connection() {
        Some(connection) if outage => Entity { connection: Some(connection.clone()), ..Entity::default() },
        _ => Entity::agent_of(record),
    };
    let finding = Finding::about(record, Severity::Medium, reason).of(entity).with("outage", outage);
    finding.with("failed", failed).with("tried", tried).with("users", users).with("connections", connections)
}

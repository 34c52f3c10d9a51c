//! `exchange-rate`: more exchanges than an agent needs.

use onesec_detector::{Descriptor, Detector, Entity, Facts, Finding, Findings, GuardClass, Module, Record, Severity};
use onesec_telemetry::Kind;
use onesec_trackers::facts::Rate;

/// Fires when one agent, or all agents below one delegation root, exchange more often than the limit within the window
/// (20 in 5 minutes unless set otherwise), until the rate has fallen to 0.6 of it.
///
/// Refused attempts are occurrences of the same alert and do not join the window: who keeps hammering is let in again
/// once the window has passed.
///
/// **Blind spot**: a flood spread over unrelated agents, each below the limit.
#[derive(Debug)]
pub struct ExchangeRate(Descriptor);

impl ExchangeRate {
    /// The limit and the window are the tracker's (`TrackerConfig::exchange_rate`).
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI03", "ASI08"],
            references: &["RFC 8693"],
            kinds: &[Kind::TokenExchange, Kind::TokenExchangeRequest, Kind::TokenExchangeResponse],
            stateless: true,
            guard: GuardClass::Closed,
            blind_spot: "a flood spread over unrelated agents, each below the limit",
            mitigation: "Find out what loops; suspend the agent if nobody can say. Cache tokens until they expire.",
            ..Descriptor::new("exchange-rate", Module::TokenVault, "Too many token exchanges")
        })
    }
}

impl Default for ExchangeRate {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for ExchangeRate {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(exchange) = facts.exchange.as_ref().filter(|e| e.counts) else {
            return;
        };
        if exchange.by_agent.exceeded {
            out.report(finding(record, exchange.by_agent, "by one agent", Entity::agent_of(record)));
            return;
        }
        // A flood split over sub-agents is still one flood.
        if let Some(tree) = exchange.by_root.as_ref().filter(|tree| tree.rate.exceeded) {
            let entity = Entity { agent: Some(tree.root.clone()), ..Entity::default() };
            let finding = finding(record, tree.rate, "below one delegation", entity);
            out.report(match record.agent() {
                Some(agent) => finding.with("sub_agent", agent.as_str()),
                None => finding,
            });
        }
    }
}

fn finding(record: &Record, rate: Rate, who: &str, entity: Entity) -> Finding {
    let minutes = rate.window.as_secs_f64() / 60.0;
    let reason = format!("more than {} exchanges {who} in {minutes} minutes", rate.limit);
    let mut finding = Finding::about(record, Severity::High, reason)
        .of(entity)
        .with("limit", rate.limit)
        .with("window_seconds", i64::try_from(rate.window.as_secs()).unwrap_or(i64::MAX));
    finding.retry_after = Some(rate.retry_after);
    finding
}

//! `refresh-storm`: an agent that asks again and again for what it holds.

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::Kind;

/// Fires on the fifth exchange (unless set otherwise) for the same user and connection while a token that was issued for
/// them before is still valid. Mostly a client library without a cache.
///
/// **Blind spot**: tokens whose life nobody told us; several accounts of a user at one connection are one to it.
#[derive(Debug)]
pub struct RefreshStorm {
    descriptor: Descriptor,
    exchanges: u32,
}

impl RefreshStorm {
    /// Fires from so many `exchanges` on.
    #[must_use]
    pub fn new(exchanges: u32) -> Self {
        let descriptor = Descriptor {
            owasp: &["ASI08"],
            references: &["RFC 6749, section 5.1"],
            kinds: &[Kind::TokenExchange, Kind::TokenExchangeRequest, Kind::TokenExchangeResponse],
            stateless: true,
            blind_spot: "tokens whose life nobody told us; several accounts of a user at one connection are one to it",
            mitigation: "Let the agent keep its token until it expires (`expires_in`).",
            ..Descriptor::new("refresh-storm", Module::TokenVault, "Agent asks again for a token that it holds")
        };
        Self { descriptor, exchanges }
    }
}

impl Detector for RefreshStorm {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(exchange) = facts.exchange.as_ref().filter(|exchange| exchange.counts) else {
            return;
        };
        let Some(held) = exchange.held_token else {
            return;
        };
        let exchanges = held.exchanges.saturating_add(1);
        if exchanges < self.exchanges {
            return;
        }
        let reason = format!("{exchanges} exchanges while a token is valid until {}", held.until);
        let mut finding = Finding::about(record, Severity::Low, reason).with("exchanges", exchanges);
        finding.retry_after = Some(held.until.since(record.at));
        out.report(finding);
    }
}

//! `gateway-bypass`: an exchange that went past the gateway.

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::Kind;
use onesec_trackers::facts::Bypass;

/// Fires when Auth0 tells of an exchange that the gateway did not let pass, at a connection where every exchange goes through
/// the gateway (`token_vault.exclusive`). Each of the gateway's explains one of Auth0's: by the token, else by user,
/// connection and 30 seconds. What is told of more than two minutes late is LOW.
///
/// **Blind spot**: connections that are not exclusive; entries that name neither a user nor a token, or come more than a day
/// late; one past the gateway within 30 seconds of one through it, where Auth0 tells of one only.
#[derive(Debug)]
pub struct GatewayBypass(Descriptor);

impl GatewayBypass {
    /// There is nothing to set.
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI03", "ASI10"],
            references: &["RFC 8693", "CWE-288"],
            kinds: &[Kind::TokenExchange, Kind::TokenExchangeResponse],
            stateless: true,
            blind_spot: "connections that are not exclusive; entries of Auth0's log that name neither user nor token, or come more \
                         than a day late",
            mitigation: "Find the client that made it in Auth0's log, rotate its secret, and take the Token Vault grant from \
                         every client but the gateway's.",
            ..Descriptor::new("gateway-bypass", Module::TokenVault, "Exchange past the gateway")
        })
    }
}

impl Default for GatewayBypass {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for GatewayBypass {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        if facts.bypass != Some(Bypass::Unseen) {
            return;
        }
        let reason = "Auth0 tells of an exchange that the gateway never saw";
        let finding = Finding::about(record, Severity::High, reason);
        out.report(match record.event().and_then(|event| event.common.client_id.as_ref()) {
            Some(client) => finding.with("client_id", client.as_str()),
            None => finding,
        });
    }
}

//! `token-sharing`: a provider token in the hands of an agent it was not issued to.

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::Kind;
use onesec_trackers::facts::TokenOrigin;

/// Fires when an agent uses a token whose thumbprint was issued to other agents only. Auth0 hands out cached tokens: two
/// agents may honestly hold the same one, and each of them is known to.
///
/// A token that was issued to nobody is LOW: somebody may have got it past us. Where every exchange goes through the gateway
/// (`token_vault.exclusive`) nobody honestly has, and it is HIGH; MEDIUM once tokens have been forgotten for want of room.
///
/// **Blind spot**: uses that nobody reports, or reports without the token's thumbprint.
#[derive(Debug)]
pub struct TokenSharing(Descriptor);

impl TokenSharing {
    /// There is nothing to set.
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI03"],
            references: &["RFC 9700, section 2.2", "MITRE ATT&CK T1528"],
            kinds: &[Kind::ConnectedAccountUsage],
            stateless: true,
            blind_spot: "uses that nobody reports, or reports without the token's thumbprint",
            mitigation: "Find out how the token left the agent it was issued to, revoke it at the provider, and let every \
                         agent exchange for itself.",
            ..Descriptor::new("token-sharing", Module::TokenVault, "Token in the hands of another agent")
        })
    }
}

impl Default for TokenSharing {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for TokenSharing {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(access) = facts.access.as_ref().filter(|_| record.agent().is_some()) else {
            return;
        };
        let (severity, origin, reason) = match access.token {
            None | Some(TokenOrigin::ThisAgent) => return,
            Some(TokenOrigin::Others) => {
                (Severity::High, "others", "used a token that was issued to other agents only")
            }
            Some(_) if access.exclusive && access.tokens_forgotten => {
                (Severity::Medium, "unknown", "used a token that the gateway does not remember to have issued")
            }
            Some(_) if access.exclusive => {
                (Severity::High, "unknown", "used a token that the gateway, which issues all of them, never issued")
            }
            Some(_) => (Severity::Low, "unknown", "used a token that is not known to have been issued"),
        };
        out.report(Finding::about(record, severity, reason).with("issued_to", origin));
    }
}

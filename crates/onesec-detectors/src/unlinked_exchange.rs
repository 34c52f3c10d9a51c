//! `unlinked-exchange`: a token for an account that nobody ever linked.

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, GuardClass, Module, Record, Severity};
use onesec_telemetry::Kind;
use onesec_trackers::facts::AccountState;

/// Fires on an exchange for an account of which no link was ever seen, at a connection whose links are all known: those of
/// `token_vault.ledger_complete`, and those that a person marked. Elsewhere an account without a link is one that nobody
/// told us of, and a delegation waits for it.
///
/// **Blind spot**: connections that nobody marked; a link that was reported by somebody who may, and that is not there.
#[derive(Debug)]
pub struct UnlinkedExchange(Descriptor);

impl UnlinkedExchange {
    /// There is nothing to set.
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI03"],
            references: &["RFC 8693, section 1.1"],
            kinds: &[Kind::TokenExchange, Kind::TokenExchangeRequest, Kind::TokenExchangeResponse],
            stateless: true,
            guard: GuardClass::Closed,
            blind_spot: "connections whose ledger nobody marked as complete",
            mitigation: "Ask the user whether the account was linked. If links are missing in the ledger, import them, or take \
                         the mark back until they are.",
            ..Descriptor::new("unlinked-exchange", Module::TokenVault, "Exchange for an account that was never linked")
        })
    }
}

impl Default for UnlinkedExchange {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for UnlinkedExchange {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(access) = facts.access.as_ref().filter(|access| access.ledger_complete) else {
            return;
        };
        let (Some(user), Some(connection)) = (record.user(), record.connection()) else {
            return;
        };
        if access.account != AccountState::NeverLinked {
            return;
        }
        let reason = format!("`{user}` never linked an account at `{connection}`, and every link there is known");
        out.report(Finding::about(record, Severity::High, reason));
    }
}

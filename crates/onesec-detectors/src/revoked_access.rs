//! `revoked-access`: an agent comes back after its right was taken away.

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, GuardClass, Module, Record, Severity};
use onesec_telemetry::{Channel, Kind};
use onesec_trackers::facts::{AccountState, Ending, Standing};

/// How old a use reported by a trusted source may be: the provider took the token before it heard of the end.
const USE_GRACE: std::time::Duration = std::time::Duration::from_secs(60);

/// Fires on an exchange or use after the account was unlinked or the delegation revoked, until there is a new link *and*
/// a new delegation. Rests on a person's decision, so it applies in dry run, too.
///
/// No grace at the gateway; 60 s for uses reported with a trusted time. A token issued before the end is HIGH until it
/// expires: access tokens cannot be called back.
///
/// **Blind spot**: copies of a token used where nobody reports.
#[derive(Debug)]
pub struct RevokedAccess(Descriptor);

impl RevokedAccess {
    /// There is nothing to set.
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI03"],
            references: &["RFC 7009"],
            kinds: &[
                Kind::TokenExchange,
                Kind::TokenExchangeRequest,
                Kind::TokenExchangeResponse,
                Kind::ConnectedAccountUsage,
            ],
            stateless: true,
            guard: GuardClass::Closed,
            blind_spot: "copies of a token used where nobody reports",
            mitigation: "Revoke the token at the provider, and suspend the agent unless it merely lagged behind.",
            ..Descriptor::new("revoked-access", Module::TokenVault, "Access after it was taken away")
        })
    }
}

impl Default for RevokedAccess {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for RevokedAccess {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(access) = &facts.access else {
            return;
        };
        let (at, how) = match (&access.standing, access.account) {
            (Standing::Ended { how: Ending::Expired, .. }, AccountState::NeverLinked | AccountState::Linked { .. }) => {
                return; // nobody took it away: `unauthorized-agent`
            }
            (Standing::Ended { at, how, .. }, _) => (*at, how.as_str()),
            // Delegated anew, not linked anew.
            (Standing::Dormant { .. }, AccountState::Unlinked { at }) => (at, "unlinked"),
            // Auth0 tells of an exchange by nobody knows whom: the account was unlinked all the same.
            (Standing::Never, AccountState::Unlinked { at })
                if record.agent().is_none() && record.sender.channel == Channel::Auth0 =>
            {
                (at, "unlinked")
            }
            _ => return,
        };
        let usage = record.event().is_some_and(|e| e.kind() == Kind::ConnectedAccountUsage);
        let trusted_time = record.at != record.observed_at || record.sender.channel == Channel::Replay;
        if usage && trusted_time && record.at.since(at) <= USE_GRACE {
            return;
        }
        // Told out of order: it happened while the right held.
        if trusted_time && record.at <= at {
            return;
        }
        let severity = if access.token_outlives_right { Severity::High } else { Severity::Critical };
        let act = if usage { "used" } else { "asked for a token" };
        let mut finding = Finding::about(record, severity, format!("{act} after the right ended ({how}) at {at}"))
            .with("ended_at", at.to_string())
            .with("how", how);
        // Refusing is what the person decided; a mere report cannot be refused.
        finding.binding = !usage;
        out.report(finding);
    }
}

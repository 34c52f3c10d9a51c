//! `delegation-chain`: a delegation that breaks the rules of chains.

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, GuardClass, Module, Record, Severity};
use onesec_telemetry::Kind;
use onesec_trackers::facts::{DelegationOutcome, Refusal};

/// Fires when a delegation was refused for what it is: to oneself, cyclic, too deep, wider or longer than its parent,
/// below an ended or foreign parent, with an attestation that does not verify, or one that was ended before; where
/// telemetry reports one that nobody signed for (`delegations.unattested`); and where the actors of a user's token are
/// not those who act (RFC 8693, section 4.1).
///
/// **Blind spot**: a chain that keeps all rules and should not exist.
#[derive(Debug)]
pub struct DelegationChain(Descriptor);

impl DelegationChain {
    /// There is nothing to set: the deepest chain is the tracker's (`TrackerConfig::max_depth`).
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI03", "ASI07"],
            references: &["RFC 8693, section 4.1"],
            kinds: &[Kind::AgentIdentityDelegation, Kind::TokenExchange],
            stateless: true,
            guard: GuardClass::Closed,
            blind_spot: "a chain that keeps all rules and should not exist",
            mitigation: "The delegation has no effect. Find out who sent it.",
            ..Descriptor::new("delegation-chain", Module::TokenVault, "Delegation that breaks the rules")
        })
    }
}

impl Default for DelegationChain {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for DelegationChain {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        actors(record, facts, out);
        let Some(delegation) = &facts.delegation else {
            return;
        };
        let DelegationOutcome::Refused(refusal) = &delegation.outcome else {
            if delegation.unattested {
                let reason = "a delegation that nobody signed for counts on its sender's word";
                let finding = Finding::about(record, Severity::Medium, reason);
                out.report(finding.with("delegation", delegation.delegation.as_str()).aspect("unattested"));
            }
            return;
        };
        let Some(severity) = severity(*refusal) else {
            return;
        };
        let reason = format!("a delegation without effect: {}", refusal.as_str());
        out.report(
            Finding::about(record, severity, reason)
                .with("refusal", refusal.as_str())
                .with("delegation", delegation.delegation.as_str())
                .aspect(refusal.as_str()),
        );
    }
}

/// Only the current actor decides; those before it are history, and may be told of wrongly without harm.
fn actors(record: &Record, facts: &Facts<'_>, out: &mut Findings) {
    let Some(parties) = &facts.parties else {
        return;
    };
    if let Some(actor) = parties.actor {
        let client = || actor.client.as_ref().map_or("", AsRef::as_ref);
        let name = actor.sub.as_ref().map_or_else(client, AsRef::as_ref);
        let reason = format!("the token says that `{name}` acts, and it is another agent that asks");
        let mut finding = Finding::about(record, Severity::High, reason).with("actor", name).aspect("actor-mismatch");
        finding.binding = true;
        out.report(finding);
    } else if parties.history {
        let reason = "the earlier actors of the token are not those of the delegation";
        out.report(Finding::about(record, Severity::Medium, reason).aspect("actor-history"));
    }
}

const fn severity(refusal: Refusal) -> Option<Severity> {
    match refusal {
        // Said by `untrusted-claim`.
        Refusal::NoAuthority => None,
        Refusal::NoConnection | Refusal::LedgerFull | Refusal::NothingToEnd | Refusal::AlreadyExpired => {
            Some(Severity::Low)
        }
        Refusal::TooDeep | Refusal::UnknownParent | Refusal::OutlivesParent | Refusal::Unattested => {
            Some(Severity::Medium)
        }
        Refusal::AttestationRefused => Some(Severity::Critical),
        _ => Some(Severity::High),
    }
}

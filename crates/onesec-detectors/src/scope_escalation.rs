//! `scope-escalation`: an agent asks for, uses or is given more than it has been allowed.

use std::sync::Arc;

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, GuardClass, Module, Record, Severity};
use onesec_telemetry::catalogue::{Catalogue, Class};
use onesec_telemetry::{Details, Kind, ScopeSet};
use onesec_trackers::facts::{Baseline, ScopeFacts};

use crate::scopes::{CHANGING, any_of_class, provider_of, with_classes};

/// Fires when scopes leave the baseline: the delegation's bound, else what the user granted when linking, else what was
/// learned from the first exchange (identity and read scopes only). An exchange that names no scopes asks for all the
/// account holds.
///
/// CRITICAL where a new scope is of class admin, or the step leads from a baseline of reading to writing, sending or
/// deleting. Also fires when returned or used scopes leave those of the link.
///
/// **Blind spot**: abuse within the allowed scopes; scopes that the provider names in a way the catalogue's guess misreads.
#[derive(Debug)]
pub struct ScopeEscalation {
    descriptor: Descriptor,
    catalogue: Arc<Catalogue>,
}

impl ScopeEscalation {
    /// Classes of scopes come from `catalogue`.
    #[must_use]
    pub fn new(catalogue: Arc<Catalogue>) -> Self {
        let descriptor = Descriptor {
            owasp: &["ASI03", "ASI02"],
            references: &["RFC 6749, section 3.3", "RFC 8693, section 2.1"],
            kinds: &[
                Kind::TokenExchange,
                Kind::TokenExchangeRequest,
                Kind::TokenExchangeResponse,
                Kind::ConnectedAccountUsage,
            ],
            stateless: true,
            guard: GuardClass::Closed,
            blind_spot: "abuse within the allowed scopes; unknown scopes whose names mislead the guess at their class",
            mitigation: "If the agent needs the scopes, delegate them or accept them into its baseline; otherwise look \
                         at what made it ask.",
            ..Descriptor::new("scope-escalation", Module::TokenVault, "Scopes beyond what was allowed")
        };
        Self { descriptor, catalogue }
    }

    fn severity(&self, record: &Record, scopes: &ScopeFacts<'_>, beyond: &ScopeSet) -> Severity {
        let provider = provider_of(&self.catalogue, record, beyond);
        let any = |set: &ScopeSet, classes: &[Class]| any_of_class(&self.catalogue, provider, set, classes);
        if any(beyond, &[Class::Admin]) {
            return Severity::Critical;
        }
        let baseline_changes = match scopes.baseline {
            Baseline::Delegation(set) | Baseline::Link(set) | Baseline::Learned(set) => any(set, &CHANGING),
            _ => false,
        };
        // Nothing is known yet at first sight: there is no step from reading to anything.
        let first_sight = matches!(scopes.baseline, Baseline::FirstSight);
        if any(beyond, &CHANGING) && !baseline_changes && !first_sight { Severity::Critical } else { Severity::High }
    }
}

impl Detector for ScopeEscalation {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(scopes) = &facts.scopes else {
            return;
        };
        let response = matches!(record.event().map(|e| &e.details), Some(Details::TokenExchangeResponse(_)));
        // What the account can give beyond a delegation is its posture; what was issued is measured against the link.
        let (beyond, what) = match (response, scopes.beyond.is_empty(), scopes.beyond_link.is_empty()) {
            (true, _, true) | (false, true, true) => return,
            (true, _, false) => (&scopes.beyond_link, "returned beyond what the user granted"),
            (false, true, false) => (&scopes.beyond_link, "used beyond what the user granted"),
            (false, false, _) => {
                (&scopes.beyond, if scopes.named { "asked for beyond" } else { "asked for by default beyond" })
            }
        };
        let source = if response { "link" } else { scopes.baseline.source() };
        let reason = match source {
            "delegation" => format!("{what} the delegation's bound: {beyond}"),
            "link" if what.ends_with("granted") => format!("{what}: {beyond}"),
            "link" => format!("{what} what the user granted: {beyond}"),
            "learned" => format!("{what} what the agent has been seen to use: {beyond}"),
            _ => format!("{what} identity and read scopes by an agent that nothing is known about: {beyond}"),
        };
        let provider = provider_of(&self.catalogue, record, beyond);
        let finding = Finding::about(record, self.severity(record, scopes, beyond), reason)
            .with("new_scopes", beyond)
            .with("baseline", source)
            .with("named", scopes.named);
        out.report(with_classes(finding, &self.catalogue, provider, beyond));
    }
}

//! `over-scoped-token`: an account can only give more than a delegation allows.

use std::sync::Arc;

use onesec_detector::{Descriptor, Detector, Entity, Facts, Finding, Findings, GuardClass, Module, Record, Severity};
use onesec_telemetry::Kind;
use onesec_telemetry::catalogue::{Catalogue, Class};

use crate::scopes::{any_of_class, with_classes};

/// Fires on a property of the set-up: Token Vault returns every scope of an account, so a delegation that allows less
/// cannot be kept by Auth0. One posture alert per agent, user and connection until link or delegation changes.
///
/// **Blind spot**: delegations that state no bound; accounts whose link did not tell its scopes, until a token is issued.
#[derive(Debug)]
pub struct OverScopedToken {
    descriptor: Descriptor,
    catalogue: Arc<Catalogue>,
}

impl OverScopedToken {
    /// Classes of scopes come from `catalogue`.
    #[must_use]
    pub fn new(catalogue: Arc<Catalogue>) -> Self {
        let descriptor = Descriptor {
            owasp: &["ASI03"],
            references: &["RFC 8693, section 2.2.1"],
            kinds: &[
                Kind::AgentIdentityDelegation,
                Kind::ConnectedAccountLink,
                Kind::TokenExchange,
                Kind::TokenExchangeResponse,
            ],
            stateless: true,
            guard: GuardClass::Closed,
            blind_spot: "delegations without a bound; links that do not tell their scopes, until a token is issued",
            mitigation: "Connect an account with fewer scopes for this agent, or use preset `strict`, which withholds \
                         such tokens.",
            ..Descriptor::new("over-scoped-token", Module::TokenVault, "Account gives more than was delegated")
        };
        Self { descriptor, catalogue }
    }
}

impl Detector for OverScopedToken {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        for posture in &facts.posture {
            let provider = self.catalogue.provider_of_connection(posture.connection.as_str());
            let grave = [Class::Write, Class::Send, Class::Delete, Class::Admin];
            let grave = any_of_class(&self.catalogue, provider, &posture.excess, &grave);
            let severity = if grave { Severity::High } else { Severity::Medium };
            let reason = format!("tokens for this account carry scopes beyond the delegation: {}", posture.excess);
            let entity = Entity {
                agent: Some(posture.agent.clone()),
                user: Some(posture.user.clone()),
                connection: Some(posture.connection.clone()),
                app: None,
            };
            let mut finding =
                Finding::about(record, severity, reason).of(entity).with("excess_scopes", &posture.excess);
            finding.standing = Some(posture.version);
            out.report(with_classes(finding, &self.catalogue, provider, &posture.excess));
        }
    }
}

//! `consent-phishing`: a user is talked into granting an application too much.

use std::sync::Arc;

use onesec_detector::{Descriptor, Detector, Entity, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{AppId, Details, Kind, ScopeSet};
use onesec_trackers::facts::ConsentFacts;

use crate::scopes::{provider_of, with_classes};

/// When a grant is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsentLimits {
    /// More scopes than this in one grant are too many.
    pub scopes: usize,
    /// As many distinct users for one application within the hour are a campaign.
    pub users: u32,
}

impl Default for ConsentLimits {
    fn default() -> Self {
        Self { scopes: 10, users: 5 }
    }
}

/// Fires on a grant of more than ten scopes (MEDIUM), on a risky combination from the catalogue (MEDIUM, HIGH with an
/// application whose publisher is not verified), and when one application is granted by five users within an hour (HIGH).
///
/// **Blind spot**: an application that asks for little and is used for much; campaigns slower than the window.
#[derive(Debug)]
pub struct ConsentPhishing {
    descriptor: Descriptor,
    catalogue: Arc<Catalogue>,
    limits: ConsentLimits,
}

impl ConsentPhishing {
    /// Combinations of scopes come from `catalogue`.
    #[must_use]
    pub fn new(catalogue: Arc<Catalogue>, limits: ConsentLimits) -> Self {
        let descriptor = Descriptor {
            owasp: &["ASI03", "ASI09"],
            references: &["MITRE ATT&CK T1528", "MITRE ATT&CK T1566"],
            kinds: &[Kind::OauthGrant, Kind::OauthConsent],
            stateless: true,
            blind_spot: "an application that asks for little and is used for much; campaigns slower than the window",
            mitigation: "Ask the user whether they meant it; revoke the grant at the provider and warn the others.",
            ..Descriptor::new("consent-phishing", Module::Consent, "Suspicious grant to an application")
        };
        Self { descriptor, catalogue, limits }
    }

    fn combinations(&self, record: &Record, (app, scopes): (&AppId, &ScopeSet), verified: bool) -> Option<Finding> {
        let provider = provider_of(&self.catalogue, record, scopes);
        let combinations = self.catalogue.risky_combinations(provider, scopes);
        if combinations.is_empty() {
            return None;
        }
        let names: Vec<String> = combinations.iter().map(|c| c.name.to_string()).collect();
        let severity = if verified { Severity::Medium } else { Severity::High };
        let publisher = if verified { "a verified publisher" } else { "a publisher that is not verified" };
        let names_listed = names.join(", ");
        let reason = format!("risky combination of scopes granted to `{app}` of {publisher}: {names_listed}");
        let finding = Finding::about(record, severity, reason)
            .with("combinations", names)
            .with("scopes", scopes)
            .with("publisher_verified", verified)
            .aspect("combination");
        Some(with_classes(finding, &self.catalogue, provider, scopes))
    }
}

impl Detector for ConsentPhishing {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some((app, scopes)) = granted(record) else {
            return;
        };
        let entity = Entity { app: Some(app.clone()), user: record.user().cloned(), ..Entity::default() };
        let verified = facts.consent.as_ref().is_some_and(|c| c.publisher_verified);
        if let Some(finding) = self.combinations(record, (app, scopes), verified) {
            out.report(finding.of(entity.clone()));
        }
        if scopes.len() > self.limits.scopes {
            let reason = format!("{} scopes in one grant to `{app}`, more than {}", scopes.len(), self.limits.scopes);
            let finding = Finding::about(record, Severity::Medium, reason).of(entity);
            out.report(finding.with("scopes", scopes).aspect("many-scopes"));
        }
        if let Some(consent) = facts.consent.as_ref().filter(|c| c.users_in_hour >= self.limits.users) {
            out.report(campaign(record, app, consent));
        }
    }
}

fn granted(record: &Record) -> Option<(&AppId, &ScopeSet)> {
    match &record.event()?.details {
        Details::OauthGrant(d) => Some((&d.app_id, &d.scopes)),
        Details::OauthConsent(d) => Some((&d.app_id, &d.scopes)),
        _ => None,
    }
}

fn campaign(record: &Record, app: &AppId, consent: &ConsentFacts) -> Finding {
    let reason = format!("{} users granted to `{app}` within the hour", consent.users_in_hour);
    let finding = Finding::about(record, Severity::High, reason)
        .of(Entity { app: Some(app.clone()), ..Entity::default() })
        .with("users", consent.users_in_hour)
        .aspect("campaign");
    match &consent.app_name {
        Some(name) => finding.with("app_name", name.as_str()),
        None => finding,
    }
}

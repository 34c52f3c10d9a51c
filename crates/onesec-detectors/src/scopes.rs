//! What several detectors ask of scopes.

use onesec_detector::Finding;
use onesec_telemetry::catalogue::{Catalogue, Class, ProviderId};
use onesec_telemetry::{Record, ScopeSet};

/// The provider that a record's scopes belong to.
pub(crate) fn provider_of(catalogue: &Catalogue, record: &Record, scopes: &ScopeSet) -> Option<ProviderId> {
    let by_connection = record.connection().and_then(|c| catalogue.provider_of_connection(c.as_str()));
    by_connection.or_else(|| catalogue.provider_of_scopes(scopes))
}

/// Whether any of the scopes is of one of the classes.
pub(crate) fn any_of_class(catalogue: &Catalogue, provider: Option<ProviderId>, set: &ScopeSet, of: &[Class]) -> bool {
    set.iter().any(|scope| {
        let classes = catalogue.classes(provider, scope);
        of.iter().any(|class| classes.contains(*class))
    })
}

/// Classes that change something in the world.
pub(crate) const CHANGING: [Class; 3] = [Class::Write, Class::Send, Class::Delete];

/// Labels the finding with the classes of `scopes`, so that a new class raises the alert again.
pub(crate) fn with_classes(
    mut finding: Finding,
    catalogue: &Catalogue,
    provider: Option<ProviderId>,
    scopes: &ScopeSet,
) -> Finding {
    for scope in scopes {
        for class in catalogue.classes(provider, scope).iter() {
            finding = finding.aspect(class.as_str());
        }
    }
    finding
}

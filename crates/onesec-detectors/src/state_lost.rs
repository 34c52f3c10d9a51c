//! `state-lost`: something was forgotten that mattered.

use onesec_detector::{Descriptor, Detector, Entity, Evidence, Facts, Finding, Findings, Module, Record, Severity};

/// Fires when a window above its limit, an agent with many failures, a learned baseline, an agent or task under influence, a
/// mandate, a poisoned piece of memory or an approved manifest had to go to make room. A baseline that comes back is pending, never fresh, and still: whoever floods us with names may be after that. Told with the next
/// event; names nobody, because whoever was forgotten has done nothing.
///
/// **Blind spot**: what is forgotten of entities that were in order.
#[derive(Debug)]
pub struct StateLost(Descriptor);

impl StateLost {
    /// How much is kept is the tracker's (`TrackerConfig::bounds`).
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI03"],
            references: &["CWE-400"],
            stateless: true,
            blind_spot: "what is forgotten of entities that were in order",
            mitigation: "Find the key that brings in so many names (`/api/v1/status`), and take it back if it is none of yours.",
            ..Descriptor::new("state-lost", Module::TokenVault, "Something was forgotten that mattered")
        })
    }
}

impl Default for StateLost {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for StateLost {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, _: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(lost) = &facts.lost else {
            return;
        };
        let reason = format!(
            "{} counts above their limit, {} baselines and {} influences, mandates or manifests had to make room",
            lost.armed, lost.baselines, lost.behaviour
        );
        let mut finding = Finding::new(Entity::default(), Evidence::from(&lost.event), Severity::Medium, reason)
            .with("armed", lost.armed)
            .with("baselines", lost.baselines)
            .with("behaviour", lost.behaviour);
        finding.attribution = Some(lost.attribution);
        out.report(finding);
    }
}

//! `canary`: somebody touched what nobody has any business with.

use onesec_detector::{Descriptor, Detector, Entity, Facts, Finding, Findings, Module, Record, Severity};

/// Fires on anything that names a decoy: a user, an account or a client that exists for nothing else. Who sets it up may
/// link and delegate it. Never waivable.
///
/// The alert names the agent and the kind of decoy, never which one it was: alerts are read by more people than may know.
///
/// **Blind spot**: whoever knows the decoys.
#[derive(Debug)]
pub struct Canary(Descriptor);

impl Canary {
    /// Decoys are set by people (`POST /api/v1/canaries`).
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI03", "ASI10"],
            references: &["MITRE ATT&CK T1078"],
            stateless: true,
            blind_spot: "whoever knows the decoys",
            mitigation: "Suspend the agent, and look at everything it did: nobody gets here by accident.",
            ..Descriptor::new("canary", Module::TokenVault, "A decoy was touched")
        })
    }
}

impl Default for Canary {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for Canary {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(canary) = facts.canary else {
            return;
        };
        let reason = format!("touched a decoy: a {} that nobody has any business with", canary.what.as_str());
        out.report(Finding::about(record, Severity::Critical, reason).of(Entity::agent_of(record)));
    }
}

//! `untrusted-claim`: a sender says what it has no authority to say.

use onesec_detector::{Descriptor, Detector, Entity, Facts, Finding, Findings, Module, Record, Severity};

/// Fires when a key without authority sends what would change trust (MEDIUM), and when a key that is bound to one agent
/// speaks of another (HIGH, against the key's agent). Such events are stored, read at their least trusted value, and
/// change nothing.
///
/// **Blind spot**: a key that has the authority and lies.
#[derive(Debug)]
pub struct UntrustedClaim(Descriptor);

impl UntrustedClaim {
    /// There is nothing to set.
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI03", "ASI07"],
            stateless: true,
            blind_spot: "a key that has the authority and lies",
            mitigation: "If the sender should have the authority, give its key `events:trust`; otherwise rotate the key.",
            ..Descriptor::new("untrusted-claim", Module::TokenVault, "Claim without authority")
        })
    }
}

impl Default for UntrustedClaim {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for UntrustedClaim {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, _: &Facts<'_>, out: &mut Findings) {
        let key = record.sender.key.as_ref().map_or("none", AsRef::as_ref);
        if record.speaks_for_another() {
            let named = record.agent().map_or("", AsRef::as_ref);
            let reason = format!("a key bound to one agent speaks of another, `{named}`");
            let entity = Entity { agent: record.sender.agent.clone(), ..Entity::default() };
            let finding = Finding::about(record, Severity::High, reason).of(entity);
            out.report(finding.with("key", key).with("named_agent", named).aspect("other-agent"));
            return;
        }
        let claims = record.untrusted_claims();
        if claims.is_empty() {
            return;
        }
        let list: Vec<String> = claims.iter().map(|c| (*c).to_owned()).collect();
        let reason = format!("`{}` counts only from a sender with authority", list.join("`, `"));
        out.report(Finding::about(record, Severity::Medium, reason).with("key", key).with("claims", list));
    }
}

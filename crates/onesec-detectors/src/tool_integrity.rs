//! `tool-integrity`: a tool is not what was approved, or not what it seems (ASI04).

use onesec_detector::{Descriptor, Detector, Entity, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::AppId;
use onesec_trackers::facts::{ManifestFacts, ManifestState};

use crate::words::{plain, signals_list};

/// Fires on a manifest that differs from the one approved (or first shown) until a person approves it, on the use of such
/// a tool, on instructions in a tool's own description, on a name that a person could not tell from a known one, and on a
/// known name at another server.
///
/// **Blind spot**: a server that changes what a tool does and not what it says; a first manifest that was bad from the
/// beginning and reads like any other.
#[derive(Debug)]
pub struct ToolIntegrity(Descriptor);

impl ToolIntegrity {
    /// There is nothing to set.
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI04"],
            references: &["OWASP Top 10 for Agentic Applications 2026, ASI04 Agentic Supply Chain Vulnerabilities"],
            stateless: true,
            blind_spot: "a server that changes what a tool does and not what it says; a first manifest that was bad from \
                         the beginning",
            mitigation: "Compare the manifest with the one approved; approve it, or stop using the server.",
            ..Descriptor::new("tool-integrity", Module::AiContainment, "Tool is not what was approved")
        })
    }
}

impl Default for ToolIntegrity {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for ToolIntegrity {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(behaviour) = facts.behaviour.as_deref() else { return };
        for manifest in &behaviour.manifests {
            if let Some(finding) = judged(record, manifest) {
                out.report(finding);
            }
        }
    }
}

fn judged(record: &Record, manifest: &ManifestFacts<'_>) -> Option<Finding> {
    let (severity, reason, aspect) = verdict(manifest)?;
    let mut finding = Finding::about(record, severity, reason).of(entity(record, manifest)).aspect(aspect);
    if let Some(event) = &manifest.event {
        finding.evidence = finding.evidence.and(event);
    }
    finding = finding.with("tool", plain(&manifest.tool)).with("problem", aspect);
    if !manifest.server.is_empty() {
        finding = finding.with("server", plain(&manifest.server));
    }
    if let Some(digest) = &manifest.digest {
        finding = finding.with("digest", digest.to_string());
    }
    if let Some((_, signals)) = manifest.text {
        finding = finding.with("says", signals_list(signals));
    }
    if manifest.state == ManifestState::Changed {
        // One alert until the manifest is another one again, or a person approves it.
        finding.standing = Some(manifest.version);
    }
    Some(finding)
}

fn verdict(manifest: &ManifestFacts<'_>) -> Option<(Severity, String, &'static str)> {
    let tool = plain(&manifest.tool);
    if manifest.called {
        let changed = manifest.state == ManifestState::Changed;
        return changed.then(|| {
            (
                Severity::High,
                format!("tool `{tool}` is used, and its manifest is not the one approved"),
                "changed-in-use",
            )
        });
    }
    if manifest.text.is_some() {
        return Some((
            Severity::High,
            format!("the description of tool `{tool}` holds instructions to the agent"),
            "instructions",
        ));
    }
    if manifest.state == ManifestState::Changed {
        return Some((
            Severity::High,
            format!("the manifest of tool `{tool}` changed, and nobody approved it"),
            "changed",
        ));
    }
    if let Some(other) = manifest.look_alike {
        let other = plain(other);
        return Some((Severity::High, format!("tool `{tool}` looks like the known tool `{other}`"), "look-alike"));
    }
    if let Some(server) = manifest.shadows.as_ref().filter(|_| manifest.state != ManifestState::Approved) {
        let server = plain(server);
        return Some((Severity::Medium, format!("tool `{tool}` is known from server `{server}`"), "shadows"));
    }
    None
}

/// Alerts are merged by tool, as applications are.
fn entity(record: &Record, manifest: &ManifestFacts<'_>) -> Entity {
    let name = format!("{}/{}", manifest.server, manifest.tool);
    let end = name.floor_char_boundary(onesec_telemetry::limits::MAX_ID_BYTES);
    let app = name.get(..end).and_then(|name| AppId::new(name).ok());
    let agent = record.agent().filter(|_| manifest.called).cloned();
    Entity { agent, app, ..Entity::default() }
}

//! `tenant-change`: somebody changed who may ask for tokens, or who watches, at Auth0.

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::{Details, Kind};
use serde_json::{Map, Value};

/// Fires when Auth0's log tells of a change of clients, connections, grants and the like (MEDIUM), of a log stream that was
/// deleted, paused or otherwise changed (HIGH: what is not told of is not seen), of any change by an agent's credential
/// (HIGH), and of a client that changed itself (CRITICAL). Clients whose work it is may be named; that does not cover log
/// streams.
///
/// **Blind spot**: what was changed within; changes while the log does not come.
#[derive(Debug)]
pub struct TenantChange {
    descriptor: Descriptor,
    provisioners: Vec<String>,
}

impl TenantChange {
    /// `provisioners`: clients whose work it is to change the tenant.
    #[must_use]
    pub fn new(provisioners: Vec<String>) -> Self {
        let descriptor = Descriptor {
            owasp: &["ASI03", "ASI10"],
            references: &["MITRE ATT&CK T1098", "MITRE ATT&CK T1562"],
            kinds: &[Kind::Custom],
            stateless: true,
            blind_spot: "what was changed within; changes while the log does not come",
            mitigation: "Ask whoever did it. What nobody wanted is taken back at Auth0, and the credential that did it is \
                         rotated; a log stream that was paused is started again from where it stopped.",
            ..Descriptor::new("tenant-change", Module::TokenVault, "Auth0 tenant changed")
        };
        Self { descriptor, provisioners }
    }
}

/// A change, as Auth0's log tells of it.
struct Change<'a> {
    target: &'a str,
    action: &'a str,
    status: Option<&'a str>,
    members: usize,
}

impl Change<'_> {
    /// Whether it may leave us without word of what happens.
    fn blinds(&self) -> bool {
        let resumes = self.action == "update" && self.status == Some("active") && self.members <= 1;
        self.target == "log-streams" && self.action != "create" && !resumes
    }
}

impl Detector for TenantChange {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn judge(&mut self, record: &Record, _: &Facts<'_>, out: &mut Findings) {
        let Some(said) = told(record) else { return };
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        let (Some(target), Some(action)) = (text("target"), text("action")) else { return };
        let members = said.get("members").and_then(Value::as_array).map_or(0, Vec::len);
        let change = Change { target, action, status: text("status"), members };
        let client = record.event().and_then(|event| event.common.client_id.as_ref()).map(AsRef::as_ref);
        let itself = target == "clients" && action != "delete" && client.is_some() && text("target_id") == client;
        let named = client.is_some_and(|client| self.provisioners.iter().any(|known| known == client));
        let (severity, why) = match (itself, change.blinds(), record.agent()) {
            (true, ..) => (Severity::Critical, "a client changed itself"),
            (_, true, _) => (Severity::High, "a log stream was changed: what it does not tell is not seen"),
            (_, _, Some(_)) => (Severity::High, "an agent's credential changed the tenant"),
            (_, _, None) if named => return,
            (_, _, None) => (Severity::Medium, "the tenant was changed"),
        };
        let what = format!("{why}: {action} {target}");
        let mut finding = Finding::about(record, severity, what).with("target", target).with("action", action);
        for (name, value) in [("client_id", client), ("target_id", text("target_id")), ("path", text("path"))] {
            if let Some(value) = value {
                finding = finding.with(name, value);
            }
        }
        out.report(finding.aspect(aspect(target)));
    }
}

/// Each of them raises an alert anew.
fn aspect(target: &str) -> &'static str {
    const TARGETS: [&str; 5] = ["log-streams", "clients", "connections", "grants", "client-grants"];
    TARGETS.into_iter().find(|known| *known == target).unwrap_or("other")
}

/// What Auth0's log says of a change.
fn told(record: &Record) -> Option<Map<String, Value>> {
    let event = record.event()?;
    match &event.details {
        Details::Custom(custom) if custom.name == "auth0.tenant_change" => {}
        _ => return None,
    }
    match event.extra.as_ref()?.to_value() {
        Value::Object(said) => Some(said),
        _ => None,
    }
}

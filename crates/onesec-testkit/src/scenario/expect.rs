//! What a scenario expects of an alert.

use onesec_enforcement::Verdict;
use onesec_telemetry::{Alert, Severity};
use serde::Deserialize;

/// One alert, as far as it is said.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Code of the detector.
    pub detector: String,
    /// Exactly this severity.
    pub severity: Severity,
    /// About this agent.
    pub agent: Option<String>,
    /// About this user.
    pub user: Option<String>,
    /// About this connection.
    pub connection: Option<String>,
    /// About this application.
    pub app: Option<String>,
    /// So many findings.
    pub occurrences: Option<u64>,
    /// On whose word: `observed`, `self`, `reported`.
    pub attribution: Option<String>,
    /// The strongest verdict that live mode would give to a request among its findings: `allow`, `deny`, `rate_limit`…
    pub verdict: Option<String>,
    /// So many requests among its findings were refused in the mode of the story.
    pub refused: Option<u64>,
    /// A part of its description.
    pub says: Option<String>,
}

/// An alert and what became of the requests that it is about.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) alert: Alert,
    pub(super) would: Option<Verdict>,
    pub(super) refused: u64,
}

impl Seen {
    pub(super) fn app(&self) -> Option<&str> {
        self.alert.attributes.get("app_id").and_then(|app| app.as_str())
    }
}

impl Expected {
    /// What of it the alert is not, each as `field: want …, got …`.
    pub(super) fn differences(&self, seen: &Seen) -> Vec<String> {
        let alert = &seen.alert;
        let mut wrong = Vec::new();
        let mut compare = |field: &str, want: Option<&str>, got: Option<&str>| {
            if want.is_some() && want != got {
                wrong.push(format!("{field}: want {}, got {}", want.unwrap_or("-"), got.unwrap_or("-")));
            }
        };
        compare("detector", Some(&self.detector), Some(alert.detector.as_str()));
        compare("severity", Some(self.severity.as_str()), Some(alert.severity.as_str()));
        compare("agent", self.agent.as_deref(), alert.agent_id.as_ref().map(AsRef::as_ref));
        compare("user", self.user.as_deref(), alert.user_id.as_ref().map(AsRef::as_ref));
        compare("connection", self.connection.as_deref(), alert.connection.as_ref().map(AsRef::as_ref));
        compare("app", self.app.as_deref(), seen.app());
        compare("attribution", self.attribution.as_deref(), Some(alert.attribution.as_str()));
        compare("verdict", self.verdict.as_deref(), seen.would.map(Verdict::as_str));
        let (want, got) = (self.occurrences.map(|n| n.to_string()), alert.occurrences.to_string());
        compare("occurrences", want.as_deref(), Some(&got));
        let (want, got) = (self.refused.map(|n| n.to_string()), seen.refused.to_string());
        compare("refused", want.as_deref(), Some(&got));
        if let Some(part) = self.says.as_ref().filter(|part| !alert.description.contains(*part)) {
            wrong.push(format!("says: want `{part}` in `{}`", alert.description));
        }
        wrong
    }
}

//! Presets: tables of verdicts that we ship.

use std::time::Duration;

use onesec_telemetry::Severity;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::verdict::{Judged, Verdict};

/// A table of verdicts by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Watch only.
    Observe,
    /// Refuse what is certainly wrong, hold what is critical.
    #[default]
    Balanced,
    /// Refuse or hold whatever is HIGH.
    Strict,
    /// For an agent on a server of its own.
    VpsAgent,
}

/// Findings that no person can wave through.
#[must_use]
pub fn never_waivable(detector: &str) -> bool {
    matches!(detector, "revoked-access" | "confused-deputy" | "canary")
}

/// Detectors whose findings mean that the request itself is illegitimate.
fn illegitimate(finding: &Judged<'_>) -> bool {
    match finding.detector {
        "revoked-access" | "confused-deputy" | "unauthorized-agent" | "unlinked-exchange" | "canary" => true,
        "delegation-chain" => finding.severity >= Severity::High,
        _ => false,
    }
}

impl Preset {
    /// All of them, mildest first but for `vps-agent`.
    pub const ALL: [Self; 4] = [Self::Observe, Self::Balanced, Self::Strict, Self::VpsAgent];

    /// The name in configuration and API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Balanced => "balanced",
            Self::Strict => "strict",
            Self::VpsAgent => "vps-agent",
        }
    }

    /// By name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == name)
    }

    /// The policies that it brings, as configuration would have them. Those that send messages mean
    /// `enforcement.webhook`.
    #[must_use]
    pub fn policies(self) -> Value {
        match self {
            Self::Observe | Self::Balanced | Self::Strict => json!([]),
            Self::VpsAgent => json!([
                {
                    "name": "vps-excessive-exchanges",
                    "match": {"detectors": ["exchange-rate"], "min_severity": "HIGH"},
                    "actions": ["webhook", {"rate_limit_agent": {"limit": 2, "per": "1m", "for": "15m"}}],
                },
                {
                    "name": "vps-scope-escalation",
                    "match": {"detectors": ["scope-escalation"], "min_severity": "HIGH"},
                    "actions": ["webhook", "log"],
                },
                {
                    "name": "vps-unauthorized-agent",
                    "match": {"detectors": ["unauthorized-agent"], "min_severity": "CRITICAL"},
                    "actions": [{"kill_process": {"grace": "5s"}}, {"block_ip": {"for": "1h"}}, "webhook"],
                },
                {
                    "name": "vps-broad-consent",
                    "match": {"detectors": ["consent-phishing"], "min_severity": "MEDIUM"},
                    "actions": ["log", "webhook"],
                },
            ]),
        }
    }

    /// What one finding means for the request in flight.
    pub fn verdict(self, finding: &Judged<'_>) -> Verdict {
        if self == Self::Observe {
            return Verdict::Allow;
        }
        if illegitimate(finding) || finding.detector == "scope-escalation" {
            return Verdict::Deny;
        }
        let retry_after = finding.retry_after.unwrap_or(Duration::from_secs(60));
        match (finding.detector, self) {
            ("exchange-rate", _) | ("refresh-storm", Self::Strict) => Verdict::RateLimit { retry_after },
            ("over-scoped-token", Self::Strict) => Verdict::Withhold,
            ("refresh-storm" | "over-scoped-token" | "delegation-chain", _) => Verdict::Allow,
            _ => self.otherwise(finding.severity),
        }
    }

    /// The last row: any other HIGH or CRITICAL.
    const fn otherwise(self, severity: Severity) -> Verdict {
        match (self, severity) {
            (Self::Balanced, Severity::Critical) | (Self::Strict, Severity::High) => Verdict::Hold,
            (Self::Strict | Self::VpsAgent, Severity::Critical) => Verdict::Deny,
            (Self::Observe, _)
            | (Self::Balanced | Self::VpsAgent, Severity::High)
            | (_, Severity::Info | Severity::Low | Severity::Medium) => Verdict::Allow,
        }
    }
}

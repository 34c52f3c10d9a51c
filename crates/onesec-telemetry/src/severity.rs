//! How bad a finding is, and how far its evidence can be trusted.

use serde::{Deserialize, Serialize};

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Odd.
    Low,
    /// Look at it this week.
    Medium,
    /// Look at it today.
    High,
    /// Act now.
    Critical,
}

impl Severity {
    /// `INFO` … `CRITICAL`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }

    /// 0 for `INFO` to 4 for `CRITICAL`.
    #[must_use]
    pub const fn rank(self) -> u8 {
        self as u8
    }

    /// From any case of the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical]
            .into_iter()
            .find(|s| s.as_str().eq_ignore_ascii_case(name))
    }
}

/// Whose word a finding rests on. Actions that stop somebody run by themselves on the two stronger ones only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Attribution {
    /// Somebody else says so.
    #[serde(rename = "reported")]
    Reported,
    /// A key bound to that very agent says so.
    #[serde(rename = "self")]
    OwnWord,
    /// The gateway saw it, or Auth0 confirmed it.
    #[serde(rename = "observed")]
    Observed,
}

impl Attribution {
    /// `reported`, `self` or `observed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::OwnWord => "self",
            Self::Observed => "observed",
        }
    }
}

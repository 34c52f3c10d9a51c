//! What came of running scenarios, for people and for `coverage`.

use std::fmt;
use std::path::PathBuf;

use onesec_telemetry::Alert;

use super::Expected;

/// Whether a scenario shows an attack or its benign twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// Something must be found.
    Attack,
    /// Nothing above LOW must be found.
    Benign,
}

/// All scenarios that were run, by detector and name.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// One per scenario.
    pub cases: Vec<Case>,
}

/// One scenario and what came of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// The detector that it is about.
    pub detector: String,
    /// What it shows.
    pub shows: String,
    /// Attack, or benign.
    pub role: Role,
    /// The scenario that it is the twin of.
    pub twin_of: Option<String>,
    /// The detector's OWASP ids.
    pub owasp: Vec<&'static str>,
    /// Where it stands.
    pub file: Option<PathBuf>,
    /// What is not as it should be.
    pub mismatches: Vec<Mismatch>,
}

/// A difference between what should be and what is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Mismatch {
    /// The engine could not be set up.
    Setup(String),
    /// A detector panicked.
    Panic {
        /// Which.
        detector: String,
        /// On which record.
        seq: u64,
    },
    /// An expected alert is not there.
    Missing {
        /// What was expected.
        expected: Box<Expected>,
        /// How the alert of this detector that comes nearest differs.
        nearest: Option<Vec<String>>,
    },
    /// An alert of the detector above LOW that nobody expected.
    Unexpected(Box<Alert>),
    /// It is no twin of what it says it is the twin of.
    Twin {
        /// Of which.
        of: String,
        /// Why not.
        what: String,
    },
}

impl Report {
    /// Whether everything is as it should be. A report of nothing is not: a directory that was not found proves nothing.
    #[must_use]
    pub fn ok(&self) -> bool {
        !self.cases.is_empty() && self.cases.iter().all(|case| case.mismatches.is_empty())
    }

    /// Attacks that a detector's scenarios show, and benign twins, each only where it came out as it should.
    #[must_use]
    pub fn proved(&self, detector: &str) -> (usize, usize) {
        let of = |role| {
            let own = self.cases.iter().filter(|case| case.detector == detector && case.mismatches.is_empty());
            own.filter(|case| case.role == role).count()
        };
        (of(Role::Attack), of(Role::Benign))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bad = self.cases.iter().filter(|case| !case.mismatches.is_empty());
        writeln!(f, "{} scenarios, {} not as they should be", self.cases.len(), bad.clone().count())?;
        bad.into_iter().try_for_each(|case| write!(f, "{case}"))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.detector, self.name)?;
        if let Some(file) = &self.file {
            write!(f, " ({})", file.display())?;
        }
        writeln!(f, "\n  shows: {}", self.shows)?;
        self.mismatches.iter().try_for_each(|mismatch| write!(f, "{mismatch}"))
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup(why) => writeln!(f, "  ! {why}"),
            Self::Panic { detector, seq } => writeln!(f, "  ! `{detector}` panicked on record {seq}"),
            Self::Missing { expected, nearest } => {
                writeln!(f, "  - {} {}", expected.severity.as_str(), expected.detector)?;
                match nearest {
                    Some(lines) => lines.iter().try_for_each(|line| writeln!(f, "      {line}")),
                    None => writeln!(f, "      no further alert of this detector"),
                }
            }
            Self::Unexpected(alert) => {
                let name = |id: Option<&str>| id.unwrap_or("-").to_owned();
                writeln!(
                    f,
                    "  + {} {} agent {} user {} connection {}, {} occurrences\n      {}",
                    alert.severity.as_str(),
                    alert.detector,
                    name(alert.agent_id.as_ref().map(AsRef::as_ref)),
                    name(alert.user_id.as_ref().map(AsRef::as_ref)),
                    name(alert.connection.as_ref().map(AsRef::as_ref)),
                    alert.occurrences,
                    alert.description,
                )
            }
            Self::Twin { of, what } => writeln!(f, "  ! no twin of `{of}`: {what}"),
        }
    }
}

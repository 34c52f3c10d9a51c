//! Scenarios: an attack, or its benign twin, as a file.
//!
//! ```
//! use onesec_testkit::{Scenario, run};
//!
//! let attack = Scenario::parse(
//!     "
//! name: nobody-delegated
//! detector: quiet
//! shows: an agent asks for a token, and nothing here minds
//! events:
//!   - {at: 0s, sender: gateway, type: token_exchange, details: {agent_id: bot-7, user_id: ada, connection: github}}
//! silent: true
//! ",
//! )?;
//! let report = run(&[attack], |_| Ok(Vec::new()));
//! assert!(report.ok(), "{report}");
//! # Ok::<(), onesec_testkit::ScenarioError>(())
//! ```
//!
//! An event has `at` (`9s` after the beginning, `+9s` after the one before, which is `+1s` where it is left out),
//! `sender` (`gateway`, `decide`, `self`, `reported`, `trusted`, `auth0`, `replay`, `person`), `type` and `details` as on
//! the wire, and optionally `id`, `happened_at` (the sender's own time), `network`, `key_of` (the agent that the key is
//! bound to, where it is not the one spoken of) and `repeat: {times, every}`. Instead of `type` it may have a `command`,
//! such as `command: {suspend_agent: {agent: bot-7}}`.

mod expect;
mod judge;
mod report;
mod said;
#[cfg(test)]
mod tests;
mod twin;

use std::path::{Path, PathBuf};

use onesec_detector::Detector;
use onesec_engine::{Settings, SetupError};
use onesec_telemetry::Record;
use serde_json::Value;

pub use expect::Expected;
pub use report::{Case, Mismatch, Report, Role};

use crate::draft::{DraftError, Place};

/// A story with its end, ready to be run.
#[derive(Debug, Clone)]
pub struct Scenario {
    name: String,
    detector: String,
    shows: String,
    settings: Settings,
    twin_of: Option<String>,
    /// The events as written, to be compared with those of a twin.
    written: Vec<Value>,
    records: Vec<Record>,
    expected: Vec<Expected>,
    silent: bool,
    file: Option<PathBuf>,
}

/// Why a file is no scenario.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// Not readable.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: String,
        /// Why.
        why: String,
    },
    /// No YAML, or members that a scenario does not have.
    #[error("no scenario: {0}")]
    Form(String),
    /// An event is none.
    #[error("event {index}: {why}")]
    Event {
        /// The event, counted from 1 as written.
        index: usize,
        /// Why.
        why: DraftError,
    },
    /// A member of an event has no meaning.
    #[error("event {index}: {what}")]
    Member {
        /// The event, counted from 1 as written.
        index: usize,
        /// What is wrong.
        what: String,
    },
    /// It says neither what is expected nor that nothing is, or both.
    #[error("give either `expect` or `silent: true`")]
    NoEnd,
}

impl Scenario {
    /// Reads one from YAML.
    ///
    /// # Errors
    /// [`ScenarioError`] with the event that is at fault.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let said: said::Said = serde_saphyr::from_str(text).map_err(|e| ScenarioError::Form(e.to_string()))?;
        if said.expect.is_empty() != said.silent {
            return Err(ScenarioError::NoEnd);
        }
        let mut place = Place::default();
        let mut records = Vec::new();
        for (index, written) in said.events.iter().enumerate() {
            records.extend(said::records(index + 1, written, &mut place)?);
        }
        Ok(Self {
            name: said.name,
            detector: said.detector,
            shows: said.shows,
            settings: said.settings.unwrap_or_default(),
            twin_of: said.twin_of,
            written: said.events,
            records,
            expected: said.expect,
            silent: said.silent,
            file: None,
        })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The detector that it is about.
    #[must_use]
    pub fn detector(&self) -> &str {
        &self.detector
    }

    /// What it shows, in one sentence.
    #[must_use]
    pub fn shows(&self) -> &str {
        &self.shows
    }

    /// Its records, in order.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

/// Runs scenarios, each in an engine of its own with the detectors that `assemble` makes, and compares twins.
pub fn run<A>(scenarios: &[Scenario], assemble: A) -> Report
where
    A: Fn(&Settings) -> Result<Vec<Box<dyn Detector>>, SetupError> + Clone + Send + Sync + 'static,
{
    let mut report = Report::default();
    for scenario in scenarios {
        let mut case = judge::judge(scenario, Box::new(assemble.clone()));
        case.mismatches.extend(twin::check(scenario, scenarios));
        report.cases.push(case);
    }
    report.cases.sort_by(|a, b| (&a.detector, &a.name).cmp(&(&b.detector, &b.name)));
    report
}

/// What scenarios are about, without running them.
///
/// Whose detector nobody brings has no OWASP ids.
pub fn list<A>(scenarios: &[Scenario], assemble: A) -> Report
where
    A: Fn(&Settings) -> Result<Vec<Box<dyn Detector>>, SetupError> + Clone + Send + Sync + 'static,
{
    let cases = scenarios.iter().map(|scenario| judge::describe(scenario, Box::new(assemble.clone()))).collect();
    let mut report = Report { cases };
    report.cases.sort_by(|a, b| (&a.detector, &a.name).cmp(&(&b.detector, &b.name)));
    report
}

/// Reads every `*.yaml` below `dir`, in the order of their paths.
///
/// # Errors
/// [`ScenarioError`] where a file cannot be read or is no scenario.
pub fn read_scenarios(dir: &Path) -> Result<Vec<Scenario>, ScenarioError> {
    let mut files = Vec::new();
    find(dir, &mut files)?;
    files.sort();
    files.iter().map(|path| read(path)).collect()
}

/// Runs every `*.yaml` below `dir`.
///
/// # Errors
/// [`ScenarioError`] where a file cannot be read or is no scenario.
pub fn run_scenarios<A>(dir: &Path, assemble: A) -> Result<Report, ScenarioError>
where
    A: Fn(&Settings) -> Result<Vec<Box<dyn Detector>>, SetupError> + Clone + Send + Sync + 'static,
{
    Ok(run(&read_scenarios(dir)?, assemble))
}

fn find(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), ScenarioError> {
    let unreadable = |e: std::io::Error| ScenarioError::File { path: dir.display().to_string(), why: e.to_string() };
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            files.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Scenario, ScenarioError> {
    let wrong = |why: String| ScenarioError::File { path: path.display().to_string(), why };
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    let mut scenario = Scenario::parse(&text).map_err(|e| wrong(e.to_string()))?;
    scenario.file = Some(path.to_owned());
    Ok(scenario)
}

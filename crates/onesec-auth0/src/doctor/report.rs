//! What the checks came to.

use std::fmt;

use onesec_telemetry::redact::redact_text;
use serde_json::{Value, json};

use super::{Check, Untold};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Status {
    /// There is nothing to ask here.
    Skipped,
    /// As it should be.
    Ok,
    /// Works, and may surprise.
    Warning,
    /// Nobody could tell.
    Unknown,
    /// Does not work like that.
    Failed,
}

impl Status {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One check of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// Which.
    pub check: &'static Check,
    /// What it was about, such as a client; nothing where there is one only.
    pub about: String,
    /// How it came out.
    pub status: Status,
    /// What was seen.
    pub seen: String,
    /// What to change; nothing where all is well.
    pub change: String,
    /// Where: the dashboard or a file.
    pub dashboard: String,
    /// And the call that does it.
    pub call: String,
}

impl Checked {
    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let text = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
        json!({
            "id": self.check.id, "group": self.check.group, "title": self.check.title, "about": text(&self.about),
            "status": self.status.as_str(), "seen": self.seen, "change": text(&self.change),
            "where": {"dashboard": text(&self.dashboard), "api": text(&self.call)},
            "scopes": self.check.scopes, "reference": self.check.reference,
        })
    }
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    domain: String,
    checked: Vec<Checked>,
}

impl Report {
    pub(super) fn new(domain: &str) -> Self {
        Self { domain: domain.to_owned(), checked: Vec::new() }
    }

    /// In the order in which they were made.
    #[must_use]
    pub fn checked(&self) -> &[Checked] {
        &self.checked
    }

    /// Only those with one of these ids; all where there are none.
    #[must_use]
    pub fn only(mut self, ids: &[String]) -> Self {
        self.checked.retain(|checked| ids.is_empty() || ids.iter().any(|id| id == checked.check.id));
        self
    }

    /// How many came out like this.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.checked.iter().filter(|checked| checked.status == status).count()
    }

    /// Notes how a check came out.
    pub(super) fn note(&mut self, at: At<'_>, outcome: Outcome) {
        let Outcome { status, seen, instead } = outcome;
        let needs = matches!(status, Status::Failed | Status::Warning | Status::Unknown);
        let fill = |template: &str| if needs { at.fill(template, &self.domain) } else { String::new() };
        let change = match instead {
            Some(change) => fill(&change),
            None => fill(at.check.change),
        };
        let (dashboard, call) = match status {
            // What is missing is leave to look: that is changed elsewhere.
            Status::Unknown => (String::new(), String::new()),
            _ => (fill(at.check.dashboard), fill(at.check.call)),
        };
        let (about, seen) = (tame(&at.about()), tame(&seen));
        self.checked.push(Checked { check: at.check, about, status, seen, change, dashboard, call });
    }
}

/// A check, and what it is about: names and what stands for them.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    check: &'static Check,
    names: &'a [(&'static str, &'a str)],
}

impl<'a> At<'a> {
    pub(super) const fn new(check: &'static Check, names: &'a [(&'static str, &'a str)]) -> Self {
        Self { check, names }
    }

    /// The check alone.
    pub(super) const fn of(check: &'static Check) -> Self {
        Self { check, names: &[] }
    }

    /// Names that begin with a dot fill templates and are not shown.
    fn about(&self) -> String {
        let shown = self.names.iter().filter(|(name, _)| !name.starts_with('.'));
        shown.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
    }

    fn fill(&self, template: &str, domain: &str) -> String {
        let domain = [("domain", domain)];
        let names = self.names.iter().chain(&domain);
        names.fold(template.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{}}}", name.trim_start_matches('.')), &tame(value))
        })
    }
}

/// How one check came out, and why.
pub(super) struct Outcome {
    status: Status,
    seen: String,
    instead: Option<String>,
}

impl Outcome {
    fn new(status: Status, seen: impl Into<String>) -> Self {
        Self { status, seen: seen.into(), instead: None }
    }

    pub(super) fn ok(seen: impl Into<String>) -> Self {
        Self::new(Status::Ok, seen)
    }

    pub(super) fn warning(seen: impl Into<String>) -> Self {
        Self::new(Status::Warning, seen)
    }

    pub(super) fn failed(seen: impl Into<String>) -> Self {
        Self::new(Status::Failed, seen)
    }

    pub(super) fn skipped(seen: impl Into<String>) -> Self {
        Self::new(Status::Skipped, seen)
    }

    /// The tenant's answer does not say.
    pub(super) fn silent(seen: impl Into<String>) -> Self {
        Self::new(Status::Unknown, seen).instead("Look yourself: the tenant's answer does not say.")
    }

    /// Nobody could tell `at`.
    pub(super) fn untold(at: &At<'_>, why: &Untold) -> Self {
        let (seen, change) = why.explain(at.check.scopes);
        Self::new(Status::Unknown, seen).instead(&change)
    }

    /// Needs another change than the check usually does.
    pub(super) fn instead(mut self, change: &str) -> Self {
        self.instead = Some(change.to_owned());
        self
    }
}

/// Names come from the tenant: nothing in them steers a terminal, and nothing that looks like a token is shown.
fn tame(text: &str) -> String {
    let plain: String = text.chars().take(MOST_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    redact_text(&plain).into_owned()
}

/// No text that is shown is longer.
const MOST_CHARS: usize = 1_000;

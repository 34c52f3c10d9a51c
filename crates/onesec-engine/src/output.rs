//! What the engine says about a record.

use std::time::Duration;

use onesec_enforcement::{ApprovalError, Decision, Verdict};
use onesec_telemetry::{AlertId, Attribution, Mode, Name, Severity, Transition};
use onesec_trackers::LedgerChange;
use onesec_trackers::facts::{DelegationOutcome, Refusal};

use crate::respond::Step;

/// Everything that one record led to. Nothing of it leaves before it is durable.
#[derive(Debug, Default)]
pub struct Output {
    /// The verdict, where the record is a request.
    pub answer: Option<Answer>,
    /// Findings, in the order of the detectors.
    pub findings: Vec<Reported>,
    /// Alerts opened, raised, decided on, closed.
    pub transitions: Vec<Transition>,
    /// Alerts whose count or last time changed; ask [`Engine::alert`](crate::Engine::alert) for what they are now.
    pub touched: Vec<AlertId>,
    /// Rows of the ledger that changed.
    pub ledger: Vec<LedgerChange>,
    /// What became of a delegation.
    pub delegation: Option<(String, DelegationOutcome)>,
    /// Steps of actions: receipts, and what is to be carried out.
    pub steps: Vec<Step>,
    /// What came of a person's word on something that waits for one.
    pub approval: Option<Result<(), ApprovalError>>,
    /// Detectors that panicked on this record.
    pub panicked: Vec<&'static str>,
}

impl Output {
    /// Why a delegation, link or revocation had no effect, where it had none.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match &self.delegation {
            Some((_, DelegationOutcome::Refused(refusal))) => Some(*refusal),
            _ => None,
        }
    }
}

/// The verdict on a request, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What applies now.
    pub applies: Verdict,
    /// What live mode would say.
    pub would: Verdict,
    /// In which mode.
    pub mode: Mode,
    /// The finding behind it.
    pub because: Option<Brief>,
    /// Where it waits for a person: which approval.
    pub approval: Option<Name>,
}

/// A finding in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// Code of the detector.
    pub detector: &'static str,
    /// How bad.
    pub severity: Severity,
    /// In a sentence.
    pub reason: String,
    /// The alert it belongs to.
    pub alert: Option<AlertId>,
}

/// A finding, judged and filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The finding in short.
    pub brief: Brief,
    /// Whose word it rests on.
    pub attribution: Attribution,
    /// Rests on a person's decision.
    pub binding: bool,
    /// When a retry makes sense.
    pub retry_after: Option<Duration>,
}

impl Answer {
    pub(crate) fn new(decision: Decision, findings: &[Reported]) -> Self {
        let because = decision.because.and_then(|i| findings.get(i)).map(|f| f.brief.clone());
        Self { applies: decision.applies, would: decision.would, mode: decision.mode, because, approval: None }
    }
}

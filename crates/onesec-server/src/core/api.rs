//! What the edge says to the core, and what it hears.

use std::net::IpAddr;

use onesec_enforcement::ApprovalError;
use onesec_engine::{Answer, Reported};
use onesec_journal::{DeadLetterRow, LedgerWrite};
use onesec_telemetry::{
    Alert, Attestation, Change, Command, Event, EventId, Sender, Seq, Subject, TenantId, TextScore,
};
use onesec_trackers::facts::DelegationOutcome;
use tokio::sync::oneshot;

/// A record that has no place in the order of things yet: an event and what the edge found out about it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What happened.
    pub event: Box<Event>,
    /// Who says so.
    pub sender: Sender,
    /// The user, and how we know.
    pub subject: Subject,
    /// What became of an attestation.
    pub attestation: Attestation,
    /// Where it came from.
    pub network: Option<IpAddr>,
    /// What was found in its texts.
    pub text: Option<Box<TextScore>>,
    /// Whether the sender's `timestamp` counts.
    pub trusted_time: bool,
    /// Rows of the ledger that are not the engine's, written with it: proofs that it used up.
    pub ledger: Vec<LedgerWrite>,
}

impl Draft {
    /// An event from `sender`, with the user as the event names him.
    #[must_use]
    pub fn new(event: impl Into<Box<Event>>, sender: Sender) -> Self {
        let event = event.into();
        let subject = event.common.user_id.clone().map_or(Subject::Unknown, Subject::Claimed);
        Self {
            event,
            sender,
            subject,
            attestation: Attestation::Absent,
            network: None,
            text: None,
            trusted_time: false,
            ledger: Vec::new(),
        }
    }
}

/// Events of one request, taken or not as one.
#[derive(Debug)]
pub struct Submission {
    /// Whose.
    pub tenant: TenantId,
    /// In order.
    pub drafts: Vec<Draft>,
    /// What was rejected of the same request, redacted: kept with it.
    pub dead_letters: Vec<DeadLetterRow>,
}

/// What became of one event of a submission, now that it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Taken {
    /// It is a record.
    Recorded {
        /// Its place.
        seq: Seq,
        /// Its id.
        id: EventId,
        /// Where it was a delegation: its id, and what became of it.
        delegation: Option<(String, DelegationOutcome)>,
    },
    /// The same id with the same content came before: nothing happened.
    Duplicate {
        /// Its id.
        id: EventId,
    },
    /// The same id with other content came before: rejected.
    Conflict {
        /// Its id.
        id: EventId,
    },
}

/// The engine's word on a request, now that it is durable.
#[derive(Debug, Clone)]
pub struct Ruling {
    /// The record of the request.
    pub seq: Seq,
    /// Its event id.
    pub event_id: EventId,
    /// The verdict.
    pub answer: Answer,
    /// All findings.
    pub findings: Vec<Reported>,
}

/// A person's decision, with the rows of the ledger that are not the engine's.
#[derive(Debug)]
pub struct Order {
    /// Whose.
    pub tenant: TenantId,
    /// Who gives it.
    pub sender: Sender,
    /// What is to be done.
    pub command: Command,
    /// Where it is a person's word on what waits for one, and that counts: what is done with it, at once or not at all.
    pub then: Option<Command>,
    /// Rows to be written in the same transaction, such as a key's.
    pub ledger: Vec<LedgerWrite>,
}

impl Order {
    /// A command, and nothing with it.
    #[must_use]
    pub const fn new(tenant: TenantId, sender: Sender, command: Command) -> Self {
        Self { tenant, sender, command, then: None, ledger: Vec::new() }
    }
}

/// What came of an order.
#[derive(Debug, Clone)]
pub struct Obeyed {
    /// Its record.
    pub seq: Seq,
    /// Where it took delegations back: which.
    pub delegation: Option<(String, DelegationOutcome)>,
    /// Where it was a person's word on what waits for one: whether it counts.
    pub approval: Option<Result<(), ApprovalError>>,
}

/// Why the core did not take something. Nothing of it has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// Too much is waiting already: answer 429 (ingest) or 503 (gateway) with `Retry-After`.
    #[error("too much is waiting to be written")]
    Busy,
    /// The journal cannot be written: answer 503.
    #[error("the journal cannot be written")]
    Journal,
    /// No such tenant.
    #[error("no such tenant")]
    UnknownTenant,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// Something that people who watch should hear of; sent once it is durable.
#[derive(Debug, Clone)]
pub struct News {
    /// Whose.
    pub tenant: TenantId,
    /// What changed.
    pub change: Change,
    /// The alert after it.
    pub alert: Alert,
}

/// Whether a ruling has become durable.
#[derive(Debug)]
#[must_use]
pub struct Durable(pub(super) Option<oneshot::Receiver<Result<Ruling, CoreError>>>);

impl Durable {
    /// Waits until it is.
    ///
    /// # Errors
    /// [`CoreError`] where it will never be: nothing may be released.
    pub async fn wait(self) -> Result<(), CoreError> {
        match self.0 {
            None => Ok(()),
            Some(answer) => answer.await.unwrap_or(Err(CoreError::Stopping)).map(drop),
        }
    }
}

/// How the core does.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// Whether the journal can be written, else why not.
    pub journal: Result<(), String>,
    /// Whether every shard runs.
    pub engine: bool,
    /// Nothing new is taken.
    pub stopping: bool,
    /// Commits since the start.
    pub commits: u64,
    /// Commits that failed.
    pub commit_failures: u64,
    /// Records made durable since the start.
    pub records: u64,
    /// What waits for its place.
    pub waiting: usize,
}

//! What listings are asked for, and what they give back.

use onesec_telemetry::{AgentId, AlertId, ConnectionName, Timestamp, UserId};

use crate::rows::DeadLetterRow;

/// Which severities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeverityFilter {
    /// This rank only.
    Exactly(u8),
    /// This rank and worse.
    AtLeast(u8),
}

/// Which alerts; every part that is given must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// The detector's code.
    pub detector: Option<String>,
    /// Exact or least severity.
    pub severity: Option<SeverityFilter>,
    /// The status.
    pub status: Option<String>,
    /// The agent concerned.
    pub agent_id: Option<AgentId>,
    /// The user concerned.
    pub user_id: Option<UserId>,
    /// The connection concerned.
    pub connection: Option<ConnectionName>,
    /// Seen at or after this time.
    pub since: Option<Timestamp>,
}

/// Which ledger rows; every part that is given must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerFilter {
    /// The agent concerned.
    pub agent_id: Option<AgentId>,
    /// The user concerned.
    pub user_id: Option<UserId>,
    /// The connection concerned.
    pub connection: Option<ConnectionName>,
    /// The state.
    pub state: Option<String>,
}

/// Which responses; every part that is given must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseFilter {
    /// The alert they answer.
    pub alert_id: Option<AlertId>,
    /// The action, as the document has it.
    pub action: Option<String>,
    /// Their current state.
    pub state: Option<String>,
    /// With a step at or after this time.
    pub since: Option<Timestamp>,
}

/// The current view of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// The response.
    pub id: String,
    /// The alert it answers.
    pub alert_id: Option<AlertId>,
    /// The state reached.
    pub state: String,
    /// Whether a later step is expected.
    pub open: bool,
    /// The record of the newest step.
    pub seq: u64,
    /// Time of the first step.
    pub first_at: Timestamp,
    /// Time of the newest step.
    pub last_at: Timestamp,
    /// JSON.
    pub doc: String,
}

/// One step of an alert or a response, with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTransition {
    /// Position in the tenant's chain.
    pub pos: u64,
    /// The record that caused it.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The kind of an alert's transition, or the state of a response.
    pub kind: String,
    /// JSON.
    pub doc: String,
    /// The chain's hash up to here.
    pub hash: [u8; 32],
}

/// A dead letter as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDeadLetter {
    /// Grows with every letter.
    pub id: u64,
    /// What was written.
    pub letter: DeadLetterRow,
}

//! What callers write, in the words of the contract.

use bytes::Bytes;
use onesec_telemetry::{AgentId, AlertId, ConnectionName, TenantId, Timestamp, UserId};

use crate::ledger::LedgerWrite;
use crate::outbox::OutboxUpdate;

/// Everything that one commit makes durable, or nothing of it.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Per tenant contiguous and in order; tenants may be mixed.
    pub records: Vec<RecordRow>,
    /// Appended to the tenant's alert chain, in this order.
    pub transitions: Vec<TransitionRow>,
    /// The current state of alerts; write one with an alert's first transition.
    pub alert_views: Vec<AlertRow>,
    /// Applied in this order.
    pub ledger: Vec<LedgerWrite>,
    /// Inserted where the id is new, else ignored.
    pub outbox: Vec<OutboxRow>,
    /// What executors report, together with the receipts that say so.
    pub outbox_updates: Vec<OutboxUpdate>,
    /// Appended to the tenant's response chain, in this order; the view follows.
    pub responses: Vec<ResponseRow>,
    /// Rejected input.
    pub dead_letters: Vec<DeadLetterRow>,
}

impl Batch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.transitions.is_empty()
            && self.alert_views.is_empty()
            && self.ledger.is_empty()
            && self.outbox.is_empty()
            && self.outbox_updates.is_empty()
            && self.responses.is_empty()
            && self.dead_letters.is_empty()
    }

    /// Empties it and keeps the memory, for the next group commit.
    pub fn clear(&mut self) {
        self.records.clear();
        self.transitions.clear();
        self.alert_views.clear();
        self.ledger.clear();
        self.outbox.clear();
        self.outbox_updates.clear();
        self.responses.clear();
        self.dead_letters.clear();
    }
}

/// What a commit wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CommitInfo {
    /// Records written.
    pub records: usize,
    /// Blocks that hold them.
    pub blocks: usize,
    /// Bytes of record bodies, framing and all.
    pub body_bytes: usize,
    /// Dead letters that had to make room.
    pub dead_letters_dropped: usize,
}

/// One journalled record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// Whose record.
    pub tenant: TenantId,
    /// Starts at 1 and has no gaps.
    pub seq: u64,
    /// Never earlier than the record before it.
    pub observed_at: Timestamp,
    /// What recognises a repetition, where the sender named an id.
    pub dedup: Option<DedupEntry>,
    /// The encoded record.
    pub bytes: Bytes,
}

/// What recognises a repeated event: the digest of (sending key, id), and of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DedupEntry {
    /// Digest of (sending key, id).
    pub key: u128,
    /// Digest of the content: same key with other content is a conflict.
    pub content: u64,
    /// Kept for 30 days in a table of its own rather than for as long as its block.
    pub long: bool,
}

/// A record as read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its number in the tenant.
    pub seq: u64,
    /// When the edge saw it.
    pub observed_at: Timestamp,
    /// The encoded record; shares memory with the other records of its block.
    pub bytes: Bytes,
}

/// One change of an alert: opened, raised, status, closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionRow {
    /// Whose alert.
    pub tenant: TenantId,
    /// Which alert.
    pub alert_id: AlertId,
    /// The record that caused it.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// `opened`, `raised`, `status`, `closed`…
    pub kind: String,
    /// JSON.
    pub doc: String,
}

/// One step of a response: requested, approved, executed, verified, failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseRow {
    /// Whose response.
    pub tenant: TenantId,
    /// The response, the same for all its steps.
    pub id: String,
    /// The alert it answers, if one does.
    pub alert_id: Option<AlertId>,
    /// The record that caused it.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The state reached by this step.
    pub state: String,
    /// Whether a later step is expected: retention keeps open responses.
    pub open: bool,
    /// JSON; becomes the response's current view.
    pub doc: String,
}

/// The current state of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRow {
    /// Whose alert.
    pub tenant: TenantId,
    /// Which alert.
    pub id: AlertId,
    /// The detector's code.
    pub detector: String,
    /// Larger is worse.
    pub severity_rank: u8,
    /// As the API names it.
    pub status: String,
    /// Whether somebody still has to look at it: retention keeps open alerts.
    pub open: bool,
    /// The agent concerned.
    pub agent_id: Option<AgentId>,
    /// The user concerned.
    pub user_id: Option<UserId>,
    /// The connection concerned.
    pub connection: Option<ConnectionName>,
    /// Time of the first finding.
    pub first_seen: Timestamp,
    /// Time of the newest finding.
    pub last_seen: Timestamp,
    /// The record that changed it last.
    pub seq: u64,
    /// JSON.
    pub doc: String,
}

/// One action that policy wants executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Digest of alert, transition, policy and action index: the same wish has the same id.
    pub id: String,
    /// Whose action.
    pub tenant: TenantId,
    /// The alert that asks for it.
    pub alert_id: AlertId,
    /// The policy that asks for it.
    pub policy: String,
    /// The action's name.
    pub action: String,
    /// JSON: target and parameters.
    pub doc: String,
    /// When policy decided.
    pub created_at: Timestamp,
    /// Not to be executed before.
    pub due_at: Timestamp,
    /// Goes ahead of what is not.
    pub urgent: bool,
}

/// Rejected input, already redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterRow {
    /// Whose input.
    pub tenant: TenantId,
    /// When it came.
    pub at: Timestamp,
    /// The sending key's public id.
    pub key_id: Option<String>,
    /// Stable code of the reason.
    pub reason_code: String,
    /// JSON pointer to what was wrong.
    pub pointer: String,
    /// The reason in words.
    pub message: String,
    /// The redacted body; absent where it could not be parsed.
    pub body: Option<String>,
    /// Size in bytes of what was sent.
    pub size: u64,
    /// SHA-256 of what was sent.
    pub sha256: [u8; 32],
}

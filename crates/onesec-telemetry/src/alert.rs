//! Alerts: what people read, and the transitions that the journal keeps of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::Text;
use crate::id::{AgentId, AlertId, ConnectionName, EventId, Name, TenantId, UserId};
use crate::record::Seq;
use crate::severity::{Attribution, Severity};
use crate::time::Timestamp;

/// What a person has made of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// Nobody has looked yet.
    Open,
    /// Somebody is on it: counts silently for one window.
    Acknowledged,
    /// Done: the next finding opens a new alert.
    Resolved,
    /// It was none. Changes the label only; silence is an exception.
    FalsePositive,
}

impl AlertStatus {
    /// The wire form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::FalsePositive => "false_positive",
        }
    }
}

/// Findings of one detector about one entity within an hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Alert {
    /// 128 bits of SHA-256 over tenant, detector, entity and the opening record, in hex.
    pub id: AlertId,
    /// Code of the detector.
    pub detector: Name,
    /// OWASP ids, such as `ASI03`.
    pub owasp: Vec<Name>,
    /// The highest of its findings.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What was found, in words.
    pub description: String,
    /// Whose.
    pub tenant: TenantId,
    /// The agent concerned.
    pub agent_id: Option<AgentId>,
    /// The user concerned.
    pub user_id: Option<UserId>,
    /// The connection concerned.
    pub connection: Option<ConnectionName>,
    /// Events that prove it: the first ten and the last ten.
    pub evidence: Vec<EventId>,
    /// Time of the first finding.
    pub first_seen: Timestamp,
    /// Time of the last finding.
    pub last_seen: Timestamp,
    /// How many findings.
    pub occurrences: u64,
    /// The strongest of its findings.
    pub attribution: Attribution,
    /// The detector's module.
    pub module: Name,
    /// What a person has made of it.
    pub status: AlertStatus,
    /// What to do.
    pub mitigation: String,
    /// Numbers and names behind it.
    pub attributes: Map<String, Value>,
    /// The incident that it is part of.
    pub chain: Option<AlertId>,
    /// A person's words.
    pub note: Option<String>,
}

/// A change of an alert that the journal keeps; mere counting is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// Which alert.
    pub alert: AlertId,
    /// The record that caused it.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// What changed.
    pub change: Change,
    /// The alert after it.
    pub after: Alert,
}

/// What changed about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// The first finding.
    Opened,
    /// Severity rose, a new class of scope appeared, or attribution got stronger.
    Raised,
    /// A person decided.
    Status,
    /// Its hour is over; `after` has the final count.
    Closed,
}

impl Change {
    /// The wire form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Raised => "raised",
            Self::Status => "status",
            Self::Closed => "closed",
        }
    }
}

/// What became of an action: the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Response {
    /// Hash of alert, transition, policy and action index.
    pub id: Name,
    /// The alert that caused it.
    pub alert_id: AlertId,
    /// The policy that asked for it.
    pub policy: Name,
    /// The action.
    pub action: Name,
    /// What it was done to.
    #[schemars(with = "Option<String>")]
    pub target: Option<Text>,
    /// How far it got.
    pub status: ResponseStatus,
    /// Why it stands there.
    #[schemars(with = "Option<String>")]
    pub reason: Option<Text>,
    /// When policy asked.
    pub requested_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Which person approved.
    pub approved_by: Option<Name>,
    /// How we know that it worked.
    #[schemars(with = "Option<String>")]
    pub verification: Option<Text>,
    /// Until when it can be undone.
    pub undo_until: Option<Timestamp>,
}

/// How far an action got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResponseStatus {
    /// Policy would have; dry run did not.
    DryRun,
    /// Waits for a person.
    PendingApproval,
    /// Under way.
    Executing,
    /// Done, not verified.
    Succeeded,
    /// Done, and seen to be so.
    Verified,
    /// Not done.
    Failed,
    /// Not needed, or held back by cap or cool-down.
    Skipped,
    /// A person said no.
    Rejected,
    /// Nobody said anything in time.
    Expired,
    /// Taken back.
    Undone,
}

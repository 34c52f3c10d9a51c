//! Changes of the ledger, as they are written through to tables and shown by the API.

use std::sync::Arc;

use onesec_telemetry::{
    AccountId, AgentId, AgentRegistration, ConnectionName, DelegationId, EventId, Name, ScopeSet, Thumbprint,
    Timestamp, UserId,
};
use serde::{Deserialize, Serialize};

use crate::facts::Ending;

/// One row of the ledger, as it is after a record. Rows are never removed by traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum LedgerChange {
    /// A connected account.
    Account(AccountRow),
    /// A delegation.
    Delegation(DelegationRow),
    /// A registration; absent once it was taken back.
    Registration(AgentId, Option<Arc<AgentRegistration>>),
    /// What is known about an agent, for people.
    Agent(AgentRow),
    /// An agent, of whom nothing else is new, is still there: told at most once a minute, by its last record.
    AgentSeen(AgentId, Timestamp),
}

/// A connected account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountRow {
    /// Whose.
    pub user_id: UserId,
    /// Where.
    pub connection: ConnectionName,
    /// Which of several.
    pub account_id: Option<AccountId>,
    /// `linked` or `unlinked`.
    pub state: Name,
    /// What the user granted.
    pub scopes: Option<ScopeSet>,
    /// When linked last.
    pub linked_at: Option<Timestamp>,
    /// When unlinked last.
    pub unlinked_at: Option<Timestamp>,
    /// Agents with a live delegation.
    pub agents: Vec<AgentId>,
}

/// A delegation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DelegationRow {
    /// Its id.
    pub id: DelegationId,
    /// To whom.
    pub agent_id: AgentId,
    /// On whose behalf in the end.
    pub user_id: UserId,
    /// By whom: the user, or the agent above.
    pub delegated_by: Name,
    /// Where.
    pub connection: ConnectionName,
    /// Which of several accounts.
    pub account_id: Option<AccountId>,
    /// Bound; absent: none stated.
    pub scopes: Option<ScopeSet>,
    /// When made.
    pub created_at: Timestamp,
    /// Its end, where stated.
    pub expires_at: Option<Timestamp>,
    /// What it hangs below.
    pub parent_id: Option<DelegationId>,
    /// 1 for a user's own.
    pub depth: u8,
    /// `live`, `dormant` or `ended`.
    pub state: Name,
    /// How it ended.
    pub ending: Option<Ending>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Whether a signature vouches for it.
    pub attested: bool,
}

/// What is known about an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentRow {
    /// Who.
    pub agent_id: AgentId,
    /// `active` or `suspended`.
    pub state: Name,
    /// First record.
    pub first_seen: Timestamp,
    /// Last record, exact to a minute.
    pub last_seen: Timestamp,
    /// Connections it exchanged for.
    pub connections: Vec<ConnectionName>,
    /// Networks it came from, newest first.
    pub networks: Vec<Name>,
    /// Its baselines.
    pub baselines: Vec<BaselineRow>,
}

/// One baseline of an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaselineRow {
    /// For whom.
    pub user_id: UserId,
    /// Where.
    pub connection: ConnectionName,
    /// Learned from the first exchange.
    pub learned: ScopeSet,
    /// Asked for since, beyond it.
    pub pending: ScopeSet,
    /// Accepted by a person.
    pub accepted: ScopeSet,
}

/// A tool, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRow {
    /// Its server, where one was named.
    pub server: Option<Name>,
    /// Its name.
    pub tool: Name,
    /// SHA-256 of the manifest shown last.
    pub digest: Thumbprint,
    /// SHA-256 of the manifest that was approved.
    pub approved: Option<Thumbprint>,
    /// `pending`, `approved` or `changed`.
    pub state: &'static str,
    /// The event that showed it last.
    pub event: EventId,
}

//! What the trackers are set to.

use std::collections::BTreeSet;
use std::time::Duration;

use onesec_telemetry::{ConnectionName, Reach};

/// Settings of all trackers; defaults are those of the design.
#[derive(Debug, Clone)]
pub struct TrackerConfig {
    /// Window of exchange times, per agent, per (agent, user) and per delegation root.
    pub exchange_rate: RateLimit,
    /// Deepest delegation (hard limit 5).
    pub max_depth: u8,
    /// Connections that a delegation without one covers.
    pub default_connections: Vec<ConnectionName>,
    /// What becomes of delegations that telemetry reports without a signature.
    pub unattested: Unattested,
    /// Distinct users who granted to one application are counted within this.
    pub consent_window: Duration,
    /// From which certainty on a text counts as an instruction.
    pub instruction_from: Reach,
    /// From when on failed exchanges are more than is in order.
    pub probing: ProbingLimits,
    /// After how long without an exchange an agent counts as at rest.
    pub rest_after: Duration,
    /// Connections at which every exchange goes through the gateway.
    pub exclusive: Connections,
    /// Auth0 tells of every exchange, the gateway's among them.
    pub told_by_auth0: bool,
    /// The gateway's own clients at Auth0: what others exchange is not the gateway's. Empty where that cannot be said.
    pub gateway_clients: BTreeSet<String>,
    /// Connections whose links are all known; a person may add others.
    pub ledger_complete: Connections,
    /// How much is kept.
    pub bounds: Bounds,
}

/// From when on failed exchanges of one agent within five minutes are more than is in order: so many of them, and either
/// spread or nearly nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbingLimits {
    /// So many; at most 60.
    pub failures: u32,
    /// For so many distinct users, or at so many distinct connections.
    pub distinct: u32,
    /// Or so many of a hundred.
    pub percent: u32,
}

/// Some connections, or all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connections {
    /// Every one.
    pub all: bool,
    /// Else these.
    pub named: BTreeSet<String>,
}

impl Connections {
    /// From a list in which `*` is all.
    #[must_use]
    pub fn of(list: &[String]) -> Self {
        Self { all: list.iter().any(|name| name == "*"), named: list.iter().cloned().collect() }
    }

    /// Whether there is any.
    #[must_use]
    pub fn any(&self) -> bool {
        self.all || !self.named.is_empty()
    }

    /// Whether `connection` is among them.
    #[must_use]
    pub fn has(&self, connection: &str) -> bool {
        self.all || self.named.contains(connection)
    }
}

/// What becomes of a delegation that a sender with authority reports without a signed statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unattested {
    /// It has no effect.
    Refuse,
    /// It counts, and is found.
    #[default]
    Alert,
    /// It counts.
    Allow,
}

/// A limit per window, with hysteresis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// The most that is in order.
    pub limit: u32,
    /// Per this.
    pub window: Duration,
}

/// How much is kept. Ledgers refuse beyond their bound, statistics evict.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Accounts in the ledger, unlinked ones included.
    pub accounts: usize,
    /// Delegations in the ledger, ended ones included.
    pub delegations: usize,
    /// Registered agents.
    pub registrations: usize,
    /// Agents with statistics.
    pub agents: usize,
    /// (agent, user, connection) with statistics.
    pub pairs: usize,
    /// Issued tokens remembered by thumbprint.
    pub tokens: usize,
    /// Applications with statistics.
    pub apps: usize,
    /// Agents whose behaviour is known.
    pub conducts: usize,
    /// Tasks, ended ones included.
    pub tasks: usize,
    /// Tools whose manifests are known.
    pub manifests: usize,
    /// Pieces of memory, messages and pages, of each.
    pub memories: usize,
    /// People who approve.
    pub approvers: usize,
    /// New statistics entries that one sending key may bring in, as a share of the bound: 1/n.
    pub key_share: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            accounts: 4_000_000,
            delegations: 4_000_000,
            registrations: 1_000_000,
            agents: 1_000_000,
            pairs: 2_000_000,
            tokens: 1_000_000,
            apps: 100_000,
            conducts: 500_000,
            tasks: 500_000,
            manifests: 20_000,
            memories: 500_000,
            approvers: 10_000,
            key_share: 4,
        }
    }
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self {
            exchange_rate: RateLimit { limit: 20, window: Duration::from_secs(300) },
            max_depth: 3,
            default_connections: Vec::new(),
            unattested: Unattested::default(),
            consent_window: Duration::from_secs(3600),
            instruction_from: Reach::Standard,
            probing: ProbingLimits { failures: 10, distinct: 5, percent: 70 },
            rest_after: Duration::from_secs(30 * 86_400),
            exclusive: Connections::default(),
            told_by_auth0: false,
            gateway_clients: BTreeSet::new(),
            ledger_complete: Connections::default(),
            bounds: Bounds::default(),
        }
    }
}

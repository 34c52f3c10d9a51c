//! Commands: what people and the configuration decide, and what the engine decided, as records.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::alert::AlertStatus;
use crate::event::{Json, Text};
use crate::id::{AgentId, AlertId, ConnectionName, DelegationId, ExchangeId, KeyId, Name, UserId};
use crate::record::Seq;
use crate::registration::AgentRegistration;
use crate::scope::ScopeSet;
use crate::secret::Thumbprint;
use crate::severity::Severity;
use crate::time::Timestamp;

/// Commands: each is a mutation of the API or a change of configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Command {
    /// Nothing of this agent passes until it is resumed.
    SuspendAgent {
        /// Which.
        agent: AgentId,
        /// Why.
        reason: Option<Text>,
    },
    /// Ends a suspension.
    ResumeAgent {
        /// Which.
        agent: AgentId,
    },
    /// What is known of an agent beforehand, in place of what was registered before.
    RegisterAgent(Box<AgentRegistration>),
    /// Forgets a registration. What was delegated to the agent stays.
    UnregisterAgent {
        /// Whose.
        agent: AgentId,
    },
    /// Ends a delegation and all that hangs below it.
    RevokeDelegation {
        /// Which.
        delegation: DelegationId,
        /// Why.
        reason: Option<Text>,
    },
    /// A person accepts scopes into a baseline.
    AcceptScopes {
        /// Whose.
        agent: AgentId,
        /// For this user; all users of the agent where absent.
        user: Option<UserId>,
        /// At this connection.
        connection: ConnectionName,
        /// Which.
        scopes: ScopeSet,
    },
    /// A person decides on an alert.
    SetAlertStatus {
        /// Which.
        alert: AlertId,
        /// To what.
        status: AlertStatus,
        /// In whose words.
        note: Option<Text>,
    },
    /// Silence, with reason, owner and end.
    AddException(Exception),
    /// Ends an exception.
    RemoveException {
        /// Which.
        id: Name,
    },
    /// Dry run or live.
    SetMode(Mode),
    /// Another preset of verdicts.
    SetPreset(Name),
    /// An agent is held back for a while.
    RestrainAgent {
        /// Which.
        agent: AgentId,
        /// So many requests pass; none where 0.
        limit: u32,
        /// In this time.
        per: Duration,
        /// Until then.
        until: Timestamp,
        /// Why.
        reason: Option<Text>,
    },
    /// Ends that.
    ReleaseAgent {
        /// Which.
        agent: AgentId,
    },
    /// Requests from an address are refused for a while.
    BlockAddress {
        /// Which.
        address: IpAddr,
        /// Until then.
        until: Timestamp,
        /// Why.
        reason: Option<Text>,
    },
    /// Ends that.
    UnblockAddress {
        /// Which.
        address: IpAddr,
    },
    /// A process belongs to an agent, and may be ended for what the agent does.
    RegisterProcess {
        /// Whose.
        agent: AgentId,
        /// Which.
        process: ProcessId,
    },
    /// A process of an agent is gone.
    ProcessEnded {
        /// Whose.
        agent: AgentId,
        /// Which.
        process: ProcessId,
    },
    /// A person decides on what waits for one.
    DecideApproval {
        /// Which.
        id: Name,
        /// Of exactly what the person saw.
        digest: Thumbprint,
        /// Yes or no.
        approve: bool,
        /// In whose words.
        note: Option<Text>,
    },
    /// A person approves a tool's manifest as it is now.
    ApproveTool {
        /// Which tool.
        tool: Name,
        /// Of which server.
        server: Option<Name>,
        /// Of exactly the manifest that the person saw.
        digest: Thumbprint,
        /// In whose words.
        note: Option<Text>,
    },
    /// The configuration that is in force from here on.
    Configure {
        /// SHA-256 of its content.
        digest: Thumbprint,
        /// The content, without secrets.
        content: Json,
    },
    /// A key was made; for the audit.
    KeyCreated {
        /// Which.
        key: KeyId,
        /// Bound to.
        agent: Option<AgentId>,
        /// Owned by.
        owner: Option<Name>,
        /// Scopes, separated by spaces.
        scopes: Text,
    },
    /// Another key of ours signs delegations from now on; for the audit.
    SigningKeyRotated {
        /// Its thumbprint (RFC 7638).
        thumbprint: Thumbprint,
    },
    /// A key was taken back; for the audit.
    KeyRevoked {
        /// Which.
        key: KeyId,
    },
    /// A person's policy, in place of the one of that name. New commands stand at the end: the journal counts them.
    SetPolicy {
        /// Its name.
        name: Name,
        /// As it was written; no secrets.
        policy: Json,
    },
    /// Ends a policy that a person set.
    RemovePolicy {
        /// Its name.
        name: Name,
    },
    /// A key that ends works longer; for the audit.
    KeyRenewed {
        /// Which.
        key: KeyId,
        /// Until then.
        until: Timestamp,
    },
    /// A decoy, in place of the one of that id.
    AddCanary(Canary),
    /// Ends that.
    RemoveCanary {
        /// Which.
        id: Name,
    },
    /// Whether every link at a connection is known: then an exchange without one is suspicious.
    SetLedgerComplete {
        /// Where.
        connection: ConnectionName,
        /// From now on, or no longer.
        complete: bool,
    },
    /// The wall clock is not where our own clock expects it.
    ClockStepped {
        /// How far it is ahead of ours, in microseconds; negative where it is behind.
        by_micros: i64,
    },
    /// What a user lent is taken back everywhere it can be; what that means here are events of their own.
    RevokeAccess {
        /// Of this revocation.
        id: Name,
        /// Whose; of every user where absent.
        user: Option<UserId>,
        /// Only there.
        connection: Option<ConnectionName>,
        /// Only what this agent has.
        agent: Option<AgentId>,
        /// Why.
        reason: Option<Text>,
    },
    /// What came of that; for the audit.
    AccessRevoked {
        /// Of which revocation.
        id: Name,
        /// Each step and its outcome.
        steps: Json,
    },
    /// A transmitter told of something that happened to a user (RFC 8417); for the audit.
    SecurityEvent {
        /// Who signed it.
        issuer: Name,
        /// Its `jti`.
        jti: Text,
        /// What happened: the URI.
        event: Text,
        /// To whom, where that is a user of ours.
        user: Option<UserId>,
        /// What was done about it.
        outcome: Text,
    },
}

/// A user, account or client that nobody has any business with: whoever touches it is looking for something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Canary {
    /// Its id.
    pub id: Name,
    /// What it is.
    pub what: CanaryKind,
    /// The user's, account's or client's id, as events name it.
    pub value: Name,
    /// Why it is there; for those who set it.
    #[schemars(with = "Option<String>")]
    pub note: Option<Text>,
}

/// What a decoy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CanaryKind {
    /// A user.
    User,
    /// An account at a connection.
    Account,
    /// A client or agent.
    Client,
}

impl CanaryKind {
    /// The wire form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Account => "account",
            Self::Client => "client",
        }
    }
}

/// A process, told from every other one that has the same number before or after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since the boot.
    pub start_ticks: u64,
    /// Which boot.
    pub boot_id: Name,
}

/// Whether verdicts about detections apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Say what would be done; do it for people's own decisions and protocol rules only.
    #[default]
    DryRun,
    /// Do it.
    Live,
}

impl Mode {
    /// `dry_run` or `live`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DryRun => "dry_run",
            Self::Live => "live",
        }
    }
}

/// Silence for findings of one detector about one entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Exception {
    /// Its id.
    pub id: Name,
    /// Which detector.
    pub detector: Name,
    /// Only this agent.
    pub agent_id: Option<AgentId>,
    /// Only this user.
    pub user_id: Option<UserId>,
    /// Only this connection.
    pub connection: Option<ConnectionName>,
    /// Why.
    #[schemars(with = "String")]
    pub reason: Text,
    /// Who answers for it.
    pub owner: Option<Name>,
    /// Until when; at most 90 days ahead.
    pub expires_at: Timestamp,
}

/// What the engine decided about a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The record of the request.
    pub seq: Seq,
    /// The exchange, where the request was one.
    pub exchange_id: Option<ExchangeId>,
    /// What was done: `allow`, `deny`, `hold`, `withhold`, `rate_limit`.
    pub decision: Name,
    /// What live mode would have done.
    pub would: Name,
    /// In which mode.
    pub mode: Mode,
    /// The findings behind it: detector, severity, reason.
    pub findings: Vec<(Name, Severity, Text)>,
}

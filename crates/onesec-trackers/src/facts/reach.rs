//! Facts about how far an agent reaches with its exchanges: for whom, where, how often in vain, and after how long a rest.

use std::time::Duration;

use onesec_telemetry::{Attribution, CanaryKind, EventId, Timestamp, UserId};

/// How far an agent reaches, with this record where it counts.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ReachFacts {
    /// Distinct users whom the agent exchanged for within [`FAN_WINDOW`], this one included; capped at 1 024.
    pub users: u32,
    /// The 99th percentile of how many it usually has in such a window; 0 while too little is known.
    pub users_usual: u32,
    /// Distinct connections within [`FAN_WINDOW`] that nobody delegated or that were refused, this one included where it is
    /// not delegated; capped at 64.
    pub undelegated: u32,
    /// Exchanges of the agent that passed before; capped.
    pub exchanges: u32,
    /// The agent was at rest before.
    pub rest: Option<RestFacts>,
    /// Exchanges that failed, where there are any within [`FAIL_WINDOW`].
    pub failures: Option<FailureFacts>,
    /// The task that the record names is for another user.
    pub other_user: Option<TaskUser>,
}

/// An agent that was at rest, and within an hour of its waking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestFacts {
    /// Its last exchange before.
    pub since: Timestamp,
    /// The first after it.
    pub woke: Timestamp,
    /// Exchanges within ten minutes of waking, this one included; capped.
    pub exchanges: u32,
}

/// Exchanges that failed within [`FAIL_WINDOW`], this one included where it did. What is refused by us counts from the next
/// record on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureFacts {
    /// So many; capped at 64.
    pub failed: u32,
    /// Of so many.
    pub tried: u32,
    /// For so many distinct users.
    pub users: u32,
    /// At so many distinct connections.
    pub connections: u32,
    /// More than is in order.
    pub probing: bool,
    /// When it was last more than is in order, before this record and within [`SUCCESS_WITHIN`].
    pub probed: Option<Timestamp>,
    /// This record tells of a success on something that the agent was never given before.
    pub new_success: bool,
    /// This record tells of a failure.
    pub fails: bool,
    /// Several settled agents fail at this connection, in the way that a provider fails which is down.
    pub outage: bool,
}

/// The user of a task, where an exchange in it is for another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskUser {
    /// The task's user.
    pub user: UserId,
    /// Somebody with authority said so; otherwise the agent exchanged for this user first.
    pub stated: bool,
}

/// A decoy was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CanaryFacts {
    /// What it is.
    pub what: CanaryKind,
}

/// Something was forgotten that mattered, since this was last told.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LostFacts {
    /// Windows above their limit, and agents that failed a lot.
    pub armed: u32,
    /// Learned baselines.
    pub baselines: u32,
    /// Agents and tasks under influence, mandates, poisoned memory, approved manifests of tools.
    pub behaviour: u32,
    /// The event that made it necessary, of several the first.
    pub event: EventId,
    /// Whose word that event is.
    pub attribution: Attribution,
}

/// What Auth0 tells of an exchange at a connection where the gateway should see all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bypass {
    /// The gateway made it.
    Ours,
    /// The gateway never saw it.
    Unseen,
}

/// Users and connections are counted within this.
pub const FAN_WINDOW: Duration = Duration::from_secs(600);
/// Failures are counted within this.
pub const FAIL_WINDOW: Duration = Duration::from_secs(300);
/// A success after failures is one of theirs within this.
pub const SUCCESS_WITHIN: Duration = Duration::from_secs(600);
/// How long after waking an agent is still looked at as one that was at rest.
pub const WAKING: Duration = Duration::from_secs(3_600);

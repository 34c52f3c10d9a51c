//! Facts: what was true before a record, and what the record changed. Measured once, read by every detector.

mod behaviour;
mod conduct;
mod delegation;
mod reach;

use std::borrow::Cow;
use std::time::Duration;

use onesec_telemetry::{
    AccountId, AgentId, AgentRegistration, AppId, ConnectionName, DelegationId, Name, Party, ScopeSet, Timestamp,
    UserId,
};

pub use behaviour::{
    Act, Argument, BehaviourFacts, Instructed, MandateFacts, MandateSource, MemoryFacts, Outside, PoisonFacts,
    TAINT_OF_AGENT, TAINT_STEPS, TaintFacts, TextFacts, UsageFacts, is_own_source,
};
pub use conduct::{
    ApprovalFacts, LineageFacts, ManifestFacts, ManifestState, MessageFacts, PaymentFacts, Spread, SpreadFacts,
    WebFacts,
};
pub use delegation::{DelegationFacts, DelegationOutcome, Refusal};
pub use reach::{
    Bypass, CanaryFacts, FAIL_WINDOW, FAN_WINDOW, FailureFacts, LostFacts, ReachFacts, RestFacts, SUCCESS_WITHIN,
    TaskUser, WAKING,
};

/// Everything the trackers know about one record. A part is absent where the record does not concern it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Facts<'a> {
    /// About the acting agent.
    pub agent: Option<AgentFacts<'a>>,
    /// About an exchange: rates, and whether this record counts.
    pub exchange: Option<ExchangeFacts>,
    /// About the right to the account: exchanges and uses.
    pub access: Option<AccessFacts<'a>>,
    /// About whom the user's token names besides the user, where that does not fit.
    pub parties: Option<PartyFacts<'a>>,
    /// About scopes asked for, used or returned.
    pub scopes: Option<ScopeFacts<'a>>,
    /// About a delegation that was made or taken back.
    pub delegation: Option<DelegationFacts<'a>>,
    /// Accounts that can give more than a delegation allows, as far as this record changed or showed it.
    pub posture: Vec<Posture>,
    /// About a grant to an application.
    pub consent: Option<ConsentFacts>,
    /// About what the agent does, by what right and under which influence.
    pub behaviour: Option<Box<BehaviourFacts<'a>>>,
    /// About how far the agent reaches with its exchanges.
    pub reach: Option<ReachFacts>,
    /// A decoy was touched.
    pub canary: Option<CanaryFacts>,
    /// Something was forgotten that mattered.
    pub lost: Option<LostFacts>,
    /// About an exchange that Auth0 tells of, where the gateway should see all.
    pub bypass: Option<Bypass>,
}

/// The agent that a record is about.
#[derive(Debug, Clone)]
pub struct AgentFacts<'a> {
    /// First record of the agent, before this one.
    pub first_seen: Option<Timestamp>,
    /// Last record of the agent that passed, before this one.
    pub last_seen: Option<Timestamp>,
    /// Suspended by a person, since when.
    pub suspended: Option<Timestamp>,
    /// What was registered about it.
    pub registration: Option<&'a AgentRegistration>,
    /// An agent known before whose id a person could not tell from this one's.
    pub confusable_with: Option<&'a str>,
    /// Whether the record's network (/24, /48) is in the agent's history; absent where one of them is.
    pub network_known: Option<bool>,
}

/// An exchange, as it concerns rates.
#[derive(Debug, Clone)]
pub struct ExchangeFacts {
    /// Whether this record counts, or is another view of an exchange that counted already.
    pub counts: bool,
    /// Of this agent.
    pub by_agent: Rate,
    /// Of this agent for this user.
    pub by_agent_user: Option<Rate>,
    /// Of everything below the same delegation root, where the agent is a sub-agent.
    pub by_root: Option<RootRate>,
    /// The token that was issued last for this (agent, user, connection), while it is valid.
    pub held_token: Option<HeldToken>,
}

/// A token that an agent still holds while it asks for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldToken {
    /// When it expires.
    pub until: Timestamp,
    /// Exchanges that counted while it was valid, this one not included.
    pub exchanges: u32,
}

/// A sliding window, with this record as if it counted; without it where it is another view of an exchange that did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Exchanges in the window ending at the newest; exact up to `limit + 1`, capped there.
    pub count: u32,
    /// The most that is in order.
    pub limit: u32,
    /// Length of the window.
    pub window: Duration,
    /// Above the limit, or above the leaving threshold (0.6 × limit) since it was above the limit.
    pub exceeded: bool,
    /// How long until an exchange would no longer be exceeding.
    pub retry_after: Duration,
}

/// The rate below one delegation root.
#[derive(Debug, Clone)]
pub struct RootRate {
    /// The agent at the root.
    pub root: AgentId,
    /// Its whole tree's rate.
    pub rate: Rate,
}

/// The right of an agent to an account.
#[derive(Debug, Clone)]
pub struct AccessFacts<'a> {
    /// What became of the account.
    pub account: AccountState<'a>,
    /// Whether the agent may.
    pub standing: Standing<'a>,
    /// Where the record names no user: whether any user delegated to this agent at this connection.
    pub any_user_delegated: Option<bool>,
    /// Whether a hint or account id asks for another account than the delegation's.
    pub other_account: Option<AccountId>,
    /// The user has several accounts there, the delegation is for one, and the record does not say which it wants.
    pub account_unstated: bool,
    /// Whether the token used was issued while the right still held, and has not expired.
    pub token_outlives_right: bool,
    /// To whom the token that the record shows was issued; absent where it shows none.
    pub token: Option<TokenOrigin>,
    /// Tokens have been forgotten for want of room, so that one that is unknown may have been issued.
    pub tokens_forgotten: bool,
    /// Every exchange at the connection goes through the gateway.
    pub exclusive: bool,
    /// Every link at the connection is known.
    pub ledger_complete: bool,
}

/// How the parties that a verified token names differ from those who act. Only what differs is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartyFacts<'a> {
    /// The user whom the request named otherwise, such as by the delegation that came with it.
    pub claimed: Option<&'a UserId>,
    /// `may_act` names somebody else (RFC 8693, section 4.4).
    pub may_not_act: bool,
    /// The current actor of the token is somebody else (RFC 8693, section 4.1).
    pub actor: Option<&'a Party>,
    /// The token was issued to a client that is none of the agent's.
    pub client: Option<&'a AppId>,
    /// The actors before the current one are not those of the delegation's chain.
    pub history: bool,
}

/// To whom a token was issued, as far as somebody with authority said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenOrigin {
    /// To nobody that we know of.
    Unknown,
    /// To this agent, perhaps among others.
    ThisAgent,
    /// To other agents only.
    Others,
}

/// A user's account at a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccountState<'a> {
    /// No link was ever seen.
    NeverLinked,
    /// Linked.
    Linked {
        /// Since when.
        since: Timestamp,
        /// What the user granted; unknown where the link did not say.
        scopes: Option<&'a ScopeSet>,
    },
    /// Was linked once.
    Unlinked {
        /// Until when.
        at: Timestamp,
    },
}

/// Whether an agent may act on an account.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing<'a> {
    /// By this delegation, which is live.
    Authorised {
        /// The delegation.
        delegation: &'a DelegationId,
        /// Its bound on scopes; absent: none stated; empty: nothing.
        bound: Option<&'a ScopeSet>,
        /// Its end.
        expires_at: Option<Timestamp>,
    },
    /// Delegated, and waiting for the account to be linked.
    Dormant {
        /// The delegation.
        delegation: &'a DelegationId,
        /// Its bound on scopes, as in [`Standing::Authorised`].
        bound: Option<&'a ScopeSet>,
        /// Its end.
        expires_at: Option<Timestamp>,
    },
    /// Was allowed once: unlinked or revoked since, and not delegated anew.
    Ended {
        /// The delegation that allowed it.
        delegation: &'a DelegationId,
        /// Since when.
        at: Timestamp,
        /// How it ended.
        how: Ending,
    },
    /// Never delegated.
    Never,
}

/// How a delegation came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ending {
    /// The account was unlinked.
    Unlinked,
    /// Somebody took it back.
    Revoked,
    /// What it hung below ended.
    ParentEnded,
    /// Its time was over.
    Expired,
}

impl Ending {
    /// The wire form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unlinked => "unlinked",
            Self::Revoked => "revoked",
            Self::ParentEnded => "parent_ended",
            Self::Expired => "expired",
        }
    }
}

/// Scopes, measured against what is in order.
#[derive(Debug, Clone)]
pub struct ScopeFacts<'a> {
    /// What is asked for, used or returned. An exchange that names none asks for all the account holds.
    pub effective: Cow<'a, ScopeSet>,
    /// Whether the record named them.
    pub named: bool,
    /// What they are measured against.
    pub baseline: Baseline<'a>,
    /// What a person accepted for this (agent, user, connection); part of what `Link`, `Learned` and `FirstSight`
    /// are compared with.
    pub accepted: Option<&'a ScopeSet>,
    /// What was asked for before beyond the baseline and nobody accepted.
    pub pending: Option<&'a ScopeSet>,
    /// `effective` beyond the baseline, by the catalogue.
    pub beyond: ScopeSet,
    /// Returned or used scopes beyond what the user granted when linking; empty where that is unknown.
    pub beyond_link: ScopeSet,
}

/// The strongest source of what is in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Baseline<'a> {
    /// The delegation's own bound.
    Delegation(&'a ScopeSet),
    /// What the user granted when linking (with what a person accepted).
    Link(&'a ScopeSet),
    /// What was learned from the first exchange (with what a person accepted).
    Learned(&'a ScopeSet),
    /// Nothing known: identity and read scopes are in order.
    FirstSight,
}

impl Baseline<'_> {
    /// The wire form of the source.
    #[must_use]
    pub const fn source(&self) -> &'static str {
        match self {
            Self::Delegation(_) => "delegation",
            Self::Link(_) => "link",
            Self::Learned(_) => "learned",
            Self::FirstSight => "first_sight",
        }
    }
}

/// An account that can give more than a delegation allows: a property of the set-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posture {
    /// To whom.
    pub agent: AgentId,
    /// Whose.
    pub user: UserId,
    /// Where.
    pub connection: ConnectionName,
    /// What the account gives beyond the bound.
    pub excess: ScopeSet,
    /// Changes when the link or the delegation does.
    pub version: u64,
}

/// A grant to an application.
#[derive(Debug, Clone)]
pub struct ConsentFacts {
    /// Distinct users who granted to this application within the hour, this one included.
    pub users_in_hour: u32,
    /// The publisher is known to be verified (said by somebody with authority).
    pub publisher_verified: bool,
    /// What the application is called.
    pub app_name: Option<Name>,
}

//! Facts about delegations that were made or taken back.

use std::borrow::Cow;

use onesec_telemetry::DelegationId;

/// A delegation that was made or taken back.
#[derive(Debug, Clone)]
pub struct DelegationFacts<'a> {
    /// The delegation. Where a link or unlink was refused, an id made of its event.
    pub delegation: Cow<'a, DelegationId>,
    /// What became of it.
    pub outcome: DelegationOutcome,
    /// Nobody signed for it, and policy wants to hear of that.
    pub unattested: bool,
}

/// What became of a delegation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DelegationOutcome {
    /// It is live.
    Live,
    /// It waits for the link.
    Dormant,
    /// It was taken back, and with it so many below it.
    Revoked {
        /// Every delegation that ended, the named one first.
        ended: Vec<DelegationId>,
    },
    /// Nothing changed, for this reason.
    Refused(Refusal),
}

/// Why a delegation, link or revocation changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Refusal {
    /// The sender has no authority, and no attestation verifies.
    NoAuthority,
    /// An attestation came and does not verify.
    AttestationRefused,
    /// None came, and policy asks for one.
    Unattested,
    /// Nobody delegates to himself.
    SelfDelegation,
    /// The chain would come back to an agent in it.
    Cycle,
    /// Deeper than allowed.
    TooDeep,
    /// What it should hang below is not there.
    UnknownParent,
    /// What it should hang below has ended.
    ParentEnded,
    /// It would allow more than its parent.
    WidensParent,
    /// It would last longer than its parent.
    OutlivesParent,
    /// It hangs below another user's or another connection's delegation, or the delegator is not its delegate.
    ForeignParent,
    /// Its time was over when it came.
    AlreadyExpired,
    /// It was ended before; ended delegations do not come back.
    Tombstoned,
    /// It is older than the unlink or revocation that it would undo.
    OlderThanEnd,
    /// An agent that is suspended lends nothing on.
    SuspendedDelegator,
    /// The same id with other content.
    Conflict,
    /// It names no connection, and policy names no default.
    NoConnection,
    /// The ledger has no room.
    LedgerFull,
    /// There is nothing to take back.
    NothingToEnd,
}

impl Refusal {
    /// The wire form, such as `self-delegation`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoAuthority => "no-authority",
            Self::AttestationRefused => "attestation-refused",
            Self::Unattested => "unattested",
            Self::SelfDelegation => "self-delegation",
            Self::Cycle => "cycle",
            Self::TooDeep => "too-deep",
            Self::UnknownParent => "unknown-parent",
            Self::ParentEnded => "parent-ended",
            Self::WidensParent => "widens-parent",
            Self::OutlivesParent => "outlives-parent",
            Self::ForeignParent => "foreign-parent",
            Self::AlreadyExpired => "already-expired",
            Self::Tombstoned => "tombstoned",
            Self::OlderThanEnd => "older-than-end",
            Self::SuspendedDelegator => "suspended-delegator",
            Self::Conflict => "conflict",
            Self::NoConnection => "no-connection",
            Self::LedgerFull => "ledger-full",
            Self::NothingToEnd => "nothing-to-end",
        }
    }
}

//! Why a chain of delegations proves nothing: one variant per reason, and never a word of a link.

use crate::keys::KeyUnusable;
use crate::refused::TokenRefused;

/// Why a chain was refused, with a stable [`LinkRefused::code`] for logs and journal records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkRefused {
    /// One of the links is no acceptable JWT, whatever stands above it; the reason is that of any token.
    #[error(transparent)]
    Jwt(#[from] TokenRefused),
    /// No link at all.
    #[error("the chain is empty")]
    EmptyChain,
    /// More links than the verifier, or a link, allows.
    #[error("the chain has more links than allowed")]
    TooDeep,
    /// The first link names a parent: something was cut off above it.
    #[error("the first link hangs below another one")]
    UnexpectedParent,
    /// A later link names no parent.
    #[error("a link does not name the one above it")]
    MissingParent,
    /// `parent` is not the hash of the link above, in its one spelling.
    #[error("a link hangs below another one than presented")]
    ParentMismatch,
    /// The first link was not issued by the expected delegator.
    #[error("the chain starts at another delegator")]
    WrongRoot,
    /// `iss` is not the `sub` of the link above.
    #[error("a link was issued by somebody else than the delegate above it")]
    WrongDelegator,
    /// No `cnf`: anybody could sign the next link.
    #[error("a link is not bound to a key of the delegate")]
    Unbound,
    /// `cnf` is not exactly one `jwk` or one `jkt`.
    #[error("the confirmation of a link is malformed")]
    BadConfirmation,
    /// `cnf` gives a private key away.
    #[error("a link carries private key material")]
    PrivateKey,
    /// The key in `cnf` must not verify signatures.
    #[error("the key of a delegate is not usable: {0}")]
    UnusableKey(KeyUnusable),
    /// `cnf` names a key by its thumbprint, a link hangs below it, and the verifier does not know that key.
    #[error("the key of a delegate is not known")]
    UnknownDelegateKey,
    /// Another connection than above, or none where the link above names one.
    #[error("a link is for another connection than the one above it")]
    ConnectionChanged,
    /// A scope that the link above does not grant, or no bound below a bound.
    #[error("a link grants scopes that the one above it does not")]
    ScopeWidened,
    /// `exp` is later than that of the link above.
    #[error("a link outlives the one above it")]
    OutlivesParent,
    /// `iat` is earlier than that of the link above.
    #[error("a link is older than the one above it")]
    OlderThanParent,
    /// Somebody stands twice in the chain, or delegates to himself.
    #[error("the chain comes back to somebody in it")]
    Cycle,
    /// Two links share a `jti`.
    #[error("two links have the same id")]
    DuplicateId,
}

impl LinkRefused {
    /// The reason as a stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Jwt(reason) => reason.code(),
            Self::EmptyChain => "empty_chain",
            Self::TooDeep => "too_deep",
            Self::UnexpectedParent => "unexpected_parent",
            Self::MissingParent => "missing_parent",
            Self::ParentMismatch => "parent_mismatch",
            Self::WrongRoot => "wrong_root",
            Self::WrongDelegator => "wrong_delegator",
            Self::Unbound => "unbound",
            Self::BadConfirmation => "bad_confirmation",
            Self::PrivateKey => "private_key",
            Self::UnusableKey(_) => "unusable_key",
            Self::UnknownDelegateKey => "unknown_delegate_key",
            Self::ConnectionChanged => "connection_changed",
            Self::ScopeWidened => "scope_widened",
            Self::OutlivesParent => "outlives_parent",
            Self::OlderThanParent => "older_than_parent",
            Self::Cycle => "cycle",
            Self::DuplicateId => "duplicate_id",
        }
    }
}

impl From<KeyUnusable> for LinkRefused {
    fn from(reason: KeyUnusable) -> Self {
        if reason == KeyUnusable::Private { Self::PrivateKey } else { Self::UnusableKey(reason) }
    }
}

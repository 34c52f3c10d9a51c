//! Taking back what a user lent, station by station: what each is asked, and what its answer is worth.
//!
//! No station knows of the others: one that fails keeps none from its turn.

mod at_provider;
mod at_tenant;
mod held;
mod push;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use at_provider::{AtProvider, Provider, ProviderError};
pub use at_tenant::{end_sessions_and_tokens, revoke_tokens_of, withdraw_grants};
pub use held::{Held, HeldTokens, WhoseTokens};
pub use push::{EventPush, Pushed};

/// What one step of a revocation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// Done, and seen to be so.
    Confirmed(String),
    /// Said to be done; why that could not be looked at.
    Accepted(String),
    /// There was nothing to take back.
    Unneeded(String),
    /// The other side does not let us, and asking again will not help.
    Refused(String),
    /// There is no way to do it.
    NotPossible(String),
    /// It did not work; it may go better later.
    Failed {
        /// In a sentence, without secrets.
        why: String,
        /// Not before.
        after: Option<Duration>,
    },
}

impl Answered {
    /// The stable word for it.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Confirmed(_) => "confirmed",
            Self::Accepted(_) => "accepted",
            Self::Unneeded(_) => "unneeded",
            Self::Refused(_) => "refused",
            Self::NotPossible(_) => "not_possible",
            Self::Failed { .. } => "failed",
        }
    }

    /// What there is to say about it.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::Confirmed(text)
            | Self::Accepted(text)
            | Self::Unneeded(text)
            | Self::Refused(text)
            | Self::NotPossible(text) => text,
            Self::Failed { why, .. } => why,
        }
    }
}

//! What can be said about revocations.

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// Whose access is taken back, from every agent unless one is named.
    #[arg(required_unless_present = "agent")]
    pub(crate) user: Option<String>,
    /// Only at this connection: the user stays logged in.
    #[arg(long)]
    pub(crate) connection: Option<String>,
    /// Only what this agent has; without a user, of everybody.
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// Beyond onesec, only these stations.
    #[arg(long = "part", value_name = "PART", value_enum)]
    pub(crate) parts: Vec<RevokePart>,
    /// Of Auth0's refresh tokens, only those of this client.
    #[arg(long = "client", value_name = "CLIENT_ID")]
    pub(crate) clients: Vec<String>,
    /// Why.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// By what a repetition of the same request is recognised.
    #[arg(long, value_name = "ID")]
    pub(crate) request_id: Option<String>,
    /// How many seconds to wait for the stations beyond onesec; what was lent counts no more at once in any case.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) wait: u64,
}

/// A station beyond onesec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RevokePart {
    /// Refresh tokens at Auth0.
    RefreshTokens,
    /// Sessions at Auth0.
    Sessions,
    /// Consents at Auth0.
    Grants,
    /// Access tokens at the providers.
    Provider,
}

impl RevokePart {
    /// As the API names it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::RefreshTokens => "refresh_tokens",
            Self::Sessions => "sessions",
            Self::Grants => "grants",
            Self::Provider => "provider",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RevocationsArgs {
    /// One revocation, step by step.
    pub(crate) id: Option<String>,
    /// Tries its failed and refused steps again.
    #[arg(long, requires = "id")]
    pub(crate) retry: bool,
    /// Only of this user.
    #[arg(long, conflicts_with = "id")]
    pub(crate) user: Option<String>,
    /// Only in this state: running, done, incomplete.
    #[arg(long, conflicts_with = "id")]
    pub(crate) state: Option<String>,
}

//! What can be asked.

use super::auth0::AccountAct;
use clap::{Args, Subcommand};

/// What lists have in common.
#[derive(Debug, Args, Default)]
pub(crate) struct Narrow {
    /// Only this agent.
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// Only this user.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Only this connection.
    #[arg(long)]
    pub(crate) connection: Option<String>,
    /// At most so many.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct AlertsArgs {
    #[command(subcommand)]
    pub(crate) act: Option<AlertAct>,
    #[command(flatten)]
    pub(crate) narrow: Narrow,
    /// Only this detector.
    #[arg(long)]
    pub(crate) detector: Option<String>,
    /// Only this severity.
    #[arg(long)]
    pub(crate) severity: Option<String>,
    /// This severity and worse.
    #[arg(long)]
    pub(crate) min_severity: Option<String>,
    /// open, acknowledged, resolved or `false_positive`.
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Seen at or after this time (RFC 3339).
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Stay, and print alerts as they come.
    #[arg(long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertAct {
    /// Everything about one alert.
    Show {
        /// Its id.
        id: String,
    },
    /// Somebody is on it.
    Ack(AlertChange),
    /// Done; the next finding opens a new alert.
    Resolve(AlertChange),
    /// It was none. Changes the label only.
    FalsePositive(AlertChange),
}

#[derive(Debug, Args)]
pub(crate) struct AlertChange {
    /// The alert.
    pub(crate) id: String,
    /// In your words.
    #[arg(long)]
    pub(crate) note: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    pub(crate) narrow: Narrow,
    /// Only this kind, such as `token_exchange`.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// From this time on (RFC 3339).
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Before this time (RFC 3339).
    #[arg(long)]
    pub(crate) until: Option<String>,
    /// What was rejected instead of what was recorded.
    #[arg(long)]
    pub(crate) rejected: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AgentsArgs {
    #[command(subcommand)]
    pub(crate) act: Option<AgentAct>,
    /// One agent, in detail.
    pub(crate) id: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentAct {
    /// Says who answers for an agent, what it may reach and by which keys it is known; replaces what was said before.
    Register(super::AgentRegister),
    /// Forgets a registration; what was delegated stays.
    Unregister {
        /// The agent.
        id: String,
    },
    /// Makes a key pair for an agent: the private half into a file, the public half to standard output.
    Keygen(super::Keygen),
    /// Nothing of this agent passes any more, in any mode.
    Suspend {
        /// The agent.
        id: String,
    },
    /// Ends a suspension.
    Resume {
        /// The agent.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AccountsArgs {
    #[command(subcommand)]
    pub(crate) act: Option<AccountAct>,
    /// Only this user.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Only this connection.
    #[arg(long)]
    pub(crate) connection: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CanArgs {
    /// The agent.
    pub(crate) agent: String,
    /// The user.
    pub(crate) user: String,
    /// The connection.
    pub(crate) connection: String,
    /// The scopes; none: all that the account has.
    pub(crate) scopes: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Id of an alert or of an exchange.
    pub(crate) id: String,
}

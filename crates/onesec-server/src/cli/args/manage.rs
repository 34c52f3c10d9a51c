//! What can be changed, and tokens traded.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::respond::EnforceAct;

use super::ask::Narrow;

#[derive(Debug, Args)]
pub(crate) struct DelegationsArgs {
    #[command(subcommand)]
    pub(crate) act: Option<DelegationAct>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DelegationAct {
    /// All of them.
    List(Narrow),
    /// A user lets an agent act on an account.
    Add(DelegationAdd),
    /// One's own delegation as a signed link, with the agent's own key: what `onesec delegate` lends from.
    Link {
        /// The delegation.
        id: String,
        /// Bound to this key of the agent instead of its first.
        #[arg(long)]
        kid: Option<String>,
    },
    /// Takes a delegation back, with all that hangs below it.
    Revoke {
        /// The delegation.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DelegationAdd {
    /// The agent that may act.
    #[arg(long)]
    pub(crate) agent: String,
    /// The user whose account it is.
    #[arg(long)]
    pub(crate) user: String,
    /// At which connection.
    #[arg(long)]
    pub(crate) connection: String,
    /// With these scopes at most; say it again for more.
    #[arg(long = "scope", num_args = 1..)]
    pub(crate) scopes: Vec<String>,
    /// Until when (RFC 3339).
    #[arg(long)]
    pub(crate) expires_at: Option<String>,
    /// The delegation that this one hangs below.
    #[arg(long)]
    pub(crate) parent: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExchangeArgs {
    /// The provider's connection, such as `google-oauth2`.
    #[arg(long)]
    pub(crate) connection: String,
    /// File with the user's token; `-` reads standard input.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) subject_token_file: PathBuf,
    /// What kind of token it is.
    #[arg(long = "type", value_enum, default_value_t = TokenType::Refresh)]
    pub(crate) token_type: TokenType,
    /// Which of several accounts.
    #[arg(long)]
    pub(crate) login_hint: Option<String>,
    /// What the agent wants to do with it; say it again for more.
    #[arg(long = "scope", num_args = 1..)]
    pub(crate) scopes: Vec<String>,
    /// The task it is for.
    #[arg(long)]
    pub(crate) task: Option<String>,
    /// File with a signed delegation (`onesec delegate`).
    #[arg(long, value_name = "FILE")]
    pub(crate) delegation: Option<PathBuf>,
    /// Print the provider's token. Without this it is dropped unseen.
    #[arg(long)]
    pub(crate) show_token: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum TokenType {
    /// A refresh token of the user.
    Refresh,
    /// An access token of the user for our API.
    Access,
    /// A signed statement of a privileged worker.
    Jwt,
}

impl TokenType {
    pub(crate) const fn urn(self) -> &'static str {
        match self {
            Self::Refresh => "urn:ietf:params:oauth:token-type:refresh_token",
            Self::Access => "urn:ietf:params:oauth:token-type:access_token",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
        }
    }
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) act: Option<KeyAct>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyAct {
    /// All of them, without the secrets.
    List,
    /// A new key; it is shown once.
    Create(KeyCreate),
    /// Signs delegations with a new key from now on; what the old one signed stays good until it expires.
    RotateSigning,
    /// Ends a key.
    Revoke {
        /// The key's id.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct KeyCreate {
    /// What people call it.
    #[arg(long)]
    pub(crate) name: String,
    /// read, events:write, events:trust, exchange, respond or admin; say it again for more.
    #[arg(long = "scope", required = true, num_args = 1..)]
    pub(crate) scopes: Vec<String>,
    /// The only agent that it speaks for; `exchange` needs one.
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// Who answers for it.
    #[arg(long)]
    pub(crate) owner: Option<String>,
    /// Its events' own timestamps count.
    #[arg(long)]
    pub(crate) trusted_time: bool,
    /// Until when (RFC 3339).
    #[arg(long)]
    pub(crate) expires_at: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EnforceArgs {
    #[command(subcommand)]
    pub(crate) act: Option<EnforceAct>,
    /// `dry-run` says what would be done; `live` does it, once you have seen what it would have cut off.
    #[arg(long, value_enum)]
    pub(crate) mode: Option<ModeArg>,
    /// Of how many days that is shown.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u8).range(1..=90))]
    pub(crate) days: u8,
    /// The digest of what you saw: goes live without a terminal.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) confirm: Option<String>,
    /// observe, balanced, strict or vps-agent.
    #[arg(long)]
    pub(crate) preset: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ModeArg {
    /// Say it only.
    DryRun,
    /// Do it.
    Live,
}

impl ModeArg {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::DryRun => "dry_run",
            Self::Live => "live",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct CanaryArgs {
    #[command(subcommand)]
    pub(crate) act: CanaryAct,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CanaryAct {
    /// All of them.
    List,
    /// Sets one: whoever touches it raises a CRITICAL alert.
    Add {
        /// What it is.
        #[arg(value_enum)]
        what: CanaryWhat,
        /// Its id, as events name it.
        value: String,
        /// Why it is there.
        #[arg(long)]
        note: Option<String>,
    },
    /// Takes one away.
    Remove {
        /// Its id, as the list shows it.
        id: String,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CanaryWhat {
    /// A user.
    User,
    /// An account at a connection, or its login hint.
    Account,
    /// A client or an agent.
    Client,
}

impl CanaryWhat {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Account => "account",
            Self::Client => "client",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ConnectionsArgs {
    #[command(subcommand)]
    pub(crate) act: ConnectionAct,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionAct {
    /// From now on every link there is known: an exchange without one is suspicious.
    Complete {
        /// The connection.
        name: String,
    },
    /// No longer.
    Incomplete {
        /// The connection.
        name: String,
    },
}

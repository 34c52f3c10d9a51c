//! What concerns Auth0 itself: its log, and the accounts that it knows of.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::config::parse_duration;

#[derive(Debug, Subcommand)]
pub(crate) enum AccountAct {
    /// Makes links known that are older than onesec.
    Import(ImportArgs),
    /// What differs between our accounts and Auth0's. Exit code 1 where anything does.
    Drift,
    /// Sets right what differs: links, scopes, and accounts that are not there any more.
    Reconcile,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("source").required(true).args(["file", "from_auth0"]))]
pub(crate) struct ImportArgs {
    /// Accounts as NDJSON, a JSON array or {"accounts": [...]}, each with user_id and connection, and account_id and scopes
    /// where known; `-` reads standard input.
    #[arg(value_name = "FILE|-")]
    pub(crate) file: Option<PathBuf>,
    /// Asks Auth0, user by user, as `enforcement.auth0` may.
    #[arg(long)]
    pub(crate) from_auth0: bool,
    /// Marks these connections afterwards: every link there is known, an exchange without one is suspicious. Without names:
    /// every connection at which something was imported.
    #[arg(long, value_name = "CONNECTION", num_args = 0..)]
    pub(crate) complete: Option<Vec<String>>,
}

#[derive(Debug, Args)]
pub(crate) struct Auth0Args {
    #[command(subcommand)]
    pub(crate) act: Auth0Act,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Auth0Act {
    /// Takes what is new in the tenant's log, for tenants without a log stream. Goes on where it was left.
    Pull {
        /// Once, which is what it does anyway.
        #[arg(long, conflicts_with = "follow")]
        once: bool,
        /// Again and again, until interrupted.
        #[arg(long)]
        follow: bool,
        /// How often, with --follow.
        #[arg(long, default_value = "30s", requires = "follow", value_parser = every)]
        every: Duration,
    },
}

fn every(text: &str) -> Result<Duration, String> {
    let least = Duration::from_secs(1);
    parse_duration(text).filter(|every| *every >= least).ok_or_else(|| "must be 1s or more, such as 30s".to_owned())
}

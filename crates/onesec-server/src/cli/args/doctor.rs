//! `onesec doctor`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 nothing failed (warnings and what was skipped count as nothing), 1 something \
    failed, 2 wrong usage or configuration, 3 nothing failed and something could not be told.")]
pub(crate) struct DoctorArgs {
    /// The configuration that `up` reads.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// One tenant of the configuration; without it, all that have Token Vault.
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// This check only; say it again for more.
    #[arg(long = "check", value_name = "ID")]
    pub(crate) checks: Vec<String>,
    /// This connection only.
    #[arg(long)]
    pub(crate) connection: Option<String>,
    /// Also look at this user: connected, or merely logged in?
    #[arg(long, value_name = "USER", requires = "connection")]
    pub(crate) user: Option<String>,
    /// Prints the scopes of the Management API that all checks need, and asks nothing.
    #[arg(long, conflicts_with_all = ["user", "connection", "list"])]
    pub(crate) scopes: bool,
    /// Prints all checks, and asks nothing.
    #[arg(long, conflicts_with_all = ["user", "connection"])]
    pub(crate) list: bool,
}

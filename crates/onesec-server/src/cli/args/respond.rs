//! What can be said about actions: receipts, approvals, processes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct ResponsesArgs {
    /// One receipt, step by step.
    pub(crate) id: Option<String>,
    /// Takes this one back, where that can be done.
    #[arg(long, requires = "id")]
    pub(crate) undo: bool,
    /// Tries this one again, which failed.
    #[arg(long, requires = "id", conflicts_with = "undo")]
    pub(crate) retry: bool,
    /// Hands in what this one waits for: a user's own access token for the My Account API, read from standard input.
    #[arg(long, requires = "id", conflicts_with_all = ["undo", "retry"])]
    pub(crate) complete: bool,
    /// Only what answers this alert.
    #[arg(long)]
    pub(crate) alert: Option<String>,
    /// Only this action, such as `webhook`.
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Only in this state, such as `failed`.
    #[arg(long)]
    pub(crate) status: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ApprovalsArgs {
    #[command(subcommand)]
    pub(crate) act: Option<ApprovalAct>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalAct {
    /// What waits for a person.
    List,
    /// Says yes to exactly what is shown.
    Approve(Decide),
    /// Says no.
    Reject(Decide),
}

#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// Which, as `approvals list` shows it.
    pub(crate) id: String,
    /// The digest of what you saw; without it, what waits under the id is shown and asked about at a terminal.
    #[arg(long)]
    pub(crate) digest: Option<String>,
    /// Why.
    #[arg(long)]
    pub(crate) note: Option<String>,
    /// Of an exchange that is held: its scopes become usual for that agent and user.
    #[arg(long)]
    pub(crate) accept_scopes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Whose process it is.
    #[arg(long)]
    pub(crate) agent: String,
    /// Gives the program its key in this file, instead of in `ONESEC_API_KEY`. It is removed afterwards.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// How long its key outlives `onesec run`, should that be killed; renewed while it lives.
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub(crate) key_lifetime: String,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
}

/// The stage of `onesec run`.
#[derive(Debug, Args)]
pub(crate) struct StageArgs {
    /// Where it waits for leave.
    #[arg(long)]
    pub(crate) gate: PathBuf,
    /// Who started it.
    #[arg(long)]
    pub(crate) parent: u32,
    /// What it becomes.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<String>,
}

/// The guard of `onesec run`.
#[derive(Debug, Args)]
pub(crate) struct GuardArgs {
    /// Whom it guards, with its process group.
    #[arg(long)]
    pub(crate) pid: u32,
    /// When that started.
    #[arg(long)]
    pub(crate) start_ticks: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ContainArgs {
    /// Nothing of this agent passes any more.
    pub(crate) agent: Option<String>,
    /// What this user lets agents do is taken back, with all that hangs below.
    #[arg(long, conflicts_with = "agent")]
    pub(crate) user: Option<String>,
    /// Every agent that was ever seen, or is registered.
    #[arg(long, conflicts_with_all = ["agent", "user"])]
    pub(crate) all: bool,
    /// Leaves registered processes alone.
    #[arg(long)]
    pub(crate) no_kill: bool,
    /// Leaves the address alone that the agent last proved itself from.
    #[arg(long)]
    pub(crate) no_block: bool,
    /// Ends it: agents pass again. What was taken back must be lent anew.
    #[arg(long)]
    pub(crate) undo: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EnforceAct {
    /// The presets; `show NAME` prints one's policies, to copy and change.
    Presets {
        #[command(subcommand)]
        act: Option<PresetAct>,
    },
    /// Single policies: list, show, set, remove.
    Policies {
        #[command(subcommand)]
        act: PolicyAct,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyAct {
    /// Those in force, in the order in which they are asked.
    List,
    /// One of them, as it can be set again.
    Show {
        /// Its name.
        name: String,
    },
    /// Puts one or more in force, in place of those of the same names.
    Set {
        /// YAML or JSON: a policy, a list of them, or a configuration's `enforcement`; `-` reads standard input.
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
    },
    /// Removes one that was set so. What the configuration or the preset has under that name counts again.
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PresetAct {
    /// Prints the policies of a preset as configuration.
    Show {
        /// observe, balanced, strict or vps-agent.
        name: String,
    },
}

//! What can be said on the command line.

mod ask;
mod auth0;
mod doctor;
mod identity;
mod manage;
mod respond;
mod revoke;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use ask::*;
pub(crate) use auth0::*;
pub(crate) use doctor::*;
pub(crate) use identity::*;
pub(crate) use manage::*;
pub(crate) use respond::*;
pub(crate) use revoke::*;

/// The security layer between AI agents and the accounts that people lend them.
#[derive(Debug, Parser)]
#[command(name = "onesec", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "New here? `onesec demo` shows everything on this machine in ten seconds.\n\
    Exit codes: 0 yes or done, 1 a negative answer, 2 wrong usage, 3 server not reachable or refusing.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How a running server is found.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// Where the server listens.
    #[arg(long, global = true, env = "ONESEC_URL", default_value = "http://127.0.0.1:1780", help_heading = "Server")]
    pub(crate) url: String,
    /// With https: a PEM file of authorities to trust beside the system's.
    #[arg(long, global = true, env = "ONESEC_CA", value_name = "FILE", help_heading = "Server")]
    pub(crate) ca: Option<PathBuf>,
    /// With an operator's key: the tenant that is meant; without it, `default`.
    #[arg(long, global = true, env = "ONESEC_TENANT", value_name = "TENANT", help_heading = "Server")]
    pub(crate) for_tenant: Option<String>,
    /// The key to present; without one, `admin.key` of the default data directory.
    #[arg(long, global = true, env = "ONESEC_API_KEY", hide_env_values = true, help_heading = "Server")]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Up(UpArgs),
    /// See what onesec does: a simulated tenant, honest agents, attacks.
    Demo(DemoArgs),
    /// Whether Auth0 is set up as Token Vault and onesec need it: what to change, and where. Needs no server.
    Doctor(DoctorArgs),
    /// How the server is doing.
    Status,
    /// What was found; also: show, ack, resolve, false-positive.
    #[command(args_conflicts_with_subcommands = true)]
    Alerts(AlertsArgs),
    /// What was recorded.
    Events(EventsArgs),
    /// The agents, or one of them; also: register, unregister, keygen, suspend, resume.
    #[command(args_conflicts_with_subcommands = true)]
    Agents(AgentsArgs),
    /// The accounts that people have linked; also: import, drift, reconcile.
    #[command(args_conflicts_with_subcommands = true)]
    Accounts(AccountsArgs),
    /// Who lets whom act: list, add, link, revoke.
    #[command(args_conflicts_with_subcommands = true)]
    Delegations(DelegationsArgs),
    /// Lend another agent less than one has, signed with one's own key; needs no server.
    Delegate(DelegateArgs),
    /// Trade a user's token for a provider's, through onesec.
    Exchange(ExchangeArgs),
    /// Whether an agent may act on a user's account, and why (not).
    Can(CanArgs),
    /// Why an alert was raised or an exchange answered as it was, and what would make it pass.
    Explain(ExplainArgs),
    /// Keys of the API: list, create, revoke; rotate-signing for the key that signs delegations.
    Keys(KeysArgs),
    /// Users, accounts and clients that nobody has any business with: list, add, remove.
    Canary(CanaryArgs),
    /// Auth0 itself: pull, which takes what is new in its log.
    Auth0(Auth0Args),
    /// Connections whose links are all known: complete, incomplete.
    Connections(ConnectionsArgs),
    /// Dry run, live, preset: shows or changes how verdicts are enforced; also: presets.
    #[command(args_conflicts_with_subcommands = true)]
    Enforce(EnforceArgs),
    /// Receipts of actions, or one of them step by step.
    Responses(ResponsesArgs),
    /// What waits for a person: list, approve, reject.
    Approvals(ApprovalsArgs),
    /// Stop an agent, or everything for a user, at once; says how it knows. `--undo` ends it.
    Contain(ContainArgs),
    /// Take back what a user lent: here at once, then at Auth0 and the providers; says of each step what came of it.
    Revoke(RevokeArgs),
    /// Revocations, or one of them step by step; `--retry` has failed steps tried again.
    Revocations(RevocationsArgs),
    /// Run a program as an agent's process: with a key of its own, and known to `kill_process`.
    Run(RunArgs),
    /// Part of `run`.
    #[command(name = "__stage", hide = true)]
    Stage(StageArgs),
    /// Part of `run`.
    #[command(name = "__guard", hide = true)]
    Guard(GuardArgs),
    /// Ask whether an agent may do something before it does it: one event as JSON, from a file or standard input.
    Decide(DecideArgs),
    /// Tools that agents use: the manifests that were shown, and which of them a person approved.
    #[command(args_conflicts_with_subcommands = true)]
    Tools(ToolsArgs),
    /// What the detectors are proved to find, by OWASP id; with `--run`, proves it again in this process.
    Coverage(CoverageArgs),
    /// What would have fired: a file of events, or the journal, judged in this process.
    Replay(ReplayArgs),
    /// The kinds of events that onesec understands.
    Schemas(SchemasArgs),
    /// Look at a journal on disk: verify, recompute.
    Journal(JournalArgs),
    /// Completions for a shell, on standard output.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Address and port; port 0 takes a free one and prints it.
    #[arg(long)]
    pub(crate) listen: Option<SocketAddr>,
    /// Where journal and keys live.
    #[arg(long)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Configuration in YAML.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// What to log, such as `info` or `onesec_server=debug`.
    #[arg(long, env = "ONESEC_LOG", default_value = "info")]
    pub(crate) log: String,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Leave the server running afterwards, to look around.
    #[arg(long)]
    pub(crate) serve: bool,
    /// Switch a detector off, to see which attack it was that met it.
    #[arg(long = "disable", value_name = "DETECTOR")]
    pub(crate) disabled: Vec<String>,
    /// Keep the data here instead of in a directory that is removed afterwards.
    #[arg(long)]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Events as NDJSON or as a JSON array; `-` reads standard input.
    #[arg(long, value_name = "FILE|-", required_unless_present = "since")]
    pub(crate) events: Option<PathBuf>,
    /// Configuration in YAML to judge them by.
    #[arg(long, conflicts_with = "since")]
    pub(crate) config: Option<PathBuf>,
    /// Judges the journal in `--data-dir` again, and prints alerts seen at or after this time (RFC 3339).
    #[arg(long, requires = "data_dir", conflicts_with = "events")]
    pub(crate) since: Option<String>,
    /// Where the journal lives.
    #[arg(long)]
    pub(crate) data_dir: Option<PathBuf>,
    /// What would this configuration's policies have done, live? Nothing is carried out.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// And what would this one have done otherwise? Exit code 1 where they differ.
    #[arg(long, value_name = "FILE", requires = "policy")]
    pub(crate) against: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SchemasArgs {
    /// One kind, with its JSON Schema.
    pub(crate) kind: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct JournalArgs {
    #[command(subcommand)]
    pub(crate) act: JournalAct,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JournalAct {
    /// Proves that the journal is what was written. Exit code 1 where it is not.
    Verify {
        /// Where the journal lives.
        #[arg(long)]
        data_dir: PathBuf,
    },
    /// Feeds the journal's records to a new engine and prints the alerts it comes to, as NDJSON.
    Recompute {
        /// Where the journal lives.
        #[arg(long)]
        data_dir: PathBuf,
        /// Starts from the snapshot at this sequence number instead of from nothing.
        #[arg(long, value_name = "SEQ")]
        from_snapshot: Option<u64>,
        /// Whose records.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn lists_take_filters_and_acts_take_ids() {
        let parsed = |line: &str| Cli::try_parse_from(line.split(' '));
        assert!(parsed("onesec alerts --min-severity high --agent bot-7 --json").is_ok());
        assert!(parsed("onesec alerts ack 0af1 --note seen").is_ok());
        assert!(parsed("onesec agents bot-7").is_ok());
        assert!(parsed("onesec agents suspend bot-7").is_ok());
        assert!(parsed("onesec can bot-7 auth0|ana google-oauth2 calendar.read mail.send").is_ok());
        assert!(parsed("onesec replay").is_err(), "nothing to replay");
        assert!(parsed("onesec replay --events a --since b --data-dir c").is_err(), "one source at a time");
        assert!(parsed("onesec keys create --name k").is_err(), "a key without scopes is good for nothing");
    }

    #[test]
    fn what_is_not_understood_is_never_left_out() {
        let parsed = |line: &str| Cli::try_parse_from(line.split(' ')).is_ok();
        assert!(parsed("onesec enforce --mode dry-run"));
        for line in [
            "onesec enforce --mode live --dry-run",
            "onesec enforce --mode live dry-run",
            "onesec enforce --mode live -- --dry-run",
            "onesec enforce --mode live --mode dry-run",
            "onesec enforce --mode LIVE",
            "onesec contain mallory --dry-run",
        ] {
            assert!(!parsed(line), "{line}");
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    /// The event, such as `{"type":"tool_call","details":{"tool":"mail.send"}}`; `-` or nothing reads standard input.
    #[arg(value_name = "FILE|-", default_value = "-")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ToolsArgs {
    #[command(subcommand)]
    pub(crate) act: Option<ToolAct>,
    /// Only those: pending, approved, changed.
    #[arg(long)]
    pub(crate) state: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ToolAct {
    /// Approves a tool's manifest as it was seen.
    Approve(ApproveTool),
}

#[derive(Debug, Args)]
pub(crate) struct ApproveTool {
    /// Its name.
    pub(crate) tool: String,
    /// Its server, where it has one.
    #[arg(long)]
    pub(crate) server: Option<String>,
    /// The digest of what you saw, as `onesec --json tools` shows it.
    #[arg(long)]
    pub(crate) digest: String,
    /// Why.
    #[arg(long)]
    pub(crate) note: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CoverageArgs {
    /// Runs every scenario; exit code 1 where one does not come out as it should.
    #[arg(long)]
    pub(crate) run: bool,
    /// A directory of further scenarios, such as those of your own detectors.
    #[arg(long, value_name = "DIR")]
    pub(crate) scenarios: Option<PathBuf>,
}

//! The command line: what is said is parsed, done, and answered with an exit code.

mod alerts;
pub(crate) mod args;
mod auth0;
pub(crate) mod builtin;
mod canary;
pub(crate) mod client;
mod connector;
mod contain;
mod coverage;
mod doctor;
pub(crate) mod error;
pub(crate) mod exchange;
mod explain;
mod identity;
mod journal;
mod lists;
mod manage;
pub(crate) mod out;
mod policies;
mod replay;
mod respond;
mod revoke;
mod run;
mod schemas;
mod stage;
pub(crate) mod table;
mod tools;
mod up;

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser as _};
use onesec_detector::Detector;
use onesec_engine::{Settings, SetupError};

use crate::core::SharedAssemble;
use crate::demo::{self, DemoOptions};
use args::{AccountsArgs, AgentAct, AgentsArgs, Cli, Command, DemoArgs, EnforceAct, EnforceArgs, ServerArgs};
use client::Client;
use error::{CliError, Ended};
use out::{Out, complain};

/// The whole command line of a server that runs `more` detectors beside the built-in ones: `onesec` itself is this with
/// none.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     onesec_server::main_with(|_settings| Ok(Vec::new()))
/// }
/// ```
pub fn main_with(
    more: impl Fn(&Settings) -> Result<Vec<Box<dyn Detector>>, SetupError> + Send + Sync + 'static,
) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let mut out = Out::stdout(cli.json);
    let ended = run(cli, Arc::new(more), &mut out);
    match ended {
        Ok(ended) => ended.into(),
        Err(error) => {
            if !error.is_broken_pipe() {
                complain(format_args!("onesec: {}", out::clean(&error.to_string(), 1000)));
            }
            error.exit_code()
        }
    }
}

fn run(cli: Cli, more: SharedAssemble, out: &mut Out) -> Result<Ended, CliError> {
    let Cli { server, command, .. } = cli;
    match command {
        Command::Up(args) => blocking(up::up(args, more, out)),
        Command::Demo(args) => blocking(demo::run(demo_options(args, more), out)),
        Command::Replay(args) => replay::replay(args, &more, out),
        Command::Coverage(args) => coverage::coverage(args, &more, out),
        Command::Schemas(args) => schemas::schemas(&args, out),
        Command::Journal(args) => journal::journal(args.act, &more, out),
        Command::Delegate(args) => identity::delegate(&args, out),
        Command::Agents(AgentsArgs { act: Some(AgentAct::Keygen(args)), .. }) => identity::keygen(&args, out),
        Command::Completions { shell } => completions(shell, out),
        Command::Enforce(EnforceArgs { act: Some(EnforceAct::Presets { act }), .. }) => respond::presets(act, out),
        Command::Doctor(args) => {
            // One that runs is asked along, and is not needed.
            let client = connect(server).ok();
            blocking(doctor::doctor(args, client.as_ref(), out))
        }
        Command::Stage(args) => stage::stage(&args),
        Command::Guard(args) => stage::guard(&args),
        Command::Run(args) => {
            let url = server.url.clone();
            let client = connect(server)?;
            blocking(run::run((args, url), &client))
        }
        command => {
            let client = connect(server)?;
            blocking(ask(command, &client, out))
        }
    }
}

/// The commands that talk to a running server.
async fn ask(command: Command, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    match command {
        Command::Alerts(args) => alerts::alerts(args, client, out).await,
        Command::Events(args) => lists::events(args, client, out).await,
        Command::Agents(args) => manage::agents(args, client, out).await,
        Command::Accounts(AccountsArgs { act: Some(act), .. }) => auth0::accounts(act, client, out).await,
        Command::Accounts(args) => lists::accounts(args, client, out).await,
        Command::Auth0(args) => auth0::auth0(args.act, client, out).await,
        Command::Delegations(args) => manage::delegations(args.act, client, out).await,
        Command::Exchange(args) => exchange::exchange(args, client, out).await,
        Command::Can(args) => exchange::can(args, client, out).await,
        Command::Explain(args) => explain::explain(&args.id, client, out).await,
        Command::Keys(args) => manage::keys(args.act, client, out).await,
        Command::Canary(args) => canary::canary(args.act, client, out).await,
        Command::Connections(args) => canary::connections(args.act, client, out).await,
        Command::Enforce(args) => manage::enforce(args, client, out).await,
        Command::Contain(args) => contain::contain(args, client, out).await,
        Command::Revoke(args) => revoke::revoke(args, client, out).await,
        Command::Revocations(args) => revoke::revocations(args, client, out).await,
        Command::Responses(args) => respond::responses(args, client, out).await,
        Command::Approvals(args) => respond::approvals(args, client, out).await,
        Command::Tools(args) => tools::tools(args, client, out).await,
        Command::Decide(args) => tools::decide(args, client, out).await,
        _ => lists::status(client, out).await,
    }
}

fn demo_options(args: DemoArgs, more: SharedAssemble) -> DemoOptions {
    DemoOptions { serve: args.serve, disabled: args.disabled, data_dir: args.data_dir, more }
}

fn completions(shell: clap_complete::Shell, out: &mut Out) -> Result<Ended, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "onesec", &mut script);
    out.raw(&script)?;
    Ok(Ended::Well)
}

fn connect(server: ServerArgs) -> Result<Client, CliError> {
    let key = server.key.map(onesec_telemetry::Secret::new);
    let key = key.or_else(|| client::key_from(&default_data_dir()?.join("admin.key")));
    Ok(Client::new(&server.url, server.ca.as_deref(), key)?.of_tenant(server.for_tenant))
}

/// Where `onesec up` keeps its data when it is not told.
fn default_data_dir() -> Option<PathBuf> {
    up::configured(None).ok().map(|config| config.data_dir)
}

fn blocking(work: impl Future<Output = Result<Ended, CliError>>) -> Result<Ended, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CliError::refused(format!("the system gives no threads: {error}")))?;
    runtime.block_on(work)
}

//! `onesec run`: a program as an agent's process, with a key of its own, known to `kill_process` while it lives.

use std::path::PathBuf;
use std::process::Stdio;

use hyper::Method;
use onesec_telemetry::Secret;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::args::RunArgs;
use super::client::{Client, segment};
use super::error::{CliError, Ended};
use super::out::complain;
use crate::files::write_private;

/// A key for the program, taken back when it has ended.
struct OwnKey {
    id: String,
    secret: Secret,
    file: Option<PathBuf>,
}

pub(super) async fn run((args, url): (RunArgs, String), client: &Client) -> Result<Ended, CliError> {
    let key = own_key(&args, client).await?;
    let ended = live((&args, &url), client, &key).await;
    let path = format!("/api/v1/keys/{}", segment(&key.id));
    if let Err(error) = client.call(Method::DELETE, &path, None).await {
        complain(format_args!("onesec: the program's key could not be taken back: {error}"));
    }
    if let Some(file) = &key.file {
        let _ = std::fs::remove_file(file);
    }
    ended
}

async fn own_key(args: &RunArgs, client: &Client) -> Result<OwnKey, CliError> {
    let name = format!("run-{}", ulid::Ulid::generate().to_string().to_lowercase());
    let body = json!({"name": name, "scopes": ["exchange", "events:write"], "agent_id": args.agent});
    let made = client.call(Method::POST, "/api/v1/keys", Some(&body)).await?;
    let text = |member: &str| made.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let secret = Secret::new(text("key"));
    if let Some(file) = &args.key_file {
        write_private(file, &secret)
            .map_err(|error| CliError::usage(format!("cannot write `{}`: {error}", file.display())))?;
    }
    Ok(OwnKey { id: text("id"), secret, file: args.key_file.clone() })
}

/// From the program's birth to its death.
async fn live((args, url): (&RunArgs, &str), client: &Client, key: &OwnKey) -> Result<Ended, CliError> {
    // Before it starts: a signal in between would leave it behind.
    let mut signals = Signals::listen()?;
    let mut child = spawn(args, url, key)?;
    let Some(pid) = child.id() else { return Err(CliError::refused("the program ended at once".to_owned())) };
    let processes = format!("/api/v1/agents/{}/processes", segment(&args.agent));
    if let Err(error) = register(client, &processes, pid).await {
        // What is not known cannot be ended later: it must not run.
        let ended = child.try_wait().ok().flatten();
        if let Some(status) = ended {
            return Ok(Ended::Like(code(status)));
        }
        signal_group(pid, Signal::KILL);
        let _ = child.wait().await;
        return Err(error);
    }
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            signal = signals.next() => signal_group(pid, signal),
        }
    };
    let gone = client.call(Method::DELETE, &format!("{processes}/{pid}"), None).await;
    if let Err(error) = gone {
        complain(format_args!("onesec: the end of the program could not be reported: {error}"));
    }
    let status = status.map_err(|error| CliError::refused(format!("the program cannot be waited for: {error}")))?;
    Ok(Ended::Like(code(status)))
}

fn spawn(args: &RunArgs, url: &str, key: &OwnKey) -> Result<Child, CliError> {
    let Some((program, rest)) = args.command.split_first() else {
        return Err(CliError::usage("give a program".to_owned()));
    };
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::inherit()).process_group(0);
    // Our own key is not the program's.
    command.env_remove("ONESEC_API_KEY").env("ONESEC_URL", url).env("ONESEC_AGENT", &args.agent);
    match &key.file {
        Some(file) => command.env("ONESEC_API_KEY_FILE", file),
        None => command.env("ONESEC_API_KEY", key.secret.expose_to_wire()),
    };
    command.spawn().map_err(|error| CliError::usage(format!("cannot run `{program}`: {error}")))
}

async fn register(client: &Client, path: &str, pid: u32) -> Result<(), CliError> {
    let process = onesec_actions::identify(pid)
        .map_err(|error| CliError::refused(format!("the program cannot be recognised: {error}")))?;
    let body = json!({"pid": process.pid, "start_ticks": process.start_ticks});
    client.call(Method::POST, path, Some(&body)).await.map(drop)
}

fn signal_group(pid: u32, signal: Signal) {
    // Its members may be gone already.
    if let Some(group) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, signal);
    }
}

/// As shells have it: 128 and the signal that ended it.
fn code(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// Signals that are the program's.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> Result<Self, CliError> {
        let on = |kind| signal(kind).map_err(|error| CliError::refused(format!("no signals: {error}")));
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.hang_up.recv() => Signal::HUP,
        }
    }
}

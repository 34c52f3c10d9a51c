//! `onesec run`: a program as an agent's process, with a key of its own, known to `kill_process` before its first
//! instruction and while it lives.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use hyper::Method;
use onesec_telemetry::Secret;
use onesec_telemetry::time::parse_duration;
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::args::RunArgs;
use super::client::{Client, segment};
use super::error::{CliError, Ended};
use super::out::complain;
use super::stage::{GO, OVER};
use crate::clock::Clock;
use crate::files::write_private;

/// A key for the program, taken back when it has ended. It works for a while only, and is renewed for as long as we live:
/// who is killed takes nothing back.
struct OwnKey {
    id: String,
    secret: Secret,
    file: Option<PathBuf>,
    lifetime: Duration,
}

pub(super) async fn run((args, url): (RunArgs, String), client: &Client) -> Result<Ended, CliError> {
    let key = own_key(&args, client).await?;
    let ended = live((&args, &url), client, &key).await;
    let path = format!("/api/v1/keys/{}", segment(&key.id));
    if let Err(error) = client.call(Method::DELETE, &path, None).await {
        let left = key.lifetime.as_secs();
        complain(format_args!("onesec: the program's key could not be taken back, and ends in {left} s: {error}"));
    }
    if let Some(file) = &key.file {
        let _ = std::fs::remove_file(file);
    }
    ended
}

async fn own_key(args: &RunArgs, client: &Client) -> Result<OwnKey, CliError> {
    let lifetime = parse_duration(&args.key_lifetime).filter(|life| (SHORTEST..=LONGEST).contains(life));
    let lifetime = lifetime.ok_or_else(|| CliError::usage("--key-lifetime must be 2s to 24h"))?;
    let name = format!("run-{}", ulid::Ulid::generate().to_string().to_lowercase());
    let body = json!({"name": name, "scopes": ["exchange", "events:write"], "agent_id": args.agent,
        "expires_at": Clock::start().now() + lifetime});
    let made = client.call(Method::POST, "/api/v1/keys", Some(&body)).await?;
    let text = |member: &str| made.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let secret = Secret::new(text("key"));
    if let Some(file) = &args.key_file {
        write_private(file, &secret)
            .map_err(|error| CliError::usage(format!("cannot write `{}`: {error}", file.display())))?;
    }
    Ok(OwnKey { id: text("id"), secret, file: args.key_file.clone(), lifetime })
}

/// From the program's birth to its death.
async fn live((args, url): (&RunArgs, &str), client: &Client, key: &OwnKey) -> Result<Ended, CliError> {
    // Before it starts: a signal in between would leave it behind.
    let mut signals = Signals::listen()?;
    let gate = Gate::make()?;
    let mut child = spawn(args, (url, key), &gate)?;
    let Some(pid) = child.id() else { return Err(CliError::refused("the program ended at once".to_owned())) };
    let processes = format!("/api/v1/agents/{}/processes", segment(&args.agent));
    let begun = async {
        let guard = register(client, &processes, pid).await?;
        gate.open(&mut child).await?;
        Ok(guard)
    };
    let mut guard = match begun.await {
        Ok(guard) => guard,
        Err(error) => {
            // What is not known cannot be ended later: it must not run.
            signal_group(pid, Signal::KILL);
            let _ = child.wait().await;
            return Err(error);
        }
    };
    drop(gate);
    let status = wait(&mut child, &mut signals, (client, key)).await;
    dismiss(&mut guard).await;
    let gone = client.call(Method::DELETE, &format!("{processes}/{pid}"), None).await;
    if let Err(error) = gone {
        complain(format_args!("onesec: the end of the program could not be reported: {error}"));
    }
    let status = status.map_err(|error| CliError::refused(format!("the program cannot be waited for: {error}")))?;
    Ok(Ended::Like(code(status)))
}

/// Until the program ends: signals are its own, and its key goes on.
async fn wait(
    child: &mut Child,
    signals: &mut Signals,
    (client, key): (&Client, &OwnKey),
) -> std::io::Result<std::process::ExitStatus> {
    let Some(pid) = child.id() else { return child.wait().await };
    let period = key.lifetime / 3;
    let mut due = interval_at(Instant::now() + period, period);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let path = format!("/api/v1/keys/{}", segment(&key.id));
    loop {
        tokio::select! {
            status = child.wait() => return status,
            signal = signals.next() => signal_group(pid, signal),
            _ = due.tick() => {
                let body = json!({"expires_at": Clock::start().now() + key.lifetime});
                if let Err(error) = client.call(Method::PATCH, &path, Some(&body)).await {
                    complain(format_args!("onesec: the program's key could not be renewed: {error}"));
                }
            }
        }
    }
}

/// Where the stage waits for leave: a pipe with a name, in a directory that is ours alone.
struct Gate(PathBuf);

impl Gate {
    fn make() -> Result<Self, CliError> {
        let failed = |error: std::io::Error| CliError::refused(format!("no pipe for the program to wait at: {error}"));
        let dir = std::env::temp_dir().join(format!("onesec-run-{}", ulid::Ulid::generate()));
        std::fs::DirBuilder::new().mode(0o700).create(&dir).map_err(failed)?;
        let gate = Self(dir);
        mkfifoat(CWD, gate.path(), Mode::RUSR | Mode::WUSR).map_err(|error| failed(error.into()))?;
        Ok(gate)
    }

    fn path(&self) -> PathBuf {
        self.0.join("gate")
    }

    /// Lets the stage pass, once it waits there.
    async fn open(&self, child: &mut Child) -> Result<(), CliError> {
        for _ in 0..PATIENCE {
            // Refused while nobody reads.
            if let Ok(mut sender) = pipe::OpenOptions::new().open_sender(self.path()) {
                let said = sender.write_all(GO).await;
                return said.map_err(|error| CliError::refused(format!("the program cannot be started: {error}")));
            }
            if child.try_wait().ok().flatten().is_some() {
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
        Err(CliError::refused("the program's stage ended, or never got to where it waits"))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path());
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// The stage, which becomes the program.
fn spawn(args: &RunArgs, (url, key): (&str, &OwnKey), gate: &Gate) -> Result<Child, CliError> {
    let mut command = ourselves("__stage");
    command.arg("--gate").arg(gate.path()).args(["--parent", &std::process::id().to_string(), "--"]);
    command.args(&args.command).stdin(Stdio::inherit()).process_group(0);
    // Our own key is not the program's.
    command.env_remove("ONESEC_API_KEY").env("ONESEC_URL", url).env("ONESEC_AGENT", &args.agent);
    match &key.file {
        Some(file) => command.env("ONESEC_API_KEY_FILE", file),
        None => command.env("ONESEC_API_KEY", key.secret.expose_to_wire()),
    };
    command.spawn().map_err(|error| CliError::refused(format!("the program's stage cannot be started: {error}")))
}

/// This very program, also where its file was replaced meanwhile.
fn ourselves(command: &str) -> Command {
    let mut ourselves = Command::new("/proc/self/exe");
    ourselves.arg(command);
    ourselves
}

/// Makes the process known, and puts a guard beside it.
async fn register(client: &Client, path: &str, pid: u32) -> Result<Child, CliError> {
    let process = onesec_actions::identify(pid)
        .map_err(|error| CliError::refused(format!("the program cannot be recognised: {error}")))?;
    let (number, start) = (process.pid.to_string(), process.start_ticks.to_string());
    let mut guard = ourselves("__guard");
    guard.args(["--pid", &number, "--start-ticks", &start]).current_dir(Path::new("/"));
    guard.env_clear().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let guard = guard.spawn();
    let guard = guard.map_err(|error| CliError::refused(format!("no guard can be put beside the program: {error}")))?;
    let body = json!({"pid": process.pid, "start_ticks": process.start_ticks});
    client.call(Method::POST, path, Some(&body)).await?;
    Ok(guard)
}

async fn dismiss(guard: &mut Child) {
    if let Some(mut to) = guard.stdin.take() {
        let _ = to.write_all(OVER).await;
    }
    let _ = guard.wait().await;
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

/// Times five milliseconds.
const PATIENCE: u32 = 2_000;
const SHORTEST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(86_400);

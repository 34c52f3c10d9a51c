//! `command`: a program of the operator's, with the alert on its standard input.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use onesec_enforcement::{Action, ActionSpec, Interrupted, Job, Outcome, Working};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

mod program;

/// Runs programs, each at most once: after a crash, nobody knows whether it ran.
///
/// No shell is involved. The program has nothing of our environment, a process group of its own, the root as its
/// directory, and a limit of time, after which the group is ended; so is what the program leaves behind in its group.
/// What it writes is read, so that it never waits for us, and thrown away.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunCommand;

impl RunCommand {
    async fn attempt(job: &Job) -> Result<String, String> {
        let (argv, limit) = command(&job.spec)?;
        let (program, arguments) = argv.split_first().ok_or("there is no program")?;
        program::check(Path::new(program))?;
        let mut line = serde_json::to_vec(&job.alert).map_err(|_| "the alert cannot be written as JSON")?;
        line.push(b'\n');
        let mut running = Running::start(Path::new(program), arguments, job)?;
        let status = running.finish(&line, limit).await?;
        match (status.code(), std::os::unix::process::ExitStatusExt::signal(&status)) {
            (Some(0), _) => Ok("exited with 0".to_owned()),
            (Some(code), _) => Err(format!("exited with {code}")),
            (None, Some(signal)) => Err(format!("ended by signal {signal}")),
            (None, None) => Err("ended, nobody knows how".to_owned()),
        }
    }
}

impl Action for RunCommand {
    fn kind(&self) -> &'static str {
        "command"
    }

    fn check(&self, spec: &ActionSpec) -> Result<(), String> {
        let (argv, _) = command(spec)?;
        program::check(Path::new(argv.first().ok_or("there is no program")?))
    }

    fn interrupted(&self) -> Interrupted {
        Interrupted::Never
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            match Self::attempt(job).await {
                Ok(how) => Outcome::Succeeded { how },
                Err(why) => Outcome::Failed { why },
            }
        })
    }
}

fn command(spec: &ActionSpec) -> Result<(&[String], Duration), String> {
    let ActionSpec::Command { argv, timeout } = spec else { return Err("this is no command".to_owned()) };
    Ok((argv, *timeout))
}

/// A program and its process group, which end together: also where nobody waits for it any more.
struct Running {
    child: Child,
}

impl Running {
    fn start(program: &Path, arguments: &[String], job: &Job) -> Result<Self, String> {
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("ONESEC_ACTION_ID", job.id.as_str())
            .env("ONESEC_ALERT_ID", job.alert.id.as_str())
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        child.map(|child| Self { child }).map_err(|error| format!("cannot be started: {}", error.kind()))
    }

    /// Feeds it and waits until it ends, but not longer than `limit`.
    async fn finish(&mut self, input: &[u8], limit: Duration) -> Result<ExitStatus, String> {
        let (stdin, stdout, stderr) = (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take());
        let talk = async {
            let feed = async {
                if let Some(mut stdin) = stdin {
                    // One that reads nothing, or stops reading, is within its rights.
                    let _unread = stdin.write_all(input).await;
                }
            };
            tokio::join!(feed, drain(stdout), drain(stderr));
            // Closed pipes are no end: only the program's own counts, just as a pipe that stays open delays nothing.
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! {
            () = self.ended() => true,
            () = sleep(limit) => false,
            () = talk => false,
        };
        self.end_group();
        let status = timeout(REAPED, self.child.wait()).await;
        match (ended, status) {
            (true, Ok(Ok(status))) => Ok(status),
            (true, _) => Err("ended, nobody knows how".to_owned()),
            (false, Ok(_)) => Err(format!("ran longer than {} s and was ended", limit.as_secs_f64())),
            (false, Err(_)) => Err(format!("ran longer than {} s and cannot be ended", limit.as_secs_f64())),
        }
    }

    /// Waits until it has ended, and leaves it as a zombie: its number, which is its group's, stays taken.
    async fn ended(&self) {
        let Some(pid) = self.pid() else { return };
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        while let Ok(None) = waitid(WaitId::Pid(pid), look) {
            sleep(STEP).await;
        }
    }

    /// Ends whoever is left in the group; only while its number cannot be another's.
    fn end_group(&self) {
        if let Some(pid) = self.pid() {
            let _nobody_left = kill_process_group(pid, Signal::KILL);
        }
    }

    /// Its number, until it was waited for.
    fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end_group();
    }
}

/// Reads to the end and keeps nothing.
async fn drain(pipe: Option<impl AsyncRead + Unpin>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; READ_AT_ONCE];
    while matches!(pipe.read(&mut buffer).await, Ok(1..)) {}
}

const READ_AT_ONCE: usize = 8 * 1024;
/// How long the kernel has to end what was killed.
const REAPED: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests;

//! What `onesec run` starts besides the program: the stage that becomes it once it is registered, and the guard that ends
//! it should `onesec run` be killed.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, getppid, kill_process_group, set_parent_process_death_signal};

use super::args::{GuardArgs, StageArgs};
use super::error::{CliError, Ended};

/// What is said once the process is known to the server.
pub(super) const GO: &[u8] = b"go";
/// What is said to the guard once there is nothing left to guard.
pub(super) const OVER: &[u8] = b"over";

/// Waits for leave, then becomes the program: its process id and start time stay what they are. Comes back only where it
/// cannot.
pub(super) fn stage(args: &StageArgs) -> Result<Ended, CliError> {
    let failed = |what: &str, error: std::io::Error| CliError::refused(format!("{what}: {error}"));
    // Whatever ends `onesec run` ends us, also before we have become somebody else. It may have ended already.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|e| failed("no death signal", e.into()))?;
    if getppid().map(Pid::as_raw_nonzero).map(|pid| pid.get().cast_unsigned()) != Some(args.parent) {
        return Err(CliError::refused("whoever started this is gone"));
    }
    let mut said = Vec::new();
    let gate = File::open(&args.gate).map_err(|error| failed("cannot wait for leave", error))?;
    gate.take(16).read_to_end(&mut said).map_err(|error| failed("cannot wait for leave", error))?;
    if said != GO {
        return Err(CliError::refused("no leave to run was given"));
    }
    let Some((program, rest)) = args.command.split_first() else { return Err(CliError::usage("give a program")) };
    let error = Command::new(program).args(rest).exec();
    Err(CliError::usage(format!("cannot run `{program}`: {error}")))
}

/// Waits for the end of `onesec run`. Where it came without a word, ends what is left of the program's process group.
pub(super) fn guard(args: &GuardArgs) -> Result<Ended, CliError> {
    let mut said = Vec::new();
    drop(std::io::stdin().lock().take(16).read_to_end(&mut said));
    if said == OVER {
        return Ok(Ended::Well);
    }
    let group = i32::try_from(args.pid).ok().and_then(Pid::from_raw).ok_or_else(|| CliError::usage("no process"))?;
    for _ in 0..ATTEMPTS {
        // While any of it lives, nobody else gets its number; should it have another start, it is all gone.
        let other = onesec_actions::identify(args.pid).is_ok_and(|found| found.start_ticks != args.start_ticks);
        if other || kill_process_group(group, Signal::KILL).is_err() {
            break;
        }
        std::thread::sleep(BETWEEN);
    }
    Ok(Ended::Well)
}

const ATTEMPTS: u32 = 100;
const BETWEEN: Duration = Duration::from_millis(50);

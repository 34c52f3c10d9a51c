//! A process that is held by a descriptor: whoever gets its number later is never meant.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::stat::Stat;

/// How a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Running,
    Stopped,
    /// Ended; a zombie is nothing but a receipt for its parent.
    Gone,
}

pub(super) struct Held {
    descriptor: OwnedFd,
    pid: u32,
    start_ticks: u64,
}

impl Held {
    /// The descriptor first, then the comparison: if the number changes hands in between, the descriptor belongs to one
    /// that is dead, and signals through it reach nobody.
    pub(super) fn open(pid: u32, start_ticks: u64) -> io::Result<Option<(Self, Stat)>> {
        let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        let descriptor = match pidfd_open(raw, PidfdFlags::empty()) {
            Ok(descriptor) => descriptor,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            // The number of a thread and of no process.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(stat) = Stat::of(pid)?.filter(|stat| stat.start_ticks == start_ticks) else { return Ok(None) };
        Ok(Some((Self { descriptor, pid, start_ticks }, stat)))
    }

    /// What `/proc` says of it, zombie or not; absent once its parent has taken note.
    pub(super) fn stat(&self) -> Option<Stat> {
        Stat::of(self.pid).ok().flatten().filter(|stat| stat.start_ticks == self.start_ticks)
    }

    pub(super) fn standing(&self) -> Standing {
        match self.stat() {
            None => Standing::Gone,
            Some(stat) if stat.is_over() => Standing::Gone,
            Some(stat) if stat.is_stopped() => Standing::Stopped,
            Some(_) => Standing::Running,
        }
    }

    /// Sends a signal. That there is nobody any more is no error.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.descriptor, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until it has ended, looking again and again: to have its descriptor watched takes unsafe code.
    pub(super) async fn gone(&self) {
        while self.standing() != Standing::Gone {
            tokio::time::sleep(super::STEP).await;
        }
    }
}

//! What `/proc` says of processes.

use std::fs;
use std::io;

use super::Process;

/// The part of `/proc/PID/stat` that tells a process from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: u32,
    pub(super) state: char,
    pub(super) group: u32,
    pub(super) session: u32,
    pub(super) threads: u64,
    pub(super) start_ticks: u64,
}

impl Stat {
    /// Of the process with this number, now; absent where there is none.
    pub(super) fn of(pid: u32) -> io::Result<Option<Self>> {
        match fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(text) => Self::parse(pid, &text).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into()),
            // Between opening and reading, a process may end: ESRCH.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The name (field 2) is the process's own choice, with spaces and brackets: what counts comes after its last `)`.
    fn parse(pid: u32, text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let small = |field| number(field).and_then(|number| u32::try_from(number).ok());
        let state = fields.first()?.chars().next()?;
        Some(Self { pid, state, group: small(5)?, session: small(6)?, threads: number(20)?, start_ticks: number(22)? })
    }

    /// Whether it has ended: what is left of it waits for its parent only. One whose first thread alone has ended looks
    /// the same and lives on in its others.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x') && self.threads <= 1
    }

    /// Whether it is stopped, so that it starts no other.
    pub(super) const fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }
}

/// The processes in the group that `leader` leads, without those that are over.
pub(super) fn members(leader: &Stat) -> io::Result<Vec<Stat>> {
    let mut members = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(Some(stat)) = Stat::of(pid) else { continue };
        if stat.group == leader.group && stat.session == leader.session && !stat.is_over() {
            members.push(stat);
        }
    }
    Ok(members)
}

/// Since which boot this machine runs.
pub(super) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// The process that has this number now: for whoever registers it.
///
/// # Errors
/// There is none, or `/proc` cannot be read.
pub fn identify(pid: u32) -> io::Result<Process> {
    let stat = Stat::of(pid)?.filter(|stat| !stat.is_over()).ok_or(io::ErrorKind::NotFound)?;
    Ok(Process { pid, start_ticks: stat.start_ticks, boot_id: boot_id()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_processes_cannot_lie() {
        let tail = "S 1 42 40 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 2 3";
        let expected = Some(Stat { pid: 7, state: 'S', group: 42, session: 40, threads: 1, start_ticks: 98_765 });
        for name in ["sh", "a b", ") Z 1 1 1", "x) R 1 2 3 (y", ""] {
            assert_eq!(Stat::parse(7, &format!("7 ({name}) {tail}\n")), expected, "{name}");
        }
        for bad in ["", "7 (sh", "7 (sh) S 1 2 3", "7 (sh) S a b c d e f g h i j k l m n o p q r s"] {
            assert_eq!(Stat::parse(7, bad), None, "{bad}");
        }
    }

    #[test]
    fn this_process_is_identified() {
        let me = identify(std::process::id()).expect("ourselves");
        assert_eq!((me.pid, me.boot_id.len()), (std::process::id(), 36));
        assert!(me.start_ticks > 0);
        assert_eq!(identify(u32::MAX).map_err(|error| error.kind()), Err(io::ErrorKind::NotFound));
    }
}

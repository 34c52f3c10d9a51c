//! File descriptors: as many as we may have, and some kept back that clients cannot use up.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::StartError;

/// Kept back for the journal, for messages, for programs that are started, and for whom we ask.
const OURS: u64 = 192;
/// With fewer nobody could connect in earnest.
const LEAST: u64 = 256;
/// More are of no use: connections are bounded as it is.
const MOST: u64 = 65_536;

/// Raises our limit as far as we may, and says how many connections it leaves room for, at most `wanted`.
pub(super) fn connections(wanted: usize) -> Result<usize, StartError> {
    let found = getrlimit(Resource::Nofile);
    let (soft, hard) = (found.current.unwrap_or(MOST), found.maximum.unwrap_or(MOST));
    let raised = soft.max(hard.min(MOST));
    let set = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: found.maximum });
    room(if set.is_ok() { raised } else { soft }, wanted)
}

fn room(limit: u64, wanted: usize) -> Result<usize, StartError> {
    if limit < LEAST {
        return Err(StartError::Descriptors { limit, least: LEAST });
    }
    Ok(usize::try_from(limit - OURS).unwrap_or(wanted).min(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_kept_back_and_too_few_are_refused() {
        assert_eq!(room(256, 4_096).ok(), Some(64));
        assert_eq!(room(1_024, 4_096).ok(), Some(832));
        assert_eq!(room(65_536, 4_096).ok(), Some(4_096));
        assert!(matches!(room(255, 4_096), Err(StartError::Descriptors { limit: 255, least: 256 })));
    }
}

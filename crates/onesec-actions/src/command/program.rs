//! Whether a program may be run: it is there, it is ours to run, and not everybody's to change.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::{getegid, geteuid, getgroups};

/// Checks the program at `path`; says why not.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let shown = path.display();
    if !path.is_absolute() {
        return Err(format!("the path of {shown} is not absolute"));
    }
    // What counts is where links lead.
    let real = path.canonicalize().map_err(|error| format!("{shown} cannot be found: {}", error.kind()))?;
    let meta = real.metadata().map_err(|error| format!("{shown} cannot be looked at: {}", error.kind()))?;
    if !meta.is_file() {
        return Err(format!("{shown} is no file"));
    }
    if meta.mode() & WRITABLE_BY_ALL != 0 {
        return Err(format!("{shown} can be changed by everybody"));
    }
    for directory in real.ancestors().skip(1) {
        let mode =
            directory.metadata().map_err(|error| format!("{shown} cannot be looked at: {}", error.kind()))?.mode();
        if mode & WRITABLE_BY_ALL != 0 && mode & STICKY == 0 {
            return Err(format!("{shown} can be replaced by everybody, who may write to {}", directory.display()));
        }
    }
    if is_executable(&meta) { Ok(()) } else { Err(format!("{shown} cannot be executed by this user")) }
}

/// As the kernel decides: the first class that applies counts alone, and the administrator needs any.
fn is_executable(meta: &Metadata) -> bool {
    let (user, mode) = (geteuid(), meta.mode());
    let in_group = || {
        let groups = getgroups().unwrap_or_default();
        std::iter::once(getegid()).chain(groups).any(|group| group.as_raw() == meta.gid())
    };
    if user.is_root() {
        mode & 0o111 != 0
    } else if user.as_raw() == meta.uid() {
        mode & 0o100 != 0
    } else if in_group() {
        mode & 0o010 != 0
    } else {
        mode & 0o001 != 0
    }
}

const WRITABLE_BY_ALL: u32 = 0o002;
/// In such a directory, everybody may create and only owners may replace.
const STICKY: u32 = 0o1000;

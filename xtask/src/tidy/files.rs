//! The files of the repository: which there are, how large, and whether they are text.

use std::fs;
use std::path::Path;

use super::Fault;
use crate::Result;

/// Anything larger does not belong into a repository that people clone.
const MAX_BYTES: u64 = 512 * 1024;

/// Directories that hold nothing of ours.
const SKIPPED: [&str; 3] = [".git", "target", "node_modules"];

/// What running the program leaves behind; git ignores it, too.
const LEFT_BEHIND: [&str; 3] = [".db", ".db-wal", ".db-shm"];

/// Files that may be binary, or directories of them with a slash at the end.
const BINARIES: [&str; 1] = ["crates/onesec-text/model/"];

/// One file.
#[derive(Debug)]
pub(super) struct File {
    /// From the root, with slashes.
    pub(super) path: String,
    /// Its text; `None` where it is binary.
    pub(super) text: Option<String>,
}

impl File {
    /// Whether it is Rust source.
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is a test as a whole.
    pub(super) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.split('/').any(|part| part == "tests")
    }
}

/// Reads every file below `root`, in the order of their paths, and says which are too large or binary.
pub(super) fn read(root: &Path) -> Result<(Vec<File>, Vec<Fault>)> {
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    walk(root, "", &mut files, &mut faults).map_err(|e| format!("cannot read {}: {e}", root.display()))?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((files, faults))
}

fn walk(dir: &Path, prefix: &str, files: &mut Vec<File>, faults: &mut Vec<Fault>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                walk(&entry.path(), &format!("{path}/"), files, faults)?;
            }
        } else if kind.is_file() && !LEFT_BEHIND.iter().any(|end| name.ends_with(end)) {
            let bytes = entry.metadata()?.len();
            if bytes > MAX_BYTES {
                let what = format!("{} KiB, more than {}: keep it elsewhere", bytes / 1024, MAX_BYTES / 1024);
                faults.push(Fault::new(&path, 1, what));
                continue;
            }
            let text = text_of(fs::read(entry.path())?);
            if text.is_none() && !may_be_binary(&path) {
                faults.push(Fault::new(&path, 1, "is binary: generate it, or list it in xtask/src/tidy/files.rs"));
            }
            files.push(File { path, text });
        }
    }
    Ok(())
}

fn text_of(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn may_be_binary(path: &str) -> bool {
    BINARIES.iter().any(|listed: &&str| *listed == path || listed.ends_with('/') && path.starts_with(listed))
}

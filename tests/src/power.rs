//! A power failure for processes: what was written and not synced is taken back.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the library that keeps notes for a power failure, if there is a C compiler. Rust needs one to link, so there
/// nearly always is.
#[must_use]
pub fn library(into: &Path) -> Option<PathBuf> {
    build(into, "power_loss")
}

/// Builds `NAME.c` of this package for `LD_PRELOAD`.
#[must_use]
pub fn build(into: &Path, name: &str) -> Option<PathBuf> {
    let source = format!("{}/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let library = into.join(format!("{name}.so"));
    let built =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).args([&source, "-ldl"]).status();
    built.ok().filter(std::process::ExitStatus::success).map(|_| library)
}

/// Takes back what the killed server in `dir` had not synced. How many bytes that was.
///
/// # Errors
/// What the file system says.
pub fn fail(dir: &Path) -> std::io::Result<u64> {
    let mut lost = 0;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let Some(of) = path.to_str().and_then(|p| p.strip_suffix(".undo")).map(PathBuf::from) else { continue };
        if of.exists() {
            lost += roll_back(&path, &of)?;
        }
        std::fs::remove_file(path)?;
    }
    Ok(lost)
}

/// The kernel lives on: everything that the killed server in `dir` wrote stays, synced or not.
///
/// # Errors
/// What the file system says.
pub fn spare(dir: &Path) -> std::io::Result<u64> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "undo") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(0)
}

fn roll_back(undo: &Path, of: &Path) -> std::io::Result<u64> {
    let mut notes = Vec::new();
    let mut text = Vec::new();
    File::open(undo)?.read_to_end(&mut text)?;
    let mut rest = text.as_slice();
    while let (Some(offset), Some(length), Some(size)) = (take(&mut rest), take(&mut rest), take(&mut rest)) {
        let Some((old, later)) = rest.split_at_checked(usize::try_from(length).unwrap_or(usize::MAX)) else { break };
        notes.push((offset, size, old));
        rest = later;
    }
    let mut file = OpenOptions::new().write(true).open(of)?;
    let mut lost = 0;
    for (offset, size, old) in notes.into_iter().rev() {
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(old)?;
        file.set_len(size)?;
        lost += 1 + old.len() as u64;
    }
    Ok(lost)
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*number))
}

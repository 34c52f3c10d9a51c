//! `cargo xtask tidy`: the rules of the house that the compiler does not know.
//!
//! Each rule is a file of its own; a fault is one line, `path:line: what is wrong and what to do`.

mod answers;
mod arrows;
mod files;
mod manifests;
mod promised;
mod sizes;
mod source;
mod words;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use crate::{Result, cargo};
use files::File;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    path: String,
    line: usize,
    what: String,
}

impl Fault {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// What all rules said of a tree.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// What must be put right.
    pub(crate) faults: Vec<Fault>,
    /// What will have to be put right.
    pub(crate) notes: Vec<Fault>,
    /// The largest of what has a limit.
    pub(crate) largest: Vec<String>,
}

/// Checks the repository and says what is wrong. `false` where anything is.
pub(crate) fn run() -> Result<bool> {
    let report = check(&cargo::root())?;
    for note in &report.notes {
        println!("note: {note}");
    }
    for line in &report.largest {
        println!("{line}");
    }
    for fault in &report.faults {
        println!("{fault}");
    }
    match report.faults.len() {
        0 => println!("tidy: no fault"),
        count => println!("tidy: {count} to put right"),
    }
    Ok(report.faults.is_empty())
}

/// Runs every rule over the tree at `root`.
pub(crate) fn check(root: &Path) -> Result<Report> {
    let workspace = cargo::workspace(root)?;
    let (files, mut faults) = files::read(root)?;
    let texts = files.iter().filter_map(|file| file.text.as_deref().map(|text| (file, text)));
    let mut report = Report::default();
    let mut sizes = sizes::Sizes::default();
    for (file, text) in texts {
        faults.extend(words::check(file, text));
        if file.path.ends_with("Cargo.toml") {
            faults.extend(manifests::check(file, text));
        }
        if file.is_rust() {
            faults.extend(opening(file, text));
            sizes.measure(file, text);
        }
        if answers::asked_of(&file.path) {
            let missing = answers::check(file, text);
            if answers::ARE_LAW { faults.extend(missing) } else { report.notes.extend(missing) }
        }
    }
    faults.extend(arrows::check(&workspace.packages, |path| {
        files.iter().find(|file| file.path == path).and_then(|file| file.text.as_deref()).unwrap_or_default()
    }));
    faults.extend(sizes.faults());
    faults.extend(promised::check(&files));
    faults.sort();
    report.largest = sizes.largest();
    report.faults = faults;
    Ok(report)
}

/// A reader learns from the first line what a file is for.
fn opening(file: &File, text: &str) -> Option<Fault> {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let opens = first.starts_with("//!");
    (!opens).then(|| Fault::new(&file.path, 1, "does not open with `//!`: say in a line what the file is for"))
}

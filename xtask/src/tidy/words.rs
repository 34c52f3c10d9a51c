//! Words that have no place in the repository. Each is put together here, so that this file does not hold it.

use super::Fault;
use super::files::File;
use super::source::code_only;

/// A word and what to do about it.
type Word = (&'static str, &'static str);

/// Directories of somebody's machine.
const PLACES: [Word; 2] = [
    (concat!("/wo", "rk/"), "names a directory of one machine: use a path from the root of the repository"),
    (concat!("/ro", "ot/"), "names a directory of one machine: use a path from the root of the repository"),
];

/// Hosts of package registries, which are cargo's business, and marks of unfinished work.
const ANYWHERE: [Word; 5] = [
    (concat!("crates", ".io"), "names a package registry: cargo knows where packages come from"),
    (concat!("//docs", ".rs"), "links to a package registry: name the crate and the item"),
    (concat!("npmjs", ".org"), "names a package registry: nothing here comes from it"),
    (concat!("pypi", ".org"), "names a package registry: nothing here comes from it"),
    (concat!("FIX", "ME"), "is a note to oneself: do it, or write down the limit that it is"),
];

/// Code that is not finished or not bounded. Comments and literals may speak of it.
const IN_CODE: [Word; 4] = [
    (concat!("tod", "o!("), "is not finished: finish it, or return an error that says so"),
    (concat!("unimple", "mented!("), "is not finished: finish it, or return an error that says so"),
    (concat!("db", "g!("), "prints for one person: take it out, or trace it"),
    (concat!("unbounded", "_channel"), "grows without bound: every queue has a bound and a metric"),
];

/// The lock file names the registry by its nature.
const EXEMPT: &str = "Cargo.lock";

/// Checks one file.
pub(super) fn check(file: &File, text: &str) -> Vec<Fault> {
    if file.path == EXEMPT || file.path.ends_with("/Cargo.lock") {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let place = PLACES.iter().find(|(word, _)| starts_a_path(line, word));
        let found = place.into_iter().chain(ANYWHERE.iter().filter(|(word, _)| line.contains(word)));
        faults.extend(found.map(|word| fault(file, index + 1, word)));
    }
    if file.is_rust() {
        let code = code_only(text);
        for (index, line) in code.lines().enumerate() {
            let found = IN_CODE.iter().filter(|(word, _)| holds_word(line, word));
            faults.extend(found.map(|word| fault(file, index + 1, word)));
        }
        faults.extend(attributes(file, &code));
    }
    faults
}

fn fault(file: &File, line: usize, (word, what): &Word) -> Fault {
    Fault::new(&file.path, line, format!("`{word}` {what}"))
}

/// Whether `line` holds `place` as the beginning of a path and not as a part of one.
fn starts_a_path(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| !ends_in(line, at, |c| c.is_alphanumeric() || "_-.*{}".contains(c)))
}

/// Whether `line` holds `word` and not the end of a longer one.
fn holds_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| !ends_in(line, at, |c| c.is_alphanumeric() || c == '_'))
}

fn ends_in(line: &str, at: usize, class: impl Fn(char) -> bool) -> bool {
    line.get(..at).and_then(|before| before.chars().next_back()).is_some_and(class)
}

/// Attributes that switch something off owe a reason.
fn attributes(file: &File, code: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (at, _) in code.match_indices('#') {
        let Some(attribute) = code.get(at..).and_then(|rest| rest.split(']').next()) else { continue };
        let dense: String = attribute.chars().filter(|c| !c.is_whitespace()).collect();
        let what = if dense == "#[ignore" {
            "a test is ignored without a reason: write `#[ignore = \"why\"]`, or let it run"
        } else if (dense.starts_with("#[allow(") || dense.starts_with("#![allow(")) && !dense.contains("reason=") {
            "a lint is silenced without a reason: write `#[expect(lint, reason = \"why\")]`"
        } else {
            continue;
        };
        let line = code.get(..at).unwrap_or_default().matches('\n').count() + 1;
        faults.push(Fault::new(&file.path, line, what));
    }
    faults
}

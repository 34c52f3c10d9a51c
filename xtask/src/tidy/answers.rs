//! The front page of a crate: five answers before the first line of code.

use super::Fault;
use super::files::File;

/// Whether a missing answer fails the check or is only noted.
pub(super) const ARE_LAW: bool = true;

/// Questions, and the headings that answer them.
const HEADINGS: [(&str, &[&str]); 4] = [
    ("what it is", &["**What this is.**", "**What it is.**"]),
    ("what it is not", &["**What it is not.**"]),
    ("what always holds", &["**Invariants.**"]),
    ("where to go next", &["**Where next.**"]),
];

/// Whether this is the front page of a crate.
pub(super) fn asked_of(path: &str) -> bool {
    matches!(path.split('/').collect::<Vec<_>>().as_slice(), ["crates", _, "src", "lib.rs"])
}

/// Says which answers are missing, the fifth being an example that runs.
pub(super) fn check(file: &File, text: &str) -> Vec<Fault> {
    let page: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let answered = |headings: &[&str]| page.iter().any(|line| headings.iter().any(|h| line.contains(h)));
    let mut missing: Vec<Fault> = HEADINGS
        .iter()
        .filter(|(_, headings)| !answered(headings))
        .map(|(question, headings)| {
            let heading = headings.first().copied().unwrap_or_default();
            Fault::new(&file.path, 1, format!("does not say {question}: add `{heading}` to its opening comment"))
        })
        .collect();
    if !page.iter().any(|line| matches!(line.trim(), "```" | "```rust" | "```no_run")) {
        missing.push(Fault::new(&file.path, 1, "shows no use: add the smallest example as a doc test"));
    }
    missing
}

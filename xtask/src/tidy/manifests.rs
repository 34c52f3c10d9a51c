//! Manifests: every package lives under the law of the workspace.

use super::Fault;
use super::files::File;

/// Section, line, and what to do where it is missing.
const REQUIRED: [(&str, &str, &str); 3] = [
    ("[package]", "edition.workspace = true", "the edition is the workspace's: add `edition.workspace = true`"),
    ("[package]", "license.workspace = true", "the license is the workspace's: add `license.workspace = true`"),
    ("[lints]", "workspace = true", "the lints of the workspace do not apply: add `[lints]` with `workspace = true`"),
];

/// Checks one manifest. The root, and packages that are workspaces of their own (such as fuzz targets), are exempt.
pub(super) fn check(file: &File, text: &str) -> Vec<Fault> {
    let is = |header: &str| text.lines().any(|line| line.trim() == header);
    if !is("[package]") || is("[workspace]") {
        return Vec::new();
    }
    let missing = REQUIRED.iter().filter(|(section, wanted, _)| !says(text, section, wanted));
    missing.map(|(.., what)| Fault::new(&file.path, 1, *what)).collect()
}

fn says(text: &str, section: &str, wanted: &str) -> bool {
    let dense = |line: &str| line.split('#').next().unwrap_or_default().replace(' ', "");
    let wanted = dense(wanted);
    let mut inside = false;
    text.lines().any(|line| {
        if line.trim_start().starts_with('[') {
            inside = line.trim() == section;
        }
        inside && dense(line) == wanted
    })
}

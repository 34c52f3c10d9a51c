//! The tests that pages of promises name are there: a promise without its test is only a wish.

use super::Fault;
use super::files::File;

const PAGES: [&str; 2] = ["docs/reliability.md", "docs/bypasses.md"];

/// Says which of the named tests are missing. In the last column of a table, a path is followed by the names of tests in
/// it, each in backticks.
pub(super) fn check(files: &[File]) -> Vec<Fault> {
    PAGES.iter().flat_map(|page| of_page(page, files)).collect()
}

fn of_page(page: &str, files: &[File]) -> Vec<Fault> {
    let text_of = |path: &str| files.iter().find(|file| file.path == path).and_then(|file| file.text.as_deref());
    let mut faults = Vec::new();
    for (index, line) in text_of(page).unwrap_or_default().lines().enumerate() {
        let mut source = ("no file", None);
        for name in named(line) {
            if name.contains('/') {
                source = (name, text_of(name));
                if source.1.is_none() {
                    faults.push(Fault::new(page, index + 1, format!("names `{name}`, which is not there")));
                }
            } else if source.1.is_none_or(|text| !text.contains(&format!("fn {name}("))) {
                faults.push(Fault::new(page, index + 1, format!("names the test `{name}`, and {} has none", source.0)));
            }
        }
    }
    faults
}

/// What stands in backticks in the last cell of a row.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let row = line.trim().strip_prefix('|').and_then(|row| row.strip_suffix('|'));
    let cell = row.and_then(|row| row.rsplit('|').next()).unwrap_or_default();
    cell.split('`').skip(1).step_by(2)
}

//! The sets of texts, as they lie beside the repository.

use std::fs;
use std::path::Path;

use onesec_text::normalise;
use serde_json::Value;

/// One text.
pub(crate) struct Row {
    pub(crate) attack: bool,
    pub(crate) text: String,
    pub(crate) normal: String,
    /// Rows of one family are never divided between what is trained on and what is calibrated on.
    pub(crate) family: u64,
}

/// One set.
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) rows: Vec<Row>,
}

/// Reads every `*.jsonl` below `dir`, by name.
pub(crate) fn read(dir: &Path) -> Result<Vec<Set>, String> {
    let entries = fs::read_dir(dir).map_err(|e| format!("cannot read {}: {e}", dir.display()))?;
    let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "jsonl"));
    paths.sort();
    if paths.is_empty() {
        return Err(format!("no *.jsonl in {}", dir.display()));
    }
    paths.iter().map(|path| set(path)).collect()
}

fn set(path: &Path) -> Result<Set, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let rows = text.lines().map(row).collect::<Option<Vec<Row>>>();
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    rows.map(|rows| Set { name, rows }).ok_or_else(|| format!("{}: a line is no text with a label", path.display()))
}

fn row(line: &str) -> Option<Row> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = value.get("text")?.as_str()?.to_owned();
    let normal = normalise(&text).text().trim().to_owned();
    let family = family(&normal);
    Some(Row { attack: value.get("label")?.as_str()? == "attack", text, normal, family })
}

/// Texts that begin with the same four words, digits aside, are of one template.
fn family(text: &str) -> u64 {
    let words = text.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).take(4);
    words
        .flat_map(str::bytes)
        .fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

//! The sets of texts, as they lie beside the repository, and the project's own.

use std::fs;
use std::path::Path;

use onesec_text::model::{Reader, Window};
use onesec_text::normalise;
use serde_json::Value;

/// One text.
pub(crate) struct Row {
    pub(crate) attack: bool,
    pub(crate) text: String,
    /// What the model reads of it.
    pub(crate) windows: Vec<Window>,
    /// Rows of one family are never divided between what is trained on and what is calibrated on.
    pub(crate) family: u64,
}

/// One set.
pub(crate) struct Set {
    pub(crate) name: String,
    /// Whether the project's people wrote it: texts that look more like attacks than most.
    pub(crate) own: bool,
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
    let reader = Reader::default();
    paths.iter().map(|path| set(&reader, path)).collect()
}

/// Reads every `*.txt` below `dir`, by name: orders begin with `+ `, texts that are none with `- `.
pub(crate) fn read_own(dir: &Path) -> Result<Vec<Set>, String> {
    let entries = fs::read_dir(dir).map_err(|e| format!("cannot read {}: {e}", dir.display()))?;
    let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "txt"));
    paths.sort();
    let reader = Reader::default();
    paths.iter().map(|path| own(&reader, path)).collect()
}

fn own(reader: &Reader, path: &Path) -> Result<Set, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let rows = phrases(&text).map(|(attack, text)| Row::new(reader, attack, text)).collect();
    Ok(Set { name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), own: true, rows })
}

/// The texts of a file of orders (`+ …`) and texts that are none (`- …`).
pub(crate) fn phrases(text: &str) -> impl Iterator<Item = (bool, String)> {
    text.lines().filter_map(|line| {
        let text = line.strip_prefix("+ ").or_else(|| line.strip_prefix("- "))?;
        Some((line.starts_with('+'), text.replace("\\n", "\n")))
    })
}

impl Row {
    fn new(reader: &Reader, attack: bool, text: String) -> Self {
        let normal = normalise(&text).text().trim().to_owned();
        Self { attack, windows: reader.windows(&normal), family: family(&normal), text }
    }
}

fn set(reader: &Reader, path: &Path) -> Result<Set, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let rows = text.lines().map(|line| row(reader, line)).collect::<Option<Vec<Row>>>();
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    rows.map(|rows| Set { name, own: false, rows })
        .ok_or_else(|| format!("{}: a line is no text with a label", path.display()))
}

fn row(reader: &Reader, line: &str) -> Option<Row> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = value.get("text")?.as_str()?.to_owned();
    Some(Row::new(reader, value.get("label")?.as_str()? == "attack", text))
}

/// Texts that begin with the same four words, digits aside, are of one template.
fn family(text: &str) -> u64 {
    let words = text.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).take(4);
    words
        .flat_map(str::bytes)
        .fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

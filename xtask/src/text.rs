//! `cargo xtask text-train` and `text-eval`: the weights of `onesec-text`, and how well it does on sets left out.
//!
//! The work is done by `crates/onesec-text/examples/text-model`, built with optimisation: debug builds take minutes.

use std::fs;
use std::path::Path;

use crate::{Result, cargo};

/// Where the figures are told.
const PAGE: &str = "docs/text-detection.md";
/// The table stands between these lines.
const BEGIN: &str = "<!-- table: cargo xtask text-eval -->";
const END: &str = "<!-- end of table -->";
/// What the figures depend on: a change of any of it makes them old.
const DEPENDS: [&str; 9] = [
    "model/weights.bin",
    "texts",
    "src/lexicon",
    "src/rules.rs",
    "src/judge.rs",
    "src/order.rs",
    "src/model.rs",
    "src/score.rs",
    "src/normal",
];

/// Trains on every set, and writes the weights.
pub(crate) fn train(args: &[&str]) -> Result<bool> {
    run("train", args, None)
}

/// Measures, each set with a model that was not trained on it, and writes the table into the page; with `--check`, only
/// says whether the table is that of the words, rules and weights as they are.
pub(crate) fn eval(args: &[&str]) -> Result<bool> {
    let root = cargo::root();
    if args.contains(&"--check") {
        let fits = page_fits(&root)?;
        println!("{PAGE}: {}", if fits { "fits the weights" } else { "is of other words or weights: run text-eval" });
        return Ok(fits);
    }
    let table = cargo::workspace(&root)?.target_dir.join("text-table.md");
    if !run("eval", args, Some(&table))? {
        return Ok(false);
    }
    let read = |path: &Path| fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()));
    let measured = read(&table)?;
    let page = root.join(PAGE);
    let text = read(&page)?;
    let (before, rest) = text.split_once(BEGIN).ok_or_else(|| format!("{PAGE} has no line {BEGIN}"))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| format!("{PAGE} has no line {END}"))?;
    let line = fingerprint_line(&root)?;
    let new = format!("{before}{BEGIN}\n\n{measured}\n{line}\n\n{END}{after}");
    fs::write(&page, new).map_err(|e| format!("cannot write {PAGE}: {e}"))?;
    println!("{measured}");
    Ok(true)
}

fn run(what: &str, args: &[&str], out: Option<&Path>) -> Result<bool> {
    let mut command = cargo::command();
    command.current_dir(cargo::root());
    command.args(["run", "--quiet", "--release", "-p", "onesec-text", "--example", "text-model", "--", what]);
    command.args(args);
    if let Some(out) = out {
        command.arg("--out").arg(out);
    }
    command.status().map(|status| status.success()).map_err(|e| format!("text-model does not start: {e}"))
}

/// Whether the page tells figures of what is checked in.
fn page_fits(root: &Path) -> Result<bool> {
    let text = fs::read_to_string(root.join(PAGE)).map_err(|e| format!("cannot read {PAGE}: {e}"))?;
    Ok(text.contains(&fingerprint_line(root)?))
}

fn fingerprint_line(root: &Path) -> Result<String> {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for part in DEPENDS {
        add(&root.join("crates/onesec-text").join(part), &mut hash)?;
    }
    Ok(format!("Words, rules and weights of these figures: `{hash:016x}`."))
}

/// FNV-1a over a file, or over the files of a directory by name. Recognises a change; it is no seal.
fn add(path: &Path, hash: &mut u64) -> Result<()> {
    let told = |e: std::io::Error| format!("cannot read {}: {e}", path.display());
    if path.is_dir() {
        let entries = fs::read_dir(path).map_err(told)?;
        let mut paths: Vec<_> = entries.filter_map(std::result::Result::ok).map(|entry| entry.path()).collect();
        paths.retain(|path| !path.ends_with("tests.rs"));
        paths.sort();
        return paths.iter().try_for_each(|path| add(path, hash));
    }
    for byte in fs::read(path).map_err(told)? {
        *hash = (*hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_the_words_and_weights() {
        assert!(page_fits(&cargo::root()).unwrap(), "run `cargo xtask text-eval` and commit {PAGE}");
    }
}

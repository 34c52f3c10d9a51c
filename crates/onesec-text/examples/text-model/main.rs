//! Trains the linear model of `onesec-text` and measures the whole scorer on sets it was not trained on.
//!
//! Run by `cargo xtask text-train` and `cargo xtask text-eval`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a command-line program that computes"
)]

mod data;
mod measure;
mod train;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str =
    "usage: text-model train|eval [--data DIR] [--out FILE] [--rules-only] [--dump], or text-model phrases FILE…";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("text-model: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<(), String> {
    if let Some(("phrases", files)) = args.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return files.iter().try_for_each(|file| measure::phrases(Path::new(file)));
    }
    let option = |name: &str| args.iter().position(|a| a == name).and_then(|at| args.get(at + 1));
    let has = |name: &str| args.iter().any(|a| a == name);
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = option("--data").map_or_else(|| here.join("../../../shared/data/text"), PathBuf::from);
    let sets = data::read(&dir)?;
    let mut own = data::read_own(&here.join("texts"))?;
    own.extend(data::read_own(&here.join("src/tests/phrases"))?);
    match args.first().map(String::as_str) {
        Some("train") => {
            let out = option("--out").map_or_else(|| here.join("model/weights.bin"), PathBuf::from);
            let all: Vec<_> = measure::trained_on(&sets, &own).collect();
            let model = train::train(&all);
            std::fs::write(&out, model.to_bytes()).map_err(|e| format!("cannot write {}: {e}", out.display()))?;
            println!("trained on {} texts with seed {}", all.iter().map(|s| s.rows.len()).sum::<usize>(), train::SEED);
            Ok(())
        }
        Some("eval") => {
            let table = measure::leave_one_out(&sets, &own, has("--rules-only"), has("--dump"));
            match option("--out") {
                Some(out) => std::fs::write(out, table).map_err(|e| format!("cannot write {out}: {e}")),
                None => {
                    println!("{table}");
                    Ok(())
                }
            }
        }
        _ => Err(USAGE.to_owned()),
    }
}

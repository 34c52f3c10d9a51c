//! The project's own checks, so that one command says whether a change may go in.
//!
//! `cargo xtask tidy` checks what the compiler does not know, `cargo xtask ci` runs every check there is, and
//! `cargo xtask bench` compares the benchmarks with the committed budgets; `crash` plays crashes at length, and
//! `fuzz` feeds decoders; `text-train`
//! and `text-eval` are about the scorer of texts.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks on its terminal")]

mod bench;
mod cargo;
mod ci;
mod crash;
mod fuzz;
mod text;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  tidy                     check layering, sizes, words and manifests
  ci                       run every check: fmt, clippy, tidy, tests, doc tests, deny
  crash [--mutants] [--fail-points N] [--kills N] [--seed N]
                           play rounds of crashes beside a model, 1000 at named places and 50 by kill -9 where
                           nothing is said; --mutants: see that servers with a fault are caught
  fuzz [TARGET] [--seconds N] [--seed N] [--executions N] [--input FILE]
                           feed a decoder, or each of them for a minute, with inputs that nobody meant; --input: run one
                           again. What fails is made small and written below target/fuzz
  bench [--quick] [NAME…]  run the benchmarks and compare their ratios with xtask/budgets.json;
                           NAME is a crate or a bench, all of them where none is given
  text-train [--data DIR]  train the linear model of onesec-text on every set, and write its weights
  text-eval [--data DIR] [--check]
                           measure onesec-text, each set with a model not trained on it, and write the table
                           into docs/text-detection.md; with --check, say whether that table is up to date";

/// Why a command could not do its work, in a line for people.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let passed = match words.as_slice() {
        ["tidy"] => tidy::run(),
        ["ci"] => ci::run(),
        ["crash", rest @ ..] => crash::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["bench", rest @ ..] => bench::run(rest),
        ["text-train", rest @ ..] => text::train(rest),
        ["text-eval", rest @ ..] => text::eval(rest),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

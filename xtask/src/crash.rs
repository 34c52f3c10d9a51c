//! `cargo xtask crash`: the crash harness at full length, and the mutants that it must catch.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Result, cargo};

/// What is recorded in `docs/reliability.md`; some never reach their place, and a thousand do.
const FAIL_POINT_ROUNDS: &str = "1100";
const KILL_ROUNDS: &str = "50";
/// What a mutant gets; each is caught within a few.
const MUTANT_ROUNDS: &str = "60";
const PACKAGE: &str = "onesec-e2e";

/// Features of the test package, each a server with one fault.
const MUTANTS: [&str; 3] = ["mutant-no-fsync", "mutant-no-dedup", "mutant-ledger-not-written-through"];

/// Plays the rounds; with `--mutants` a few with each mutant instead. Everything else goes to `onesec-crash`. `false`
/// where anything was lost, or a mutant was not caught.
pub(crate) fn run(args: &[&str]) -> Result<bool> {
    let root = cargo::root();
    let built = cargo::workspace(&root)?.target_dir.join("debug");
    build(&root, &["--bin", "onesec-crash", "--bin", "onesec-under-test"])?;
    let harness = built.join("onesec-crash");
    if args.contains(&"--mutants") {
        return mutants(&root, (&harness, &built.join("onesec-mutant")));
    }
    let usual = ["--fail-points", FAIL_POINT_ROUNDS, "--kills", KILL_ROUNDS];
    let chosen = if args.iter().any(|arg| usual.contains(arg)) { args.to_vec() } else { [&usual, args].concat() };
    let status = Command::new(&harness).args(&chosen).status();
    Ok(status.map_err(|e| format!("the harness does not start: {e}"))?.success())
}

fn mutants(root: &Path, (harness, mutant): (&PathBuf, &PathBuf)) -> Result<bool> {
    let mut caught = true;
    for feature in MUTANTS {
        build(root, &["--bin", "onesec-mutant", "--features", feature])?;
        let mut rounds = Command::new(harness);
        rounds.args(["--fail-points", MUTANT_ROUNDS, "--program"]).arg(mutant).stdout(Stdio::piped());
        let output = rounds.output().map_err(|e| format!("the harness does not start: {e}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let first = said.lines().find(|line| line.contains("WRONG")).unwrap_or_default();
        match (output.status.success(), first.is_empty()) {
            (false, false) => println!("{feature}: caught; {}", first.trim()),
            _ => {
                println!("{feature}: NOT caught\n{said}");
                caught = false;
            }
        }
    }
    Ok(caught)
}

fn build(root: &Path, what: &[&str]) -> Result<()> {
    let status = cargo::command().args(["build", "--locked", "-p", PACKAGE]).args(what).current_dir(root).status();
    let status = status.map_err(|e| format!("cargo does not start: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("`cargo build -p {PACKAGE} {}` failed", what.join(" "))) }
}

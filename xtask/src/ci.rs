//! `cargo xtask ci`: every check, one after the other, each with its time; the first that fails ends the run.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use crate::{Result, cargo, tidy};

/// One check that is a cargo command.
struct Step {
    name: &'static str,
    /// How to see whether the tool is there; what is missing is skipped and named.
    probe: &'static [&'static str],
    missing: &'static str,
    args: &'static [&'static str],
}

const FORMAT: Step = Step {
    name: "fmt",
    probe: &["fmt", "--version"],
    missing: "rustfmt is not installed",
    args: &["fmt", "--all", "--check"],
};

const CLIPPY: Step = Step {
    name: "clippy",
    probe: &["clippy", "--version"],
    missing: "clippy is not installed",
    args: &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
};

const TESTS: Step = Step {
    name: "test",
    probe: &[],
    missing: "",
    args: &["test", "--workspace", "--locked", "--lib", "--bins", "--tests", "--examples"],
};

const DOC_TESTS: Step =
    Step { name: "doc tests", probe: &[], missing: "", args: &["test", "--workspace", "--locked", "--doc"] };

// Advisories change from day to day and need the network: they are no part of a check that anybody can repeat.
const DENY: Step = Step {
    name: "deny",
    probe: &["deny", "--version"],
    missing: "cargo-deny is not installed",
    args: &["deny", "--offline", "check", "bans", "licenses", "sources"],
};

/// What became of a step.
enum Outcome {
    Passed,
    Failed,
    Skipped,
}

/// Runs every check. `false` where one failed.
pub(crate) fn run() -> Result<bool> {
    let root = cargo::root();
    let started = Instant::now();
    let mut skipped = Vec::new();
    for step in [&FORMAT, &CLIPPY] {
        if !passed(step, &root, &mut skipped)? {
            return Ok(false);
        }
    }
    if !tidy_step()? {
        return Ok(false);
    }
    for step in [&TESTS, &DOC_TESTS, &DENY] {
        if !passed(step, &root, &mut skipped)? {
            return Ok(false);
        }
    }
    skipped.push("advisories: not checked, they need the network (cargo deny check advisories)".to_owned());
    for line in &skipped {
        println!("{line}");
    }
    println!("ci: every check that ran has passed, {:.1} s", started.elapsed().as_secs_f64());
    Ok(true)
}

fn passed(step: &Step, root: &Path, skipped: &mut Vec<String>) -> Result<bool> {
    let repeat = format!("cargo {}", step.args.join(" "));
    println!("==> {}: {repeat}", step.name);
    let started = Instant::now();
    let outcome = execute(step, root)?;
    let seconds = started.elapsed().as_secs_f64();
    match outcome {
        Outcome::Passed => println!("<== {}: passed, {seconds:.1} s", step.name),
        Outcome::Failed => println!("<== {}: FAILED, {seconds:.1} s; to repeat it: {repeat}", step.name),
        Outcome::Skipped => {
            let line = format!("{}: skipped, {}", step.name, step.missing);
            println!("<== {line}");
            skipped.push(line);
        }
    }
    Ok(!matches!(outcome, Outcome::Failed))
}

fn execute(step: &Step, root: &Path) -> Result<Outcome> {
    if !step.probe.is_empty() && !installed(step.probe) {
        return Ok(Outcome::Skipped);
    }
    let status = cargo::command()
        .args(step.args)
        .current_dir(root)
        .status()
        .map_err(|e| format!("cargo does not start: {e}"))?;
    Ok(if status.success() { Outcome::Passed } else { Outcome::Failed })
}

fn installed(probe: &[&str]) -> bool {
    let status = cargo::command().args(probe).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn tidy_step() -> Result<bool> {
    println!("==> tidy: cargo xtask tidy");
    let started = Instant::now();
    let passed = tidy::run()?;
    let seconds = started.elapsed().as_secs_f64();
    if passed {
        println!("<== tidy: passed, {seconds:.1} s");
    } else {
        println!("<== tidy: FAILED, {seconds:.1} s; to repeat it: cargo xtask tidy");
    }
    Ok(passed)
}

//! `cargo xtask bench`: medians of the benchmarks, and their ratios against the committed budgets.
//!
//! Ratios within one run are what is promised; times are reported, and no time ever fails anything.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::{Result, cargo};

/// Crate and bench. A test finds the bench that is missing here.
const BENCHES: &[(&str, &str)] = &[
    ("onesec-identity", "verify"),
    ("onesec-trackers", "observe"),
    ("onesec-detectors", "judge"),
    ("onesec-detectors", "behaviour"),
    ("onesec-journal", "journal"),
    ("onesec-text", "score"),
];

/// The load program: what criterion cannot measure. Its own name among the benches.
const LOAD: &str = "load";

const BUDGETS: &str = "xtask/budgets.json";

/// One measured benchmark.
#[derive(Debug, PartialEq)]
struct Measured {
    id: String,
    median_ns: f64,
}

/// One promise: the first bench takes at most `budget` times as long as the second.
#[derive(Debug, PartialEq)]
struct Budget {
    name: String,
    numerator: String,
    denominator: String,
    budget: f64,
}

/// Runs the benches that `args` name. `false` where one does not run.
pub(crate) fn run(args: &[&str]) -> Result<bool> {
    let quick = args.contains(&"--quick");
    let all: Vec<&str> = args.iter().copied().filter(|arg| *arg != "--quick").collect();
    let names: Vec<&str> = all.iter().copied().filter(|name| *name != LOAD).collect();
    let chosen = if names.is_empty() && !all.is_empty() { Vec::new() } else { chosen(&names)? };
    let root = cargo::root();
    let budgets = read_budgets(&root.join(BUDGETS))?;
    let workspace = cargo::workspace(&root)?;
    let target = &workspace.target_dir;
    let home = target.join("criterion");

    let started = now();
    let mut failed = Vec::new();
    for (package, bench) in chosen {
        let there = workspace.packages.iter().any(|p| p.name == package && p.benches.iter().any(|b| b == bench));
        if !(there && execute(&root, &home, (package, bench), quick)?) {
            failed.push(format!("{package} {bench}"));
        }
    }
    if (all.is_empty() || all.contains(&LOAD)) && !load(&root, quick)? {
        failed.push(LOAD.to_owned());
    }
    let mut measured = Vec::new();
    collect(&home, started, &mut measured);
    measured.sort_by(|a, b| a.id.cmp(&b.id));
    let rows = ratios(&budgets, &measured);
    print_tables(&measured, &rows);
    let file = target.join("bench.json");
    let text = to_json(quick, &measured, &rows).to_string();
    fs::write(&file, text).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    println!("\nwritten to {}", file.display());
    for name in &failed {
        println!("bench: {name} does not run");
    }
    Ok(failed.is_empty())
}

#[expect(clippy::disallowed_methods, reason = "compared with the times of files that the benches write")]
fn now() -> SystemTime {
    SystemTime::now()
}

fn chosen(names: &[&str]) -> Result<Vec<(&'static str, &'static str)>> {
    let known = |name: &str| BENCHES.iter().any(|(package, bench)| name == *package || name == *bench);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let all: Vec<&str> = BENCHES.iter().map(|(_, bench)| *bench).collect();
        return Err(format!("no bench and no crate with benches is named `{unknown}`; there are {}", all.join(", ")));
    }
    let wanted = |package, bench| names.is_empty() || names.contains(&package) || names.contains(&bench);
    Ok(BENCHES.iter().copied().filter(|(package, bench)| wanted(*package, *bench)).collect())
}

fn execute(root: &Path, home: &Path, (package, bench): (&str, &str), quick: bool) -> Result<bool> {
    println!("==> {package} {bench}");
    let mut command = cargo::command();
    command.args(["bench", "--locked", "-p", package, "--bench", bench, "--", "--noplot"]);
    if quick {
        command.arg("--quick");
    }
    let status = command.env("CRITERION_HOME", home).current_dir(root).status();
    Ok(status.map_err(|e| format!("cargo does not start: {e}"))?.success())
}

fn load(root: &Path, quick: bool) -> Result<bool> {
    println!("==> onesec-load");
    let seconds = if quick { "3" } else { "20" };
    let mut command = cargo::command();
    command.args(["run", "--locked", "--release", "-p", "onesec-e2e", "--bin", "onesec-load", "--", "all", seconds]);
    Ok(command.current_dir(root).status().map_err(|e| format!("cargo does not start: {e}"))?.success())
}

/// Finds what was measured since `started` below `dir`. A directory that cannot be read holds nothing of this run.
fn collect(dir: &Path, started: SystemTime, measured: &mut Vec<Measured>) {
    let estimates = dir.join("new").join("estimates.json");
    let fresh = fs::metadata(&estimates).and_then(|m| m.modified()).is_ok_and(|at| at >= started);
    if fresh {
        measured.extend(read_measured(&estimates, &dir.join("new").join("benchmark.json")));
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), started, measured);
        }
    }
}

fn read_measured(estimates: &Path, benchmark: &Path) -> Option<Measured> {
    let read = |path: &Path| serde_json::from_slice::<Value>(&fs::read(path).ok()?).ok();
    let id = read(benchmark)?.get("full_id")?.as_str()?.to_owned();
    let median_ns = read(estimates)?.pointer("/median/point_estimate")?.as_f64()?;
    Some(Measured { id, median_ns })
}

fn read_budgets(path: &Path) -> Result<Vec<Budget>> {
    let text = fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    parse_budgets(&text).ok_or_else(|| {
        format!("{}: each of `ratios` needs `name`, `numerator`, `denominator` and `budget`", path.display())
    })
}

fn parse_budgets(text: &str) -> Option<Vec<Budget>> {
    let value: Value = serde_json::from_str(text).ok()?;
    let parse = |row: &Value| {
        let text = |key: &str| Some(row.get(key)?.as_str()?.to_owned());
        Some(Budget {
            name: text("name")?,
            numerator: text("numerator")?,
            denominator: text("denominator")?,
            budget: row.get("budget")?.as_f64().filter(|budget| *budget > 0.0)?,
        })
    };
    value.get("ratios")?.as_array()?.iter().map(parse).collect()
}

/// Budgets with what was measured; `None` where one of the two benches did not run.
fn ratios<'a>(budgets: &'a [Budget], measured: &[Measured]) -> Vec<(&'a Budget, Option<f64>)> {
    let median = |id: &str| measured.iter().find(|m| m.id == id).map(|m| m.median_ns).filter(|ns| *ns > 0.0);
    budgets.iter().map(|b| (b, median(&b.numerator).zip(median(&b.denominator)).map(|(n, d)| n / d))).collect()
}

fn print_tables(measured: &[Measured], rows: &[(&Budget, Option<f64>)]) {
    println!("\n{:<48} {:>12}", "bench", "median");
    for m in measured {
        println!("{:<48} {:>12}", m.id, for_people(m.median_ns));
    }
    println!("\n{:<48} {:>8} {:>8}  verdict", "ratio", "measured", "budget");
    for (budget, ratio) in rows {
        match ratio {
            Some(ratio) => {
                let verdict = if *ratio <= budget.budget { "holds" } else { "EXCEEDED" };
                println!("{:<48} {ratio:>8.2} {:>8.2}  {verdict}", budget.name, budget.budget);
            }
            None => println!("{:<48} {:>8} {:>8.2}  not measured", budget.name, "-", budget.budget),
        }
    }
}

fn for_people(ns: f64) -> String {
    match ns {
        _ if ns < 1e3 => format!("{ns:.1} ns"),
        _ if ns < 1e6 => format!("{:.2} µs", ns / 1e3),
        _ if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        _ => format!("{:.2} s", ns / 1e9),
    }
}

fn to_json(quick: bool, measured: &[Measured], rows: &[(&Budget, Option<f64>)]) -> Value {
    let benches: Vec<Value> = measured.iter().map(|m| json!({"id": m.id, "median_ns": m.median_ns})).collect();
    let row = |(budget, ratio): &(&Budget, Option<f64>)| {
        let holds = ratio.map(|ratio| ratio <= budget.budget);
        json!({"name": budget.name, "ratio": ratio, "budget": budget.budget, "holds": holds})
    };
    json!({"quick": quick, "benches": benches, "ratios": rows.iter().map(row).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(id: &str, median_ns: f64) -> Measured {
        Measured { id: id.to_owned(), median_ns }
    }

    #[test]
    fn every_bench_of_the_workspace_is_listed() {
        for package in cargo::workspace(&cargo::root()).unwrap().packages {
            for bench in &package.benches {
                let listed = BENCHES.contains(&(package.name.as_str(), bench.as_str()));
                assert!(listed, "add (\"{}\", \"{bench}\") to BENCHES", package.name);
            }
        }
    }

    #[test]
    fn the_committed_budgets_can_be_read() {
        read_budgets(&cargo::root().join(BUDGETS)).unwrap();
        assert_eq!(parse_budgets(r#"{"ratios": [{"name": "a"}]}"#), None);
    }

    #[test]
    fn a_ratio_is_compared_with_its_budget() {
        let text = r#"{"ratios": [{"name": "a", "numerator": "x", "denominator": "y", "budget": 2.5}]}"#;
        let budgets = parse_budgets(text).unwrap();
        let over = ratios(&budgets, &[measured("x", 30.0), measured("y", 10.0)]);
        assert_eq!(over.iter().map(|(_, ratio)| *ratio).collect::<Vec<_>>(), [Some(3.0)]);
        assert_eq!(to_json(true, &[], &over).pointer("/ratios/0/holds"), Some(&json!(false)));
        let missing = ratios(&budgets, &[measured("x", 30.0)]);
        assert_eq!(to_json(true, &[], &missing).pointer("/ratios/0/holds"), Some(&Value::Null));
    }

    #[test]
    fn only_what_this_run_measured_is_collected() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("group").join("one").join("new");
        fs::create_dir_all(&new).unwrap();
        fs::write(new.join("estimates.json"), r#"{"median": {"point_estimate": 12.5}}"#).unwrap();
        fs::write(new.join("benchmark.json"), r#"{"full_id": "group/one"}"#).unwrap();
        let mut found = Vec::new();
        collect(dir.path(), SystemTime::UNIX_EPOCH, &mut found);
        assert_eq!(found, [measured("group/one", 12.5)]);
        let written = fs::metadata(new.join("estimates.json")).unwrap().modified().unwrap();
        found.clear();
        collect(dir.path(), written + std::time::Duration::from_secs(1), &mut found);
        assert!(found.is_empty());
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert_eq!(chosen(&["onesec-identity"]).unwrap(), [("onesec-identity", "verify")]);
        assert!(chosen(&["no-such"]).unwrap_err().contains("`no-such`"));
    }
}

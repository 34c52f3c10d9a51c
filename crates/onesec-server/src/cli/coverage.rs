//! `onesec coverage`: the OWASP Top 10 for Agentic Applications (2026), and what is proved of each.

use std::collections::BTreeMap;

use onesec_detectors::SCENARIOS;
use onesec_testkit::{Case, Report, Role, Scenario};
use serde_json::{Value, json};

use super::args::CoverageArgs;
use super::builtin;
use super::error::{CliError, Ended};
use super::out::{Ink, Out};
use super::table;
use crate::core::SharedAssemble;

/// Titles as in the official contents.
const TITLES: [(&str, &str); 10] = [
    ("ASI01", "Agent Goal Hijack"),
    ("ASI02", "Tool Misuse and Exploitation"),
    ("ASI03", "Identity and Privilege Abuse"),
    ("ASI04", "Agentic Supply Chain Vulnerabilities"),
    ("ASI05", "Unexpected Code Execution (RCE)"),
    ("ASI06", "Memory & Context Poisoning"),
    ("ASI07", "Insecure Inter-Agent Communication"),
    ("ASI08", "Cascading Failures"),
    ("ASI09", "Human-Agent Trust Exploitation"),
    ("ASI10", "Rogue Agents"),
];

pub(super) fn coverage(args: CoverageArgs, more: &SharedAssemble, out: &mut Out) -> Result<Ended, CliError> {
    let unusable = |why: String| CliError::usage(why);
    let mut scenarios: Vec<Scenario> = Vec::with_capacity(SCENARIOS.len());
    for (name, text) in SCENARIOS {
        scenarios.push(Scenario::parse(text).map_err(|error| unusable(format!("{name}: {error}")))?);
    }
    if let Some(dir) = &args.scenarios {
        scenarios.extend(onesec_testkit::read_scenarios(dir).map_err(|error| unusable(error.to_string()))?);
    }
    let assemble = builtin::with(more);
    let report = if args.run {
        onesec_testkit::run(&scenarios, move |settings| assemble(settings))
    } else {
        onesec_testkit::list(&scenarios, move |settings| assemble(settings))
    };
    let matrix = matrix(&report);
    let covered = matrix.iter().all(|row| row["covered"] == true);
    let whole = !args.run || (report.ok() && covered);
    if out.json() {
        out.document(&json!({"run": args.run, "ok": whole, "matrix": matrix, "failed": failed(&report)}))?;
    } else {
        show(out, (&report, &matrix), args.run)?;
    }
    if whole { Ok(Ended::Well) } else { Ok(Ended::Negative) }
}

/// One row for each id.
fn matrix(report: &Report) -> Vec<Value> {
    let row = |(id, title): &(&str, &str)| {
        let own: Vec<&Case> = report.cases.iter().filter(|case| case.owasp.contains(id)).collect();
        let of = |role: Role| own.iter().filter(|case| case.role == role).count();
        let twins = own.iter().filter(|case| case.role == Role::Benign && case.twin_of.is_some()).count();
        let failed = own.iter().filter(|case| !case.mismatches.is_empty()).count();
        let mut detectors: BTreeMap<&str, usize> = BTreeMap::new();
        for case in &own {
            *detectors.entry(case.detector.as_str()).or_default() += 1;
        }
        let attacks = of(Role::Attack);
        json!({
            "id": id, "title": title, "attacks": attacks, "benign": of(Role::Benign), "twins": twins,
            "failed": failed, "detectors": detectors.keys().collect::<Vec<_>>(),
            "covered": attacks > 0 && twins > 0 && failed == 0,
        })
    };
    TITLES.iter().map(row).collect()
}

fn failed(report: &Report) -> Vec<Value> {
    let bad = report.cases.iter().filter(|case| !case.mismatches.is_empty());
    bad.map(|case| json!({"detector": case.detector, "scenario": case.name, "what": case.to_string()})).collect()
}

const COLUMNS: &[table::Column] = &[
    ("ID", &["/id"]),
    ("TITLE", &["/title"]),
    ("ATTACKS", &["/attacks"]),
    ("BENIGN", &["/benign"]),
    ("TWINS", &["/twins"]),
    ("FAILED", &["/failed"]),
    ("DETECTORS", &["/detectors"]),
];

fn show(out: &mut Out, (report, matrix): (&Report, &[Value]), ran: bool) -> Result<(), CliError> {
    table::list(out, &json!({"matrix": matrix}), "matrix", COLUMNS)?;
    let (attacks, benign) = report.cases.iter().fold((0, 0), |(attacks, benign), case| match case.role {
        Role::Attack => (attacks + 1, benign),
        _ => (attacks, benign + 1),
    });
    if !ran {
        out.line(format_args!("{attacks} attacks and {benign} benign stories are known; `--run` runs them"))?;
        return Ok(());
    }
    let bad = report.cases.iter().filter(|case| !case.mismatches.is_empty()).count();
    let word = if bad == 0 { Ink::Bold.on("all as they should be") } else { Ink::Bold.on("not all as they should be") };
    out.line(format_args!("{attacks} attacks fired and {benign} benign stories stayed silent: {word}, {bad} failed"))?;
    for case in report.cases.iter().filter(|case| !case.mismatches.is_empty()) {
        out.line(format_args!("{case}"))?;
    }
    Ok(())
}

//! A short run of every target, what was found before, and whether the fuzzer would notice.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use onesec_fuzz::{Campaign, Failure, Limits, Parts, Report, Shape, TARGETS, Target, Trace};

/// So many executions, however long they take: the same on every machine.
fn run(target: &Target, executions: u64) -> Report {
    let limits = Limits { executions, time: Duration::MAX };
    Campaign::new(target, 1).run(limits, |_| {})
}

fn short(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let report = run(target, target.short);
    let told = |failure: &Failure| {
        format!("{}: {}\n{}\n", failure.place, failure.what, String::from_utf8_lossy(&failure.input))
    };
    assert!(report.failures.is_empty(), "{name}: {}", report.failures.iter().map(told).collect::<String>());
    assert!(report.executions >= target.short && report.observed > 0, "{report:?}");
}

#[test]
fn events() {
    ["event", "batch", "cloudevents"].into_iter().for_each(short);
}

#[test]
fn records_and_snapshots() {
    ["record", "snapshot"].into_iter().for_each(short);
}

#[test]
fn blocks_and_chunks() {
    ["block", "chunks"].into_iter().for_each(short);
}

#[test]
fn configuration_and_policies() {
    ["config", "policy", "log"].into_iter().for_each(short);
}

#[test]
fn tokens() {
    short("token");
}

/// Inputs that failed once. Those of binary targets are written in hexadecimal digits.
#[test]
fn what_failed_before_holds() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut seen = 0;
    for entry in fs::read_dir(&dir).expect("a directory") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        let target = TARGETS.iter().find(|target| target.name == name).expect("named after a target");
        for file in fs::read_dir(entry.path()).expect("a directory") {
            let path = file.expect("an entry").path();
            let mut input = fs::read(&path).expect("a file");
            if path.extension().is_some_and(|end| end == "hex") {
                input = hex::decode(input.trim_ascii()).expect("digits");
            }
            (target.run)(&input, &mut Trace::default());
            seen += 1;
        }
    }
    assert!(seen > 0, "no input in {}", dir.display());
}

#[test]
fn the_same_seed_gives_the_same_inputs() {
    let target = TARGETS.iter().find(|target| target.name == "policy").expect("a target");
    let inputs = |seed: u64| {
        let mut all = Vec::new();
        let limits = Limits { executions: 60, time: Duration::MAX };
        Campaign::new(target, seed).run(limits, |input| all.push(input.to_vec()));
        all
    };
    assert_eq!(inputs(3), inputs(3));
    assert_ne!(inputs(3), inputs(4));
}

fn faulty_corpus() -> Vec<Vec<u8>> {
    vec![br#"{"type":"agent_goal","details":{"agent_id":"bot-7","goal":"tidy up","expires_in":60}}"#.to_vec()]
}

/// A decoder with two faults: it counts in too small a number, and it cuts a text without asking where.
fn faulty(input: &[u8], trace: &mut Trace) {
    let Ok(tree) = serde_json::from_slice::<serde_json::Value>(input) else { return trace.saw("no JSON") };
    let details = &tree["details"];
    if let Some(seconds) = details["expires_in"].as_i64() {
        trace.saw("seconds");
        assert!(i32::try_from(seconds).is_ok(), "a number that does not fit");
    }
    if let Some(goal) = details["goal"].as_str() {
        trace.sized("goal", goal.len());
        let _ = &goal[..goal.len().min(2)];
    }
}

#[test]
fn planted_faults_are_found_and_their_inputs_are_small() {
    let target = Target { name: "faulty", shape: Shape::Json, corpus: faulty_corpus, run: faulty, short: 0 };
    let report = run(&target, 20_000);
    assert_eq!(report.failures.len(), 2, "{report:?}");
    for failure in &report.failures {
        assert!(failure.input.len() < 60, "{}", String::from_utf8_lossy(&failure.input));
    }
}

fn marked() -> Vec<Vec<u8>> {
    vec![Parts::default().with("a", [1; 40]).with("b", 7_u64.to_le_bytes()).to_bytes()]
}

/// A reader of parts that believes a length.
fn believing(input: &[u8], trace: &mut Trace) {
    let parts = Parts::from_bytes(input);
    let length = parts.number("b");
    trace.sized("b", parts.get("b").len());
    assert!(length < 1 << 40, "memory for {length} bytes");
}

#[test]
fn a_planted_fault_behind_a_frame_is_found() {
    let target = Target { name: "believing", shape: Shape::Parts, corpus: marked, run: believing, short: 0 };
    let report = run(&target, 5_000);
    assert_eq!(report.failures.len(), 1, "{report:?}");
    let input = Parts::from_bytes(&report.failures.first().expect("a failure").input);
    assert!(input.get("a").is_empty(), "what is not needed is gone: {input:?}");
}

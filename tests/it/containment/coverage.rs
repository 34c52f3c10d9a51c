//! `onesec coverage`: the matrix is proved in the binary itself, and other people's stories with it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

fn coverage(args: &[&str]) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onesec-under-test"));
    let output = command.args(["--json", "coverage"]).args(args).output().expect("it runs");
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

fn pack(dir: &Path, severity: &str) {
    let story = json!({
        "name": "theirs", "detector": "tool-misuse", "shows": "A blocked tool.",
        "events": [{"sender": "decide", "type": "tool_call", "details": {"agent_id": "a", "tool": "terminal",
            "arguments": {"command": "rm -rf / --no-preserve-root"}}}],
        "expect": [{"detector": "tool-misuse", "severity": severity}],
    });
    std::fs::write(dir.join("theirs.yaml"), story.to_string()).expect("written");
}

#[test]
fn every_id_has_attacks_that_fire_and_twins_that_do_not() {
    let (code, told) = coverage(&["--run"]);
    assert_eq!((code, &told["ok"]), (Some(0), &json!(true)), "{}", told["failed"]);
    let matrix = told["matrix"].as_array().expect("a matrix");
    let ids: Vec<&str> = matrix.iter().filter_map(|row| row["id"].as_str()).collect();
    let all: Vec<String> = (1..=10).map(|n| format!("ASI{n:02}")).collect();
    assert_eq!(ids, all.iter().map(String::as_str).collect::<Vec<_>>());
    for row in matrix {
        assert!(row["attacks"].as_u64() >= Some(2) && row["twins"].as_u64() >= Some(1), "{row}");
    }
    assert_eq!(coverage(&[]).0, Some(0), "without --run it only tells");
}

#[test]
fn packs_by_others_run_too_and_a_cell_that_fails_is_an_exit_code() {
    let dir = tempfile::tempdir().expect("a directory");
    pack(dir.path(), "HIGH");
    let path = dir.path().to_str().expect("a path");
    let attacks = |told: &Value| told["matrix"][1]["attacks"].as_u64();
    let (code, told) = coverage(&["--run", "--scenarios", path]);
    assert_eq!(code, Some(0), "{}", told["failed"]);
    assert_eq!(attacks(&told), attacks(&coverage(&[]).1).map(|n| n + 1));
    pack(dir.path(), "LOW");
    let (code, told) = coverage(&["--run", "--scenarios", path]);
    assert_eq!((code, &told["failed"][0]["scenario"]), (Some(1), &json!("theirs")), "{told}");
    assert_eq!(coverage(&["--run", "--scenarios", "/nowhere"]).0, Some(2));
}

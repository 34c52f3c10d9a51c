//! The agents of `examples/http-agents` run against the real server: Python, and TypeScript.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::{begin, strict};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/http-agents")
}

fn runs(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs an agent with a task to read mails; what it says.
#[track_caller]
fn check(program: &str, args: &[&str]) {
    let world = strict();
    begin(
        &world,
        "task-1",
        "mail-bot",
        &json!({"allowed_tools": ["mail.list", "mail.read"], "allowed_actions": ["read"]}),
    );
    let key = world.key(&json!({"name": "mail-bot", "scopes": ["events:write"], "agent_id": "mail-bot"}));
    let mut command = Command::new(program);
    command.args(args).env("ONESEC_URL", world.process.url()).env("ONESEC_API_KEY", key);
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = said.lines().collect();
    let starts = [
        "list the mails: allowed",
        "read a mail: allowed",
        "remember a note: allowed",
        "remember the poison: refused, memory-poisoning",
        "delete a report: refused, goal-hijack",
    ];
    assert_eq!(lines.len(), starts.len(), "{said}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn an_agent_in_python() {
    if runs("python3", &["--version"]).is_none() {
        eprintln!("skipped: there is no python3 here");
        return;
    }
    let agent = examples().join("agent.py");
    check("python3", &["-B", agent.to_str().expect("a path")]);
}

#[test]
fn an_agent_in_typescript() {
    let Some(version) = runs("node", &["--version"]) else {
        eprintln!("skipped: there is no node here");
        return;
    };
    let agent = examples().join("agent.ts");
    let major: u32 = version.trim().trim_start_matches('v').split('.').next().and_then(|n| n.parse().ok()).unwrap_or(0);
    if major >= 24 {
        return check("node", &[agent.to_str().expect("a path")]);
    }
    let dir = tempfile::tempdir().expect("a directory");
    let bundle = dir.path().join("agent.mjs");
    let (source, out) = (agent.to_string_lossy().into_owned(), format!("--outfile={}", bundle.display()));
    if runs("esbuild", &["--bundle", "--platform=node", "--format=esm", "--log-level=error", &source, &out]).is_none() {
        eprintln!("skipped: node {} runs no TypeScript, and there is no esbuild here", version.trim());
        return;
    }
    check("node", &[bundle.to_str().expect("a path")]);
}

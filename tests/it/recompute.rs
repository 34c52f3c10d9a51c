//! Alerts, views and snapshots are recomputed from records alone: what the API said live must come out, byte for byte.

use std::process::Command;
use std::time::Duration;

use onesec_e2e::{Http, Start};
use onesec_journal::Reader;
use onesec_telemetry::TenantId;
use serde_json::{Value, json};

const SERVER: &str = env!("CARGO_BIN_EXE_onesec-under-test");

fn send(http: &mut Http, kind: &str, details: Value) {
    let answer = http.post("/api/v1/events", &json!({"type": kind, "details": details}));
    assert_eq!(answer.status, 202, "{}", answer.text());
}

fn exchange(http: &mut Http, scopes: &str) {
    let details = json!({"agent_id": "bot", "user_id": "alice", "connection": "github", "scopes": scopes});
    send(http, "token_exchange", details);
}

/// Every alert as the API gives it, by id, as text.
fn alerts(http: &mut Http) -> Vec<String> {
    let answer = http.get("/api/v1/alerts?limit=1000");
    assert_eq!(answer.status, 200);
    let mut all: Vec<(String, String)> = answer.json()["alerts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|alert| (alert["id"].as_str().expect("id").to_owned(), alert.to_string()))
        .collect();
    all.sort_unstable();
    all.into_iter().map(|(_, alert)| alert).collect()
}

fn recomputed(dir: &std::path::Path, from: Option<u64>) -> Vec<String> {
    let mut command = Command::new(SERVER);
    command.args(["journal", "recompute", "--json", "--data-dir"]).arg(dir);
    if let Some(seq) = from {
        command.args(["--from-snapshot", &seq.to_string()]);
    }
    let output = command.output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let one: Result<Value, _> = serde_json::from_str(&text);
    match one {
        Ok(Value::Array(list)) => list.iter().map(Value::to_string).collect(),
        _ => text.lines().map(|l| serde_json::from_str::<Value>(l).expect("json").to_string()).collect(),
    }
}

#[test]
fn recomputed_alerts_are_those_that_the_api_gave() {
    let dir = tempfile::tempdir().expect("dir");
    let mut live = Vec::new();
    // Three lives, each with a snapshot at its end; a reload, an accepted scope, a revocation, a decision in between.
    for life in 0..3 {
        let config = dir.path().join("test-config.yaml");
        let start = Start::new(SERVER, dir.path()).config("detectors: {exchange-rate: {limit: 5, window: 60s}}");
        let mut server = start.run();
        let mut http = server.admin();
        if life == 0 {
            send(
                &mut http,
                "connected_account_link",
                json!({"user_id": "alice", "connection": "github", "scopes": "repo read:org"}),
            );
            send(
                &mut http,
                "agent_identity_delegation",
                json!({"agent_id": "bot", "delegated_by": "alice", "connection": "github"}),
            );
        }
        for _ in 0..8 {
            exchange(&mut http, "read:org");
            exchange(&mut http, "admin:org");
        }
        std::fs::write(&config, "detectors: {exchange-rate: {limit: 3, window: 60s}}").expect("config");
        drop(Command::new("kill").args(["-HUP", &server.id().to_string()]).status());
        wait_for(&mut http, "exchange-rate");
        let body = json!({"scopes": ["admin:org"]});
        let answer = http.post("/api/v1/agents/bot/baselines/github/accept", &body);
        assert!(answer.status < 300, "{}", answer.text());
        exchange(&mut http, "admin:org");
        let id = http.get("/api/v1/alerts?limit=1").json()["alerts"][0]["id"].as_str().expect("id").to_owned();
        let patched =
            http.call("PATCH", &format!("/api/v1/alerts/{id}"), &json!({"status": "resolved", "note": "seen"}));
        assert_eq!(patched.status, 200, "{}", patched.text());
        let delegations = http.get("/api/v1/delegations").json();
        if life == 1 {
            let delegation = delegations["delegations"][0]["id"].as_str().expect("id").to_owned();
            assert_eq!(http.call("DELETE", &format!("/api/v1/delegations/{delegation}"), &json!({})).status, 200);
            exchange(&mut http, "read:org");
        }
        live = alerts(&mut http);
        assert_eq!(server.terminate(), Some(0));
    }
    assert!(live.len() >= 4, "{live:?}");
    assert_eq!(recomputed(dir.path(), None), live, "from zero");
    let snapshots = Reader::open(dir.path()).expect("opens").snapshots(&TenantId::default_tenant()).expect("reads");
    assert_eq!(snapshots.len(), 3);
    for snapshot in snapshots {
        assert_eq!(recomputed(dir.path(), Some(snapshot.seq)), live, "from the snapshot at {}", snapshot.seq);
    }
}

/// The reload has happened once its record is there.
fn wait_for(http: &mut Http, setting: &str) {
    for _ in 0..200 {
        let commands = http.get("/api/v1/events?kind=command&limit=10").text();
        let commands = commands.replace('\\', "");
        if commands.contains(setting) && commands.contains("\"limit\":3") {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("the reload left no record");
}

/// What would stop a start does not slip in by a reload: the last good configuration stays.
#[test]
fn a_reload_that_names_an_unknown_detector_changes_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let server = Start::new(SERVER, dir.path()).config("detectors: {exchange-rate: {limit: 7, window: 60s}}").run();
    let mut http = server.admin();
    let reload = |yaml: &str| {
        std::fs::write(dir.path().join("test-config.yaml"), yaml).expect("config");
        drop(Command::new("kill").args(["-HUP", &server.id().to_string()]).status());
    };
    reload("detectors: {exchange-rte: {limit: 5, window: 60s}}");
    wait_for_log(&server, "the last good one stays in force");
    let commands = http.get("/api/v1/events?kind=command&limit=100").text();
    assert!(!commands.contains("exchange-rte"), "{commands}");
    for _ in 0..7 {
        exchange(&mut http, "read:org");
    }
    assert_eq!(http.get("/api/v1/alerts?detector=exchange-rate").json()["alerts"], json!([]));
    exchange(&mut http, "read:org");
    assert_eq!(http.get("/api/v1/alerts?detector=exchange-rate").json()["alerts"].as_array().map(Vec::len), Some(1));
}

fn wait_for_log(server: &onesec_e2e::Process, words: &str) {
    for _ in 0..200 {
        if server.log().iter().any(|line| line.contains(words)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("the log never said `{words}`");
}

//! The preset `vps-agent`: all of its policies on a live attack, and what it cannot do without.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use onesec_e2e::world::{ANA, CALENDAR, EXCHANGE, GOOGLE, MAIL};
use onesec_e2e::{Answer, Receiver, Reply, World, eventually};
use serde_json::{Value, json};

use super::{KEY, Victim, hook, receipt, send_from};
use crate::plan;

#[track_caller]
fn held_back(answer: &Answer, status: u16) {
    let body = answer.json();
    assert_eq!((answer.status, body["onesec_reason"].as_str()), (status, Some("restraint")), "{}", answer.text());
}

/// The receipts of one policy, by action.
fn of_policy(world: &World, policy: &str, count: usize) -> Vec<(String, String)> {
    let of = |receipt: &&Value| receipt["policy"] == policy;
    let done = eventually(policy, || {
        let all = world.receipts("");
        let own: Vec<Value> = all.iter().filter(of).cloned().collect();
        let over = own.iter().all(|receipt| receipt["status"] != "executing");
        Some(own).filter(|own| own.len() >= count && over)
    });
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut done: Vec<_> = done.iter().map(|receipt| (text(&receipt["action"]), text(&receipt["status"]))).collect();
    done.sort();
    done
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(action, status)| ((*action).to_owned(), (*status).to_owned())).collect()
}

#[test]
fn the_preset_for_a_server_of_its_own_stops_a_live_attack() {
    let receiver = Receiver::start(&[Reply::Status(204)]);
    let world = plan()
        .live()
        .with("enforcement", json!({"preset": "vps-agent", "webhook": hook(&receiver)}))
        .with("server", json!({"trusted_proxies": ["127.0.0.1"]}))
        .with("detectors", json!({"exchange-rate": {"limit": 3, "window": "2s"}}))
        .start();
    let (mut helper, token) = world.lent("helper");
    excessive_exchanges(&world, &token);
    scope_escalation(&world, &token, &mut helper);
    unauthorised(&world, &token, &mut helper);
    broad_consent(&world);
    let messages = receiver.at_least(4);
    assert_eq!(messages.len(), 4, "one for each policy");
    let mut about = BTreeSet::new();
    for message in &messages {
        assert!(message.is_signed_with(KEY) && !message.is_signed_with(b"another key"), "{:?}", message.headers);
        assert_eq!(message.path, "/hook");
        about.insert(
            message
                .json()
                .pointer("/data/alert/detector")
                .or(message.json().pointer("/alert/detector"))
                .cloned()
                .unwrap_or_default()
                .to_string(),
        );
    }
    assert_eq!(about.len(), 4, "{about:?} {}", messages[0].json());
    let ids: BTreeSet<&str> = messages.iter().map(onesec_e2e::receiver::Message::id).collect();
    assert_eq!(ids.len(), 4);
}

/// At the gateway, where the agent meets it.
fn excessive_exchanges(world: &World, token: &str) {
    world.delegate(ANA, "hasty", GOOGLE, &[CALENDAR]);
    let mut hasty = world.agent("hasty");
    let answers: Vec<u16> = (0..4).map(|_| hasty.exchange(GOOGLE, token).status).collect();
    assert_eq!(answers, [200, 200, 200, 429]);
    let done = of_policy(world, "vps-excessive-exchanges", 2);
    assert_eq!(done, pairs(&[("rate_limit_agent", "verified"), ("webhook", "succeeded")]));
    std::thread::sleep(Duration::from_millis(2_200));
    assert_eq!([hasty.exchange(GOOGLE, token).status, hasty.exchange(GOOGLE, token).status], [200, 200]);
    let third = hasty.exchange(GOOGLE, token);
    held_back(&third, 429);
    let wait = third.header("retry-after").and_then(|s| s.parse::<u64>().ok());
    assert!(wait.is_some_and(|seconds| (1..=60).contains(&seconds)), "{wait:?}");
}

fn scope_escalation(world: &World, token: &str, helper: &mut onesec_e2e::Agent) {
    assert_eq!(helper.exchange_for(GOOGLE, token, &[MAIL]).status, 403);
    let done = of_policy(world, "vps-scope-escalation", 2);
    assert_eq!(done, pairs(&[("log", "succeeded"), ("webhook", "succeeded")]));
    let title = "Scopes beyond what was allowed";
    eventually("a line in the log", || {
        world.process.log().into_iter().find(|line| line.contains(title) && line.contains("vps-scope-escalation"))
    });
    assert_eq!(helper.exchange(GOOGLE, token).status, 200, "nobody is stopped for it");
}

fn unauthorised(world: &World, token: &str, helper: &mut onesec_e2e::Agent) {
    let mut process = Victim::start("sleep 300 & sleep 300");
    process.belongs_to(world, "mallory");
    let mut mallory = world.agent("mallory");
    let body = json!({"subject_token": token, "connection": GOOGLE});
    let attack = send_from(&mut mallory.http, ("198.51.100.66", EXCHANGE), &body);
    assert_eq!((attack.status, attack.json()["onesec_reason"].as_str()), (403, Some("unauthorized-agent")));
    let done = of_policy(world, "vps-unauthorized-agent", 3);
    assert_eq!(done, pairs(&[("block_ip", "verified"), ("kill_process", "verified"), ("webhook", "succeeded")]));
    assert!(!process.is_alive());
    let killed = receipt(world, "kill_process");
    assert!(killed["verification"].as_str().is_some_and(|how| how.contains('3')), "with its children: {killed}");
    held_back(&send_from(&mut helper.http, ("198.51.100.66", EXCHANGE), &body), 403);
    assert_eq!(send_from(&mut helper.http, ("198.51.100.67", EXCHANGE), &body).status, 200, "a neighbour is nobody");
    let blocked = world.admin().get("/api/v1/enforcement").json()["blocked_addresses"].clone();
    assert_eq!(blocked[0]["address"], "198.51.100.66", "{blocked}");
}

fn broad_consent(world: &World) {
    let scopes: Vec<String> = (0..11).map(|n| format!("thing{n}.read")).collect();
    let details = json!({"username": ANA, "app_id": "quick-pdf", "scopes": scopes.join(" ")});
    let answer =
        world.client(&["events:write"]).post("/api/v1/events", &json!({"type": "oauth_grant", "details": details}));
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(world.alert("consent-phishing")["severity"], "MEDIUM");
    let done = of_policy(world, "vps-broad-consent", 2);
    assert_eq!(done, pairs(&[("log", "succeeded"), ("webhook", "succeeded")]));
}

#[test]
fn a_preset_without_an_address_for_its_messages_is_refused_and_the_old_one_stays() {
    let world = plan().live().start();
    let answer = world.admin().call("PUT", "/api/v1/enforcement/preset", &json!({"preset": "vps-agent"}));
    assert_eq!((answer.status, &answer.json()["code"]), (422, &json!("preset-cannot-run")), "{}", answer.text());
    assert!(answer.text().contains("enforcement.webhook.url"), "{}", answer.text());
    let now = world.admin().get("/api/v1/enforcement").json();
    assert_eq!((&now["preset"], &now["policies"]), (&json!("balanced"), &json!([])));
    let said = refused_start(&json!({"enforcement": {"mode": "live", "preset": "vps-agent"}}));
    assert!(said.contains("enforcement.webhook.url"), "{said}");
}

/// What the server says where it does not start.
pub(crate) fn refused_start(config: &Value) -> String {
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("config.yaml");
    std::fs::write(&path, config.to_string()).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_onesec-under-test"));
    command.args(["up", "--listen", "127.0.0.1:0", "--data-dir"]).arg(dir.path().join("data"));
    let output = command.arg("--config").arg(&path).output().expect("it ends");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && !said.contains("listening"), "{said}");
    said
}

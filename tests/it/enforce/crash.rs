//! `kill -9` before an action is begun, in the middle of it, and before its receipt is written.

use std::collections::BTreeMap;
use std::time::Duration;

use onesec_e2e::world::{ANA, CALENDAR, EXCHANGE, GOOGLE, MAIL};
use onesec_e2e::{Receiver, Reply, World, eventually};
use serde_json::{Value, json};

use super::{Victim, lines, live, on_strays, program, receipt, send_from, statuses, strays};

/// How many attempts a lane makes at a time: what comes after waits, and is not begun.
const AT_ONCE: usize = 16;

fn many_strays(world: &World, count: usize) {
    let mut own = world.bound("mallory", &["events:write"]);
    let events: Vec<Value> = (0..count).map(|n| super::exchanged("mallory", &format!("user-{n}"))).collect();
    let answer = own.post("/api/v1/events", &Value::Array(events));
    assert_eq!(answer.status, 202, "{}", answer.text());
}

#[test]
fn messages_arrive_at_least_once_and_are_recognised() {
    let receiver = Receiver::start(&[Reply::Hang]);
    let mut world = live(Some(&receiver), &on_strays(&json!(["webhook"]))).start();
    many_strays(&world, AT_ONCE + 4);
    // Those have arrived, and there is no receipt; four are not begun.
    let before = receiver.at_least(AT_ONCE);
    assert_eq!(before.len(), AT_ONCE);
    receiver.replies(&[Reply::Status(204)]);
    world.killed();
    let receipts = world.settled("action=webhook", AT_ONCE + 4);
    assert_eq!(statuses(&receipts), vec!["succeeded"; AT_ONCE + 4]);
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for message in receiver.messages() {
        *times.entry(message.id().to_owned()).or_default() += 1;
    }
    let ids: BTreeMap<String, usize> = receipts
        .iter()
        .filter_map(|receipt| receipt["id"].as_str())
        .map(|id| (id.to_owned(), 1 + usize::from(before.iter().any(|message| message.id() == id))))
        .collect();
    assert_eq!(times, ids, "each again that was under way, under the same id, and each other once");
    world.killed();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(receiver.messages().len(), 2 * AT_ONCE + 4, "what is done is not done again");
    assert_eq!(world.receipts("action=webhook").len(), AT_ONCE + 4);
}

#[test]
fn programs_run_at_most_once_and_what_waited_behind_them_is_done() {
    let dir = tempfile::tempdir().expect("directory");
    let ran = dir.path().join("ran");
    let slow = program(dir.path(), &format!("echo \"$ONESEC_ACTION_ID\" >> {}; sleep 5", ran.display()));
    let stop = json!([{"suspend_agent": {"for": "1h"}}, "revoke_delegation", {"block_ip": {"for": "1h"}},
                      {"kill_process": {"grace": "1s"}}]);
    let policies = json!([
        {"name": "slow", "match": {"agents": ["mallory"], "min_severity": "CRITICAL"},
         "actions": [{"command": {"argv": [slow]}}], "max_per_minute": 100},
        {"name": "stop", "match": {"agents": ["helper"], "min_severity": "CRITICAL"}, "actions": stop},
    ]);
    let mut world = live(None, &policies).start();
    let (mut helper, token) = world.lent("helper");
    let mut process = Victim::start("sleep 300");
    process.belongs_to(&world, "helper");
    many_strays(&world, AT_ONCE + 2);
    eventually("as many programs run as may", || (lines(&ran).len() == AT_ONCE).then_some(()));
    let body = json!({"subject_token": token, "connection": GOOGLE, "scopes": [CALENDAR, MAIL]});
    // What the agent has had is its baseline; more is CRITICAL.
    assert_eq!(helper.exchange(GOOGLE, &token).status, 200);
    assert_eq!(send_from(&mut helper.http, ("198.51.100.9", EXCHANGE), &body).status, 403);
    assert_eq!(world.alert("scope-escalation")["severity"], "CRITICAL");
    assert_eq!(statuses(&world.receipts("")), vec!["executing"; AT_ONCE + 6]);
    assert!(process.is_alive(), "nothing was begun");
    world.killed();
    let commands = world.settled("action=command", AT_ONCE + 2);
    let expected = [vec!["failed"; AT_ONCE], vec!["succeeded"; 2]].concat();
    assert_eq!(statuses(&commands), expected);
    for receipt in commands.iter().filter(|receipt| receipt["status"] == "failed") {
        assert!(receipt["reason"].as_str().is_some_and(|why| why.contains("nobody knows")), "{receipt}");
    }
    let mut ran = lines(&ran);
    ran.sort();
    ran.dedup();
    assert_eq!(ran.len(), AT_ONCE + 2, "each has run once");
    for action in ["suspend_agent", "revoke_delegation", "block_ip", "kill_process"] {
        let receipt = receipt(&world, action);
        assert_eq!(receipt["status"], "verified", "{receipt}");
    }
    assert!(!process.is_alive());
    assert_eq!(world.receipts("").len(), AT_ONCE + 6, "nothing stands twice");
    assert_eq!(helper_may(&mut helper, &world, &token), 403);
    let active = world
        .listed(&format!("/api/v1/delegations?agent_id=helper&user_id={}", ANA.replace('|', "%7C")), "delegations");
    assert!(active.len() == 1 && active[0]["state"] == "ended", "{active:#?}");
}

fn helper_may(helper: &mut onesec_e2e::Agent, world: &World, token: &str) -> u16 {
    let key = world.key(&json!({"name": "again", "scopes": ["exchange"], "agent_id": helper.id}));
    helper.http = onesec_e2e::Http::new(world.process.url(), Some(&key));
    helper.exchange(GOOGLE, token).status
}

#[test]
fn a_process_that_was_being_ended_is_ended() {
    let mut world = live(None, &on_strays(&json!([{"kill_process": {"grace": "3s"}}]))).start();
    let mut process = Victim::start("trap '' TERM; while :; do sleep 1; done");
    process.belongs_to(&world, "mallory");
    strays(&world, "mallory", ANA);
    std::thread::sleep(Duration::from_millis(700));
    assert!(process.is_alive());
    world.killed();
    let receipt = receipt(&world, "kill_process");
    assert_eq!(receipt["status"], "verified", "{receipt}");
    assert!(!process.is_alive());
    let id = receipt["id"].as_str().expect("an id");
    let steps = world.listed(&format!("/api/v1/responses/{id}"), "steps");
    let interrupted = |step: &Value| step["receipt"]["reason"].as_str().is_some_and(|why| why.contains("interrupted"));
    assert!(steps.iter().any(interrupted), "the kill came in the middle: {steps:#?}");
}

/// The process is gone, `onesec run` has said so, and there is no receipt yet.
#[test]
fn what_was_done_before_the_receipt_is_seen_to_be_done() {
    let mut world = live(None, &on_strays(&json!([{"kill_process": {"grace": "60s"}}, "revoke_delegation"]))).start();
    let mut process = Victim::start("trap '' TERM; while :; do sleep 1; done");
    process.belongs_to(&world, "mallory");
    strays(&world, "mallory", ANA);
    std::thread::sleep(Duration::from_millis(700));
    let pid = process.id();
    let gone = world.admin().call("DELETE", &format!("/api/v1/agents/mallory/processes/{pid}"), &Value::Null);
    assert_eq!((gone.status, process.is_alive()), (200, true));
    world.process.kill();
    drop(process);
    world.killed();
    let receipt = receipt(&world, "kill_process");
    assert_eq!(receipt["status"], "verified", "{receipt}");
}

#[test]
fn a_stop_in_order_loses_nothing_either() {
    let receiver = Receiver::start(&[Reply::Hang]);
    let mut world = live(Some(&receiver), &on_strays(&json!(["webhook", {"suspend_agent": {"for": "1h"}}]))).start();
    strays(&world, "mallory", ANA);
    assert_eq!(receiver.at_least(1).len(), 1);
    receiver.replies(&[Reply::Status(204)]);
    world.restart();
    assert_eq!(receipt(&world, "webhook")["status"], "succeeded");
    assert_eq!(receipt(&world, "suspend_agent")["status"], "verified");
    let messages = receiver.messages();
    assert_eq!((messages.len(), messages[0].id()), (2, messages[1].id()));
}

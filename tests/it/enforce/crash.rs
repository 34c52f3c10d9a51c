//! `kill -9` before an action is begun, in the middle of it, and before its receipt is written.

use std::collections::BTreeMap;
use std::time::Duration;

use onesec_e2e::world::{ANA, CALENDAR, EXCHANGE, GOOGLE, MAIL};
use onesec_e2e::{Http, Receiver, Reply, World, eventually};
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
fn programs_run_at_most_once() {
    let dir = tempfile::tempdir().expect("directory");
    let ran = dir.path().join("ran");
    let slow = program(dir.path(), &format!("echo \"$ONESEC_ACTION_ID\" >> {}; sleep 5", ran.display()));
    let actions = json!([{"command": {"argv": [slow]}}, {"suspend_agent": {"for": "1h"}}]);
    let mut world = live(None, &on_strays(&actions)).start();
    many_strays(&world, AT_ONCE + 2);
    eventually("as many programs run as may", || (lines(&ran).len() == AT_ONCE).then_some(()));
    assert!(!world.settled("action=suspend_agent", 1).is_empty(), "programs keep nothing else waiting");
    world.killed();
    let commands = world.settled("action=command", AT_ONCE + 2);
    assert_eq!(statuses(&commands), [vec!["failed"; AT_ONCE], vec!["succeeded"; 2]].concat());
    for receipt in commands.iter().filter(|receipt| receipt["status"] == "failed") {
        assert!(receipt["reason"].as_str().is_some_and(|why| why.contains("nobody knows")), "{receipt}");
    }
    let mut ran = lines(&ran);
    ran.sort();
    ran.dedup();
    assert_eq!(ran.len(), AT_ONCE + 2, "each has run once");
    assert_eq!(world.receipts("action=command").len(), AT_ONCE + 2, "nothing stands twice");
}

/// Behind as many ends of processes as are made at a time, and each of those takes long.
#[test]
fn what_was_not_begun_is_done_once_the_server_is_up_again() {
    let stop = json!([{"suspend_agent": {"for": "1h"}}, "revoke_delegation", {"block_ip": {"for": "1h"}},
                      {"kill_process": {"grace": "1s"}}]);
    let policies = json!([
        {"name": "slow", "match": {"detectors": ["unauthorized-agent"], "min_severity": "CRITICAL"},
         "actions": [{"kill_process": {"grace": "60s"}}], "max_per_minute": 100},
        {"name": "stop", "match": {"detectors": ["scope-escalation"], "min_severity": "CRITICAL"}, "actions": stop},
    ]);
    let mut world = live(None, &policies).start();
    let (mut helper, token) = world.lent("helper");
    assert_eq!(helper.exchange(GOOGLE, &token).status, 200);
    let (stubborn, mut process) =
        (Victim::start("trap '' TERM; while :; do sleep 1; done"), Victim::start("sleep 300"));
    process.belongs_to(&world, "helper");
    for n in 0..AT_ONCE {
        let agent = format!("bot-{n}");
        stubborn.belongs_to(&world, &agent);
        strays(&world, &agent, ANA);
    }
    let body = json!({"subject_token": token, "connection": GOOGLE, "scopes": [CALENDAR, MAIL]});
    assert_eq!(send_from(&mut helper.http, ("198.51.100.9", EXCHANGE), &body).status, 403);
    assert_eq!(world.alert("scope-escalation")["severity"], "CRITICAL");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(statuses(&world.receipts("")), vec!["executing"; AT_ONCE + 4]);
    assert!(process.is_alive(), "nothing of it was begun");
    world.process.kill();
    drop(stubborn);
    world.killed();
    let receipts = world.settled("", AT_ONCE + 4);
    assert_eq!(statuses(&receipts), vec!["verified"; AT_ONCE + 4], "{receipts:#?}");
    assert!(!process.is_alive());
    let now = world.admin().get("/api/v1/enforcement").json();
    assert_eq!(
        (&now["restrained_agents"][0]["agent_id"], &now["blocked_addresses"][0]["address"]),
        (&json!("helper"), &json!("198.51.100.9"))
    );
    let delegations = world.listed("/api/v1/delegations?agent_id=helper", "delegations");
    assert!(delegations.len() == 1 && delegations[0]["state"] == "ended", "{delegations:#?}");
    let key = world.key(&json!({"name": "again", "scopes": ["exchange"], "agent_id": "helper"}));
    let mut again = onesec_e2e::Agent { id: "helper".to_owned(), http: Http::new(world.process.url(), Some(&key)) };
    assert_eq!(again.exchange(GOOGLE, &token).status, 403);
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

//! `onesec contain`: what is stopped, what is left alone, what is taken back.

use std::process::{Command, Output};

use onesec_e2e::world::{ANA, CALENDAR, EXCHANGE, GOOGLE};
use onesec_e2e::{Answer, Http, World, eventually};
use serde_json::{Value, json};

use super::{Victim, exchanged, live, send_from};

const HOME: &str = "198.51.100.23";

fn contain(world: &World, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onesec-under-test"));
    command.args(["--json", "contain"]).args(args);
    command.env("ONESEC_URL", world.process.url()).env("ONESEC_API_KEY", world.process.admin_key());
    command.output().expect("it ends")
}

/// The steps, each with what is known of it.
fn steps(output: &Output) -> Vec<(String, Value)> {
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let of = |step: &Value| (step["step"].as_str().unwrap_or_default().to_owned(), step["verified"].clone());
    said["steps"].as_array().expect("steps").iter().map(of).collect()
}

fn three(agent: &str, killed: Value, blocked: Value) -> Vec<(String, Value)> {
    let step = |name: &str| format!("agent {agent} {name}");
    vec![(step("suspended"), json!(true)), (step("killed"), killed), (step("blocked"), blocked)]
}

fn asks(http: &mut Http, address: &str, token: &str) -> Answer {
    send_from(http, (address, EXCHANGE), &json!({"subject_token": token, "connection": GOOGLE}))
}

fn blocked(world: &World) -> Vec<String> {
    let shown = world.admin().get("/api/v1/enforcement").json()["blocked_addresses"].clone();
    shown.as_array().into_iter().flatten().filter_map(|b| b["address"].as_str().map(str::to_owned)).collect()
}

/// The gateway has seen the agent at this address, and the index knows of it.
fn seen(world: &World, agent: &str, address: &str) {
    eventually("the exchange is indexed", || {
        let events = world.listed(&format!("/api/v1/events?agent_id={agent}&kind=token_exchange"), "events");
        events.iter().any(|event| event["network"] == address).then_some(())
    });
}

#[test]
fn an_agent_is_suspended_its_processes_end_its_address_is_refused_and_all_is_taken_back() {
    let world = live(None, &json!([])).start();
    let (mut helper, token) = world.lent("helper");
    assert_eq!(asks(&mut helper.http, HOME, &token).status, 200);
    seen(&world, "helper", HOME);
    // What others say of where it is, and its own telemetry, is nobody's address to block.
    let mut other = world.client(&["events:write"]);
    assert_eq!(send_from(&mut other, ("203.0.113.99", "/api/v1/events"), &exchanged("helper", ANA)).status, 202);
    let mut process = Victim::start("trap '' TERM; sleep 300 & wait");
    process.belongs_to(&world, "helper");
    let done = contain(&world, &["helper"]);
    assert_eq!((done.status.code(), steps(&done)), (Some(0), three("helper", json!(true), json!(true))), "{done:?}");
    assert!(!process.is_alive());
    assert_eq!(blocked(&world), [HOME]);
    assert_eq!(asks(&mut helper.http, "198.51.100.24", &token).status, 403, "suspended, wherever it is");
    world.delegate(ANA, "neighbour", GOOGLE, &[CALENDAR]);
    let mut neighbour = world.agent("neighbour");
    assert_eq!(asks(&mut neighbour.http, HOME, &token).status, 403, "the address, whoever it is");
    assert_eq!(asks(&mut neighbour.http, "198.51.100.25", &token).status, 200);
    // In the journal it is a person's doing.
    let of_person =
        |event: &Value| event["details"].get("BlockAddress").is_some() && event["sender"]["channel"] == "api";
    eventually("a record", || world.events("kind=command", 1).iter().any(of_person).then_some(()));
    let undone = contain(&world, &["helper", "--undo"]);
    let expected: Vec<(String, Value)> =
        ["active", "unblocked"].map(|step| (format!("agent helper {step}"), json!(true))).to_vec();
    assert_eq!((undone.status.code(), steps(&undone)), (Some(0), expected), "{undone:?}");
    assert_eq!(blocked(&world), [] as [String; 0]);
    assert_eq!(asks(&mut helper.http, HOME, &token).status, 200);
}

#[test]
fn what_must_not_be_blocked_is_not() {
    let policies = json!([{"name": "office", "match": {}, "actions": ["log"],
                           "never": {"networks": ["198.51.100.128/25"]}}]);
    let world = live(None, &policies).start();
    let (mut helper, token) = world.lent("helper");
    // From the trusted proxy itself, which is this machine's own.
    assert_eq!(helper.exchange(GOOGLE, &token).status, 200);
    seen(&world, "helper", "127.0.0.1");
    let nothing = three("helper", Value::Null, Value::Null);
    let done = contain(&world, &["helper"]);
    assert_eq!((done.status.code(), steps(&done)), (Some(0), nothing.clone()));
    assert_eq!(contain(&world, &["helper", "--undo"]).status.code(), Some(0));
    // Where a policy says that it is never to be blocked.
    assert_eq!(asks(&mut helper.http, "198.51.100.200", &token).status, 200);
    seen(&world, "helper", "198.51.100.200");
    assert_eq!(steps(&contain(&world, &["helper"])), nothing);
    assert_eq!(contain(&world, &["helper", "--undo"]).status.code(), Some(0));
    assert_eq!(asks(&mut helper.http, HOME, &token).status, 200);
    seen(&world, "helper", HOME);
    // Where the person calls from.
    let mut admin = world.admin();
    let done = send_from(&mut admin, (HOME, "/api/v1/agents/helper/contain"), &json!({}));
    assert_eq!(done.json()["steps"][2]["verified"], Value::Null, "{}", done.text());
    assert!(done.text().contains("calling from"));
    // Or where nobody wants it.
    let done = contain(&world, &["helper", "--no-block", "--no-kill"]);
    assert_eq!(steps(&done), [("agent helper suspended".to_owned(), json!(true))]);
    assert_eq!(blocked(&world), [] as [String; 0]);
    let refused = world.client(&["read", "events:trust"]).post("/api/v1/agents/helper/contain", &json!({}));
    assert_eq!(refused.status, 403);
    let refused = world.admin().post("/api/v1/agents/helper/contain", &json!({"kil": false}));
    assert_eq!(refused.status, 422);
}

/// Nobody is forgotten: neither who was merely registered nor who was merely seen.
#[test]
fn everybody_is_everybody() {
    let world = live(None, &json!([])).start();
    let (mut helper, token) = world.lent("helper");
    assert_eq!(asks(&mut helper.http, HOME, &token).status, 200);
    let registered = world.admin().call("PUT", "/api/v1/agents/quiet", &json!({"owner": "olga"}));
    assert_eq!(registered.status, 200, "{}", registered.text());
    world.delegate(ANA, "quiet", GOOGLE, &[CALENDAR]);
    seen(&world, "helper", HOME);
    let done = contain(&world, &["--all"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let suspended: Vec<String> =
        steps(&done).into_iter().filter(|(_, verified)| *verified == json!(true)).map(|(step, _)| step).collect();
    for agent in ["helper", "quiet"] {
        assert!(suspended.contains(&format!("agent {agent} suspended")), "{suspended:?}");
    }
    let mut quiet = world.agent("quiet");
    assert_eq!(asks(&mut quiet.http, "198.51.100.77", &token).status, 403);
    assert_eq!(contain(&world, &["--all", "--undo"]).status.code(), Some(0));
    assert_eq!(asks(&mut quiet.http, "198.51.100.77", &token).status, 200);
}

//! Exchanges that wait for a person, and what a yes is good for.

use onesec_e2e::world::{ANA, BEN, GOOGLE};
use onesec_e2e::{Answer, World};
use serde_json::{Value, json};

use super::live;

const READ: &str = "calendar.readonly";

/// Whoever nobody let act waits for a person.
fn holding() -> Value {
    json!([{"name": "hold", "match": {"detectors": ["unauthorized-agent"], "min_severity": "HIGH"}, "request": "hold"}])
}

#[track_caller]
fn held(answer: &Answer) -> String {
    let body = answer.json();
    assert_eq!((answer.status, body["error"].as_str()), (403, Some("interaction_required")), "{}", answer.text());
    body["approval_id"].as_str().expect("an approval").to_owned()
}

#[track_caller]
fn approve(world: &World, id: &str) {
    let path = format!("/api/v1/approvals/{id}");
    let mut ann = world.person("ann", &["read", "respond"]);
    let asked = ann.get(&path).json();
    let said = ann.post(&format!("{path}/approve"), &json!({"action_digest": asked["action_digest"]}));
    assert_eq!(said.status, 200, "{}", said.text());
}

#[test]
fn what_was_approved_passes_once_for_exactly_what_was_asked() {
    let mut world = live(None, &holding()).start();
    world.link(ANA, GOOGLE, READ);
    world.link(BEN, GOOGLE, READ);
    let (anas, bens) = (world.refresh(ANA), world.refresh(BEN));
    let mut agent = world.agent("helper");
    let id = held(&agent.exchange_for(GOOGLE, &anas, &[READ]));
    // Asking again is the same question.
    assert_eq!(held(&agent.exchange_for(GOOGLE, &anas, &[READ])), id);
    let shown = world.admin().get(&format!("/api/v1/approvals/{id}")).json();
    assert_eq!(shown["request"]["agent_user_connection"], json!(["helper", ANA, GOOGLE]), "{shown}");
    // Nobody has said anything: nothing passes, and a restart changes nothing about that.
    world.restart();
    let (mut agent, mut other) = (world.agent("helper"), world.agent("other"));
    assert_eq!(held(&agent.exchange_for(GOOGLE, &anas, &[READ])), id);
    approve(&world, &id);
    // Another agent, another user, other scopes: other questions.
    for answer in [
        other.exchange_for(GOOGLE, &anas, &[READ]),
        agent.exchange_for(GOOGLE, &bens, &[READ]),
        agent.exchange_for(GOOGLE, &anas, &[READ, "gmail.send"]),
        agent.exchange_with(GOOGLE, &anas, &json!({"scopes": [READ], "login_hint": "someone"})),
    ] {
        assert_ne!(answer.status, 200, "{}", answer.text());
    }
    world.restart();
    let mut agent = world.agent("helper");
    let passed = agent.exchange_for(GOOGLE, &anas, &[READ]);
    assert_eq!(passed.status, 200, "{}", passed.text());
    assert_ne!(held(&agent.exchange_for(GOOGLE, &anas, &[READ])), id, "once");
    let steps = world.admin().get(&format!("/api/v1/responses/{id}")).json();
    let states: Vec<&str> =
        steps["steps"].as_array().expect("steps").iter().filter_map(|s| s["status"].as_str()).collect();
    assert_eq!(states, ["pending_approval", "executing", "succeeded"]);
}

#[test]
fn a_yes_waves_nothing_through_that_came_after_it() {
    let world = live(None, &holding()).start();
    world.link(ANA, GOOGLE, READ);
    let (anas, mut agent) = (world.refresh(ANA), world.agent("helper"));
    let id = held(&agent.exchange_for(GOOGLE, &anas, &[READ]));
    approve(&world, &id);
    assert_eq!(world.admin().post("/api/v1/agents/helper/suspend", &json!({})).status, 200);
    let answer = agent.exchange_for(GOOGLE, &anas, &[READ]);
    assert_eq!((answer.status, answer.json()["error"].as_str()), (403, Some("access_denied")), "{}", answer.text());
    assert_eq!(world.admin().post("/api/v1/agents/helper/resume", &json!({})).status, 200);
    assert_eq!(agent.exchange_for(GOOGLE, &anas, &[READ]).status, 200, "it was not used up");
}

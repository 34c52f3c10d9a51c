//! What all tenants share: the machine, our signing key. Who administers one of them must not reach the others by it.

use serde_json::{Value, json};

use super::{ACME, Two};

#[test]
fn who_administers_one_tenant_runs_nothing_on_the_machine() {
    let two = Two::start();
    let mut admin = two.key(ACME, json!({"scopes": ["admin"], "owner": "olga"}));
    let marker = two.world.dir().join("ran");
    let program = json!({"name": "run", "match": {"detectors": ["unauthorized-agent"]},
        "actions": [{"command": {"argv": ["/usr/bin/touch", marker]}}]});
    let code = |answer: onesec_e2e::Answer| (answer.status, answer.json()["code"].as_str().map(str::to_owned));
    let operators_only = (403, Some("operators-only".to_owned()));
    assert_eq!(code(admin.post("/api/v1/enforcement/policies", &program)), operators_only);
    assert_eq!(code(admin.call("PUT", "/api/v1/enforcement/policies/run", &program)), operators_only);
    assert_eq!(code(admin.post("/api/v1/signing-keys/rotate", &json!({}))), operators_only);
    let process = json!({"pid": std::process::id(), "start_ticks": 1});
    assert_eq!(code(admin.post("/api/v1/agents/x/processes", &process)), operators_only);
    drop(two.side(ACME, "amber"));
    assert!(!marker.exists());
    // An operator may, in that tenant and for it.
    let made = two.operator(("POST", ACME), "/api/v1/enforcement/policies", &program);
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(two.operator(("GET", "default"), "/api/v1/enforcement/policies/run", &Value::Null).status, 404);
}

#[test]
fn a_single_tenant_is_administered_as_ever() {
    let world = crate::plan().live().start();
    let key = world.key(&json!({"name": "a", "scopes": ["admin"], "owner": "olga", "tenant": "default"}));
    let mut admin = world.nobody().with_key(&key);
    let program = json!({"name": "run", "match": {"detectors": ["unauthorized-agent"]},
        "actions": [{"command": {"argv": ["/usr/bin/true"]}}]});
    assert_eq!(admin.post("/api/v1/enforcement/policies", &program).status, 201);
    assert_eq!(admin.get("/metrics").status, 200);
}

#[test]
fn everything_is_contained_in_one_tenant_only() {
    let two = Two::start();
    let (mut blue, mut amber) = (two.side("default", "blue"), two.side(ACME, "amber"));
    let agent = amber.name("agent");
    let answer = amber.admin.post(&format!("/api/v1/agents/{agent}/contain"), &json!({}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(super::exchange(&mut amber.agent, &amber.token).status, 403);
    assert_eq!(super::exchange(&mut blue.agent, &blue.token).status, 200, "also where it comes from the same address");
}

#[test]
fn what_one_may_ask_for_is_bounded_and_the_other_notices_nothing() {
    let quotas = json!({"quotas": {"events_per_minute": 30, "exchanges_per_minute": 6}});
    let two = Two::with(|plan| plan, quotas);
    let (mut blue, mut amber) = (two.side("default", "blue"), two.side(ACME, "amber"));
    let answers: Vec<onesec_e2e::Answer> = (0..12).map(|_| super::exchange(&mut amber.agent, &amber.token)).collect();
    let last = answers.last().expect("asked");
    assert_eq!((last.status, last.json()["error"].as_str()), (429, Some("too_many_requests")), "{}", last.text());
    assert_eq!(last.json()["onesec_reason"], "quota");
    assert!(last.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok_and(|after| after <= 60)));
    assert_eq!(super::exchange(&mut blue.agent, &blue.token).status, 200);
    // Events: whatever is in a batch counts, also what is rejected.
    let event = |n: usize| json!({"type": "agent_goal", "details": {"agent_id": format!("a{n}"), "goal": "x"}});
    let batch: Vec<Value> = (0..100).map(event).collect();
    assert_eq!(amber.admin.post("/api/v1/events", &json!(batch)).status, 202);
    let refused = amber.admin.post("/api/v1/events", &event(1));
    assert_eq!((refused.status, refused.json()["code"].as_str()), (429, Some("quota")), "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    for _ in 0..3 {
        assert_eq!(blue.admin.post("/api/v1/events", &json!(batch)).status, 202);
    }
    // What a person decides has no quota.
    assert_eq!(amber.admin.post("/api/v1/agents/amber-agent/suspend", &json!({})).status, 200);
}

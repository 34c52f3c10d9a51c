//! How far agents reach, over HTTP: fan-out, probing, swapped subjects, shared tokens, decoys, ledgers that are complete.

use onesec_auth0_sim::AccountSpec;
use onesec_e2e::world::{ANA, BEN, CALENDAR, GITHUB, GOOGLE};
use onesec_e2e::{Answer, World};
use onesec_telemetry::Thumbprint;
use serde_json::{Value, json};

use crate::plan;

#[track_caller]
fn refused(answer: &Answer, reason: &str) {
    assert_eq!((answer.status, answer.json()["onesec_reason"].as_str()), (403, Some(reason)), "{}", answer.text());
}

fn for_task(task: &str) -> Value {
    json!({"scopes": [CALENDAR], "task_id": task})
}

/// Ana's and Ben's accounts, both lent to the same agent.
fn lent_by_two(world: &World, agent: &str) -> (onesec_e2e::world::Agent, String, String) {
    let (own, ana) = world.lent(agent);
    world.link(BEN, GOOGLE, CALENDAR);
    world.delegate(BEN, agent, GOOGLE, &[CALENDAR]);
    (own, ana, world.refresh(BEN))
}

#[test]
fn a_decoy_is_known_to_admins_and_to_nobody_else() {
    let world = plan().live().start();
    let (mut agent, ana, ben) = lent_by_two(&world, "helper");
    let (mut reader, mut sender) = (world.client(&["read"]), world.client(&["events:write", "respond"]));
    let decoy = json!({"what": "user", "value": BEN, "note": "nobody of that name"});
    for http in [&mut reader, &mut sender, &mut agent.http] {
        assert_eq!(http.get("/api/v1/canaries").status, 403);
        assert_eq!(http.post("/api/v1/canaries", &decoy).status, 403);
    }
    let made = world.admin().post("/api/v1/canaries", &decoy);
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(world.admin().post("/api/v1/canaries", &decoy).status, 409, "once is enough");
    assert_eq!(world.listed("/api/v1/canaries", "canaries")[0]["value"], BEN);

    assert_eq!(agent.exchange_with(GOOGLE, &ana, &json!({})).status, 200, "an honest user");
    let caught = agent.exchange_with(GOOGLE, &ben, &json!({}));
    refused(&caught, "unauthorized-agent");
    assert!(!caught.text().contains("decoy") && caught.json()["alert_id"].is_null(), "{}", caught.text());
    let alert = world.alert("canary");
    assert_eq!((&alert["severity"], &alert["agent_id"]), (&json!("CRITICAL"), &json!("helper")));
    assert_eq!(alert["evidence"].as_array().map(Vec::len), Some(1), "admins see what proves it");
    assert!(!alert.to_string().contains(BEN), "and the alert names nobody but the agent: {alert}");

    let shown = reader.get("/api/v1/alerts?detector=canary").json()["alerts"][0].clone();
    assert_eq!(
        (&shown["agent_id"], &shown["evidence"], &shown["user_id"]),
        (&json!("helper"), &json!([]), &Value::Null)
    );
    let one = reader.get(&format!("/api/v1/alerts/{}", alert["id"].as_str().expect("id"))).json();
    assert_eq!(one["evidence"], json!([]));
    for path in ["/api/v1/events?kind=command&limit=1000", "/api/v1/events?kind=decided&limit=1000"] {
        let said = reader.get(path).text().to_owned();
        assert!(!said.contains("Canary") && !said.contains("canary"), "{path}: {said}");
    }
    assert!(world.events("kind=command", 1).iter().any(|event| event["details"]["AddCanary"]["value"] == BEN));
    // Nor is it found by asking.
    let path = format!("/api/v1/users/auth0%7Cben/can?agent_id=helper&connection={GOOGLE}&scopes={CALENDAR}");
    let can = reader.get(&path);
    assert!(can.status == 200 && !can.text().contains("canary") && !can.text().contains("decoy"), "{}", can.text());

    let until = "2030-01-01T00:00:00Z";
    let waived = json!({"detector": "canary", "agent_id": "helper", "reason": "please", "expires_at": until});
    assert_eq!(world.admin().post("/api/v1/exceptions", &waived).status, 422, "never waivable");
    let path = format!("/api/v1/canaries/{}", made.json()["id"].as_str().expect("id"));
    assert_eq!(sender.call("DELETE", &path, &json!({})).status, 403);
    assert_eq!(world.admin().call("DELETE", &path, &json!({})).status, 200);
    assert_eq!(world.admin().call("DELETE", &path, &json!({})).status, 404);
    assert_eq!(agent.exchange_with(GOOGLE, &ben, &json!({})).status, 200, "a user like any other");
}

#[test]
fn decoys_outlive_a_crash() {
    let mut world = plan().live().start();
    let (mut agent, _, ben) = lent_by_two(&world, "helper");
    let decoy = json!({"what": "client", "value": "helper"});
    assert_eq!(world.admin().post("/api/v1/canaries", &decoy).status, 201);
    world.killed();
    agent = onesec_e2e::world::Agent { http: world.bound("helper", &["exchange"]), ..agent };
    refused(&agent.exchange_with(GOOGLE, &ben, &json!({})), "unauthorized-agent");
    assert_eq!(world.alert("canary")["severity"], "CRITICAL");
}

#[test]
fn an_account_that_nobody_linked_is_refused_once_the_ledger_is_complete() {
    let world = plan().live().start();
    world.sim.connect_account(AccountSpec::new(ANA, GOOGLE, CALENDAR)).expect("connected at the tenant only");
    world.delegate(ANA, "helper", GOOGLE, &[CALENDAR]);
    let (mut agent, token) = (world.agent("helper"), world.refresh(ANA));
    let mut ask = || agent.exchange_for(GOOGLE, &token, &[CALENDAR]);
    assert_eq!(ask().status, 200, "a delegation may wait for a link that nobody reported");
    let path = format!("/api/v1/connections/{GOOGLE}/complete");
    assert_eq!(world.client(&["respond", "read"]).post(&path, &json!({})).status, 403);
    let marked = world.admin().post(&path, &json!({}));
    assert_eq!((marked.status, &marked.json()["ledger_complete"]), (200, &json!(true)), "{}", marked.text());
    refused(&ask(), "unlinked-exchange");
    let alert = world.alert("unlinked-exchange");
    assert_eq!((&alert["severity"], &alert["user_id"]), (&json!("HIGH"), &json!(ANA)));
    assert!(world.events("kind=command", 1).iter().any(|e| e["details"]["SetLedgerComplete"]["connection"] == GOOGLE));
    assert_eq!(world.admin().call("DELETE", &path, &json!({})).status, 200);
    assert_eq!(ask().status, 200);
    assert_eq!(world.admin().post(&path, &json!({})).status, 200);
    refused(&ask(), "unlinked-exchange");
    world.report("connected_account_link", &json!({"user_id": ANA, "connection": GOOGLE, "scopes": CALENDAR}));
    assert_eq!(ask().status, 200, "the link was imported");
}

#[test]
fn a_ledger_is_complete_by_configuration() {
    let vault = json!({"ledger_complete": [GITHUB], "exclusive": "off"});
    let mut world = plan().live().with("token_vault", vault).start();
    world.sim.connect_account(AccountSpec::new(ANA, GOOGLE, CALENDAR)).expect("connected");
    world.delegate(ANA, "helper", GOOGLE, &[CALENDAR]);
    let (mut agent, token) = (world.agent("helper"), world.refresh(ANA));
    assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 200, "another connection's");
    world.reload("/token_vault/ledger_complete", json!("on"));
    refused(&agent.exchange_for(GOOGLE, &token, &[CALENDAR]), "unlinked-exchange");
}

#[test]
fn one_task_is_for_one_user() {
    let world = plan().live().start();
    let (mut agent, ana, ben) = lent_by_two(&world, "helper");
    assert_eq!(agent.exchange_with(GOOGLE, &ana, &for_task("t-1")).status, 200);
    refused(&agent.exchange_with(GOOGLE, &ben, &for_task("t-1")), "confused-deputy");
    assert_eq!(world.alert("confused-deputy")["attributes"]["mismatch"], "task");
    assert_eq!(agent.exchange_with(GOOGLE, &ben, &for_task("t-2")).status, 200, "a task of its own");
    // Somebody with authority says that this one is for several; that the agent says so is nothing.
    let mut own = world.bound("helper", &["events:write"]);
    own.post("/api/v1/events", &json!({"type": "task_start", "details": {"task_id": "t-3", "agent_id": "helper"}}));
    assert_eq!(agent.exchange_with(GOOGLE, &ana, &for_task("t-3")).status, 200);
    refused(&agent.exchange_with(GOOGLE, &ben, &for_task("t-3")), "confused-deputy");
    world.report("task_start", &json!({"task_id": "t-4", "agent_id": "helper"}));
    assert_eq!(agent.exchange_with(GOOGLE, &ana, &for_task("t-4")).status, 200);
    assert_eq!(
        agent.exchange_with(GOOGLE, &ben, &for_task("t-4")).status,
        200,
        "{}",
        world.alerts("confused-deputy").len()
    );
}

#[test]
fn a_hundred_failed_exchanges() {
    let mut world = plan().live().start();
    let (mut agent, _) = world.lent("helper");
    for round in 0..6 {
        assert_ne!(agent.exchange(GOOGLE, &format!("v1.not-a-token-{round}")).status, 200);
    }
    assert!(world.alerts("exchange-probing").is_empty(), "six are few");
    world.killed();
    agent = world.agent("helper");
    for round in 6..100 {
        assert_ne!(agent.exchange(GOOGLE, &format!("v1.not-a-token-{round}")).status, 200);
    }
    let alert = world.alert("exchange-probing");
    assert_eq!((&alert["severity"], &alert["agent_id"]), (&json!("MEDIUM"), &json!("helper")));
    assert!(alert["occurrences"].as_u64().is_some_and(|count| count >= 85), "{alert}");
}

#[test]
fn a_success_after_many_failures_is_not_released() {
    let world = plan().live().start();
    let (mut agent, token) = world.lent("helper");
    for round in 0..12 {
        assert_ne!(agent.exchange(GOOGLE, &format!("v1.not-a-token-{round}")).status, 200);
    }
    // What it gets in the end it was never given before, and did not try: that is what it was after.
    let got = agent.exchange_for(GOOGLE, &token, &[CALENDAR]);
    assert_eq!((got.status, got.json()["issued_not_released"].as_bool()), (403, Some(true)), "{}", got.text());
    assert_eq!(got.json()["onesec_reason"], "exchange-probing");
    assert_eq!(world.alert("exchange-probing")["severity"], "CRITICAL");
}

#[test]
fn an_honest_agent_that_stumbles_is_left_alone() {
    let world = plan().live().start();
    let (mut agent, token) = world.lent("helper");
    for round in 0..9 {
        assert_ne!(agent.exchange(GOOGLE, &format!("v1.not-a-token-{round}")).status, 200);
    }
    assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 200);
    assert!(world.alerts("exchange-probing").is_empty());
}

#[test]
fn a_token_in_the_hands_of_another_agent() {
    let world = plan().with("token_vault", json!({"exclusive": [GOOGLE]})).start();
    let (mut agent, token) = world.lent("helper");
    world.delegate(ANA, "other", GOOGLE, &[CALENDAR]);
    let issued = agent.exchange_for(GOOGLE, &token, &[CALENDAR]).json();
    let thumbprint = Thumbprint::of(issued["access_token"].as_str().expect("a token").as_bytes()).to_string();
    let used = |agent: &str, thumbprint: &str| {
        let mut http = world.bound(agent, &["events:write"]);
        let details = json!({"user_id": ANA, "connection": GOOGLE, "token_thumbprint": thumbprint});
        http.post("/api/v1/events", &json!({"type": "connected_account_usage", "details": details}));
    };
    used("helper", &thumbprint);
    assert!(world.alerts("token-sharing").is_empty(), "its own");
    used("other", &thumbprint);
    let alert = world.alert("token-sharing");
    assert_eq!((&alert["severity"], &alert["agent_id"]), (&json!("HIGH"), &json!("other")));
    used("helper", &Thumbprint::of(b"never issued").to_string());
    let alerts = world.alerts("token-sharing");
    let unknown = alerts.iter().find(|alert| alert["agent_id"] == "helper").expect("never issued");
    assert_eq!((&unknown["severity"], &unknown["attributes"]["issued_to"]), (&json!("HIGH"), &json!("unknown")));
}

#[test]
fn an_agent_without_a_cache_waits_in_strict_mode_only() {
    let world = plan().live().start();
    let (mut agent, token) = world.lent("helper");
    for _ in 0..7 {
        assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 200);
    }
    assert_eq!(world.alert("refresh-storm")["severity"], "LOW");
    world.preset("strict");
    let waits = agent.exchange_for(GOOGLE, &token, &[CALENDAR]);
    assert_eq!((waits.status, &waits.json()["onesec_reason"]), (429, &json!("refresh-storm")), "{}", waits.text());
    assert!(waits.header("retry-after").is_some());
}

#[test]
fn reports_by_strangers_make_nobody_wait_or_fail() {
    let world = plan().live().start();
    world.preset("strict");
    let (mut agent, token) = world.lent("helper");
    let mut stranger = world.client(&["events:write"]);
    let event = |kind: &str, details: &Value| json!({"type": kind, "details": details});
    let mut made_up = Vec::new();
    for i in 0..30 {
        let user = format!("auth0|user-{i}");
        let mut ask = json!({"agent_id": "helper", "user_id": user, "connection": format!("c-{i}"), "task_id": "t-1"});
        made_up.push(event("token_exchange", &ask));
        (ask["success"], ask["user_id"]) = (json!(i % 2 == 0), json!(ANA));
        (ask["connection"], ask["expires_in"]) = (json!(GOOGLE), json!(86_400));
        made_up.push(event("token_exchange_response", &ask));
    }
    assert_eq!(stranger.post("/api/v1/events", &json!(made_up)).status, 202);
    let codes = world.alerted();
    assert!(codes.iter().any(|code| code == "user-fan-out"), "it is seen: {codes:?}");
    let asked = agent.exchange_with(GOOGLE, &token, &for_task("t-1"));
    assert_eq!(asked.status, 200, "{}", asked.text());
}

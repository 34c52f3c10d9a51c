//! Dry run, live, other policies: what changes when they change.

use std::time::Duration;

use onesec_e2e::world::{ANA, CALENDAR, GOOGLE, MAIL};
use onesec_e2e::{Receiver, Reply, eventually};
use serde_json::{Value, json};

use super::preset::refused_start;
use super::{Victim, exchanged, hook, live, on_strays, program, statuses, strays};
use crate::plan;

#[test]
fn dry_run_does_nothing_outside() {
    let dir = tempfile::tempdir().expect("directory");
    let ran = dir.path().join("ran");
    let page = program(dir.path(), &format!("echo ran >> {}", ran.display()));
    let receiver = Receiver::start(&[Reply::Status(204)]);
    let actions = json!(["webhook", "log", {"command": {"argv": [page]}}, {"kill_process": {"grace": "1s"}},
                         {"suspend_agent": {"for": "1h"}}, {"rate_limit_agent": {"limit": 1}}, {"block_ip": {"for": "1h"}},
                         "revoke_delegation"]);
    let mut world = live(Some(&receiver), &on_strays(&actions)).with("enforcement", json!({"mode": "dry_run"})).start();
    let mut process = Victim::start("sleep 300");
    process.belongs_to(&world, "mallory");
    strays(&world, "mallory", ANA);
    assert_eq!(statuses(&world.settled("", 8)), ["dry_run"; 8]);
    world.restart();
    std::thread::sleep(Duration::from_secs(1));
    let now = world.admin().get("/api/v1/enforcement").json();
    assert_eq!((&now["restrained_agents"], &now["blocked_addresses"]), (&json!([]), &json!([])));
    assert!(process.is_alive() && !ran.exists() && receiver.messages().is_empty());
    assert!(world.process.log().iter().all(|line| !line.contains("Agent without delegation")), "nor in the log");
    assert_eq!(statuses(&world.receipts("")), ["dry_run"; 8]);
    // What live mode would do is not held back by what dry run did not.
    world.mode("live");
    strays(&world, "mallory", "auth0|ben");
    eventually("it ran", || ran.exists().then_some(()));
    assert_eq!(receiver.at_least(1).len(), 1);
}

#[test]
fn from_live_to_dry_run_is_an_alert_and_ends_what_waits() {
    let receiver = Receiver::start(&[Reply::Hang]);
    let world = live(Some(&receiver), &on_strays(&json!(["webhook"]))).start();
    let mut own = world.bound("mallory", &["events:write"]);
    let events: Vec<Value> = (0..20).map(|n| exchanged("mallory", &format!("user-{n}"))).collect();
    assert_eq!(own.post("/api/v1/events", &Value::Array(events)).status, 202);
    assert_eq!(receiver.at_least(16).len(), 16);
    world.mode("dry_run");
    let alert = world.alert("enforcement-off");
    assert_eq!((&alert["severity"], &alert["status"]), (&json!("HIGH"), &json!("open")));
    let receipts = world.settled("", 20);
    assert_eq!(statuses(&receipts), ["skipped"; 20]);
    assert!(receipts.iter().all(|receipt| receipt["reason"].as_str().is_some_and(|why| why.contains("dry run"))));
    assert_eq!(receiver.messages().len(), 16, "nothing more went out");
    world.mode("live");
    world.mode("dry_run");
    assert_eq!(world.alert("enforcement-off")["occurrences"], 2);
}

#[test]
fn a_reload_to_dry_run_is_an_alert_too() {
    let mut world = live(None, &on_strays(&json!(["log"]))).start();
    let said = world.reload("/enforcement/mode", json!("dry_run"));
    assert!(said.contains("reloaded"), "{said}");
    assert_eq!(world.alert("enforcement-off")["severity"], "HIGH");
    assert_eq!(world.admin().get("/api/v1/enforcement").json()["mode"], "dry_run");
}

/// Everything that could not run, and a word of the reason.
fn broken(private: &Value) -> Vec<(Value, &'static str)> {
    let policy = |actions: Value| json!([{"name": "p", "match": {}, "actions": actions}]);
    let of =
        |detectors: Value, request: &str| json!([{"name": "p", "match": {"detectors": detectors}, "request": request}]);
    vec![
        (policy(json!(["web_hook"])), "webhook"),
        (policy(json!(["webhook"])), "enforcement.webhook.url"),
        (policy(json!([private])), "allow_private"),
        (policy(json!([{"webhook": {"url": "http://example.test/x"}}])), "https"),
        (policy(json!([{"webhook": {"url": "https://example.test/x", "secret": "whsec_!"}}])), "base64"),
        (policy(json!([{"command": {"argv": ["/nowhere/to/be/found"]}}])), "cannot be found"),
        (policy(json!([{"command": {"argv": ["relative"]}}])), "absolute"),
        (policy(json!(["x_somebody_elses"])), "nothing here"),
        (policy(json!([{"block_ip": {"for": "0s"}}])), "longer than nothing"),
        (policy(json!([])), "does nothing"),
        (of(json!(["unauthorised-agent"]), "deny"), "did you mean `unauthorized-agent`"),
        (of(json!(["revoked-access"]), "allow"), "nobody can"),
        (json!([{"name": "p", "match": {}, "actions": ["log"], "colour": 1}]), "colour"),
        (json!({"name": "p"}), "list"),
    ]
}

#[test]
fn what_cannot_run_is_refused_and_the_last_good_set_stays() {
    let receiver = Receiver::start(&[Reply::Status(204)]);
    let private = json!({"webhook": {"url": receiver.url("/private-path"), "secret": super::secret()}});
    let mut world = live(None, &on_strays(&json!(["log"]))).start();
    let before = world.admin().get("/api/v1/enforcement").json();
    for (policies, why) in broken(&private) {
        let said = world.reload("/enforcement/policies", policies.clone());
        assert!(said.contains("cannot be used") && said.contains(why), "{policies}: {said}");
        assert!(
            !said.contains("private-path") && !said.contains(super::secret().trim_start_matches("whsec_")),
            "{said}"
        );
        assert_eq!(world.admin().get("/api/v1/enforcement").json(), before, "{policies}");
    }
    strays(&world, "mallory", ANA);
    assert_eq!(statuses(&world.settled("", 1)), ["succeeded"], "the good set is at work");
    for (policies, why) in broken(&private) {
        let said = refused_start(&json!({"enforcement": {"policies": policies}}));
        assert!(said.contains(why), "{policies}: {said}");
    }
    let good = json!([{"name": "other", "match": {}, "actions": ["log"]}]);
    assert!(world.reload("/enforcement/policies", good).contains("reloaded"));
    assert_eq!(world.admin().get("/api/v1/enforcement").json()["policies"][0]["name"], "other");
}

#[test]
fn a_policy_changes_verdicts_but_not_those_that_nobody_can() {
    let policies = |request: &str| json!([{"name": "verdict", "match": {"min_severity": "LOW"}, "request": request}]);
    let mut world = live(None, &policies("allow")).start();
    let (mut helper, token) = world.lent("helper");
    let wide = [CALENDAR, MAIL];
    assert_eq!(helper.exchange_for(GOOGLE, &token, &wide).status, 200, "waved through");
    assert!(world.reload("/enforcement/policies", policies("deny")).contains("reloaded"));
    let refused = helper.exchange_for(GOOGLE, &token, &wide);
    assert_eq!((refused.status, refused.json()["onesec_reason"].as_str()), (403, Some("scope-escalation")));
    assert!(world.reload("/enforcement/policies", policies("hold")).contains("reloaded"));
    assert_ne!(helper.exchange_for(GOOGLE, &token, &wide).status, 200);
    let decided = world.events("kind=decided", 3);
    assert_eq!(decided[0]["details"]["decision"], "hold", "{}", decided[0]);
    assert!(world.reload("/enforcement/policies", policies("allow")).contains("reloaded"));
    assert_eq!(world.agent("mallory").exchange(GOOGLE, &token).status, 200, "nobody lets it, but the policy does");
    world.unlink(ANA, GOOGLE);
    let refused = helper.exchange_for(GOOGLE, &token, &[CALENDAR]);
    assert_eq!((refused.status, refused.json()["onesec_reason"].as_str()), (403, Some("revoked-access")));
}

#[test]
fn a_webhook_is_known_after_a_reload() {
    let (first, second) = (Receiver::start(&[Reply::Status(204)]), Receiver::start(&[Reply::Status(204)]));
    let mut world = plan()
        .live()
        .with("enforcement", json!({"webhook": hook(&first), "policies": on_strays(&json!(["webhook"]))}))
        .start();
    strays(&world, "mallory", ANA);
    assert_eq!(first.at_least(1).len(), 1);
    assert!(world.reload("/enforcement/webhook", hook(&second)).contains("reloaded"));
    strays(&world, "oscar", ANA);
    assert_eq!((second.at_least(1).len(), first.messages().len()), (1, 1));
}

#[test]
fn what_policies_would_do_can_be_asked_and_does_nothing() {
    let world = live(None, &on_strays(&json!(["log", {"suspend_agent": {"for": "1h"}}, "block_ip"]))).start();
    let mut reader = world.client(&["read"]);
    let mut ask = |alert: Value, address: Value| {
        let answer = reader.post("/api/v1/enforcement/test", &json!({"alert": alert, "address": address}));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let would = answer.json()["would"].clone();
        let would = would.as_array().expect("a list").iter();
        would.map(|w| w["status"].as_str().expect("a status").to_owned()).collect::<Vec<_>>()
    };
    let alert = |severity: &str, attribution: &str| json!({"detector": "unauthorized-agent", "severity": severity, "agent_id": "x", "attribution": attribution});
    let here = json!("192.0.2.9");
    assert_eq!(ask(alert("CRITICAL", "observed"), here.clone()), ["executing"; 3]);
    assert_eq!(ask(alert("CRITICAL", "observed"), Value::Null), ["executing", "executing", "skipped"]);
    assert_eq!(ask(alert("CRITICAL", "reported"), here.clone()), ["executing", "pending_approval", "pending_approval"]);
    assert!(ask(alert("HIGH", "observed"), here).is_empty());
    assert_eq!(world.client(&["read"]).post("/api/v1/enforcement/test", &json!({"alert": {}})).status, 422);
    assert!(world.listed("/api/v1/responses", "responses").is_empty(), "nothing was done");
    assert!(world.listed("/api/v1/approvals", "approvals").is_empty());
}

/// By the API a mode alone will do; whoever says what was seen goes live for that and for nothing else.
#[test]
fn going_live_for_what_was_seen() {
    let strict = on_strays(&json!(["suspend_agent"]));
    let world = live(None, &strict).with("enforcement", json!({"mode": "dry_run"})).start();
    let mut admin = world.admin();
    let mut put = |body: Value| admin.call("PUT", "/api/v1/enforcement/mode", &body);
    strays(&world, "mallory", ANA);
    assert_eq!(world.settled("", 1).len(), 1);
    let seen = world.admin().get("/api/v1/enforcement/would").json()["digest"].clone();
    strays(&world, "oscar", ANA);
    assert_eq!(world.settled("", 2).len(), 2);
    let stale = put(json!({"mode": "live", "confirm": seen}));
    assert_eq!((stale.status, &stale.json()["code"]), (409, &json!("other-digest")), "{}", stale.text());
    assert_eq!(world.admin().get("/api/v1/enforcement").json()["mode"], "dry_run");
    let now = world.admin().get("/api/v1/enforcement/would?days=3").json()["digest"].clone();
    for wrong in [
        json!({"mode": "live", "confirm": "yes"}),
        json!({"mode": "live", "confirm": now, "days": 0}),
        json!({"mode": "dry_run", "confirm": now}),
        json!({"mode": "live", "confrim": now}),
    ] {
        assert_eq!(put(wrong.clone()).status, 422, "{wrong}");
    }
    assert_eq!(put(json!({"mode": "live", "confirm": now, "days": 3})).json()["mode"], "live");
    assert_eq!(put(json!({"mode": "dry_run"})).json()["mode"], "dry_run");
    assert_eq!(put(json!({"mode": "live"})).json()["mode"], "live");
}

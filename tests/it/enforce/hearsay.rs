//! What others merely say of an agent stops nobody: a person is asked.

use onesec_e2e::world::{ANA, CALENDAR, GOOGLE, MAIL};
use onesec_e2e::{Receiver, Reply, World};
use serde_json::{Value, json};

use super::{Victim, exchanged, live, on_strays, statuses, strays};

fn by_action<'a>(receipts: &'a [Value], action: &str) -> Vec<&'a str> {
    let own = receipts.iter().filter(|receipt| receipt["action"] == action);
    own.filter_map(|receipt| receipt["status"].as_str()).collect()
}

fn restrained(world: &World) -> usize {
    let now = world.admin().get("/api/v1/enforcement").json();
    now["restrained_agents"].as_array().map_or(0, Vec::len) + now["blocked_addresses"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_stranger_s_word_asks_and_the_agent_s_own_acts() {
    let receiver = Receiver::start(&[Reply::Status(204)]);
    let actions = json!(["webhook", {"suspend_agent": {"for": "1h"}}, {"kill_process": {"grace": "1s"}},
                         {"block_ip": {"for": "1h"}}, "revoke_delegation"]);
    let world = live(Some(&receiver), &on_strays(&actions)).start();
    let mut process = Victim::start("sleep 300");
    process.belongs_to(&world, "mallory");
    for _ in 0..5 {
        let mut stranger = world.client(&["events:write"]);
        let answer = super::send_from(&mut stranger, ("198.51.100.8", "/api/v1/events"), &exchanged("mallory", ANA));
        assert_eq!(answer.status, 202);
    }
    let alert = world.alert("unauthorized-agent");
    assert_eq!((&alert["severity"], &alert["attribution"]), (&json!("CRITICAL"), &json!("reported")));
    let receipts = world.settled("", 5);
    assert_eq!(by_action(&receipts, "webhook"), ["succeeded"], "a message harms nobody");
    for action in ["suspend_agent", "kill_process", "revoke_delegation"] {
        assert_eq!(by_action(&receipts, action), ["pending_approval"], "{action}");
    }
    assert_eq!(by_action(&receipts, "block_ip"), ["skipped"], "the stranger's own address is not the agent's");
    assert!(process.is_alive());
    assert_eq!((restrained(&world), world.listed("/api/v1/approvals", "approvals").len()), (0, 3));
    // Now it is the agent's own word.
    strays(&world, "mallory", ANA);
    let acted = onesec_e2e::eventually("everything is done", || {
        let receipts = world.receipts("");
        (statuses(&receipts).iter().filter(|status| **status == "verified").count() >= 3).then_some(receipts)
    });
    for action in ["suspend_agent", "kill_process", "block_ip"] {
        assert!(by_action(&acted, action).contains(&"verified"), "{action}: {acted:#?}");
    }
    assert!(!process.is_alive());
    assert_eq!(restrained(&world), 2);
}

/// Something mild was seen; that it is worse is only said.
#[test]
fn a_word_on_top_of_what_was_seen_is_a_word() {
    let policy = json!([{"name": "worst", "match": {"detectors": ["scope-escalation"], "min_severity": "CRITICAL"},
                         "actions": [{"suspend_agent": {"for": "1h"}}]}]);
    let world = live(None, &policy).start();
    let admin = "https://www.googleapis.com/auth/admin.directory.user";
    world.link(ANA, GOOGLE, MAIL);
    world.delegate(ANA, "helper", GOOGLE, &[MAIL]);
    let (mut helper, token) = (world.agent("helper"), world.refresh(ANA));
    assert_eq!(helper.exchange_for(GOOGLE, &token, &[MAIL, CALENDAR]).status, 403);
    let seen = world.alert("scope-escalation");
    assert_eq!((&seen["severity"], &seen["attribution"]), (&json!("HIGH"), &json!("observed")));
    let details =
        json!({"agent_id": "helper", "user_id": ANA, "connection": GOOGLE, "scopes": format!("{MAIL} {admin}")});
    let said = json!({"type": "token_exchange", "details": details});
    assert_eq!(world.client(&["events:write"]).post("/api/v1/events", &said).status, 202);
    let now = world.alert("scope-escalation");
    assert_eq!((&now["id"], &now["severity"]), (&seen["id"], &json!("CRITICAL")));
    assert_eq!(statuses(&world.settled("", 1)), ["pending_approval"]);
    assert_eq!(restrained(&world), 0);
    assert_eq!(helper.exchange_for(GOOGLE, &token, &[MAIL, admin]).status, 403);
    onesec_e2e::eventually("it was seen", || world.receipts("status=verified").pop());
    assert_eq!(restrained(&world), 1);
}

/// A key that is bound to one agent and speaks of another is a stranger to it.
#[test]
fn one_agent_s_word_about_another_stops_nobody() {
    let actions = json!([{"suspend_agent": {"for": "1h"}}, {"block_ip": {"for": "1h"}}, "revoke_delegation"]);
    let policies =
        json!([{"name": "all", "match": {"min_severity": "LOW"}, "actions": actions, "max_per_minute": 100}]);
    let world = live(None, &policies).start();
    let (mut victim, token) = world.lent("victim");
    let mut mallory = world.bound("mallory", &["events:write"]);
    for n in 0..20 {
        let said = super::exchanged("victim", &format!("user-{n}"));
        super::send_from(&mut mallory, ("198.51.100.8", "/api/v1/events"), &said);
        super::send_from(&mut mallory, ("198.51.100.8", "/api/v1/decide"), &said);
    }
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(victim.exchange(GOOGLE, &token).status, 200, "{:#?}", world.receipts(""));
    let now = world.admin().get("/api/v1/enforcement").json();
    let held = now["restrained_agents"].as_array().expect("a list");
    assert!(held.iter().all(|held| held["agent_id"] != "victim"), "{held:#?}");
}

/// Without an end of its own it lasts until a person ends it, in every mode.
#[test]
fn a_suspension_lasts_until_a_person_ends_it() {
    let mut world = live(None, &on_strays(&json!(["suspend_agent"]))).start();
    let (mut helper, token) = world.lent("helper");
    strays(&world, "helper", "auth0|somebody");
    assert_eq!(super::receipt(&world, "suspend_agent")["status"], "verified");
    assert_eq!(helper.exchange(GOOGLE, &token).status, 403);
    world.mode("dry_run");
    world.restart();
    helper = world.agent("helper");
    assert_eq!(helper.exchange(GOOGLE, &token).status, 403);
    assert_eq!(world.admin().post("/api/v1/agents/helper/resume", &json!({})).status, 200);
    assert_eq!(helper.exchange(GOOGLE, &token).status, 200);
}

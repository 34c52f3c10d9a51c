//! One exchange of the gateway is one entry of the log; what the gateway never saw is a bypass.

use onesec_auth0_sim::Thumbprints;
use onesec_e2e::eventually;
use onesec_e2e::world::{ANA, BEN, CALENDAR, GITHUB, GOOGLE};
use serde_json::{Value, json};

use super::{STRAY, bypass, streamed};

#[test]
fn what_went_through_the_gateway_is_no_bypass_and_counts_once() {
    let world = streamed().live().start();
    let (mut agent, token) = world.lent("helper");
    // A cached token: the same thumbprint every time.
    for _ in 0..12 {
        assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 200);
    }
    assert!(world.stream(0)["accepted"].as_u64() >= Some(12));
    assert!(world.alerts("gateway-bypass").is_empty());
    // Twelve and not 24: the window takes 20.
    for _ in 0..8 {
        assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 200);
    }
    assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 429);
    assert_eq!(world.stats()["success_count"], 20);
}

#[test]
fn what_went_past_it_is_told_with_the_client_that_did_it() {
    let world = streamed().start();
    let (mut agent, token) = world.lent("helper");
    assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 200);
    bypass(&world, ANA, GOOGLE);
    world.stream(0);
    let alert = world.alert("gateway-bypass");
    // Whoever knows what the stream shows could have written it: nobody is stopped for it without a person.
    assert_eq!((&alert["severity"], &alert["attribution"]), (&json!("HIGH"), &json!("reported")));
    assert_eq!((&alert["attributes"]["client_id"], &alert["user_id"]), (&json!(STRAY), &json!(ANA)));
    assert_eq!(alert["occurrences"], 1);
    // Delivered again, it has happened once.
    world.stream(0);
    assert_eq!(world.alert("gateway-bypass")["occurrences"], 1);
    // Where exchanges may go past the gateway, they do.
    world.link(ANA, GITHUB, "repo");
    let before = world.sim.log_len();
    bypass(&world, ANA, GITHUB);
    world.stream(before);
    assert_eq!(world.alert("gateway-bypass")["occurrences"], 1);
}

#[test]
fn an_entry_may_come_before_the_gateway_has_its_answer() {
    let world = streamed().start();
    let (mut agent, token) = world.lent("helper");
    let before = world.sim.log_len();
    let pause = world.sim.pause_exchanges();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status);
        let made = eventually("the exchange at the tenant", || {
            let entries = world.sim.log_entries(before);
            entries.iter().any(|entry| entry["type"] == "seta").then_some(entries)
        });
        world.deliver(&made);
        pause.release();
        assert_eq!(asking.join().expect("asked"), 200);
    });
    world.stream(before);
    assert!(world.alerts("gateway-bypass").is_empty());
}

#[test]
fn an_entry_may_come_after_a_restart() {
    let mut world = streamed().start();
    let (mut agent, token) = world.lent("helper");
    for _ in 0..3 {
        assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 200);
    }
    world.killed();
    world.stream(0);
    assert!(world.alerts("gateway-bypass").is_empty());
    let before = world.sim.log_len();
    bypass(&world, ANA, GOOGLE);
    world.restart();
    world.stream(before);
    assert_eq!(world.alert("gateway-bypass")["occurrences"], 1);
}

#[test]
fn however_the_log_writes_thumbprints() {
    for how in [Thumbprints::Hex, Thumbprints::Base64Url, Thumbprints::Opaque] {
        let world = streamed().start();
        world.sim.set_thumbprints(how);
        let (mut agent, token) = world.lent("helper");
        for _ in 0..3 {
            assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 200);
        }
        world.stream(0);
        assert!(world.alerts("gateway-bypass").is_empty(), "{how:?}");
        let before = world.sim.log_len();
        bypass(&world, ANA, GOOGLE);
        world.stream(before);
        assert_eq!(world.alert("gateway-bypass")["occurrences"], 1, "{how:?}");
    }
}

#[test]
fn a_failure_that_the_gateway_saw_is_one_failure() {
    let world = streamed().start();
    world.report("connected_account_link", &json!({"user_id": BEN, "connection": GOOGLE, "scopes": CALENDAR}));
    world.delegate(BEN, "helper", GOOGLE, &[CALENDAR]);
    let (mut agent, token) = (world.agent("helper"), world.refresh(BEN));
    // Linked here, and not at the tenant.
    for _ in 0..9 {
        assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 401);
    }
    let told = world.stream(0);
    assert!(told["accepted"].as_u64() >= Some(9), "{told}");
    assert!(world.alerts("exchange-probing").is_empty(), "nine failures, and not eighteen");
    assert!(world.alerts("gateway-bypass").is_empty());
}

#[test]
fn without_a_gateway_the_log_speaks_of_accounts_and_agents() {
    let world = streamed().start();
    world.link(ANA, GITHUB, "repo");
    let seta = |id: &str, more: Value| {
        let mut entry = json!({"log_id": id, "type": "seta", "user_id": ANA, "connection": GITHUB, "client_id": "app",
            "details": {"scope": "repo"}});
        entry.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        entry
    };
    // No agent is named: nothing is wrong with it.
    world.deliver(&[seta("1", json!({}))]);
    assert!(world.listed("/api/v1/alerts", "alerts").is_empty());
    // More than the user granted is.
    world.deliver(&[seta("2", json!({"details": {"scope": "repo admin:org"}}))]);
    assert_eq!(world.alert("scope-escalation")["severity"], "CRITICAL");
    // An agent that Auth0 names is an agent like any other, under the name it was registered by.
    let registered = world.admin().call("PUT", "/api/v1/agents/helper", &json!({"clients": ["agt_17"]}));
    assert_eq!(registered.status, 200, "{}", registered.text());
    world.deliver(&[seta("3", json!({"agent_id": "agt_17"}))]);
    let alert = world.alert("unauthorized-agent");
    assert_eq!((&alert["agent_id"], &alert["attribution"]), (&json!("helper"), &json!("reported")));
    world.unlink(ANA, GITHUB);
    world.deliver(&[seta("4", json!({}))]);
    assert_eq!(world.alerts("revoked-access").len(), 1, "nobody is named, and the account was taken back");
}

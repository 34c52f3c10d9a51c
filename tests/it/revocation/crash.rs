//! Killed between stations: what was asked for is done, once, and told truly.

use onesec_auth0_sim::{Endpoint, Fault, RequestKind};
use onesec_e2e::world::{ANA, GOOGLE};
use onesec_e2e::{Mood, Provider, eventually};
use serde_json::json;

use super::{ask, lent, nowhere, over, step};

#[test]
fn killed_before_the_tenant_answered_it_goes_on_and_says_that_the_token_is_gone() {
    let provider = Provider::start();
    let (mut world, mut helper, refresh, token) = lent(&provider);
    world.sim.set_fault_on(Endpoint::Management, Fault::Hang);
    provider.mood(Mood::Hangs);
    let seen = world.sim.requests(RequestKind::Management);
    let begun = ask(&world, &json!({"user_id": ANA}));
    eventually("both are being asked", || {
        (world.sim.requests(RequestKind::Management) > seen && !provider.asked().is_empty()).then_some(())
    });
    world.killed();
    // Durable before the answer.
    let mut again = world.agent("helper");
    assert_eq!(again.exchange(GOOGLE, &refresh).status, 403);
    world.sim.clear_faults();
    provider.mood(Mood::Honest);
    let seen = over(&world, &begun);
    for name in ["refresh_tokens", "sessions", "grants"] {
        assert_eq!(step(&seen, name).0, "confirmed", "{seen:#}");
    }
    // Tokens are held in memory only.
    assert_eq!(step(&seen, "provider").0, "not_possible", "{seen:#}");
    assert!(step(&seen, "provider").1.contains("not at hand"), "{seen}");
    assert!(!provider.ended(&token));
    let left = seen["remaining"].as_array().expect("a list").iter().find(|left| left["connection"] == GOOGLE);
    assert!(left.is_some_and(|left| left["until"].is_string()), "{seen}");
    assert_eq!(world.sim.refresh_tokens_of(ANA, None), 0);
    nowhere(&world, &[&token, &refresh]);
    drop(helper.exchange(GOOGLE, &refresh));
}

#[test]
fn killed_after_the_provider_and_before_the_tenant_what_was_confirmed_stays_so() {
    let provider = Provider::start();
    let (mut world, _, _, token) = lent(&provider);
    world.sim.set_fault_on(Endpoint::Management, Fault::Hang);
    let begun = ask(&world, &json!({"user_id": ANA}));
    let path = format!("/api/v1/revocations/{}", begun["id"].as_str().expect("an id"));
    eventually("the provider is through", || {
        (step(&world.admin().get(&path).json(), "provider").0 == "confirmed").then_some(())
    });
    world.killed();
    world.sim.clear_faults();
    let seen = over(&world, &begun);
    assert_eq!(seen["state"], "done", "{seen:#}");
    assert_eq!(step(&seen, "provider").0, "confirmed");
    assert_eq!(provider.asked().len(), 2, "it was not asked again");
    assert!(provider.ended(&token));
    let of_provider = |left: &serde_json::Value| left["connection"] == GOOGLE;
    assert!(!seen["remaining"].as_array().expect("a list").iter().any(of_provider), "{seen:#}");
    // Over and over: nothing changes any more.
    world.killed();
    world.restart();
    assert_eq!(world.admin().get(&path).json(), seen);
}

/// At the end of the process with every record in turn, the wish is whole or not there at all.
#[test]
fn killed_at_once_it_was_begun_or_it_was_not() {
    let provider = Provider::start();
    let (mut world, _, refresh, _) = lent(&provider);
    let key = world.process.admin_key().to_owned();
    for round in 0..4_u64 {
        let url = world.process.url().to_owned();
        let (asking, wanted) = (key.clone(), json!({"user_id": ANA, "request_id": format!("round-{round}")}));
        let thread = std::thread::spawn(move || {
            onesec_e2e::Http::new(&url, Some(&asking)).post("/api/v1/revocations", &wanted).status
        });
        std::thread::sleep(std::time::Duration::from_millis(round * 3));
        world.killed();
        let status = thread.join().expect("it ends");
        let begun = world.listed("/api/v1/revocations?limit=1000", "revocations");
        for seen in &begun {
            assert_eq!(over(&world, seen)["state"], "done", "{seen:#}");
        }
        if status == 202 {
            assert_eq!(world.agent("helper").exchange(GOOGLE, &refresh).status, 403, "answered is durable");
        }
    }
}

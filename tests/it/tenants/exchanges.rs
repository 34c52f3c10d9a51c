//! Exchanges: an agent's credential of one tenant beside a user's token of the other.

use onesec_auth0_sim::RequestKind;
use onesec_e2e::world::{CALENDAR, EXCHANGE, GOOGLE};
use serde_json::{Value, json};

use super::{ACME, Two, exchange};

const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

#[test]
fn an_agent_of_one_gets_nothing_with_a_users_token_of_the_other() {
    let two = Two::start();
    let mut sides = [two.side("default", "blue"), two.side(ACME, "amber")];
    let access = [two.access(&sides[0]), two.access(&sides[1])];
    let issued = |two: &Two| (two.world.sim.provider_tokens_issued().len(), two.theirs.provider_tokens_issued().len());
    let before = issued(&two);
    // What was verified in one must not be remembered for the other: its own uses come first, between and after.
    for _ in 0..3 {
        for (own, other) in [(0, 1), (1, 0)] {
            let (refresh, token) = (sides[other].token.clone(), access[other].clone());
            let as_access = json!({"subject_token": token, "subject_token_type": ACCESS, "connection": GOOGLE, "scopes": [CALENDAR]});
            let right = sides[other].agent.post(EXCHANGE, &as_access);
            assert_eq!(right.status, 200, "{}", right.text());
            assert_eq!(exchange(&mut sides[other].agent, &refresh).status, 200);
            let kind = RequestKind::TokenExchange;
            let asked = (two.world.sim.requests(kind), two.theirs.requests(kind));
            for answer in [sides[own].agent.post(EXCHANGE, &as_access), exchange(&mut sides[own].agent, &refresh)] {
                assert!([400, 401, 403].contains(&answer.status), "{} {}", answer.status, answer.text());
                assert!(!answer.text().contains(sides[other].colour), "{}", answer.text());
            }
            assert_eq!((two.world.sim.requests(kind), two.theirs.requests(kind)), asked, "no exchange was asked for");
        }
    }
    assert_eq!(issued(&two), before, "each got the token that its own user has, and no other");
}

#[test]
fn the_same_user_of_two_tenants_is_two_people() {
    let two = Two::start();
    let (mut blue, amber) = (two.side("default", "blue"), two.side(ACME, "amber"));
    // Acme's tenant, too, has a user of that very name, who lent nobody anything.
    two.theirs.create_user(&blue.user());
    let account = onesec_auth0_sim::AccountSpec::new(&blue.user(), GOOGLE, CALENDAR);
    two.theirs.connect_account(account).expect("connected");
    let token = two.theirs.issue_refresh_token(&blue.user(), super::CLIENT).expect("issued");
    let mut agent = two.key(ACME, json!({"scopes": ["exchange"], "agent_id": blue.name("agent")}));
    let answer = exchange(&mut agent, token.expose_to_wire());
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(exchange(&mut blue.agent, &blue.token).status, 200);
    drop(amber);
}

#[test]
fn a_flood_in_one_is_no_flood_in_the_other() {
    let two = Two::with(|plan| plan.with("detectors", json!({"exchange-rate": {"limit": 5}})), json!({}));
    let (mut blue, mut amber) = (two.side("default", "blue"), two.side(ACME, "amber"));
    // The exceptions that each has for its own agent are taken back.
    for side in [&mut blue, &mut amber] {
        let path = format!("/api/v1/exceptions/{}", side.ids["exceptions"]);
        assert_eq!(side.admin.call("DELETE", &path, &Value::Null).status, 200);
    }
    let statuses: Vec<u16> = (0..10).map(|_| exchange(&mut blue.agent, &blue.token).status).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(exchange(&mut amber.agent, &amber.token).status, 200);
}

/// One tenant's Auth0 that is down is nobody else's.
#[test]
fn an_outage_of_one_is_none_of_the_other() {
    let two = Two::start();
    let (mut blue, mut amber) = (two.side("default", "blue"), two.side(ACME, "amber"));
    two.theirs.set_fault(onesec_auth0_sim::Fault::Disconnect);
    for _ in 0..12 {
        assert_eq!(exchange(&mut amber.agent, &amber.token).status, 503);
    }
    assert_eq!(exchange(&mut blue.agent, &blue.token).status, 200);
}

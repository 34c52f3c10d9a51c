//! An unlink counts at once, a link once it was read back.

use onesec_auth0_sim::{AccountSpec, Endpoint, Fault};
use onesec_e2e::eventually;
use onesec_e2e::world::{ANA, CALENDAR, GOOGLE, MAIL};
use serde_json::json;

use super::{accounts, read_back, streamed};

#[test]
fn an_unlink_cuts_off_at_once() {
    let world = streamed().live().start();
    let id = world.link(ANA, GOOGLE, CALENDAR);
    world.delegate(ANA, "helper", GOOGLE, &[CALENDAR]);
    let (mut agent, token) = (world.agent("helper"), world.refresh(ANA));
    assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 200);
    let before = world.sim.log_len();
    world.sim.disconnect_account(&id).expect("disconnected");
    world.stream(before);
    let answer = agent.exchange_for(GOOGLE, &token, &[CALENDAR]);
    assert_eq!((answer.status, &answer.json()["onesec_reason"]), (403, &json!("revoked-access")), "{}", answer.text());
    assert_eq!((accounts(&world, "linked").len(), accounts(&world, "unlinked").len()), (0, 1));
}

#[test]
fn a_link_counts_with_what_the_tenant_lists() {
    let world = read_back();
    let id = world.sim.connect_account(AccountSpec::new(ANA, GOOGLE, CALENDAR)).expect("connected");
    world.delegate(ANA, "helper", GOOGLE, &[CALENDAR]);
    world.stream(0);
    let linked = eventually("the link", || accounts(&world, "linked").pop());
    assert_eq!((&linked["account_id"], &linked["scopes"]), (&json!(id), &json!(["calendar.readonly"])), "{linked}");
    assert_eq!(linked["agents"], json!(["helper"]), "what was delegated waits no longer");
    // And goes with it.
    let before = world.sim.log_len();
    world.sim.disconnect_account(&id).expect("disconnected");
    world.stream(before);
    assert!(accounts(&world, "linked").is_empty());
    // What comes again brings nothing back.
    world.stream(0);
    assert!(accounts(&world, "linked").is_empty());
}

#[test]
fn while_the_tenant_is_silent_nothing_is_granted_and_nothing_is_forgotten() {
    let mut world = read_back();
    world.sim.set_fault_on(Endpoint::Management, Fault::Status(503));
    let id = world.sim.connect_account(AccountSpec::new(ANA, GOOGLE, CALENDAR)).expect("connected");
    world.stream(0);
    let told = world.events("kind=connected_account_link", 1);
    assert_eq!(told.len(), 1, "stored");
    assert!(accounts(&world, "linked").is_empty(), "and changes nothing");
    world.killed();
    assert!(accounts(&world, "linked").is_empty());
    world.sim.clear_faults();
    let linked = eventually("the link", || accounts(&world, "linked").pop());
    assert_eq!(linked["account_id"], json!(id));
    assert!(world.alerts("untrusted-claim").is_empty(), "the log's word is nobody's claim");
}

#[test]
fn a_link_that_is_not_there_never_counts() {
    let world = read_back();
    let forged = |id: &str, account: &str| {
        json!({"log_id": id, "type": "connected_accounts_connection_succeeded", "user_id": ANA, "connection": GOOGLE,
            "details": {"connected_account": {"id": account}}})
    };
    world.sim.connect_account(AccountSpec::new(ANA, GOOGLE, MAIL).with_id("cac_real")).expect("connected");
    world.deliver(&[forged("1", "cac_forged"), forged("2", "cac_real")]);
    let linked = eventually("the link", || accounts(&world, "linked").pop());
    assert_eq!(linked["account_id"], "cac_real");
    assert_eq!(accounts(&world, "linked").len(), 1);
}

#[test]
fn without_the_management_api_a_link_is_stored_and_no_more() {
    let world = streamed().start();
    world.sim.connect_account(AccountSpec::new(ANA, GOOGLE, CALENDAR)).expect("connected");
    world.stream(0);
    assert_eq!(world.events("kind=connected_account_link", 1).len(), 1);
    assert!(accounts(&world, "linked").is_empty());
    let said = world.process.log().join("\n");
    assert!(said.contains("cannot be read back"), "{said}");
}

#[test]
fn a_link_that_was_reported_already_does_not_stand_twice() {
    let world = read_back();
    // At the tenant, and reported here without an id.
    world.link(ANA, GOOGLE, CALENDAR);
    world.stream(0);
    // One after the other: once there is an event of the read-back, it is over.
    let read = |events: &[serde_json::Value]| events.len() == 3;
    eventually("the read-back", || Some(world.events("kind=connected_account_link", 3)).filter(|all| read(all)));
    assert_eq!(accounts(&world, "linked").len(), 1);
}

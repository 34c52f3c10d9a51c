//! What was taken back here is told to others: signed, pushed or fetched, once they are there, and never in a circle.

use onesec_auth0_sim::ClientSpec;
use onesec_e2e::world::{ANA, GOOGLE};
use onesec_e2e::{Http, Provider, Receiver, Reply, World, eventually};
use onesec_identity::{EventSubject, KeySet, SecurityEventPolicy, VerifiedSecurityEvent, verify_security_event};
use onesec_telemetry::Secret;
use serde_json::{Value, json};

use super::{ADMIN, SECRET, ask, over, plan_with};

const ISSUER: &str = "https://onesec.example.test";
const SIEM: &str = "https://siem.example.test/events";
const STREAM_SECRET: &str = "Bearer Pl4nted-of-the-stream";

fn told_by(receiver: &Receiver, provider: &Provider) -> World {
    let receivers = json!([
        {"name": "siem", "audience": SIEM, "url": receiver.url("/events"), "authorization": STREAM_SECRET},
        {"name": "archive", "audience": "https://archive.example.test/"},
    ]);
    let events = json!({"issuer": ISSUER, "receivers": receivers});
    let world = plan_with(provider).with("security_events", events).start();
    world.sim.create_client(ClientSpec::regular(ADMIN, SECRET));
    world
}

/// By the keys that we publish.
fn verified(world: &World, token: &str, audience: &str) -> VerifiedSecurityEvent {
    let keys = KeySet::from_jwks_json(&world.nobody().get("/.well-known/jwks.json").text()).expect("keys");
    let policy = SecurityEventPolicy::new(ISSUER, [audience]);
    verify_security_event(&Secret::new(token.to_owned()), &keys, &policy, onesec_e2e::proofs::at_now())
        .expect("verified")
}

fn name(event: &VerifiedSecurityEvent) -> &str {
    event.event().rsplit('/').next().unwrap_or_default()
}

fn poll(http: &mut Http, wanted: &Value) -> Value {
    let answer = http.post("/api/v1/security-events/poll", wanted);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn waiting(world: &World, state: &str) -> Vec<Value> {
    world.listed(&format!("/api/v1/security-events?limit=1000&state={state}"), "security_events")
}

#[test]
fn what_was_done_is_pushed_signed_and_said_once() {
    let (receiver, provider) = (Receiver::start(&[Reply::Status(202)]), Provider::start());
    let world = told_by(&receiver, &provider);
    let _lent = world.lent("helper");
    world.sim.log_in(ANA);
    let seen = over(&world, &ask(&world, &json!({"user_id": ANA, "reason": "stolen laptop"})));
    let messages = receiver.at_least(2);
    let events: Vec<VerifiedSecurityEvent> =
        messages.iter().map(|m| verified(&world, &String::from_utf8_lossy(&m.body), SIEM)).collect();
    assert_eq!(events.iter().map(name).collect::<Vec<_>>(), ["credential-change", "session-revoked"]);
    for (event, message) in events.iter().zip(&messages) {
        let ana = EventSubject::IssSub { iss: world.sim.issuer(), sub: ANA.into() };
        assert_eq!((event.subject(), event.issuer()), (&ana, ISSUER));
        assert!(event.jti().starts_with(seen["id"].as_str().expect("an id")), "{}", event.jti());
        assert_eq!(message.header("content-type"), "application/secevent+jwt");
        assert_eq!(message.header("authorization"), STREAM_SECRET);
    }
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    assert_eq!(receiver.messages().len(), 2, "once each");
    eventually("only the archive's are left", || {
        let left = waiting(&world, "waiting");
        left.iter().all(|queued| queued["receiver"] == "archive").then_some(())
    });
    super::nowhere(&world, &["Pl4nted-of-the-stream"]);
}

#[test]
fn whoever_fetches_gets_what_was_not_acknowledged_and_nobody_elses() {
    let (receiver, provider) = (Receiver::start(&[Reply::Status(202)]), Provider::start());
    let mut world = told_by(&receiver, &provider);
    let _lent = world.lent("helper");
    world.sim.log_in(ANA);
    over(&world, &ask(&world, &json!({"user_id": ANA})));
    let now = json!({"returnImmediately": true});
    let mut archive = world.person("archive", &["read"]);
    let first = poll(&mut archive, &json!({"returnImmediately": true, "maxEvents": 1}));
    assert_eq!((first["sets"].as_object().map(serde_json::Map::len), &first["moreAvailable"]), (Some(1), &json!(true)));
    // Killed: what was not acknowledged comes again.
    world.killed();
    let mut archive = world.person("archive", &["read"]);
    let all = poll(&mut archive, &now);
    let sets = all["sets"].as_object().expect("sets");
    assert_eq!((sets.len(), &all["moreAvailable"]), (2, &json!(false)));
    for (jti, token) in sets {
        let event = verified(&world, token.as_str().expect("a token"), "https://archive.example.test/");
        assert_eq!(event.jti(), jti);
    }
    let jtis: Vec<&String> = sets.keys().collect();
    let left = poll(&mut archive, &json!({"returnImmediately": true, "ack": [jtis[0]]}));
    assert_eq!(left["sets"].as_object().map(serde_json::Map::len), Some(1));
    let refused = json!({"err": "invalid_audience", "description": "not for me"});
    let left = poll(
        &mut archive,
        &json!({"returnImmediately": true, "ack": ["made-up"], "setErrs": {jtis[1].as_str(): refused}}),
    );
    assert_eq!(left, json!({"sets": {}, "moreAvailable": false}));
    let dead = waiting(&world, "dead");
    assert_eq!((dead.len(), &dead[0]["receiver"]), (1, &json!("archive")));
    assert!(dead[0]["why"].as_str().is_some_and(|why| why.contains("invalid_audience")), "{dead:?}");
    // Not those of whom they are pushed to, and not everybody's.
    for owner in ["siem", "olga"] {
        let answer = world.person(owner, &["read"]).post("/api/v1/security-events/poll", &now);
        assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("no-receiver")), "{owner}");
    }
    assert_eq!(world.nobody().post("/api/v1/security-events/poll", &now).status, 401);
    assert_eq!(archive.post("/api/v1/security-events/poll", &json!({"max_events": 1})).status, 422);
}

#[test]
fn a_receiver_that_fails_is_waited_for_and_one_that_refuses_is_not() {
    let provider = Provider::start();
    let receiver = Receiver::start(&[Reply::Status(503), Reply::Close, Reply::Status(202)]);
    let mut world = told_by(&receiver, &provider);
    let _lent = world.lent("helper");
    over(&world, &ask(&world, &json!({"user_id": ANA, "connection": GOOGLE})));
    assert!(!receiver.at_least(1).is_empty());
    world.killed();
    let messages = receiver.at_least(3);
    let bodies: Vec<&[u8]> = messages.iter().map(|message| message.body.as_slice()).collect();
    let events: Vec<VerifiedSecurityEvent> =
        bodies.iter().map(|body| verified(&world, &String::from_utf8_lossy(body), SIEM)).collect();
    assert!(events.iter().all(|event| event.jti() == events[0].jti()), "the same event has the same name");
    eventually("it is through", || {
        waiting(&world, "waiting").iter().all(|queued| queued["receiver"] != "siem").then_some(())
    });
    receiver.replies(&[Reply::Status(400)]);
    super::lend_anew(&world);
    over(&world, &ask(&world, &json!({"user_id": ANA, "connection": GOOGLE})));
    let dead = eventually("it is given up", || Some(waiting(&world, "dead")).filter(|dead| !dead.is_empty()));
    assert_eq!((&dead[0]["receiver"], &dead[0]["attempts"]), (&json!("siem"), &json!(1)), "{dead:?}");
    assert!(dead[0]["why"].as_str().is_some_and(|why| why.contains("400")), "{dead:?}");
}

/// Two servers that tell each other: the second acts, and tells nobody of it.
#[test]
fn two_who_tell_each_other_come_to_an_end() {
    let provider = Provider::start();
    let receiver = Receiver::start(&[Reply::Status(202)]);
    let first = told_by(&receiver, &provider);
    let _lent = first.lent("helper");
    let keys = first.nobody().get("/.well-known/jwks.json").text();
    let file = first.dir().join("keys-of-the-first.json");
    std::fs::write(&file, &keys).expect("written");
    let transmitter =
        json!({"issuer": ISSUER, "audience": SIEM, "keys_file": file, "subject_issuer": first.sim.issuer()});
    let back = json!([{"name": "siem", "audience": SIEM, "url": receiver.url("/back")}]);
    let events = json!({"issuer": "https://second.example.test", "transmitters": [transmitter], "receivers": back});
    let second = plan_with(&provider).with("security_events", events).start();
    second.sim.create_client(ClientSpec::regular(ADMIN, SECRET));
    let (mut helper, refresh) = second.lent("helper");
    second.sim.log_in(ANA);
    over(&first, &ask(&first, &json!({"user_id": ANA, "connection": GOOGLE})));
    let token = receiver.at_least(1)[0].body.clone();
    let pushed = second.nobody().send(
        "POST",
        "/api/v1/security-events",
        &[("content-type", "application/secevent+jwt")],
        &token,
    );
    assert_eq!(pushed.status, 202, "{}", pushed.text());
    let begun = second.listed("/api/v1/revocations", "revocations");
    assert_eq!((begun.len(), &begun[0]["requested_by"]), (1, &json!(ISSUER)));
    let seen = over(&second, &begun[0]);
    assert_eq!((&seen["state"], super::step(&seen, "sessions").0.as_str()), (&json!("done"), "confirmed"), "{seen:#}");
    assert_eq!(helper.exchange(GOOGLE, &refresh).status, 403, "her refresh tokens are gone");
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    assert!(receiver.messages().iter().all(|message| message.path != "/back"), "it tells nobody what it was told");
}

#[test]
fn half_a_receiver_is_refused_at_the_start() {
    for (events, missing) in [
        (json!({"receivers": [{"name": "x", "audience": "y"}]}), "issuer"),
        (json!({"issuer": ISSUER, "receivers": [{"name": "x"}]}), "audience"),
        (
            json!({"issuer": ISSUER, "receivers": [{"name": "x", "audience": "y"}, {"name": "x", "audience": "z"}]}),
            "names",
        ),
        (
            json!({"issuer": ISSUER, "receivers": [{"name": "x", "audience": "y", "url": "http://example.test/"}]}),
            "https",
        ),
    ] {
        let said = crate::enforce::refused_start(&json!({"security_events": events}));
        assert!(said.contains(missing), "{said}");
    }
}

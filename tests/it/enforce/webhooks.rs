//! Receivers that fail, hang, lie or lead astray; and who is not kept waiting by them.

use std::time::{Duration, Instant};

use onesec_e2e::world::{ANA, CALENDAR, GOOGLE};
use onesec_e2e::{Receiver, Reply, World, eventually};
use serde_json::{Value, json};

use super::{KEY, exchanged, live, on_strays, receipt, statuses, strays};
use crate::plan;

#[test]
fn a_receiver_that_fails_is_tried_again_with_the_same_id() {
    let receiver = Receiver::start(&[Reply::Status(500), Reply::Status(503), Reply::Close, Reply::Status(204)]);
    let world = live(Some(&receiver), &on_strays(&json!(["webhook"]))).start();
    strays(&world, "mallory", ANA);
    let receipt = receipt(&world, "webhook");
    assert_eq!(receipt["status"], "succeeded", "{receipt}");
    let messages = receiver.messages();
    assert_eq!(messages.len(), 4);
    assert!(messages.iter().all(|message| message.id() == receipt["id"] && message.is_signed_with(KEY)));
    assert!(messages.iter().all(|message| message.body == messages[0].body), "and is the same message");
}

#[test]
fn a_redirect_is_never_followed() {
    let (elsewhere, hidden) = (Receiver::start(&[Reply::Status(204)]), "/internal");
    let receiver = Receiver::start(&[Reply::Redirect(elsewhere.url(hidden))]);
    let world = live(Some(&receiver), &on_strays(&json!(["webhook"]))).start();
    strays(&world, "mallory", ANA);
    let receipt = receipt(&world, "webhook");
    assert_eq!((&receipt["status"], receiver.messages().len()), (&json!("failed"), 1), "{receipt}");
    assert!(receipt["reason"].as_str().is_some_and(|why| why.contains("redirect")), "{receipt}");
    assert!(elsewhere.messages().is_empty());
}

#[test]
fn a_receiver_that_lies_about_its_length_has_answered() {
    let receiver = Receiver::start(&[Reply::Lie]);
    let world = live(Some(&receiver), &on_strays(&json!(["webhook"]))).start();
    strays(&world, "mallory", ANA);
    assert_eq!(receipt(&world, "webhook")["status"], "succeeded");
    assert_eq!(receiver.messages().len(), 1);
}

#[test]
fn a_receiver_that_hangs_keeps_nobody_waiting() {
    let receiver = Receiver::start(&[Reply::Hang]);
    let actions = json!(["webhook", "log", {"suspend_agent": {"for": "1h"}}]);
    let world = live(Some(&receiver), &on_strays(&actions)).start();
    let mut own = world.bound("mallory", &["events:write"]);
    let events: Vec<Value> = (0..40).map(|n| exchanged("mallory", &format!("user-{n}"))).collect();
    assert_eq!(own.post("/api/v1/events", &Value::Array(events)).status, 202);
    assert_eq!(receiver.at_least(16).len(), 16, "every place for messages is taken");
    let begun = Instant::now();
    strays(&world, "oscar", ANA);
    let oscar = eventually("an alert", || {
        world.alerts("unauthorized-agent").into_iter().find(|alert| alert["agent_id"] == "oscar")
    });
    let filter = format!("alert_id={}", oscar["id"].as_str().expect("an id"));
    eventually("everything but the message", || {
        let receipts = world.receipts(&filter);
        (statuses(&receipts) == ["executing", "succeeded", "verified"]).then_some(())
    });
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_private_address_needs_leave_also_behind_a_name() {
    let receiver = Receiver::start(&[Reply::Status(204)]);
    let url = receiver.url("/hook").replace("127.0.0.1", "localhost");
    let policies = on_strays(&json!([{"webhook": {"url": url}}]));
    let world = live(None, &policies).start();
    strays(&world, "mallory", ANA);
    let receipt = receipt(&world, "webhook");
    assert_eq!(receipt["status"], "failed", "{receipt}");
    assert!(receipt["reason"].as_str().is_some_and(|why| why.contains("allow_private")), "{receipt}");
    assert!(receiver.messages().is_empty());
}

#[test]
fn a_receiver_that_wants_no_more_gets_no_more() {
    for status in [410, 400, 401] {
        let receiver = Receiver::start(&[Reply::Status(status)]);
        let world = live(Some(&receiver), &on_strays(&json!(["webhook"]))).start();
        strays(&world, "mallory", ANA);
        assert_eq!(receipt(&world, "webhook")["status"], "failed");
        assert_eq!(receiver.messages().len(), 1, "{status}");
    }
}

/// The 99th percentile of 400 verdicts.
fn p99(world: &World) -> Duration {
    let (mut agent, token) = (world.agent("helper"), world.refresh(ANA));
    let mut took: Vec<Duration> = (0..400)
        .map(|_| {
            let begun = Instant::now();
            assert_eq!(agent.exchange(GOOGLE, &token).status, 200);
            begun.elapsed()
        })
        .collect();
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

/// Figures for people: a machine that is busy with other things must not fail this.
#[test]
fn verdicts_while_messages_hang() {
    let receiver = Receiver::start(&[Reply::Hang]);
    let mut policies = on_strays(&json!(["webhook"]));
    policies[0]["cooldown"] = json!("0s");
    let world = plan()
        .live()
        .with("enforcement", json!({"webhook": super::hook(&receiver), "policies": policies}))
        .with("detectors", json!({"exchange-rate": {"limit": 10_000}}))
        .start();
    world.link(ANA, GOOGLE, CALENDAR);
    world.delegate(ANA, "helper", GOOGLE, &[CALENDAR]);
    p99(&world);
    let without = p99(&world);
    let mut own = world.bound("mallory", &["events:write"]);
    let events: Vec<Value> = (0..500).map(|n| exchanged("mallory", &format!("user-{n}"))).collect();
    assert_eq!(own.post("/api/v1/events", &Value::Array(events)).status, 202);
    assert_eq!(receiver.at_least(16).len(), 16);
    let with = p99(&world);
    let ratio = with.as_secs_f64() / without.as_secs_f64();
    eprintln!("p99 of an exchange: {without:?}, while 500 messages hang: {with:?}, ratio {ratio:.2}");
    assert!(world.receipts("status=executing").len() >= 400, "they hung all the while");
}

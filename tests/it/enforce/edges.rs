//! Where things meet: links in messages, a rate on whoever is stopped, a caller who hangs up, a disk that is full.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use onesec_e2e::world::{ANA, BEN, GOOGLE};
use onesec_e2e::{Plan, Receiver, Reply, World, eventually};
use serde_json::{Value, json};

use super::preset::refused_start;
use super::{hook, lines, live, on_strays, program, receipt, strays};
use crate::plan;

/// A link in a message opens a page, and does nothing else: mail scanners and chats follow it by themselves.
#[test]
fn links_in_messages_lead_to_a_page_and_change_nothing() {
    let receiver = Receiver::start(&[Reply::Status(204)]);
    let enforcement = json!({"webhook": hook(&receiver), "policies": [
        {"name": "strays", "match": {"detectors": ["unauthorized-agent"]}, "actions": ["webhook"]},
        {"name": "ask", "match": {"detectors": ["unauthorized-agent"]}, "actions": ["suspend_agent"], "approval": {}}]});
    let server = json!({"trusted_proxies": ["127.0.0.1"], "public_url": "https://onesec.example.com/security/"});
    let world = plan().live().with("enforcement", enforcement).with("server", server).start();
    strays(&world, "mallory", ANA);
    let message = receiver.at_least(1).remove(0).json();
    let alert = world.alert("unauthorized-agent");
    let expected = format!("https://onesec.example.com/security/alerts/{}", alert["id"].as_str().expect("an id"));
    assert_eq!(message["link"], expected.as_str(), "{message}");
    eventually("a question", || world.listed("/api/v1/approvals", "approvals").into_iter().next());
    // Whoever follows it, with a key or without, and however it is put together.
    let before = state(&world);
    let asked = world.listed("/api/v1/approvals", "approvals").remove(0)["id"].as_str().expect("an id").to_owned();
    let id = alert["id"].as_str().expect("an id");
    for path in [
        format!("/security/alerts/{id}"),
        format!("/alerts/{id}"),
        format!("/alerts/{id}?status=resolved"),
        format!("/api/v1/alerts/{id}"),
        format!("/api/v1/approvals/{asked}/approve"),
        format!("/api/v1/approvals/{asked}?approve=true"),
        format!("/api/v1/responses/{asked}/undo"),
    ] {
        world.nobody().get(&path);
        world.admin().get(&path);
    }
    assert_eq!(state(&world), before);
    for wrong in ["http://onesec.example.com", "ftp://x", "https://u:p@x", "https://x/?token=1", "onesec.example.com"] {
        let said = refused_start(&json!({"server": {"public_url": wrong}}));
        assert!(said.contains("server.public_url"), "{wrong}: {said}");
    }
    let local = plan().live().with("server", json!({"public_url": "http://127.0.0.1:1780"})).start();
    assert_eq!(local.nobody().get("/healthz").status, 200);
}

fn state(world: &World) -> Value {
    json!([
        world.listed("/api/v1/approvals", "approvals"),
        world.listed("/api/v1/alerts", "alerts"),
        world.receipts(""),
        world.admin().get("/api/v1/enforcement").json(),
    ])
}

/// Without it there are no links: nobody guesses how we are reached.
#[test]
fn without_a_public_url_messages_have_no_links() {
    let receiver = Receiver::start(&[Reply::Status(204)]);
    let world = live(Some(&receiver), &on_strays(&json!(["webhook"]))).start();
    strays(&world, "mallory", ANA);
    assert_eq!(receiver.at_least(1).remove(0).json()["link"], Value::Null);
}

#[test]
fn a_rate_for_an_agent_that_is_stopped_is_left_out_and_the_receipt_says_so() {
    let of = |name: &str, user: &str, action: Value| json!({"name": name, "match": {"detectors": ["unauthorized-agent"], "users": [user]}, "actions": [action]});
    let rate = json!({"rate_limit_agent": {"limit": 2, "per": "1m", "for": "15m"}});
    let world = live(None, &json!([of("stop", ANA, json!({"suspend_agent": {"for": "1h"}})), of("slow", BEN, rate)]));
    let world = world.start();
    strays(&world, "mallory", ANA);
    assert_eq!(receipt(&world, "suspend_agent")["status"], "verified");
    strays(&world, "mallory", BEN);
    let slow = receipt(&world, "rate_limit_agent");
    assert_eq!(slow["status"], "skipped", "{slow}");
    assert_eq!(slow["reason"], "nothing of the agent passes as it is");
    let held = world.admin().get("/api/v1/enforcement").json()["restrained_agents"][0].clone();
    assert_eq!((&held["agent_id"], &held["limit"]), (&json!("mallory"), &json!(0)), "{held}");
}

/// Sends a request; whoever drops what comes back has not waited for the answer.
fn shout(world: &World, (key, path): (&str, &str), body: &Value) -> TcpStream {
    let address = world.process.url().trim_start_matches("http://").to_owned();
    let body = body.to_string();
    let mut stream = TcpStream::connect(&address).expect("connected");
    let text = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).expect("sent");
    stream
}

/// A yes with `accept_scopes` is one word: whoever hangs up, or is killed, has said both or nothing.
#[test]
fn a_yes_and_the_scopes_that_go_with_it_are_one_word() {
    let hold = json!([{"name": "hold", "match": {"detectors": ["scope-escalation"], "min_severity": "HIGH"},
                       "request": "hold"}]);
    let mut world = live(None, &hold).start();
    world.link(ANA, GOOGLE, "calendar.readonly");
    let key = world.key(&json!({"name": "olga", "owner": "olga", "scopes": ["respond", "read"]}));
    let mut heard = 0;
    for number in 0..8 {
        let name = format!("helper-{number}");
        let token = world.refresh(ANA);
        world.delegate_as(&json!({"user_id": ANA, "agent_id": name, "connection": GOOGLE}));
        let held = world.agent(&name).exchange_for(GOOGLE, &token, &["calendar.readonly", "gmail.send"]);
        assert_eq!((held.status, &held.json()["error"]), (403, &json!("interaction_required")), "{}", held.text());
        let id = held.json()["approval_id"].as_str().expect("an approval").to_owned();
        let asked = world.admin().get(&format!("/api/v1/approvals/{id}")).json();
        let word = json!({"action_digest": asked["action_digest"], "accept_scopes": true});
        let asking = shout(&world, (&key, &format!("/api/v1/approvals/{id}/approve")), &word);
        std::thread::sleep(Duration::from_millis(number * 2));
        if number % 2 == 0 {
            world.killed();
        }
        drop(asking);
        // What was not heard by now is not heard at all; the index is built behind.
        std::thread::sleep(Duration::from_millis(500));
        let said = |command: &str| {
            let of = |event: &&Value| {
                let details = &event["details"][command];
                details["id"] == id.as_str() || details["agent"] == name.as_str()
            };
            world.events("kind=command", 1).iter().filter(of).count()
        };
        assert_eq!(said("DecideApproval"), said("AcceptScopes"), "round {number}");
        heard += said("AcceptScopes");
    }
    assert!((1..=8).contains(&heard), "{heard}");
}

/// Nothing is done that cannot be recorded, and what was taken is done once there is room.
#[test]
fn a_full_disk_means_no_action_without_a_receipt() {
    let (_script, cramped) = crate::gateway::cramped();
    let dir = tempfile::tempdir().expect("directory");
    let out = dir.path().join("ran");
    let text = format!("echo ran >> {}; cat > /dev/null", out.display());
    let command = program(dir.path(), &text);
    let policies = on_strays(&json!([{"command": {"argv": [command.to_str().expect("a path")]}}]));
    let mut world = Plan::new(&cramped)
        .live()
        .with("enforcement", json!({"policies": policies}))
        .with("server", json!({"trusted_proxies": ["127.0.0.1"]}))
        .start();
    let mut sender = world.client(&["events:write"]);
    let noise = |n: u32| {
        (0..20_000_u32).map(|i| char::from(b'a' + (i.wrapping_mul(n + 7) / 13 % 26) as u8)).collect::<String>()
    };
    let mut acknowledged = 0;
    let stray = |world: &World, number: u32| {
        let mut own = world.bound(&format!("mallory-{number}"), &["events:write"]);
        own.post("/api/v1/events", &super::exchanged(&format!("mallory-{number}"), ANA)).status
    };
    for number in 0..3 {
        assert_eq!(stray(&world, number), 202);
        acknowledged += 1;
    }
    assert_eq!(world.settled("action=command", 3).len(), 3);
    // Keys are records, too: made while there is room.
    let keys: Vec<String> = (10..40)
        .map(|n| world.key(&json!({"name": "k", "scopes": ["events:write"], "agent_id": format!("mallory-{n}")})))
        .collect();
    let full = (0..4_000).any(|n| {
        let event = json!({"type": "agent_goal", "details": {"agent_id": "helper", "goal": noise(n)}});
        sender.post("/api/v1/events", &Value::Array(vec![event; 8])).status == 503
    });
    assert!(full, "the journal never filled up");
    let mut refused = 0;
    for (n, key) in (10..40).zip(&keys) {
        let mut own = world.nobody().with_key(key);
        match own.post("/api/v1/events", &super::exchanged(&format!("mallory-{n}"), ANA)).status {
            202 => acknowledged += 1,
            503 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!(refused > 0, "small records still found room");
    std::thread::sleep(Duration::from_secs(1));
    assert!(lines(&out).len() <= acknowledged, "something ran that nobody acknowledged");
    // With room again: what was acknowledged has its receipt, each ran once at most, and a receipt of success means once.
    let config = std::fs::read_to_string(world.dir().join("test-config.yaml")).expect("the configuration");
    world.process.kill();
    let start = onesec_e2e::Start::new(env!("CARGO_BIN_EXE_onesec-under-test"), world.dir()).config(&config);
    world.process = start.run();
    let receipts = world.settled("action=command", acknowledged);
    assert_eq!(receipts.len(), acknowledged);
    let done = receipts.iter().filter(|receipt| receipt["status"] == "succeeded").count();
    let unknown = receipts.iter().filter(|r| r["reason"].as_str().is_some_and(|w| w.contains("nobody knows"))).count();
    assert_eq!(done + unknown, acknowledged, "{receipts:#?}");
    assert!((done..=acknowledged).contains(&lines(&out).len()), "{} of {acknowledged}", lines(&out).len());
}

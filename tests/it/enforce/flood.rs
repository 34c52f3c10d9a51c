//! Ten thousand small things, and the one that matters.

use std::time::{Duration, Instant};

use onesec_e2e::{Http, Receiver, Reply, eventually};
use onesec_telemetry::Timestamp;
use serde_json::{Value, json};

use super::{live, strays};

const SMALL: u32 = 10_000;

/// Claims without authority, each about somebody else: MEDIUM alerts.
fn flood(mut sender: Http) {
    for first in (0..SMALL).step_by(500) {
        let claim = |n: u32| {
            let details =
                json!({"agent_id": format!("bot-{n}"), "delegated_by": format!("user-{n}"), "connection": "github"});
            json!({"type": "agent_identity_delegation", "details": details}).to_string() + "\n"
        };
        let batch: String = (first..first + 500).map(claim).collect();
        eventually("a batch is taken", || {
            let answer =
                sender.send("POST", "/api/v1/events", &[("content-type", "application/x-ndjson")], batch.as_bytes());
            (answer.status == 202).then_some(())
        });
    }
}

fn at(receipt: &Value, member: &str) -> Timestamp {
    receipt[member].as_str().and_then(|text| text.parse().ok()).expect("a time")
}

#[test]
fn a_flood_of_small_alerts_does_not_keep_the_one_that_matters_waiting() {
    let receiver = Receiver::start(&[Reply::Status(204)]);
    let policy = json!([{"name": "all", "match": {"min_severity": "MEDIUM"},
                         "actions": ["webhook", "log", {"suspend_agent": {"for": "10m"}}, {"block_ip": {"for": "10m"}}]}]);
    let world = live(Some(&receiver), &policy).start();
    let sender = world.client(&["events:write"]);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let small = scope.spawn(move || flood(sender));
        std::thread::sleep(Duration::from_millis(300));
        assert!(!small.is_finished(), "the flood was over before it mattered");
        strays(&world, "mallory", "auth0|ana");
        small.join().expect("flood");
    });
    eprintln!("{SMALL} MEDIUM alerts in {:.1} s", begun.elapsed().as_secs_f64());
    assert!(begun.elapsed() < Duration::from_secs(60));
    let urgent = world.alert("unauthorized-agent")["id"].as_str().expect("an id").to_owned();
    let receipts = world.settled(&format!("alert_id={urgent}"), 4);
    for receipt in &receipts {
        let took = at(receipt, "finished_at").since(at(receipt, "requested_at"));
        eprintln!("{}: {} after {} ms", receipt["action"], receipt["status"], took.as_millis());
        assert!(took <= Duration::from_secs(1), "{receipt}");
        assert!(["verified", "succeeded"].contains(&receipt["status"].as_str().unwrap_or_default()), "{receipt}");
    }
    let open = world.admin().get("/api/v1/alerts?limit=1000&detector=untrusted-claim").json();
    assert_eq!(open["alerts"].as_array().map(Vec::len), Some(1000), "there were enough of them");
    let all = world.receipts("");
    // Ten a minute and one that says so, as many refusals, the four above; the flood may touch two minutes.
    assert!((14..=2 * 21 + 8).contains(&all.len()), "{}", all.len());
    let asked = world.listed("/api/v1/approvals", "approvals");
    assert!(asked.len() <= 20, "{}", asked.len());
    let suspended = world.admin().get("/api/v1/enforcement").json()["restrained_agents"].clone();
    assert_eq!(suspended.as_array().map(Vec::len), Some(1), "on hearsay nobody is stopped: {suspended}");
}

//! What waits for a person: who may say yes, to what, how often, how long.

use std::time::Duration;

use onesec_e2e::world::ANA;
use onesec_e2e::{Answer, Http, World, eventually};
use serde_json::{Value, json};

use super::{exchanged, lines, live, program, receipt, statuses, strays};

/// Agents that nobody let act are stopped, once a person says so.
fn asking(ttl: &str) -> Value {
    json!([{"name": "ask", "match": {"detectors": ["unauthorized-agent"]}, "approval": {"ttl": ttl},
            "actions": [{"suspend_agent": {"for": "1h"}}], "max_per_minute": 1_000}])
}

/// The only thing that waits, and its address.
#[track_caller]
fn waiting(world: &World) -> (String, Value) {
    let all = world.listed("/api/v1/approvals", "approvals");
    assert_eq!(all.len(), 1, "{all:#?}");
    let one = all.into_iter().next().expect("one");
    (format!("/api/v1/approvals/{}", one["id"].as_str().expect("an id")), one)
}

fn say(by: &mut Http, (path, word): (&str, &str), digest: &Value) -> Answer {
    by.post(&format!("{path}/{word}"), &json!({"action_digest": digest}))
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{}", answer.text());
}

fn stopped(world: &World) -> usize {
    let now = world.admin().get("/api/v1/enforcement").json();
    now["restrained_agents"].as_array().map_or(0, Vec::len)
}

#[test]
fn who_may_say_yes_and_to_what() {
    let mut world = live(None, &asking("10m")).with("tenants", json!({"other": {}})).start();
    let mut reporter = {
        let wanted = json!({"name": "m", "scopes": ["events:write", "respond"], "agent_id": "mallory", "owner": "mel"});
        Http::new(world.process.url(), Some(&world.key(&wanted)))
    };
    assert_eq!(reporter.post("/api/v1/events", &exchanged("mallory", ANA)).status, 202);
    let (path, asked) = waiting(&world);
    let digest = asked["action_digest"].clone();
    assert_eq!(receipt(&world, "suspend_agent")["status"], "pending_approval");
    assert_eq!((&asked["target"], &asked["requested_by"]), (&json!("agent mallory"), &json!(["mel"])));
    // Looking decides nothing, whatever it brings along.
    let mut ann = world.person("ann", &["read", "respond"]);
    let body = json!({"action_digest": digest}).to_string();
    for (word, status) in [("", 200), ("/approve", 405), ("/reject", 405)] {
        let json = [("content-type", "application/json")];
        let answer = ann.send("GET", &format!("{path}{word}"), &json, body.as_bytes());
        assert_eq!(answer.status, status, "{word}");
    }
    head(&world, &path);
    refused(&say(&mut ann, (&path, "approve"), &json!("0".repeat(64))), 409, "other-digest");
    refused(&say(&mut reporter, (&path, "approve"), &digest), 403, "own-request");
    refused(&say(&mut world.person("mel", &["respond"]), (&path, "approve"), &digest), 403, "own-request");
    refused(&say(&mut world.client(&["respond"]), (&path, "approve"), &digest), 403, "own-request");
    refused(&say(&mut world.person("ann", &["read"]), (&path, "approve"), &digest), 403, "missing-scope");
    let elsewhere = json!({"name": "e", "scopes": ["read", "respond"], "owner": "eve", "tenant": "other"});
    let mut elsewhere = Http::new(world.process.url(), Some(&world.key(&elsewhere)));
    refused(&say(&mut elsewhere, (&path, "approve"), &digest), 404, "not-found");
    assert_eq!(elsewhere.get(&path).status, 404);
    assert_eq!(elsewhere.get("/api/v1/approvals").json()["approvals"], json!([]));
    assert_eq!((stopped(&world), waiting(&world).0 == path), (0, true), "nothing has happened");
    let key = world.key(&json!({"name": "ann-2", "scopes": ["read", "respond"], "owner": "ann"}));
    world.killed();
    let mut ann = Http::new(world.process.url(), Some(&key));
    assert_eq!(waiting(&world), (path.clone(), asked), "a restart forgets no question");
    assert_eq!(say(&mut ann, (&path, "approve"), &digest).status, 200);
    let done = receipt(&world, "suspend_agent");
    assert_eq!((&done["status"], &done["approved_by"]), (&json!("verified"), &json!("ann")));
    for word in ["approve", "reject"] {
        refused(&say(&mut ann, (&path, word), &digest), 410, "used");
    }
    world.killed();
    let mut ann = Http::new(world.process.url(), Some(&key));
    refused(&say(&mut ann, (&path, "approve"), &digest), 410, "used");
    assert_eq!((stopped(&world), world.receipts("").len()), (1, 1));
}

/// HEAD with a body, byte by byte.
fn head(world: &World, path: &str) {
    use std::io::{Read as _, Write as _};
    let key = world.key(&json!({"name": "head", "scopes": ["read", "respond"], "owner": "ann"}));
    let address = world.process.url().trim_start_matches("http://").to_owned();
    for word in ["", "/approve", "/reject"] {
        let mut stream = std::net::TcpStream::connect(&address).expect("connects");
        let request = format!(
            "HEAD {path}{word} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("read");
        let expected = if word.is_empty() { "HTTP/1.1 200" } else { "HTTP/1.1 405" };
        assert!(answer.starts_with(expected), "{word}: {answer}");
    }
}

#[test]
fn no_is_no_and_silence_is_no() {
    let world = live(None, &asking("2s")).start();
    let mut ann = world.person("ann", &["read", "respond"]);
    strays(&world, "mallory", ANA);
    let (path, asked) = waiting(&world);
    assert_eq!(say(&mut ann, (&path, "reject"), &asked["action_digest"]).status, 200);
    assert_eq!(receipt(&world, "suspend_agent")["status"], "rejected");
    refused(&say(&mut ann, (&path, "approve"), &asked["action_digest"]), 410, "used");
    strays(&world, "oscar", ANA);
    let (path, asked) = waiting(&world);
    let started = std::time::Instant::now();
    eventually("an expired receipt", || world.receipts("status=expired").pop());
    assert!(started.elapsed() < Duration::from_secs(10), "nobody else had to do anything");
    refused(&say(&mut ann, (&path, "approve"), &asked["action_digest"]), 410, "expired");
    assert_eq!(world.listed("/api/v1/approvals", "approvals"), [] as [Value; 0]);
    assert_eq!(statuses(&world.receipts("")), ["expired", "rejected"]);
    assert_eq!(stopped(&world), 0);
}

#[test]
fn a_yes_to_what_is_no_longer_policy_does_nothing() {
    let mut world = live(None, &asking("10m")).start();
    strays(&world, "mallory", ANA);
    let (path, asked) = waiting(&world);
    let said = world.reload("/enforcement/policies", json!([]));
    assert!(said.contains("reloaded"), "{said}");
    let mut ann = world.person("ann", &["respond"]);
    assert_eq!(say(&mut ann, (&path, "approve"), &asked["action_digest"]).status, 200);
    let receipt = receipt(&world, "suspend_agent");
    assert_eq!((&receipt["status"], stopped(&world)), (&json!("skipped"), 0), "{receipt}");
}

#[test]
fn questions_about_one_agent_leave_room_for_others() {
    let policy = json!([{"name": "ask", "match": {"detectors": ["unauthorized-agent"]}, "approval": {},
                         "actions": ["revoke_delegation"], "max_per_minute": 1_000}]);
    let world = live(None, &policy).start();
    let mut mallory = world.bound("mallory", &["events:write"]);
    for n in 0..40 {
        assert_eq!(mallory.post("/api/v1/events", &exchanged("mallory", &format!("user-{n}"))).status, 202);
    }
    strays(&world, "oscar", ANA);
    let asked = world.listed("/api/v1/approvals", "approvals");
    let about = |agent: &str| asked.iter().filter(|asked| asked["agent_id"] == agent).count();
    assert_eq!((about("mallory"), about("oscar")), (20, 1));
    let skipped = world.receipts("status=skipped");
    assert_eq!(skipped.len(), 20, "what was not asked has a receipt");
}

/// Who changed what is enforced is behind all that follows from it.
#[test]
fn who_made_it_so_cannot_say_yes_to_it() {
    let world = live(None, &asking("10m")).start();
    let mut pat = world.person("pat", &["admin"]);
    let preset = pat.call("PUT", "/api/v1/enforcement/preset", &json!({"preset": "strict"}));
    assert_eq!(preset.status, 200, "{}", preset.text());
    strays(&world, "mallory", ANA);
    let (path, asked) = waiting(&world);
    let digest = &asked["action_digest"];
    refused(&say(&mut pat, (&path, "approve"), digest), 403, "own-request");
    refused(&say(&mut world.person("pat", &["respond"]), (&path, "approve"), digest), 403, "own-request");
    assert_eq!(say(&mut world.person("ann", &["respond"]), (&path, "approve"), digest).status, 200);
}

/// What is done to nobody in particular is about its alert: a yes to one is none to another.
#[test]
fn two_alerts_are_two_questions() {
    let dir = tempfile::tempdir().expect("directory");
    let ran = dir.path().join("ran");
    let page = program(dir.path(), &format!("cat >> {}", ran.display()));
    let policy = json!([{"name": "ask", "match": {"detectors": ["unauthorized-agent"]}, "approval": {},
                         "actions": [{"command": {"argv": [page]}}]}]);
    let world = live(None, &policy).start();
    strays(&world, "mallory", ANA);
    strays(&world, "oscar", ANA);
    let asked = world.listed("/api/v1/approvals", "approvals");
    assert_eq!(asked.len(), 2, "{asked:#?}");
    let oscar = asked.iter().find(|asked| asked["agent_id"] == "oscar").expect("asked");
    let path = format!("/api/v1/approvals/{}", oscar["id"].as_str().expect("an id"));
    assert_eq!(say(&mut world.person("ann", &["respond"]), (&path, "approve"), &oscar["action_digest"]).status, 200);
    eventually("it has run", || world.receipts("status=succeeded").pop());
    let ran = lines(&ran);
    assert!(ran.len() == 1 && ran[0].contains("\"oscar\""), "{ran:?}");
}

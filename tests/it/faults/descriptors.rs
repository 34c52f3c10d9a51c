//! No more file descriptors.

use std::net::TcpStream;
use std::time::Duration;

use onesec_e2e::{Start, eventually};
use serde_json::json;

use super::{SERVER, all_once, refusal, taken};

/// Whoever is connected is served, whoever comes waits, and once there is room everything is as before. Some are kept
/// back, so that neither journal nor programs go without: policy still has done what it wants done.
#[test]
fn without_descriptors_who_is_connected_is_served() {
    let dir = tempfile::tempdir().expect("directory");
    let program = crate::enforce::program(dir.path(), &format!("echo x >> {}/ran", dir.path().display()));
    let policies = json!([{"name": "links", "match": {"detectors": ["unauthorized-agent"]},
        "actions": [{"command": {"argv": [program]}}]}]);
    let config = json!({"enforcement": {"mode": "live", "policies": policies}});
    let mut server = Start::new(SERVER, dir.path()).config(&config.to_string()).descriptors(256).run();
    let wanted = json!({"name": "stray", "scopes": ["events:write"], "agent_id": "stray"});
    let key = server.admin().post("/api/v1/keys", &wanted).json()["key"].as_str().expect("a key").to_owned();
    let mut http = server.admin();
    let mut stray = http.with_key(&key);
    taken(&mut http, 0);
    assert_eq!(stray.get("/healthz").status, 200, "connected");
    let address = server.url().trim_start_matches("http://").to_owned();
    // More than there is room for, and no more than a kernel lets wait.
    let crowd: Vec<TcpStream> = (0..160).map_while(|_| TcpStream::connect(&address).ok()).collect();
    assert!(crowd.len() > 100);
    for n in 1..20 {
        taken(&mut http, n);
    }
    let details = json!({"agent_id": "stray", "user_id": "ana", "connection": "google-oauth2", "success": true});
    let event = json!({"id": "e-20", "type": "token_exchange_response", "details": details});
    assert_eq!(stray.post("/api/v1/events", &event).status, 202);
    let ran = || crate::enforce::lines(&dir.path().join("ran")).len();
    eventually("the program runs", || (ran() == 1).then_some(()));
    assert_eq!(http.get("/api/v1/accounts").status, 200);
    drop(crowd);
    eventually("there is room again", || {
        std::thread::sleep(Duration::from_millis(50));
        (server.admin().get("/readyz").status == 200).then_some(())
    });
    taken(&mut server.admin(), 21);
    server.kill();
    all_once(dir.path(), 22);
}

/// Too few to begin with: it says so, and does not come up half.
#[test]
fn too_few_descriptors_are_a_reason_not_to_start() {
    let dir = tempfile::tempdir().expect("directory");
    let start = Start::new(SERVER, dir.path());
    for limit in [20, 32, 64, 255] {
        let why = refusal(&start.clone().descriptors(limit));
        assert!(why.contains("cannot start") && why.contains("file descriptors"), "{limit}: {why}");
    }
    taken(&mut start.run().admin(), 0);
}

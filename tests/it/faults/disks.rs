//! Disks that are full, broken or read-only.

use std::time::Duration;

use onesec_e2e::{Http, Receiver, Reply, Start, eventually};
use serde_json::{Value, json};

use super::{SERVER, all_once, logged, refusal, send, switch, taken};

/// Whether the server says that it can do its work.
fn ready(http: &mut Http) -> (u16, Value) {
    let answer = http.get("/readyz");
    (answer.status, answer.json()["journal"].clone())
}

/// A disk without room, one that fails to write, one that fails to sync, and one that has become read-only.
#[test]
fn a_disk_that_fails_refuses_says_so_and_is_forgotten_once_it_works() {
    let home = tempfile::tempdir().expect("directory");
    let Some(switch) = switch(home.path()) else { return };
    let dir = tempfile::tempdir().expect("directory");
    let start = switch.of(Start::new(SERVER, dir.path()));
    let mut server = start.run();
    let mut http = server.admin();
    let wanted = json!({"name": "bot", "scopes": ["events:write"], "agent_id": "bot"});
    let key = http.post("/api/v1/keys", &wanted).json()["key"].as_str().expect("a key").to_owned();
    let mut bot = http.with_key(&key);
    let mut sent = 0;
    taken(&mut http, sent);
    for fault in ["full", "io", "sync", "readonly"] {
        switch.set(fault);
        sent += 1;
        let refused = send(&mut http, sent);
        assert_eq!(refused.status, 503, "{fault}: {}", refused.text());
        assert_eq!(refused.json()["code"], "journal", "{fault}: {}", refused.text());
        assert_eq!(ready(&mut http), (503, json!("unwritable")), "{fault}");
        logged(&server, "the journal cannot be written");
        let asked = json!({"type": "tool_call", "details": {"agent_id": "bot", "tool": "search"}});
        let verdict = bot.post("/api/v1/decide", &asked);
        assert_eq!(verdict.status, 503, "{fault}: what must guard fails closed: {}", verdict.text());
        assert_eq!(http.get("/api/v1/accounts").status, 200, "{fault}: what stands can still be read");
        switch.set("");
        taken(&mut http, sent);
        eventually("it is ready again", || (ready(&mut http) == (200, json!("ok"))).then_some(()));
    }
    server.kill();
    all_once(dir.path(), sent + 1);
    let server = start.run();
    assert_eq!(server.admin().get("/api/v1/accounts").json()["accounts"].as_array().map(Vec::len), Some(sent + 1));
    drop(server);
    let report = onesec_journal::verify(dir.path()).expect("verifies");
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn a_directory_that_is_read_only_is_a_reason_not_to_start() {
    let home = tempfile::tempdir().expect("directory");
    let Some(switch) = switch(home.path()) else { return };
    let dir = tempfile::tempdir().expect("directory");
    let start = switch.of(Start::new(SERVER, dir.path()));
    for made in [false, true] {
        switch.set("readonly");
        let why = refusal(&start);
        assert!(why.contains("cannot start") && why.contains("read-only"), "made before: {made}: {why}");
        switch.set("");
        start.run().kill();
    }
}

#[test]
fn a_start_on_a_full_disk_says_so_and_leaves_nothing_in_the_way() {
    let home = tempfile::tempdir().expect("directory");
    let Some(switch) = switch(home.path()) else { return };
    let dir = tempfile::tempdir().expect("directory");
    let start = switch.of(Start::new(SERVER, dir.path()));
    switch.set("full");
    let why = refusal(&start);
    assert!(why.contains("cannot start") && why.contains("full"), "{why}");
    switch.set("");
    let server = start.run();
    taken(&mut server.admin(), 0);
}

/// What is carried out is claimed first, and its receipt is written as soon as that can be done.
#[test]
fn an_outbox_that_cannot_be_written_does_nothing_and_forgets_nothing() {
    let home = tempfile::tempdir().expect("directory");
    let Some(switch) = switch(home.path()) else { return };
    let dir = tempfile::tempdir().expect("directory");
    let receiver = Receiver::start(&[Reply::Status(204)]);
    let program = crate::enforce::program(home.path(), &format!("echo x >> {}/ran; sleep 1", home.path().display()));
    let policies = json!([{"name": "strays", "match": {"detectors": ["unauthorized-agent"]},
        "actions": ["webhook", {"command": {"argv": [program]}}], "max_per_minute": 1_000}]);
    let hook = json!({"url": receiver.url("/"), "secret": crate::enforce::secret(), "allow_private": true});
    let config = json!({"enforcement": {"mode": "live", "webhook": hook, "policies": policies}});
    let server = switch.of(Start::new(SERVER, dir.path()).config(&config.to_string())).run();
    let mut http = server.admin();
    let wanted = json!({"name": "one", "scopes": ["events:write"], "agent_id": "one"});
    let made = http.post("/api/v1/keys", &wanted).json();
    let mut own = http.with_key(made["key"].as_str().expect("a key"));
    let stray = |agent: &str| {
        let details = json!({"agent_id": agent, "user_id": "ana", "connection": "github", "success": true});
        json!({"id": agent, "type": "token_exchange_response", "details": details})
    };
    let ran = || crate::enforce::lines(&home.path().join("ran")).len();
    switch.set("full");
    assert_eq!(own.post("/api/v1/events", &stray("one")).status, 503);
    std::thread::sleep(Duration::from_millis(800));
    assert_eq!((receiver.messages().len(), ran()), (0, 0), "what is not durable is not acted upon");
    switch.set("");
    eventually("taken", || (own.post("/api/v1/events", &stray("one")).status == 202).then_some(()));
    eventually("the program runs", || (ran() == 1).then_some(()));
    switch.set("io");
    // It ends, and there is no room for its receipt.
    std::thread::sleep(Duration::from_millis(1_500));
    let receipts = |http: &mut Http, action: &str| {
        let page = http.get(&format!("/api/v1/responses?action={action}")).json();
        let all = page["responses"].as_array().cloned().unwrap_or_default();
        all.into_iter().map(|receipt| receipt["status"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(receipts(&mut http, "command"), ["executing"]);
    switch.set("");
    for action in ["command", "webhook"] {
        eventually("a receipt", || (receipts(&mut http, action) == ["succeeded"]).then_some(()));
    }
    assert_eq!((receiver.messages().len(), ran()), (1, 1), "once");
}

//! Faults of the world around a server, switched on while it runs: each has a behaviour that its users can see, and
//! nothing that was acknowledged is lost or doubled by it. `docs/reliability.md` has the table.

mod clocks;
mod damage;
mod descriptors;
mod disks;

use std::collections::BTreeMap;
use std::path::Path;

use onesec_e2e::faults::Switch;
use onesec_e2e::{Answer, Http, Process, Start, eventually, journalled};
use serde_json::json;

const SERVER: &str = env!("CARGO_BIN_EXE_onesec-under-test");

/// A switch, or a word that there is no compiler for its library.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn switch(home: &Path) -> Option<Switch> {
    let switch = Switch::new(home);
    if switch.is_none() {
        eprintln!("SKIPPED: no C compiler to build the library of faults with");
    }
    switch
}

/// One event with an id of its own; linking an account is nothing that a policy minds.
fn send(http: &mut Http, n: usize) -> Answer {
    let details = json!({"user_id": format!("user-{n}"), "connection": "github", "scopes": "read:org"});
    http.post("/api/v1/events", &json!({"id": format!("e-{n}"), "type": "connected_account_link", "details": details}))
}

/// Sends until it is taken.
fn taken(http: &mut Http, n: usize) {
    eventually("the event is taken", || (send(http, n).status == 202).then_some(()));
}

/// Each of the first `count` events once, and no others.
#[track_caller]
fn all_once(dir: &Path, count: usize) {
    let wanted: BTreeMap<String, usize> = (0..count).map(|n| (format!("e-{n}"), 1)).collect();
    assert_eq!(journalled(dir), wanted);
}

/// Waits for a line in the log.
fn logged(server: &Process, words: &str) -> String {
    eventually(&format!("`{words}` in the log"), || server.log().into_iter().find(|line| line.contains(words)))
}

/// Why the server does not start.
#[track_caller]
fn refusal(start: &Start) -> String {
    match start.try_run() {
        Err(why) => why,
        Ok(_) => panic!("it starts all the same"),
    }
}

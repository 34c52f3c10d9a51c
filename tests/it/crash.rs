//! Acknowledged means durable: `kill -9`, a power failure, SIGTERM, and mutants that these tests must catch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use onesec_e2e::{Http, Start, journalled, power};
use serde_json::{Value, json};

mod rounds;

const SERVER: &str = env!("CARGO_BIN_EXE_onesec-under-test");

/// What was sent and acknowledged, by id.
#[derive(Default)]
struct Ledger {
    acknowledged: Mutex<BTreeSet<String>>,
    sent: Mutex<BTreeSet<String>>,
    next: std::sync::atomic::AtomicU64,
}

/// One writer: batches of goals, links, unlinks and delegations, until told to stop or cut off.
fn write(url: &str, key: &str, ledger: &Ledger, stop: &AtomicBool) {
    let mut http = Http::new(url, Some(key));
    while !stop.load(Ordering::Relaxed) {
        let first = ledger.next.fetch_add(10, Ordering::Relaxed);
        let events: Vec<Value> = (first..first + 10).map(event).collect();
        let ids: Vec<String> = events.iter().filter_map(|e| e["id"].as_str().map(str::to_owned)).collect();
        ledger.sent.lock().expect("lock").extend(ids.iter().cloned());
        let answer = http.post("/api/v1/events", &Value::Array(events));
        match answer.status {
            202 => ledger.acknowledged.lock().expect("lock").extend(ids),
            0 => return,
            429 | 503 => std::thread::sleep(Duration::from_millis(5)),
            other => panic!("unexpected {other}: {}", answer.text()),
        }
    }
}

fn event(n: u64) -> Value {
    let (user, agent) = (format!("user-{}", n % 50), format!("bot-{}", n % 20));
    let (kind, details) = match n % 5 {
        0 => ("connected_account_link", json!({"user_id": user, "connection": "github", "scopes": "repo read:org"})),
        1 => (
            "agent_identity_delegation",
            json!({"agent_id": agent, "delegated_by": user, "connection": "github", "scopes": "read:org"}),
        ),
        2 => (
            "token_exchange",
            json!({"agent_id": agent, "user_id": user, "connection": "github", "scopes": "read:org"}),
        ),
        3 if n % 35 == 3 => ("connected_account_unlink", json!({"user_id": user, "connection": "github"})),
        _ => ("agent_goal", json!({"agent_id": agent, "goal": "tidy up"})),
    };
    json!({"id": format!("e-{n}"), "type": kind, "details": details})
}

/// What a restart must not change: links, delegations, agents with their baselines.
fn standing(http: &mut Http) -> Value {
    let mut all = json!({});
    for list in ["accounts", "delegations", "agents"] {
        let answer = http.get(&format!("/api/v1/{list}?limit=1000"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        all[list] = answer.json()[list].clone();
    }
    all
}

fn missing(ledger: &Ledger, journal: &BTreeMap<String, usize>) -> usize {
    let acknowledged = ledger.acknowledged.lock().expect("lock");
    acknowledged.iter().filter(|id| !journal.contains_key(*id)).count()
}

/// One life: writers, then the end. What was acknowledged and is missing afterwards.
fn life(start: &Start, dir: &Path, ledger: &Arc<Ledger>, round: u64) -> usize {
    let mut server = start.run();
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (url, key) = (server.url().to_owned(), server.admin_key());
            let (ledger, stop) = (ledger.clone(), stop.clone());
            std::thread::spawn(move || write(&url, &key, &ledger, &stop))
        })
        .collect();
    std::thread::sleep(Duration::from_millis(120 + (round * 37) % 300));
    server.kill();
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.join().expect("writer");
    }
    power::fail(dir).expect("power failure");
    let journal = journalled(dir);
    assert!(journal.values().all(|n| *n == 1), "an id stands twice");
    missing(ledger, &journal)
}

#[test]
fn twenty_kills_under_load_lose_and_double_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let ledger = Arc::new(Ledger::default());
    let start = Start::new(SERVER, dir.path());
    for round in 0..20 {
        assert_eq!(life(&start, dir.path(), &ledger, round), 0, "round {round}: acknowledged events are missing");
    }
    let acknowledged = ledger.acknowledged.lock().expect("lock").len();
    assert!(acknowledged > 1_000, "only {acknowledged} events were acknowledged: the test tests nothing");

    // Sent again, everything acknowledged is a duplicate, and what people decided is as it was.
    let mut server = start.run();
    let mut http = server.admin();
    let before = standing(&mut http);
    assert!(before["accounts"].as_array().is_some_and(|a| !a.is_empty()), "{before}");
    let again: Vec<Value> = (0..200).map(event).collect();
    let known = journalled(dir.path());
    let known = again.iter().filter(|e| known.contains_key(e["id"].as_str().unwrap_or_default())).count();
    let answer = http.post("/api/v1/events", &Value::Array(again));
    assert_eq!(answer.json()["duplicates"], known, "{}", answer.text());
    let before = standing(&mut http);
    server.kill();
    let server = start.run();
    assert_eq!(standing(&mut server.admin()), before, "a restart changed what stood");
    drop(server);
    let report = onesec_journal::verify(dir.path()).expect("verify");
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn power_failures_under_load_lose_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().expect("dir");
    let Some(library) = power::library(dir.path()) else {
        return skipped("no C compiler to build the power-failure library with");
    };
    let ledger = Arc::new(Ledger::default());
    let start = Start::new(SERVER, dir.path()).env("LD_PRELOAD", library.to_str().expect("path"));
    for round in 0..5 {
        assert_eq!(life(&start, dir.path(), &ledger, round), 0, "round {round}: acknowledged events are missing");
    }
    assert!(ledger.acknowledged.lock().expect("lock").len() > 100);
}

/// The test above is worth something only if it fails for a server that does not sync.
#[test]
fn a_server_that_does_not_sync_is_caught() {
    let dir = tempfile::tempdir().expect("dir");
    let Some(library) = power::library(dir.path()) else {
        return skipped("no C compiler to build the power-failure library with");
    };
    let Some(mutant) = build_mutant() else {
        return skipped("the mutant server could not be built");
    };
    let ledger = Arc::new(Ledger::default());
    let start = Start::new(&mutant, dir.path()).env("LD_PRELOAD", library.to_str().expect("path"));
    let lost: usize = (0..3).map(|round| life_of_mutant(&start, dir.path(), &ledger, round)).sum();
    assert!(lost > 0, "a server without fsync lost nothing: these tests would not notice");
}

/// A mutant may be left with a journal that does not even open: that is a loss, too.
fn life_of_mutant(start: &Start, dir: &Path, ledger: &Arc<Ledger>, round: u64) -> usize {
    let (start, dir, ledger) = (start.clone(), dir.to_owned(), ledger.clone());
    std::thread::spawn(move || life(&start, &dir, &ledger, round)).join().unwrap_or(1)
}

fn build_mutant() -> Option<String> {
    let cargo = option_env!("CARGO")?;
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let built = std::process::Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--offline", "--manifest-path", manifest])
        .args(["--bin", "onesec-mutant", "--features", "mutant-no-fsync"])
        .status();
    let mutant = Path::new(SERVER).with_file_name("onesec-mutant");
    (built.is_ok_and(|s| s.success()) && mutant.exists()).then(|| mutant.to_string_lossy().into_owned())
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

#[test]
fn sigterm_with_a_backlog_loses_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let ledger = Arc::new(Ledger::default());
    let mut server = Start::new(SERVER, dir.path()).run();
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let (url, key) = (server.url().to_owned(), server.admin_key());
            let (ledger, stop) = (ledger.clone(), stop.clone());
            std::thread::spawn(move || write(&url, &key, &ledger, &stop))
        })
        .collect();
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(server.terminate(), Some(0), "it stops by itself, in order");
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.join().expect("writer");
    }
    let journal = journalled(dir.path());
    assert_eq!(missing(&ledger, &journal), 0);
    assert!(ledger.acknowledged.lock().expect("lock").len() > 100);
    let sent = ledger.sent.lock().expect("lock");
    assert!(journal.keys().all(|id| sent.contains(id)), "the journal has what nobody sent");
}

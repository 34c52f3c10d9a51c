//! A journal that is gone, cut short or has flipped bits, as an operator meets it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{SERVER, all_once, logged, refusal, send};
use onesec_e2e::{Start, eventually};
use onesec_journal::{Journal, JournalOptions, Reader};
use onesec_telemetry::TenantId;

const EVENTS: usize = 60;

/// A directory with events, ended by `kill -9`, so that the newest snapshot is one of every so many records.
fn filled(snapshot_every: usize) -> (tempfile::TempDir, Start) {
    let dir = tempfile::tempdir().expect("directory");
    let start = Start::new(SERVER, dir.path()).config(&format!("journal: {{snapshot_every: {snapshot_every}}}"));
    let mut server = start.run();
    let mut http = server.admin();
    for n in 0..EVENTS {
        assert_eq!(send(&mut http, n).status, 202);
    }
    if snapshot_every < EVENTS {
        let reader = Reader::open(dir.path()).expect("opens");
        let snapshots = || reader.snapshots(&TenantId::default_tenant()).expect("reads");
        eventually("a snapshot", || (!snapshots().is_empty()).then_some(()));
    }
    server.kill();
    // Whoever closes the journal as the last one moves its log into the file.
    drop(Journal::open(dir.path(), JournalOptions::default()).expect("opens"));
    (dir, start)
}

fn database(dir: &Path) -> PathBuf {
    let path = dir.join("onesec.db");
    let log = std::fs::metadata(dir.join("onesec.db-wal")).map_or(0, |found| found.len());
    assert_eq!(log, 0, "the log was moved into the file");
    path
}

/// Flips a bit in the middle of what follows `needle`, each time it stands there; how often that was.
fn flip(path: &Path, needle: &[u8], beyond: usize) -> usize {
    let mut bytes = std::fs::read(path).expect("reads");
    let places: Vec<usize> =
        bytes.windows(needle.len()).enumerate().filter(|(_, window)| *window == needle).map(|(at, _)| at).collect();
    for at in &places {
        bytes[at + beyond] ^= 0x04;
    }
    std::fs::write(path, bytes).expect("writes");
    places.len()
}

fn verified(dir: &Path) -> (bool, String) {
    let output = Command::new(SERVER).args(["journal", "verify", "--data-dir"]).arg(dir).output().expect("runs");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_journal_that_is_gone_or_cut_short_is_a_reason_not_to_start() {
    let (dir, start) = filled(1_000_000);
    let path = database(dir.path());
    let whole = std::fs::read(&path).expect("reads");
    for cut in [0, 1, 100, 8_192, whole.len() / 2, whole.len() - 8_192] {
        std::fs::write(&path, &whole[..cut]).expect("writes");
        let why = start.try_run().err().unwrap_or_else(|| panic!("cut at {cut} of {}: it starts", whole.len()));
        assert!(why.contains("cannot start"), "cut at {cut}: {why}");
        assert!(why.contains("is damaged") || why.contains("missing or empty"), "cut at {cut}: {why}");
    }
    std::fs::remove_file(&path).expect("removed");
    assert!(refusal(&start).contains("is missing or empty beside its `journal.key`"));
    std::fs::write(&path, &whole).expect("put back");
    let accounts = start.run().admin().get("/api/v1/accounts?limit=1000").json();
    assert_eq!(accounts["accounts"].as_array().map(Vec::len), Some(EVENTS), "put back, it is as it was");
}

#[test]
fn a_bit_flipped_in_a_record_is_a_reason_not_to_start() {
    let (dir, start) = filled(1_000_000);
    let path = database(dir.path());
    assert!(verified(dir.path()).0, "clean before");
    assert!(flip(&path, b"user-30", 5) > 0);
    let why = refusal(&start);
    assert!(why.contains("the journal is damaged") && why.contains("block at record"), "{why}");
    let (clean, said) = verified(dir.path());
    assert!(!clean && said.contains("block at record"), "{said}");
}

#[test]
fn a_bit_flipped_in_a_snapshot_costs_time_and_nothing_else() {
    let (dir, start) = filled(20);
    let path = database(dir.path());
    let reader = Reader::open(dir.path()).expect("opens");
    let newest = reader.snapshots(&TenantId::default_tenant()).expect("reads")[0].seq;
    let sections = reader.load_snapshot(&TenantId::default_tenant(), newest).expect("reads");
    // Settings stand in a record, too, whose damage is another matter.
    let counted = sections.iter().filter(|(name, _)| name.starts_with("trackers/"));
    let (_, largest) = counted.max_by_key(|(_, bytes)| bytes.len()).expect("a section");
    drop(reader);
    let middle = &largest[largest.len() / 2..][..24];
    assert!(flip(&path, middle, 12) > 0, "its bytes stand in the file");
    let server = start.run();
    logged(&server, "a snapshot cannot be used");
    let standing = server.admin().get("/api/v1/status").json();
    assert_eq!(standing["counts"]["accounts_linked"], EVENTS, "by the engine's own count");
    all_once(dir.path(), EVENTS);
}

//! Torn logs, flipped bits, tampered chains: defined answers.

use super::*;
use crate::{JournalError, VerifyReport, verify};

fn faults(home: &Home) -> Vec<String> {
    verify(home.path()).expect("verifies").faults.iter().map(ToString::to_string).collect()
}

fn check_found(home: &Home, sql: &str, place: &str) {
    assert_eq!(faults(home), Vec::<String>::new(), "clean before `{sql}`");
    home.sql(sql);
    let found = faults(home);
    assert!(found.iter().any(|fault| fault.contains(place)), "`{sql}` gives {found:?}, wanted `{place}`");
}

/// Copies the journal as a crash would leave it: every file as it lies there now.
fn crashed_copy(home: &Home) -> Home {
    let copy = Home::new();
    for entry in std::fs::read_dir(home.path()).expect("reads") {
        let entry = entry.expect("reads");
        // The index of the log is memory, not disk: a crash of the machine loses it.
        if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("copies");
        }
    }
    copy
}

#[test]
fn a_torn_log_leaves_a_prefix_of_whole_commits() {
    let home = Home::new();
    let mut journal = home.open();
    journal.maintenance.checkpoint().expect("checkpoints");
    let wal_path = |home: &Home| home.path().join(format!("{DB_FILE}-wal"));
    let mut acknowledged_at = Vec::new();
    for n in 1..=6 {
        let mut batch = records((n - 1) * 10 + 1..=n * 10);
        batch.transitions.push(transition(n, "opened"));
        batch.alert_views.push(alert(n, "open"));
        journal.writer.commit(&batch).expect("commits");
        acknowledged_at.push(std::fs::metadata(wal_path(&home)).expect("there").len());
    }
    let whole = crashed_copy(&home);
    let wal = std::fs::read(wal_path(&whole)).expect("reads");
    const FRAME: usize = 24 + 8_192;
    // Nothing, inside the header, at every frame border, inside every frame's header, and inside its page.
    let cuts =
        [0, 1, 31, 32].into_iter().chain((32..=wal.len()).step_by(FRAME).flat_map(|f| [f, f + 7, f + 24, f + 4_000]));
    for cut in cuts.filter(|cut| *cut <= wal.len()) {
        let copy = crashed_copy(&home);
        std::fs::write(wal_path(&copy), &wal[..cut]).expect("writes");
        let mut journal = copy.open();
        let durable = acknowledged_at.iter().filter(|end| **end <= cut as u64).count() as u64;
        let last = journal.writer.last_seq(&tenant());
        assert_eq!(last % 10, 0, "cut at {cut}: half a commit is there");
        assert!(last >= durable * 10, "cut at {cut}: {last} records of {durable} acknowledged commits");
        assert_eq!(all_seqs(&journal), (1..=last).collect::<Vec<_>>());
        assert_eq!(faults(&copy), Vec::<String>::new(), "cut at {cut}");
        journal.writer.commit(&records([last + 1])).expect("goes on");
    }
}

#[test]
fn flipped_bits_in_blocks_are_found() {
    let home = Home::new();
    let mut journal = home.open();
    for start in [1, 65, 129] {
        journal.writer.commit(&records(start..start + 64)).expect("commits");
    }
    drop(journal);
    let place = "block at record 65";
    let flips = [
        "UPDATE blocks SET body = CAST(substr(body, 1, 20) || x'00' || substr(body, 22) AS BLOB) WHERE first_seq = 65",
        "UPDATE blocks SET dedup = CAST(substr(dedup, 1, 20) || x'ff' || substr(dedup, 22) AS BLOB) WHERE first_seq = 65",
        "UPDATE blocks SET first_at = first_at + 1 WHERE first_seq = 65",
        "UPDATE blocks SET last_seq = last_seq - 1, count = count - 1 WHERE first_seq = 65",
        "UPDATE blocks SET body_crc = body_crc + 1 WHERE first_seq = 65",
    ];
    for sql in flips {
        let copy = crashed_copy(&home);
        check_found(&copy, sql, place);
        let journal = copy.open();
        let read: Vec<_> = journal.reader.records_from(&tenant(), 1).collect();
        assert!(matches!(read.last(), Some(Err(JournalError::Corrupt { .. }))), "replay stops at the damage: {sql}");
        assert!(read.len() <= 65);
    }
    check_found(&crashed_copy(&home), "DELETE FROM blocks WHERE first_seq = 65", "block at record 129");
    check_found(&crashed_copy(&home), "DELETE FROM blocks WHERE first_seq = 1", "block at record 65");
}

#[test]
fn flipped_bits_in_the_file_itself_never_go_unseen() {
    let home = Home::new();
    let mut journal = home.open();
    journal.writer.commit(&records(1..=64)).expect("commits");
    drop(journal);
    let clean = std::fs::read(home.path().join(DB_FILE)).expect("reads");
    let needle = b"record 40 ";
    let offset = clean.windows(needle.len()).position(|w| w == needle).expect("bodies are not compressed");
    let mut bytes = clean;
    bytes[offset + 3] ^= 0x10;
    std::fs::write(home.path().join(DB_FILE), bytes).expect("writes");
    let found = faults(&home);
    assert!(found.iter().any(|fault| fault.contains("block at record 1")), "{found:?}");
}

#[test]
fn tampered_chains_are_found() {
    let home = Home::new();
    let mut journal = home.open();
    for n in 1..=5 {
        let mut batch = opened(n, "open");
        batch.responses = vec![response(n, "executing"), response(n, "verified")];
        journal.writer.commit(&batch).expect("commits");
    }
    let report: VerifyReport = verify(home.path()).expect("verifies");
    assert_eq!((report.transitions, report.response_steps), (5, 10));
    drop(journal);
    let cases = [
        ("UPDATE transitions SET doc = '{}' WHERE pos = 3", "transitions 3"),
        ("UPDATE transitions SET at = at - 1 WHERE pos = 5", "transitions 5"),
        ("UPDATE transitions SET hash = zeroblob(32) WHERE pos = 2", "transitions 2"),
        ("DELETE FROM transitions WHERE pos = 3", "transitions 4"),
        ("DELETE FROM transitions WHERE pos = 1", "transitions 2"),
        ("DELETE FROM transitions WHERE pos = 5", "head of transitions"),
        ("DELETE FROM transitions", "head of transitions"),
        (
            "DELETE FROM transitions WHERE pos = 5; UPDATE chain_heads SET pos = 4, hash = (SELECT hash FROM transitions WHERE pos = 4) WHERE chain = 'transitions'",
            "head of transitions",
        ),
        ("DELETE FROM chain_heads", "head of transitions"),
        (
            "UPDATE transitions SET pos = 99 WHERE pos = 2; UPDATE transitions SET pos = 2 WHERE pos = 3; UPDATE transitions SET pos = 3 WHERE pos = 99",
            "transitions 2",
        ),
        ("UPDATE response_log SET kind = 'failed' WHERE pos = 10", "responses 10"),
        ("UPDATE responses SET state = 'failed' WHERE id = 'response-2'", "responses `response-2`"),
        ("DELETE FROM alerts WHERE seq = 2", "unknown alert"),
        ("INSERT INTO responses VALUES (99, 'default', 'made-up', NULL, 'verified', 0, 1, 1, 1, '{}')", "made-up"),
    ];
    for (sql, place) in cases {
        check_found(&crashed_copy(&home), sql, place);
    }
    // A removed prefix passes only with a checkpoint that we signed.
    let forged = "DELETE FROM transitions WHERE pos = 1; DELETE FROM alerts WHERE seq = 1;
        INSERT INTO checkpoints VALUES ('default', 'transitions', 1, (SELECT hash FROM chain_heads), 1, 0, zeroblob(32))";
    check_found(&crashed_copy(&home), forged, "checkpoint of transitions");
}

#[test]
fn a_damaged_snapshot_is_reported_and_the_next_one_serves() {
    let home = Home::new();
    let mut journal = home.open();
    journal.writer.commit(&records(1..=10)).expect("commits");
    let big: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    for seq in [2, 4, 6, 8] {
        let state = [seq as u8; 100];
        let sections: [(&str, &[u8]); 3] = [("engine", &state), ("empty", &[]), ("trackers", &big)];
        journal.snapshots.save((&tenant(), seq), at(seq), &sections).expect("saves");
    }
    let seqs = |journal: &Opened| {
        journal.reader.snapshots(&tenant()).expect("reads").iter().map(|s| s.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(&journal), [8, 6, 4], "the newest three are kept");
    let loaded = journal.reader.load_snapshot(&tenant(), 8).expect("loads");
    let want = vec![("engine".into(), vec![8; 100]), ("empty".into(), vec![]), ("trackers".into(), big)];
    assert_eq!(loaded, want);
    assert_eq!(verify(home.path()).expect("verifies").snapshots, 3);

    let newest = "(SELECT id FROM snapshots WHERE seq = 8)";
    let damages = [
        format!(
            "UPDATE snapshot_chunks SET body = CAST(x'00' || substr(body, 2) AS BLOB) WHERE snapshot = {newest} AND no = 3"
        ),
        format!("DELETE FROM snapshot_chunks WHERE snapshot = {newest} AND no = 4"),
        format!("UPDATE snapshot_chunks SET section = 'engines' WHERE snapshot = {newest} AND no = 0"),
    ];
    drop(journal);
    for sql in damages {
        let copy = crashed_copy(&home);
        check_found(&copy, &sql, "snapshot 8");
        let journal = copy.open();
        let usable = seqs(&journal).into_iter().find(|seq| journal.reader.load_snapshot(&tenant(), *seq).is_ok());
        assert_eq!(usable, Some(6), "{sql}");
    }
}

#[test]
fn a_snapshot_that_was_not_finished_does_not_count() {
    let home = Home::new();
    let mut journal = home.open();
    journal.writer.commit(&records(1..=10)).expect("commits");
    let mut builder = journal.snapshots.begin((&tenant(), 5), at(5)).expect("begins");
    builder.section("engine", &[1; 2_000_000]).expect("writes");
    let copy = crashed_copy(&home);
    drop(builder);
    for home in [&home, &copy] {
        let chunks = |home: &Home| -> i64 {
            let conn = Connection::open(home.path().join(DB_FILE)).expect("opens");
            conn.query_row("SELECT count(*) FROM snapshot_chunks", [], |row| row.get(0)).expect("reads")
        };
        if home.path() == copy.path() {
            assert_eq!(chunks(home), 2, "the crash left chunks");
            assert_eq!(home.open().reader.snapshots(&tenant()).expect("reads"), []);
        }
        assert_eq!(chunks(home), 0);
    }
}

//! Snapshots as they lie in the file: chunks with checksums, and a manifest over all of them.

use std::cell::RefCell;

use onesec_journal::{Batch, DB_FILE, Journal, JournalError, JournalOptions, Opened, Reader, RecordRow, Synchronous};
use onesec_telemetry::{TenantId, Timestamp};
use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::parts::Parts;
use crate::trace::Trace;

/// A journal in a directory of its own, and a second way into it.
pub(super) struct File {
    pub(super) reader: Reader,
    pub(super) sql: Connection,
    _journal: Opened,
    _dir: TempDir,
}

/// The journal of this thread.
pub(super) fn with_file(file: &mut Option<File>) -> &File {
    file.get_or_insert_with(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let options = JournalOptions { synchronous: Synchronous::Off, ..JournalOptions::default() };
        let mut journal = Journal::open(dir.path(), options).expect("a journal");
        let mut batch = Batch::default();
        batch.records.push(RecordRow {
            tenant: TenantId::default_tenant(),
            seq: 1,
            observed_at: Timestamp::from_secs(1_767_225_600),
            dedup: None,
            bytes: b"first".as_slice().into(),
        });
        journal.writer.commit(&batch).expect("a record");
        let sql = Connection::open(dir.path().join(DB_FILE)).expect("a file");
        sql.execute_batch("PRAGMA synchronous = OFF").expect("a setting");
        File { reader: journal.reader.clone(), sql, _journal: journal, _dir: dir }
    })
}

/// Snapshots of a few chunks. A part is a chunk, its name the section's; `xor` makes checksums wrong, `damage` a byte of a
/// chunk, `skip` leaves a chunk out, `manifest` makes that wrong.
pub(super) fn corpus() -> Vec<Vec<u8>> {
    let chunks = |names: &[&str]| names.iter().fold(Parts::default(), |parts, name| parts.with(name, vec![5; 40]));
    vec![
        chunks(&["trackers/accounts"]).to_bytes(),
        chunks(&["a", "a", "b", "c"]).to_bytes(),
        chunks(&["a", ""]).with("empty", Vec::new()).to_bytes(),
        chunks(&["a", "b"]).with("xor", [0, 0, 0, 1, 0, 0, 0, 0]).to_bytes(),
        chunks(&["a", "b"]).with("skip", [1]).to_bytes(),
        chunks(&["a", "b"]).with("manifest", [1]).to_bytes(),
        chunks(&["a", "b"]).with("damage", [1, 7]).to_bytes(),
    ]
}

thread_local! {
    static FILE: RefCell<Option<File>> = const { RefCell::new(None) };
}

/// A snapshot is loaded as what was written, or is damage: never half of it, never in another order.
pub(super) fn run(input: &[u8], trace: &mut Trace) {
    let parts = Parts::from_bytes(input);
    let (flip, skip) = (parts.number("xor") as u32, parts.get("skip").first().map(|at| usize::from(*at)));
    let wrong_manifest = parts.get("manifest").first().copied().unwrap_or_default();
    let (hit, bit) = match parts.get("damage") {
        [chunk, byte, ..] => (Some(usize::from(*chunk)), usize::from(*byte)),
        _ => (None, 0),
    };
    let control = |name: &str| ["xor", "skip", "manifest", "damage"].contains(&name);
    let chunks: Vec<&(String, Vec<u8>)> = parts.0.iter().filter(|(name, _)| !control(name)).collect();
    FILE.with_borrow_mut(|file| {
        let file = with_file(file);
        file.sql.execute_batch("DELETE FROM snapshots; DELETE FROM snapshot_chunks").expect("tables");
        let mut manifest = Sha256::new();
        for (no, (name, body)) in chunks.iter().enumerate() {
            let crc = crc32fast::hash(body);
            manifest.update((name.len() as u64).to_be_bytes());
            manifest.update(name);
            manifest.update((body.len() as u64).to_be_bytes());
            manifest.update(crc.to_be_bytes());
            if skip != Some(no) {
                let mut stored = body.clone();
                if let (Some(byte), true) = (stored.get_mut(bit), hit == Some(no)) {
                    *byte ^= 1;
                }
                let row = params![1, no as i64, name, crc ^ flip, stored];
                file.sql.execute("INSERT INTO snapshot_chunks VALUES (?1,?2,?3,?4,?5)", row).expect("a chunk");
            }
        }
        let mut digest: Vec<u8> = manifest.finalize().to_vec();
        if let Some(byte) = digest.first_mut() {
            *byte ^= wrong_manifest;
        }
        let sql = "INSERT INTO snapshots (id, tenant, seq, at, complete, bytes, chunks, manifest)
                   VALUES (1, 'default', 1, 0, 1, 0, ?1, ?2)";
        file.sql.execute(sql, params![chunks.len() as i64, digest]).expect("a snapshot");
        let hurt = hit.filter(|at| skip != Some(*at)).and_then(|at| chunks.get(at));
        let damaged = hurt.is_some_and(|(_, body)| body.len() > bit)
            || flip != 0 && !chunks.is_empty()
            || skip.is_some_and(|at| at < chunks.len())
            || wrong_manifest != 0;
        check(file, (&chunks, damaged), trace);
    });
}

fn check(file: &File, (chunks, damaged): (&[&(String, Vec<u8>)], bool), trace: &mut Trace) {
    let loaded = file.reader.load_snapshot(&TenantId::default_tenant(), 1);
    trace.sized("chunks", chunks.len());
    match loaded {
        Err(error) => {
            assert!(damaged, "a snapshot that is whole is refused: {error}");
            assert!(matches!(error, JournalError::Corrupt { .. }), "damage is called damage: {error}");
            trace.saw(error.to_string().rsplit(' ').next().unwrap_or_default());
        }
        Ok(sections) => {
            assert!(!damaged, "damage was not noticed");
            trace.sized("sections", sections.len());
            let written: Vec<u8> = chunks.iter().flat_map(|(_, body)| body.clone()).collect();
            let read: Vec<u8> = sections.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
            assert!(written == read, "what was loaded is not what was written");
            assert!(sections.is_sorted_by(|a, b| a.0 != b.0), "neighbours of one name are one section");
        }
    }
}

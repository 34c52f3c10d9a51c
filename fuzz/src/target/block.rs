//! Blocks of the journal: rows of a real file, with checksums that are right where the input does not say otherwise.

use std::cell::RefCell;

use onesec_journal::block::{MAX_BLOCK_RECORDS, MAX_RECORD_BYTES};
use onesec_journal::{DedupEntry, JournalError, verify_with};
use onesec_telemetry::{TenantId, Timestamp};
use rusqlite::params;

use super::stored::{File, with_file};
use crate::mutate::bytes::varint;
use crate::parts::Parts;
use crate::trace::Trace;

/// Where the block begins, as the corpus has it.
const FIRST_AT: i64 = 1_767_225_600_000_000;

/// What a block says, put together by the words of its format and not by the code that reads it.
fn block(sizes: &[usize]) -> Parts {
    let (mut body, mut dedup) = (vec![1], Vec::new());
    for (index, size) in sizes.iter().enumerate() {
        let delta = index as u64 * 1_000;
        body.extend([varint(delta), varint(*size as u64), vec![b'r'; *size]].concat());
        if index % 2 == 0 {
            let head = if dedup.is_empty() { vec![1] } else { Vec::new() };
            dedup.extend([head, varint(index as u64), varint(delta), vec![1], vec![7; 16], vec![9; 8]].concat());
        }
    }
    let count = sizes.len() as u64;
    Parts::default()
        .with("first_seq", 1_u64.to_le_bytes())
        .with("last_seq", count.to_le_bytes())
        .with("first_at", FIRST_AT.to_le_bytes())
        .with("last_at", (FIRST_AT + 1_000 * (count as i64 - 1)).to_le_bytes())
        .with("count", count.to_le_bytes())
        .with("dedup", dedup)
        .with("body", body)
}

/// Blocks of several sizes; one says that its checksums are wrong.
pub(super) fn corpus() -> Vec<Vec<u8>> {
    let sizes: [&[usize]; 4] = [&[3], &[0, 200, 5], &[130; 20], &[1; MAX_BLOCK_RECORDS as usize]];
    let mut corpus: Vec<Vec<u8>> = sizes.iter().map(|sizes| block(sizes).to_bytes()).collect();
    corpus.push(block(&[3]).with("xor", [1; 8]).to_bytes());
    corpus
}

thread_local! {
    static FILE: RefCell<Option<File>> = const { RefCell::new(None) };
}

/// The checksums of the format.
fn checksums(parts: &Parts) -> (u32, u32) {
    let mut head = crc32fast::Hasher::new();
    let tenant = 1_u64;
    head.update(&tenant.to_le_bytes());
    for name in ["first_seq", "last_seq", "first_at", "last_at", "count"] {
        head.update(&parts.number(name).to_le_bytes());
    }
    head.update(parts.get("dedup"));
    let head = head.finalize();
    let mut body = crc32fast::Hasher::new();
    body.update(&head.to_le_bytes());
    body.update(parts.get("body"));
    (head, body.finalize())
}

/// A block whose checksums are wrong is damage. One whose checksums are right is read as what it says, or is damage, too;
/// whatever comes out is in order and not larger than what went in.
pub(super) fn run(input: &[u8], trace: &mut Trace) {
    let parts = Parts::from_bytes(input);
    let flip = parts.number("xor");
    let (head, body) = checksums(&parts);
    let (head, body) = (head ^ flip as u32, body ^ (flip >> 32) as u32);
    let signed = |name: &str| parts.number(name).cast_signed();
    let key = 1_i64 << 44 | parts.number("first_seq").cast_signed() & ((1 << 44) - 1);
    FILE.with_borrow_mut(|file| {
        let file = with_file(file);
        file.sql.execute("DELETE FROM blocks", []).expect("a table");
        let row = params![
            key,
            1,
            signed("first_seq"),
            signed("last_seq"),
            signed("first_at"),
            signed("last_at"),
            signed("count"),
            head,
            body,
            parts.get("dedup"),
            parts.get("body"),
        ];
        file.sql.execute("INSERT INTO blocks VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)", row).expect("a row");
        read(file, (&parts, flip != 0), trace);
    });
}

fn read(file: &File, (parts, wrong): (&Parts, bool), trace: &mut Trace) {
    let tenant = TenantId::default_tenant();
    // Each block answers for 64 records at most, so this ends; the bound is for the day when it does not.
    let all: Vec<_> = file.reader.records_from(&tenant, 0).take(100_000).collect();
    let bytes: usize = all.iter().flatten().map(|record| record.bytes.len()).sum();
    assert!(all.len() < 100_000 && bytes <= parts.get("body").len() && bytes <= MAX_RECORD_BYTES);
    for (next, stored) in (parts.number("first_seq")..).zip(all.iter().flatten()) {
        assert_eq!(stored.seq, next, "records are in order");
        assert!(stored.observed_at >= Timestamp::EPOCH && stored.observed_at <= Timestamp::MAX);
    }
    match all.last() {
        Some(Err(error)) => {
            assert!(matches!(error, JournalError::Corrupt { .. }), "damage is called damage: {error}");
            trace.saw("damaged");
        }
        last => {
            assert!(!wrong, "a wrong checksum was not noticed");
            trace.saw(if last.is_some() { "read" } else { "empty" });
            trace.sized("records", all.len());
        }
    }
    let seen = file.reader.dedup_since(&tenant, Timestamp::EPOCH).expect("a table");
    let seen: Vec<_> = seen.take(100_000).collect();
    let entries: Vec<DedupEntry> = seen.iter().flatten().map(|seen| seen.entry).collect();
    assert!(entries.len() * 27 <= parts.get("dedup").len(), "entries have a size");
    trace.sized("entries", entries.len());
    let report = verify_with(&file.reader).expect("a file that can be read");
    assert!(report.faults.len() <= 1_000);
    if matches!(all.last(), Some(Err(_))) {
        assert!(!report.is_clean(), "what cannot be read is no clean journal");
    }
    trace.saw(&format!("clean {}", report.is_clean()));
    let _ = file.reader.record(&tenant, parts.number("first_seq"));
    let _ = file.reader.last_seq(&tenant);
}

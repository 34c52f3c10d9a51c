//! The query index, built behind the hot path.
//!
//! Blocks never change, so the indexer follows at its own pace and on its own connection. Most values are named once
//! (ids) or now and then (agents, users), so a row for each would cost more than the record itself: a row holds all
//! values of a part of a column, parted by hash, of a run of 4,096 records. A query looks through the rows of its
//! value's part, 16 for a bucket of 65,536 records. A hash may collide, so it checks every candidate against the record.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::db::{Db, Durability, Shared, int, uint};
use crate::error::JournalError;
use crate::reader::{fetch_blocks, tenants};
use crate::rows::StoredRecord;

/// What records can be found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// The kind of event.
    Kind,
    /// The agent.
    Agent,
    /// The user.
    User,
    /// The connection.
    Connection,
    /// The id that the sender gave.
    EventId,
}

impl Column {
    /// It is stored: it must never change.
    const fn code(self) -> u8 {
        match self {
            Self::Kind => 1,
            Self::Agent => 2,
            Self::User => 3,
            Self::Connection => 4,
            Self::EventId => 5,
        }
    }
}

/// Names the keys of a record: calls the sink once per column and value, or not at all where it cannot read it.
/// Must always say the same of the same bytes.
pub type Extract<'a> = dyn Fn(&[u8], &mut dyn FnMut(Column, &str)) + 'a;

/// How far one step got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IndexProgress {
    /// Blocks indexed; fewer than asked for means that the index is up to date.
    pub blocks: usize,
    /// Records in them.
    pub records: usize,
}

/// Builds the index; one per journal, in a thread of its own or between other work.
pub struct Indexer {
    db: Db,
}

impl Indexer {
    pub(crate) fn open(shared: &Arc<Shared>) -> Result<Self, JournalError> {
        Ok(Self { db: Db::open(shared, Durability::Rebuildable)? })
    }

    /// Indexes up to `max_blocks` blocks, in short transactions; remembers how far it got.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] at a damaged block, past which it does not go, or what writing says.
    pub fn step(&mut self, extract: &Extract<'_>, max_blocks: usize) -> Result<IndexProgress, JournalError> {
        let mut progress = IndexProgress::default();
        for (no, _) in tenants(&self.db.conn)? {
            while progress.blocks < max_blocks {
                let (blocks, records) = self.chunk(no, extract, max_blocks - progress.blocks)?;
                progress.blocks += blocks;
                progress.records += records;
                if blocks == 0 {
                    break;
                }
            }
        }
        Ok(progress)
    }

    /// Indexes blocks until they make a run of records, there are no more, or there were `most`. Commits of single
    /// events make small blocks: many of them go together, for each transaction makes the writer wait.
    fn chunk(&mut self, no: u64, extract: &Extract<'_>, most: usize) -> Result<(usize, usize), JournalError> {
        let from = indexed_to(&self.db.conn, no)? + 1;
        let (mut next, mut count, mut records) = (from, 0, 0);
        let mut postings = Postings::new();
        while count < most && records < 1 << RUN_BITS {
            let limit = u32::try_from(most - count).unwrap_or(u32::MAX).min(CHUNK_BLOCKS);
            let blocks = fetch_blocks(&self.db.conn, no, next, (limit, true))?;
            let Some(last) = blocks.last() else { break };
            (next, count) = (last.last_seq + 1, count + blocks.len());
            for block in blocks {
                for record in block.records()? {
                    records += 1;
                    post(&record, extract, &mut postings);
                }
            }
        }
        if count > 0 {
            self.db.write(|tx| insert(tx, no, &postings, (from, next - 1)))?;
        }
        Ok((count, records))
    }
}

fn post(record: &StoredRecord, extract: &Extract<'_>, postings: &mut Postings) {
    let (bucket, offset) = place(record.seq);
    extract(&record.bytes, &mut |column, value| {
        let entry = Entry::new(value_hash(value), offset);
        let row = postings.entry((bucket, column.code(), entry.part(), run_of(offset))).or_default();
        // A record may name a value twice.
        if !row.ends_with(&entry.bytes) {
            row.extend_from_slice(&entry.bytes);
        }
    });
}

/// (bucket, column, part, run) → entries, offsets ascending; sorted, because B-trees like that.
type Postings = BTreeMap<(i64, u8, u8, u8), Vec<u8>>;

/// A record's value as it stands in a row: 32 bits of the value's hash, and the record's offset in the bucket.
struct Entry {
    hash: u64,
    bytes: [u8; ENTRY_BYTES],
}

impl Entry {
    const fn new(hash: u64, offset: u16) -> Self {
        let [a, b, c, d, ..] = hash.to_le_bytes();
        let [e, f] = offset.to_le_bytes();
        Self { hash, bytes: [a, b, c, d, e, f] }
    }

    /// The part of its column: bits that do not stand in the entry.
    const fn part(&self) -> u8 {
        (self.hash >> 60) as u8
    }

    /// The offset of an entry with the same value, as far as the hash tells.
    fn offset_of_same(&self, entry: [u8; ENTRY_BYTES]) -> Option<u16> {
        let ([a, b, c, d, e, f], [g, h, i, j, ..]) = (entry, self.bytes);
        ([a, b, c, d] == [g, h, i, j]).then(|| u16::from_le_bytes([e, f]))
    }
}

/// The run of 4,096 records of a bucket.
const fn run_of(offset: u16) -> u8 {
    (offset >> RUN_BITS) as u8
}

fn insert(tx: &Transaction<'_>, no: u64, postings: &Postings, (first, last): (u64, u64)) -> Result<(), JournalError> {
    let mut put = tx.prepare_cached("INSERT OR REPLACE INTO event_index VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut get = tx.prepare_cached(
        "SELECT entries FROM event_index WHERE tenant = ?1 AND bucket = ?2 AND col = ?3 AND part = ?4 AND run = ?5",
    )?;
    let (first_bucket, first_offset) = place(first);
    for ((bucket, column, part, run), entries) in postings {
        // Only the run in which the last step ended has rows already.
        let begun: Option<Vec<u8>> = if (*bucket, *run) == (first_bucket, run_of(first_offset)) {
            get.query_row(params![int(no), bucket, column, part, run], |row| row.get(0)).optional()?
        } else {
            None
        };
        match begun {
            Some(begun) => put.execute(params![int(no), bucket, column, part, run, [&begun[..], entries].concat()])?,
            None => put.execute(params![int(no), bucket, column, part, run, entries])?,
        };
    }
    tx.prepare_cached("INSERT OR REPLACE INTO index_state VALUES (?1, ?2)")?.execute([int(no), int(last)])?;
    Ok(())
}

/// The newest indexed record of a tenant; 0 for none.
pub(crate) fn indexed_to(conn: &Connection, no: u64) -> Result<u64, JournalError> {
    let mut statement = conn.prepare_cached("SELECT seq FROM index_state WHERE tenant = ?1")?;
    let seq: Option<i64> = statement.query_row([int(no)], |row| row.get(0)).optional()?;
    Ok(uint(seq.unwrap_or(0)))
}

/// Offsets in `bucket` of the records that may have `value`, ascending.
pub(crate) fn offsets(
    conn: &Connection,
    (no, bucket): (u64, i64),
    (column, value): (Column, &str),
) -> Result<Vec<u16>, JournalError> {
    let wanted = Entry::new(value_hash(value), 0);
    let sql = "SELECT entries FROM event_index
        WHERE tenant = ?1 AND bucket = ?2 AND col = ?3 AND part = ?4 ORDER BY run";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params![int(no), bucket, column.code(), wanted.part()])?;
    let mut offsets = Vec::new();
    while let Some(row) = rows.next()? {
        let entries = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        offsets.extend(entries.as_chunks().0.iter().filter_map(|entry| wanted.offset_of_same(*entry)));
    }
    Ok(offsets)
}

/// Bucket, and offset in it.
pub(crate) fn place(seq: u64) -> (i64, u16) {
    (int(seq >> u16::BITS), (seq & u64::from(u16::MAX)) as u16)
}

/// The number of the record at a place.
pub(crate) fn seq_at(bucket: i64, offset: u16) -> u64 {
    uint(bucket) << u16::BITS | u64::from(offset)
}

/// FNV-1a with a final mix. It is stored: it must never change. Whoever makes it collide gains a candidate
/// that the query throws away.
pub(crate) fn value_hash(value: &str) -> u64 {
    let fnv = value
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// Blocks read at a time.
const CHUNK_BLOCKS: u32 = 16;
const ENTRY_BYTES: usize = 6;
const RUN_BITS: u32 = 12;

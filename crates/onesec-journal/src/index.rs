//! The query index, built behind the hot path.
//!
//! Blocks never change, so the indexer follows at its own pace: it reads them on its own connection, sorts their
//! keys, and inserts them in key order into buckets of 65,536 records. A row is (tenant, bucket, column, hash of
//! the value, offsets in the bucket): one row for all records of a step that share a value. A hash may collide,
//! so a query checks every candidate against the record.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::block::Block;
use crate::db::{Db, Durability, Shared, int, uint};
use crate::error::JournalError;
use crate::reader::{fetch_blocks, tenants};

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
    pub(crate) const fn code(self) -> i64 {
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

    fn chunk(&mut self, no: u64, extract: &Extract<'_>, limit: usize) -> Result<(usize, usize), JournalError> {
        let blocks = self.gather(no, limit)?;
        let (count, Some(last)) = (blocks.len(), blocks.last().map(|block| block.last_seq)) else {
            return Ok((0, 0));
        };
        let mut postings = Postings::new();
        let mut records = 0;
        for block in blocks {
            for record in block.records()? {
                records += 1;
                let (bucket, offset) = place(record.seq);
                extract(&record.bytes, &mut |column, value| {
                    let offsets = postings.entry((bucket, column.code(), value_hash(value))).or_default();
                    // A record may name a value twice.
                    if offsets.last() != Some(&offset) {
                        offsets.push(offset);
                    }
                });
            }
        }
        self.db.write(|tx| insert(tx, no, &postings, last))?;
        Ok((count, records))
    }

    /// What one transaction indexes. Commits of single events make small blocks: many of them go together, for each
    /// transaction makes the writer wait and read its pages anew.
    fn gather(&self, no: u64, limit: usize) -> Result<Vec<Block>, JournalError> {
        let mut next = indexed_to(&self.db.conn, no)? + 1;
        let (mut blocks, mut records) = (Vec::new(), 0);
        while blocks.len() < limit && records < CHUNK_RECORDS {
            let most = READ_BLOCKS.min(limit - blocks.len());
            let more = fetch_blocks(&self.db.conn, no, next, (u32::try_from(most).unwrap_or(u32::MAX), true))?;
            let Some(last) = more.last() else { break };
            next = last.last_seq + 1;
            let all = more.len() < most;
            records += more.iter().map(|block| block.count).sum::<u64>();
            blocks.extend(more);
            if all {
                break;
            }
        }
        Ok(blocks)
    }
}

/// (bucket, column, hash of value) → offsets, ascending; sorted, because B-trees like that.
type Postings = BTreeMap<(i64, i64, i64), Vec<u16>>;

fn insert(tx: &Transaction<'_>, no: u64, postings: &Postings, last: u64) -> Result<(), JournalError> {
    let mut statement = tx.prepare_cached("INSERT OR REPLACE INTO event_index VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for ((bucket, column, value), offsets) in postings {
        let Some((first, more)) = offsets.split_first() else { continue };
        let more: Vec<u8> = more.iter().flat_map(|offset| offset.to_le_bytes()).collect();
        statement.execute(params![int(no), bucket, column, value, first, more])?;
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
    let sql = "SELECT off, more FROM event_index
        WHERE tenant = ?1 AND bucket = ?2 AND col = ?3 AND value = ?4 ORDER BY off";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params![int(no), bucket, column.code(), value_hash(value)])?;
    let mut offsets = Vec::new();
    while let Some(row) = rows.next()? {
        offsets.push(row.get(0)?);
        let more: Vec<u8> = row.get(1)?;
        offsets.extend(more.as_chunks().0.iter().map(|pair| u16::from_le_bytes(*pair)));
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
pub(crate) fn value_hash(value: &str) -> i64 {
    let fnv = value
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).cast_signed()
}

/// Blocks read at a time.
const READ_BLOCKS: usize = 16;
/// From so many records on a transaction is long enough: a few milliseconds.
const CHUNK_RECORDS: u64 = 1_024;

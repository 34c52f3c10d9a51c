//! The query index, built behind the hot path.
//!
//! Blocks never change, so the indexer follows at its own pace: it reads them on its own connection, sorts their
//! keys, and inserts them in key order into buckets of 65,536 records. A row is (tenant, bucket, column, hash of
//! the value, offset in the bucket); a hash may collide, so a query checks every candidate against the record.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

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
                let left = u32::try_from(max_blocks - progress.blocks).unwrap_or(u32::MAX);
                let (blocks, records) = self.chunk(no, extract, left.min(CHUNK_BLOCKS))?;
                progress.blocks += blocks;
                progress.records += records;
                if blocks == 0 {
                    break;
                }
            }
        }
        Ok(progress)
    }

    fn chunk(&mut self, no: u64, extract: &Extract<'_>, limit: u32) -> Result<(usize, usize), JournalError> {
        let from = indexed_to(&self.db.conn, no)? + 1;
        let blocks = fetch_blocks(&self.db.conn, no, from, (limit, true))?;
        let (count, Some(last)) = (blocks.len(), blocks.last().map(|block| block.last_seq)) else {
            return Ok((0, 0));
        };
        // A set, because a record may name a value twice; sorted, because B-trees like that.
        let mut keys = BTreeSet::new();
        let mut records = 0;
        for block in blocks {
            for record in block.records()? {
                records += 1;
                extract(&record.bytes, &mut |column, value| {
                    let (bucket, offset) = place(record.seq);
                    keys.insert((bucket, column.code(), value_hash(value), offset));
                });
            }
        }
        self.db.write(|tx| insert(tx, no, &keys, last))?;
        Ok((count, records))
    }
}

fn insert(tx: &Transaction<'_>, no: u64, keys: &BTreeSet<(i64, i64, i64, i64)>, last: u64) -> Result<(), JournalError> {
    let mut statement = tx.prepare_cached("INSERT OR IGNORE INTO event_index VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (bucket, column, value, offset) in keys {
        statement.execute(params![int(no), bucket, column, value, offset])?;
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

/// Bucket, and offset in it.
pub(crate) fn place(seq: u64) -> (i64, i64) {
    (int(seq >> BUCKET_BITS), int(seq & ((1 << BUCKET_BITS) - 1)))
}

/// The number of the record at a place.
pub(crate) fn seq_at(bucket: i64, offset: i64) -> u64 {
    uint(bucket) << BUCKET_BITS | uint(offset)
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

const BUCKET_BITS: u32 = 16;
/// Some thousand records: a transaction of a few milliseconds.
const CHUNK_BLOCKS: u32 = 16;

//! Reading records back: for replay, by number, and what recognises repetitions.

use std::collections::VecDeque;

use onesec_telemetry::{TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Reader, tenant_no};
use crate::block::{self, Block};
use crate::db::uint;
use crate::error::JournalError;
use crate::rows::{DedupEntry, StoredRecord};

/// A dedup entry and the record that brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenRecord {
    /// The record's number.
    pub seq: u64,
    /// When it was seen.
    pub at: Timestamp,
    /// What recognises its repetition.
    pub entry: DedupEntry,
}

impl Reader {
    /// The record `seq`; `None` where it never was, or retention removed it.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] where its block fails its checksum.
    pub fn record(&self, tenant: &TenantId, seq: u64) -> Result<Option<StoredRecord>, JournalError> {
        self.with(|conn| {
            let Some(no) = tenant_no(conn, tenant)? else { return Ok(None) };
            let Some(block) = block_at(conn, no, seq)? else { return Ok(None) };
            Ok(block.records()?.into_iter().find(|record| record.seq == seq))
        })
    }

    /// All records from `seq` on, in order, read in chunks: what is appended meanwhile comes too.
    #[must_use]
    pub fn records_from(&self, tenant: &TenantId, seq: u64) -> RecordStream {
        RecordStream { blocks: BlockWalk::new(self, tenant, seq), from: seq, ready: VecDeque::new() }
    }

    /// The dedup entries of all records since `since` that are still in their blocks, in order.
    /// Add [`Reader::dedup_long`] for those that outlive them.
    ///
    /// # Errors
    /// What reading says.
    pub fn dedup_since(&self, tenant: &TenantId, since: Timestamp) -> Result<DedupIter, JournalError> {
        let first = self.with(|conn| match tenant_no(conn, tenant)? {
            Some(no) => first_block_since(conn, no, since),
            None => Ok(0),
        })?;
        Ok(DedupIter { blocks: BlockWalk::heads(self, tenant, first), since, ready: VecDeque::new() })
    }

    /// The long-lived dedup entries since `since`, in order of their keys, at most `limit` after `after`.
    ///
    /// # Errors
    /// What reading says.
    pub fn dedup_long(
        &self,
        tenant: &TenantId,
        since: Timestamp,
        (after, limit): (Option<u128>, u32),
    ) -> Result<Vec<SeenRecord>, JournalError> {
        self.with(|conn| {
            let sql = "SELECT key, content, seq, at FROM dedup_long
                       WHERE tenant = ?1 AND key > ?2 AND at >= ?3 ORDER BY key LIMIT ?4";
            let mut statement = conn.prepare_cached(sql)?;
            let after = after.map(|key| key.to_be_bytes().to_vec()).unwrap_or_default();
            let row = |row: &Row<'_>| {
                let entry = DedupEntry {
                    key: u128::from_be_bytes(row.get(0)?),
                    content: row.get::<_, i64>(1)?.cast_unsigned(),
                    long: true,
                };
                Ok(SeenRecord { seq: uint(row.get(2)?), at: Timestamp::from_micros(row.get(3)?), entry })
            };
            let rows = statement.query_map(params![tenant.as_str(), after, since.as_micros(), limit], row)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// Records in order; see [`Reader::records_from`]. Ends at the first error.
pub struct RecordStream {
    blocks: BlockWalk,
    from: u64,
    ready: VecDeque<StoredRecord>,
}

impl Iterator for RecordStream {
    type Item = Result<StoredRecord, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.ready.pop_front() {
                Some(record) if record.seq < self.from => {}
                Some(record) => return Some(Ok(record)),
                None => match self.blocks.next()?.and_then(Block::records) {
                    Ok(records) => self.ready.extend(records),
                    Err(error) => return Some(Err(self.blocks.fail(error))),
                },
            }
        }
    }
}

/// Dedup entries in order; see [`Reader::dedup_since`]. Ends at the first error.
pub struct DedupIter {
    blocks: BlockWalk,
    since: Timestamp,
    ready: VecDeque<SeenRecord>,
}

impl Iterator for DedupIter {
    type Item = Result<SeenRecord, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(seen) = self.ready.pop_front() {
                return Some(Ok(seen));
            }
            match self.blocks.next()?.and_then(|block| block.dedup_entries()) {
                Ok(entries) => {
                    let seen = entries.into_iter().map(|(seq, at, entry)| SeenRecord { seq, at, entry });
                    self.ready.extend(seen.filter(|seen| seen.at >= self.since));
                }
                Err(error) => return Some(Err(self.blocks.fail(error))),
            }
        }
    }
}

/// Walks a tenant's blocks in order and holds no connection between chunks.
struct BlockWalk {
    reader: Reader,
    tenant: TenantId,
    /// The next record wanted; `None` at the end.
    next_seq: Option<u64>,
    bodies: bool,
    chunk: VecDeque<Block>,
}

impl BlockWalk {
    fn new(reader: &Reader, tenant: &TenantId, seq: u64) -> Self {
        Self {
            reader: reader.clone(),
            tenant: tenant.clone(),
            next_seq: Some(seq),
            bodies: true,
            chunk: VecDeque::new(),
        }
    }

    fn heads(reader: &Reader, tenant: &TenantId, seq: u64) -> Self {
        Self { bodies: false, ..Self::new(reader, tenant, seq) }
    }

    fn next(&mut self) -> Option<Result<Block, JournalError>> {
        if self.chunk.is_empty() {
            match self.fetch() {
                Ok(blocks) => self.chunk = blocks.into(),
                Err(error) => return Some(Err(error)),
            }
        }
        let block = self.chunk.pop_front();
        self.next_seq = block.as_ref().map(|block| block.last_seq + 1);
        block.map(Ok)
    }

    fn fetch(&self) -> Result<Vec<Block>, JournalError> {
        let Some(seq) = self.next_seq else { return Ok(Vec::new()) };
        self.reader.with(|conn| match tenant_no(conn, &self.tenant)? {
            Some(no) => fetch_blocks(conn, no, seq, (CHUNK_BLOCKS, self.bodies)),
            None => Ok(Vec::new()),
        })
    }

    /// What comes after damage cannot be trusted to follow.
    fn fail(&mut self, error: JournalError) -> JournalError {
        self.next_seq = None;
        self.chunk.clear();
        error
    }
}

/// Up to `limit` blocks from the one that holds `seq` on; without bodies where only heads are wanted.
pub(crate) fn fetch_blocks(
    conn: &Connection,
    no: u64,
    seq: u64,
    (limit, bodies): (u32, bool),
) -> Result<Vec<Block>, JournalError> {
    let (low, high) = block::keys_of(no)?;
    let at = block::key(no, seq)?;
    let holder = "SELECT key, last_seq FROM blocks WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC LIMIT 1";
    let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, uint(row.get(1)?)));
    let start = match conn.prepare_cached(holder)?.query_row([low, at], row).optional()? {
        Some((key, last_seq)) if last_seq >= seq => key,
        _ => at,
    };
    let mut statement = conn.prepare_cached(if bodies { FORWARD } else { FORWARD_HEADS })?;
    let mut rows = statement.query(params![start, high, limit])?;
    let mut blocks = Vec::new();
    while let Some(row) = rows.next()? {
        blocks.push(read_block(row, no)?);
    }
    Ok(blocks)
}

/// The block that holds `seq`.
pub(super) fn block_at(conn: &Connection, no: u64, seq: u64) -> Result<Option<Block>, JournalError> {
    Ok(fetch_blocks(conn, no, seq, (1, true))?.into_iter().next().filter(|block| block.first_seq <= seq))
}

/// Reads and checks the columns of [`FORWARD`] and its like.
pub(crate) fn read_block(row: &Row<'_>, no: u64) -> Result<Block, JournalError> {
    let body: Option<Vec<u8>> = row.get(8)?;
    let has_body = body.is_some();
    let block = Block {
        first_seq: uint(row.get(0)?),
        last_seq: uint(row.get(1)?),
        first_at: Timestamp::from_micros(row.get(2)?),
        last_at: Timestamp::from_micros(row.get(3)?),
        count: uint(row.get(4)?),
        dedup: row.get(7)?,
        body: body.unwrap_or_default(),
    };
    let (head_crc, body_crc): (u32, u32) = (row.get(5)?, row.get(6)?);
    let counted = block.first_seq.checked_add(block.count) == block.last_seq.checked_add(1) && block.count > 0;
    let intact = counted && block.head_crc(no) == head_crc && (!has_body || block.body_crc(head_crc) == body_crc);
    if intact {
        Ok(block)
    } else {
        Err(JournalError::corrupt(format!("block at record {} fails its checksum", block.first_seq)))
    }
}

/// Number and time of the newest record; where retention removed all, what its checkpoint says.
pub(crate) fn newest_record(conn: &Connection, no: u64, tenant: &TenantId) -> Result<(u64, Timestamp), JournalError> {
    let (low, high) = block::keys_of(no)?;
    let sql = "SELECT last_seq, last_at FROM blocks WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC LIMIT 1";
    let row = |row: &Row<'_>| Ok((uint(row.get(0)?), Timestamp::from_micros(row.get(1)?)));
    if let Some(found) = conn.prepare_cached(sql)?.query_row([low, high], row).optional()? {
        return Ok(found);
    }
    let checkpoint = crate::chain::Checkpoint::read(conn, crate::chain::Chain::Records, tenant)?;
    Ok(checkpoint.map_or((0, Timestamp::EPOCH), |(checkpoint, _)| (checkpoint.last.pos, checkpoint.at)))
}

/// First record of the first block that may hold records at or after `since`: times never decrease, so halving finds it.
pub(super) fn first_block_since(conn: &Connection, no: u64, since: Timestamp) -> Result<u64, JournalError> {
    let (low, high) = block::keys_of(no)?;
    let sql = "SELECT first_seq, last_seq, last_at FROM blocks WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC LIMIT 1";
    let mut newest_at_most = conn.prepare_cached(sql)?;
    let (mut from, mut to) = (0, uint(high - low));
    while from < to {
        let middle = from + (to - from) / 2;
        let row = |row: &Row<'_>| Ok((uint(row.get(1)?), row.get::<_, i64>(2)?));
        match newest_at_most.query_row([low, block::key(no, middle)?], row).optional()? {
            Some((_, last_at)) if last_at >= since.as_micros() => to = middle,
            Some((last_seq, _)) => from = (last_seq + 1).max(middle + 1),
            None => from = middle + 1,
        }
    }
    Ok(from)
}

const FORWARD: &str = "SELECT first_seq, last_seq, first_at, last_at, count, head_crc, body_crc, dedup, body
    FROM blocks WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT ?3";
const FORWARD_HEADS: &str = "SELECT first_seq, last_seq, first_at, last_at, count, head_crc, body_crc, dedup, NULL
    FROM blocks WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT ?3";
/// Some half a megabyte of common records.
const CHUNK_BLOCKS: u32 = 16;

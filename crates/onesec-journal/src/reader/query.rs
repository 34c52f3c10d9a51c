//! Records by what they say: the index where it has come, a scan of what it has not.

use onesec_telemetry::{AgentId, ConnectionName, TenantId, Timestamp, UserId};
use rusqlite::{Connection, Row, params};

use super::records::{block_at, first_block_since, newest_record};
use super::{Reader, read_block, tenant_no};
use crate::block::{self, Block};
use crate::cursor::{self, Cursor, Page};
use crate::error::JournalError;
use crate::index::{Column, Extract, indexed_to, offsets, place, seq_at};
use crate::rows::StoredRecord;

/// Which records; every part that is given must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordFilter {
    /// The kind of event.
    pub kind: Option<String>,
    /// The agent.
    pub agent: Option<AgentId>,
    /// The user.
    pub user: Option<UserId>,
    /// The connection.
    pub connection: Option<ConnectionName>,
    /// The id that the sender gave; several senders may have used it.
    pub event_id: Option<String>,
    /// Observed at or after this time.
    pub since: Option<Timestamp>,
    /// Observed before this time.
    pub until: Option<Timestamp>,
}

/// A page of records, newest first.
pub type QueryResult = Result<Page<StoredRecord>, JournalError>;

impl RecordFilter {
    /// The wanted values, the one that is likely the rarest first.
    fn wanted(&self) -> Vec<(Column, &str)> {
        let parts = [
            (Column::EventId, self.event_id.as_deref()),
            (Column::User, self.user.as_ref().map(UserId::as_str)),
            (Column::Agent, self.agent.as_ref().map(AgentId::as_str)),
            (Column::Connection, self.connection.as_ref().map(ConnectionName::as_str)),
            (Column::Kind, self.kind.as_deref()),
        ];
        parts.into_iter().filter_map(|(column, value)| Some((column, value?))).collect()
    }
}

impl Reader {
    /// Records that match `filter`, newest first, each exactly once over all pages. A page that had to look at too
    /// much is cut short and has a next one.
    ///
    /// # Errors
    /// [`JournalError::BadCursor`], [`JournalError::Corrupt`] where a block fails its checksum.
    pub fn query_records(
        &self,
        (tenant, filter): (&TenantId, &RecordFilter),
        extract: &Extract<'_>,
        (after, limit): (Option<&Cursor>, u32),
    ) -> QueryResult {
        let before = after.map(|cursor| cursor.as_number(cursor::RECORDS)).transpose()?;
        self.with_snapshot(|conn| {
            let Some(no) = tenant_no(conn, tenant)? else { return Ok(Page { items: Vec::new(), next: None }) };
            let low = match filter.since {
                Some(since) => first_block_since(conn, no, since)?,
                None => 0,
            };
            let low = low.max(oldest_record(conn, no)?).max(1);
            let newest = newest_record(conn, no, tenant)?.0;
            let high = match filter.until {
                // The block that begins before `until` may reach past it; the filter sorts that out.
                Some(until) => {
                    first_block_since(conn, no, until)?.saturating_add(block::MAX_BLOCK_RECORDS).min(newest + 1)
                }
                None => newest + 1,
            };
            let limit = limit.clamp(1, MAX_PAGE_RECORDS) as usize;
            let mut query = Query {
                conn,
                no,
                filter,
                extract,
                wanted: filter.wanted(),
                limit,
                budget: BLOCK_BUDGET,
                next: before.unwrap_or(u64::MAX).min(high),
                items: Vec::new(),
            };
            query.run(low)?;
            Ok(query.page(low))
        })
    }
}

struct Query<'a, 'b> {
    conn: &'a Connection,
    no: u64,
    filter: &'a RecordFilter,
    extract: &'a Extract<'b>,
    wanted: Vec<(Column, &'a str)>,
    limit: usize,
    /// Blocks that may still be decoded for this page.
    budget: u32,
    /// Everything at or after this record is dealt with.
    next: u64,
    items: Vec<StoredRecord>,
}

impl Query<'_, '_> {
    fn run(&mut self, low: u64) -> Result<(), JournalError> {
        let indexed = indexed_to(self.conn, self.no)?;
        if self.wanted.is_empty() {
            return self.scan(low);
        }
        self.scan(low.max(indexed + 1))?;
        if self.done() {
            return Ok(());
        }
        self.look_up(low)
    }

    fn page(self, low: u64) -> Page<StoredRecord> {
        let more = self.next > low;
        Page { items: self.items, next: more.then(|| Cursor::number(cursor::RECORDS, self.next)) }
    }

    fn done(&self) -> bool {
        self.items.len() >= self.limit || self.budget == 0
    }

    /// Looks at every record from `next` down to `low`.
    fn scan(&mut self, low: u64) -> Result<(), JournalError> {
        while self.next > low && !self.done() {
            let Some(block) = block_below(self.conn, self.no, self.next)? else {
                self.next = low;
                return Ok(());
            };
            self.budget -= 1;
            let first = block.first_seq;
            for record in block.records()?.into_iter().rev().filter(|r| r.seq >= low) {
                if record.seq < self.next && !self.done_items() {
                    self.visit(record);
                }
            }
            if !self.done_items() {
                self.next = self.next.min(first.max(low));
            }
        }
        Ok(())
    }

    fn done_items(&self) -> bool {
        self.items.len() >= self.limit
    }

    fn visit(&mut self, record: StoredRecord) {
        self.next = record.seq;
        if self.matches(&record) {
            self.items.push(record);
        }
    }

    /// Asks the index, bucket by bucket, newest first.
    fn look_up(&mut self, oldest: u64) -> Result<(), JournalError> {
        let mut cached: Option<(u64, Vec<StoredRecord>)> = None;
        while self.next > oldest && !self.done() {
            let (bucket, _) = place(self.next - 1);
            for offset in self.candidates(bucket)? {
                let seq = seq_at(bucket, offset);
                if seq >= self.next || seq < oldest {
                    continue;
                }
                if self.done() {
                    return Ok(());
                }
                self.candidate(seq, &mut cached)?;
            }
            // All of the bucket is dealt with, unless its last candidate filled the page: then asking again is cheap.
            if !self.done() {
                self.next = self.next.min(seq_at(bucket, 0).max(oldest));
            }
        }
        Ok(())
    }

    fn candidate(&mut self, seq: u64, cached: &mut Option<(u64, Vec<StoredRecord>)>) -> Result<(), JournalError> {
        let known =
            cached.as_ref().is_some_and(|(first, records)| (*first..first + records.len() as u64).contains(&seq));
        if !known {
            self.budget -= 1;
            *cached = match block_at(self.conn, self.no, seq)? {
                Some(block) => Some((block.first_seq, block.records()?)),
                None => None,
            };
        }
        let record = cached.as_ref().and_then(|(_, records)| records.iter().find(|record| record.seq == seq)).cloned();
        match record {
            Some(record) => self.visit(record),
            None => self.next = seq,
        }
        Ok(())
    }

    /// Offsets in `bucket` that stand under every wanted value, newest first.
    fn candidates(&self, bucket: i64) -> Result<Vec<u16>, JournalError> {
        let mut common: Option<Vec<u16>> = None;
        for wanted in &self.wanted {
            let mut found = offsets(self.conn, (self.no, bucket), *wanted)?;
            if let Some(common) = &common {
                found.retain(|offset| common.binary_search(offset).is_ok());
            }
            if found.is_empty() {
                return Ok(found);
            }
            common = Some(found);
        }
        let mut newest_first = common.unwrap_or_default();
        newest_first.reverse();
        Ok(newest_first)
    }

    fn matches(&self, record: &StoredRecord) -> bool {
        let in_time = self.filter.since.is_none_or(|since| record.observed_at >= since)
            && self.filter.until.is_none_or(|until| record.observed_at < until);
        if !in_time || self.wanted.is_empty() {
            return in_time;
        }
        let mut missing = self.wanted.clone();
        (self.extract)(&record.bytes, &mut |column, value| missing.retain(|wanted| *wanted != (column, value)));
        missing.is_empty()
    }
}

/// The newest block that starts below `seq`.
fn block_below(conn: &Connection, no: u64, seq: u64) -> Result<Option<Block>, JournalError> {
    let (low, _) = block::keys_of(no)?;
    let high = block::key(no, seq.saturating_sub(1))?;
    let sql = "SELECT first_seq, last_seq, first_at, last_at, count, head_crc, body_crc, dedup, body
        FROM blocks WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC LIMIT 1";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params![low, high])?;
    rows.next()?.map(|row| read_block(row, no)).transpose()
}

fn oldest_record(conn: &Connection, no: u64) -> Result<u64, JournalError> {
    let (low, high) = block::keys_of(no)?;
    let sql = "SELECT coalesce(min(first_seq), 0) FROM
        (SELECT first_seq FROM blocks WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT 1)";
    let row = |row: &Row<'_>| row.get(0).map(crate::db::uint);
    Ok(conn.prepare_cached(sql)?.query_row([low, high], row)?)
}

const MAX_PAGE_RECORDS: u32 = 10_000;
/// A quarter of a million records at most are looked at for one page.
const BLOCK_BUDGET: u32 = 4_096;

//! Retention and housekeeping, on a connection of its own, in short transactions.

use std::sync::Arc;

use onesec_telemetry::{TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::block;
use crate::chain::{Chain, Checkpoint, Tip};
use crate::db::{Db, Durability, Shared, int, uint};
use crate::error::JournalError;
use crate::index::place;
use crate::key::SigningKey;
use crate::ledger::LedgerTable;
use crate::reader::tenant_no;

/// What may go; `None` keeps everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionCutoffs {
    /// Whose data.
    pub tenant: TenantId,
    /// Records observed before this time, as far as no kept snapshot needs them.
    pub records_before: Option<Timestamp>,
    /// Alerts whose last transition is before this time, as far as they are not open.
    pub alerts_before: Option<Timestamp>,
    /// Responses whose last step is before this time, as far as they are not open.
    pub responses_before: Option<Timestamp>,
    /// Long-lived dedup entries of records before this time.
    pub long_dedup_before: Option<Timestamp>,
}

/// What went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Retained {
    /// Records.
    pub records: u64,
    /// Transitions of alerts.
    pub transitions: u64,
    /// Steps of responses.
    pub response_steps: u64,
    /// Long-lived dedup entries.
    pub dedup_entries: u64,
}

/// Keeps the file small. For a background thread.
pub struct Maintenance {
    db: Db,
    key: SigningKey,
}

impl Maintenance {
    pub(crate) fn open(shared: &Arc<Shared>, key: SigningKey) -> Result<Self, JournalError> {
        Ok(Self { db: Db::open(shared, Durability::Durable)?, key })
    }

    /// Removes whole prefixes before the cut-offs, and leaves a signed checkpoint for each.
    ///
    /// A prefix ends before the first row that must stay: a record that the oldest kept snapshot needs (all of
    /// them where there is none), a transition of an alert or a step of a response that is open or too young.
    ///
    /// # Errors
    /// What writing says; what was removed until then has its checkpoint.
    pub fn retain(&mut self, cutoffs: &RetentionCutoffs, now: Timestamp) -> Result<Retained, JournalError> {
        let mut gone = Retained::default();
        if let Some(before) = cutoffs.records_before {
            gone.records = self.retain_records(&cutoffs.tenant, before, now)?;
        }
        if let Some(before) = cutoffs.alerts_before {
            gone.transitions = self.retain_chain((Chain::Transitions, &cutoffs.tenant), before, now)?;
        }
        if let Some(before) = cutoffs.responses_before {
            gone.response_steps = self.retain_chain((Chain::Responses, &cutoffs.tenant), before, now)?;
        }
        if let Some(before) = cutoffs.long_dedup_before {
            let sql = "DELETE FROM dedup_long WHERE (tenant, key) IN
                       (SELECT tenant, key FROM dedup_long WHERE tenant = ?1 AND at < ?2 LIMIT ?3)";
            let arguments = params![cutoffs.tenant.as_str(), before.as_micros(), int(ROWS_PER_STEP)];
            gone.dedup_entries = repeat(|| self.db.write(|tx| Ok(tx.prepare_cached(sql)?.execute(arguments)? as u64)))?;
        }
        Ok(gone)
    }

    fn retain_records(&mut self, tenant: &TenantId, before: Timestamp, now: Timestamp) -> Result<u64, JournalError> {
        let Some(no) = tenant_no(&self.db.conn, tenant)? else { return Ok(0) };
        let key = &self.key;
        let db = &mut self.db;
        let gone = repeat(|| {
            db.write(|tx| {
                let Some(needed) = oldest_snapshot(tx, tenant)? else { return Ok(0) };
                let Some((pos, removed)) = remove_blocks(tx, no, (before, needed))? else { return Ok(0) };
                leave_checkpoint(tx, key, (Chain::Records, tenant), (Tip { pos, hash: [0; 32] }, removed, now))?;
                Ok(removed)
            })
        })?;
        self.drop_index(no, tenant)?;
        Ok(gone)
    }

    /// Drops index buckets all of whose records are gone.
    fn drop_index(&mut self, no: u64, tenant: &TenantId) -> Result<(), JournalError> {
        let Some((checkpoint, _)) = Checkpoint::read(&self.db.conn, Chain::Records, tenant)? else { return Ok(()) };
        let (bucket, _) = place(checkpoint.last.pos + 1);
        let sql = "DELETE FROM event_index WHERE (tenant, bucket, col, part, run) IN
                   (SELECT tenant, bucket, col, part, run FROM event_index
                    WHERE tenant = ?1 AND bucket < ?2 LIMIT ?3)";
        let arguments = params![int(no), bucket, int(ROWS_PER_STEP)];
        repeat(|| self.db.write(|tx| Ok(tx.prepare_cached(sql)?.execute(arguments)? as u64)))?;
        Ok(())
    }

    fn retain_chain(
        &mut self,
        (chain, tenant): (Chain, &TenantId),
        before: Timestamp,
        now: Timestamp,
    ) -> Result<u64, JournalError> {
        let key = &self.key;
        let db = &mut self.db;
        repeat(|| {
            db.write(|tx| {
                let Some((tip, removed)) = remove_links(tx, (chain, tenant), before)? else { return Ok(0) };
                leave_checkpoint(tx, key, (chain, tenant), (tip, removed, now))?;
                Ok(removed)
            })
        })
    }

    /// Removes rows of `table` that expired before `now`, at most `limit`; returns how many. For tables whose rows
    /// mean nothing once expired, such as used `jti`s.
    ///
    /// # Errors
    /// What writing says.
    pub fn purge_expired(&mut self, table: LedgerTable, now: Timestamp, limit: u32) -> Result<u64, JournalError> {
        let name = table.name();
        let sql = format!(
            "DELETE FROM {name} WHERE (tenant, id) IN
             (SELECT tenant, id FROM {name} WHERE expires_at < ?1 LIMIT ?2)"
        );
        self.db.write(|tx| Ok(tx.prepare_cached(&sql)?.execute(params![now.as_micros(), limit])? as u64))
    }

    /// Removes finished outbox rows that changed last before `before`, at most `limit`; returns how many. Keep them
    /// longer than recovery can replay: an action whose row is gone would be inserted again.
    ///
    /// # Errors
    /// What writing says.
    pub fn purge_outbox(&mut self, before: Timestamp, limit: u32) -> Result<u64, JournalError> {
        let sql = "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox
                   WHERE state IN ('done', 'failed', 'unknown') AND updated_at < ?1 LIMIT ?2)";
        self.db.write(|tx| Ok(tx.prepare_cached(sql)?.execute(params![before.as_micros(), limit])? as u64))
    }

    /// Moves what it can from the write-ahead log into the database, without making the writer wait.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn checkpoint(&mut self) -> Result<(), JournalError> {
        self.db.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Gives up to `pages` free pages back to the file system; returns how many are still free.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn vacuum(&mut self, pages: u32) -> Result<u64, JournalError> {
        self.db.write(|tx| {
            let mut statement = tx.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        })?;
        let free: i64 = self.db.conn.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        Ok(uint(free))
    }

    /// Bytes of the database file that are in use; the rest is free for new rows or for [`Maintenance::vacuum`].
    ///
    /// # Errors
    /// What SQLite says.
    pub fn used_bytes(&self) -> Result<u64, JournalError> {
        let pragma = |name| self.db.conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map(uint);
        Ok(pragma("page_count")?.saturating_sub(pragma("freelist_count")?) * pragma("page_size")?)
    }
}

/// Repeats a step until it has nothing to do; returns the sum.
fn repeat(mut step: impl FnMut() -> Result<u64, JournalError>) -> Result<u64, JournalError> {
    let mut sum = 0;
    loop {
        match step()? {
            0 => return Ok(sum),
            done => sum += done,
        }
    }
}

/// The record that the oldest kept snapshot stands at: replay begins after it.
fn oldest_snapshot(conn: &Connection, tenant: &TenantId) -> Result<Option<u64>, JournalError> {
    let sql = "SELECT min(seq) FROM snapshots WHERE tenant = ?1 AND complete = 1";
    let seq: Option<i64> = conn.prepare_cached(sql)?.query_row([tenant.as_str()], |row| row.get(0))?;
    Ok(seq.map(uint))
}

/// Removes up to [`BLOCKS_PER_STEP`] leading blocks that lie wholly before both limits; the last removed
/// record and how many went.
fn remove_blocks(
    tx: &Transaction<'_>,
    no: u64,
    (before, needed): (Timestamp, u64),
) -> Result<Option<(u64, u64)>, JournalError> {
    let (low, high) = block::keys_of(no)?;
    let sql = "SELECT key, last_seq, count, last_at FROM blocks WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT ?3";
    let mut statement = tx.prepare_cached(sql)?;
    let mut rows = statement.query(params![low, high, BLOCKS_PER_STEP])?;
    let mut last = None;
    let mut removed = 0;
    while let Some(row) = rows.next()? {
        let (key, last_seq, count, last_at): (i64, i64, i64, i64) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        if last_at >= before.as_micros() || uint(last_seq) >= needed {
            break;
        }
        last = Some((key, uint(last_seq)));
        removed += uint(count);
    }
    let Some((key, pos)) = last else { return Ok(None) };
    tx.prepare_cached("DELETE FROM blocks WHERE key BETWEEN ?1 AND ?2")?.execute([low, key])?;
    Ok(Some((pos, removed)))
}

/// Removes up to [`ROWS_PER_STEP`] leading rows of a chain, and the views that have none left.
fn remove_links(
    tx: &Transaction<'_>,
    (chain, tenant): (Chain, &TenantId),
    before: Timestamp,
) -> Result<Option<(Tip, u64)>, JournalError> {
    let (table, view) = match chain {
        Chain::Responses => ("response_log", "responses"),
        Chain::Transitions | Chain::Records => ("transitions", "alerts"),
    };
    let must_stay = format!(
        "SELECT min(pos) FROM (SELECT pos, subject, at FROM {table} WHERE tenant = ?1 ORDER BY pos LIMIT ?3) t
         WHERE t.at >= ?2
            OR EXISTS (SELECT 1 FROM {view} v WHERE v.tenant = ?1 AND v.id = t.subject AND v.open)
            OR EXISTS (SELECT 1 FROM {table} u WHERE u.tenant = ?1 AND u.subject = t.subject AND u.at >= ?2)"
    );
    let tenant = tenant.as_str();
    let limits = params![tenant, before.as_micros(), int(ROWS_PER_STEP)];
    let stays: Option<i64> = tx.prepare_cached(&must_stay)?.query_row(limits, |row| row.get(0))?;
    let last = format!(
        "SELECT pos, hash FROM (SELECT pos, hash FROM {table} WHERE tenant = ?1 ORDER BY pos LIMIT ?3)
         WHERE pos < ?2 ORDER BY pos DESC LIMIT 1"
    );
    let row = |row: &Row<'_>| Ok(Tip { pos: uint(row.get(0)?), hash: row.get(1)? });
    let limits = params![tenant, stays.unwrap_or(i64::MAX), int(ROWS_PER_STEP)];
    let Some(tip) = tx.prepare_cached(&last)?.query_row(limits, row).optional()? else { return Ok(None) };
    let views = format!(
        "DELETE FROM {view} WHERE tenant = ?1 AND id IN (SELECT subject FROM {table} WHERE tenant = ?1 AND pos <= ?2)
         AND NOT EXISTS (SELECT 1 FROM {table} u WHERE u.tenant = ?1 AND u.subject = {view}.id AND u.pos > ?2)"
    );
    tx.prepare_cached(&views)?.execute(params![tenant, int(tip.pos)])?;
    let rows = format!("DELETE FROM {table} WHERE tenant = ?1 AND pos <= ?2");
    let removed = tx.prepare_cached(&rows)?.execute(params![tenant, int(tip.pos)])?;
    Ok(Some((tip, removed as u64)))
}

fn leave_checkpoint(
    tx: &Transaction<'_>,
    key: &SigningKey,
    of: (Chain, &TenantId),
    (last, removed, at): (Tip, u64, Timestamp),
) -> Result<(), JournalError> {
    let before = Checkpoint::read(tx, of.0, of.1)?.map_or(0, |(checkpoint, _)| checkpoint.removed);
    Checkpoint { last, removed: before + removed, at }.write(tx, key, of)
}

const BLOCKS_PER_STEP: u32 = 128;
const ROWS_PER_STEP: u64 = 1_024;

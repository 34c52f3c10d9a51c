//! The hot path: one batch, one transaction, durable on return.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use onesec_telemetry::{AgentId, AlertId, ConnectionName, TenantId, Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::block::{Block, MAX_RECORD_BYTES, key};
use crate::chain::{Chain, Link, Tip, read_head, write_head};
use crate::db::{Db, Durability, Shared, int, uint};
use crate::error::JournalError;
use crate::fail_points;
use crate::key::SigningKey;
use crate::rows::{AlertRow, Batch, CommitInfo, DeadLetterRow, RecordRow, ResponseRow, TransitionRow};

/// The only writer of records. Not `Clone`: two would give out the same sequence number.
pub struct Writer {
    db: Db,
    key: SigningKey,
    /// One entry per tenant of the configuration, as durable.
    heads: HashMap<TenantId, Head>,
    /// What the mutant has acknowledged and not written.
    #[cfg(feature = "mutant-ack-early")]
    late: Batch,
}

/// Where a tenant stands.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    no: u64,
    seq: u64,
    at: Timestamp,
    transitions: Tip,
    responses: Tip,
}

impl Writer {
    pub(crate) fn open(shared: &Arc<Shared>, key: SigningKey) -> Result<Self, JournalError> {
        let db = Db::open(shared, Durability::Durable)?;
        let heads = load_heads(&db.conn)?;
        Ok(Self {
            db,
            key,
            heads,
            #[cfg(feature = "mutant-ack-early")]
            late: Batch::default(),
        })
    }

    /// Writes everything in `batch` in one transaction, and returns once it is on the disk.
    ///
    /// # Errors
    /// [`JournalError::Gap`], [`JournalError::TimeBackwards`] and [`JournalError::TooLarge`] for a batch that must not
    /// be written, [`JournalError::Full`] and others for one that cannot be: nothing of it is there then.
    #[cfg(not(feature = "mutant-ack-early"))]
    pub fn commit(&mut self, batch: &Batch) -> Result<CommitInfo, JournalError> {
        self.commit_now(batch)
    }

    /// The mutant that crash tests must catch: acknowledges a batch and writes it with the next one.
    ///
    /// # Errors
    /// Those of the batch before.
    #[cfg(feature = "mutant-ack-early")]
    pub fn commit(&mut self, batch: &Batch) -> Result<CommitInfo, JournalError> {
        let due = std::mem::replace(&mut self.late, batch.clone());
        self.commit_now(&due)
    }

    fn commit_now(&mut self, batch: &Batch) -> Result<CommitInfo, JournalError> {
        fail_points::pass("append.before");
        let Self { db, key, heads, .. } = self;
        let keep = db.shared.options.dead_letters_per_tenant;
        let (info, touched) = db.write(|tx| {
            let mut heads = Heads { durable: heads, touched: BTreeMap::new() };
            let mut info = CommitInfo::default();
            heads.append_records(tx, &batch.records, &mut info)?;
            heads.append_chains(tx, batch, key)?;
            for view in &batch.alert_views {
                view.upsert(tx)?;
            }
            for change in &batch.ledger {
                change.apply(tx)?;
            }
            for wish in &batch.outbox {
                wish.insert_or_ignore(tx)?;
            }
            for update in &batch.outbox_updates {
                update.apply(tx)?;
            }
            for letter in &batch.dead_letters {
                info.dead_letters_dropped += letter.insert(tx, keep)?;
            }
            fail_points::pass("append.after");
            Ok((info, heads.touched))
        })?;
        self.heads.extend(touched.into_iter().map(|(tenant, head)| (tenant.clone(), head)));
        Ok(info)
    }

    /// The tenant's newest durable record; 0 where there is none.
    #[must_use]
    pub fn last_seq(&self, tenant: &TenantId) -> u64 {
        self.heads.get(tenant).map_or(0, |head| head.seq)
    }

    /// The time of the tenant's newest durable record.
    #[must_use]
    pub fn last_observed_at(&self, tenant: &TenantId) -> Option<Timestamp> {
        self.heads.get(tenant).filter(|head| head.seq > 0).map(|head| head.at)
    }

    /// Every tenant and its newest durable record, in the order of their names.
    #[must_use]
    pub fn last_seqs(&self) -> Vec<(TenantId, u64)> {
        let mut all: Vec<_> = self.heads.iter().map(|(tenant, head)| (tenant.clone(), head.seq)).collect();
        all.sort_unstable();
        all
    }

    /// Changes the largest size of the file; `None` lifts the limit.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_max_bytes(&mut self, max_bytes: Option<u64>) -> Result<(), JournalError> {
        self.db.limit_size(max_bytes)
    }
}

fn load_heads(conn: &Connection) -> Result<HashMap<TenantId, Head>, JournalError> {
    let mut heads = HashMap::new();
    for (no, tenant) in crate::reader::tenants(conn)? {
        let (seq, at) = crate::reader::newest_record(conn, no, &tenant)?;
        let (transitions, _) = read_head(conn, Chain::Transitions, &tenant)?;
        let (responses, _) = read_head(conn, Chain::Responses, &tenant)?;
        heads.insert(tenant, Head { no, seq, at, transitions, responses });
    }
    Ok(heads)
}

/// The tenants' positions while a transaction is open: what is durable, and what would be after it.
struct Heads<'a, 'b> {
    durable: &'a HashMap<TenantId, Head>,
    touched: BTreeMap<&'b TenantId, Head>,
}

impl<'b> Heads<'_, 'b> {
    fn of(&mut self, conn: &Connection, tenant: &'b TenantId) -> Result<&mut Head, JournalError> {
        match self.touched.entry(tenant) {
            std::collections::btree_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let head = match self.durable.get(tenant) {
                    Some(head) => *head,
                    None => Head { no: new_tenant(conn, tenant)?, ..Head::default() },
                };
                Ok(entry.insert(head))
            }
        }
    }

    fn append_records(
        &mut self,
        conn: &Connection,
        records: &'b [RecordRow],
        info: &mut CommitInfo,
    ) -> Result<(), JournalError> {
        let mut open: BTreeMap<&TenantId, Block> = BTreeMap::new();
        for record in records {
            let head = self.of(conn, &record.tenant)?;
            head.accept(record)?;
            if record.dedup.is_some_and(|entry| entry.long) {
                record.keep_dedup(conn)?;
            }
            match open.get_mut(&record.tenant) {
                Some(block) if block.takes(record) => block.push(record),
                Some(block) => {
                    std::mem::replace(block, Block::start(record)).insert(conn, head.no, info)?;
                }
                None => {
                    open.insert(&record.tenant, Block::start(record));
                }
            }
        }
        for (tenant, block) in open {
            block.insert(conn, self.of(conn, tenant)?.no, info)?;
        }
        Ok(())
    }

    fn append_chains(&mut self, conn: &Connection, batch: &'b Batch, key: &SigningKey) -> Result<(), JournalError> {
        for row in &batch.transitions {
            row.link().append(conn, Chain::Transitions, &mut self.of(conn, &row.tenant)?.transitions)?;
        }
        for row in &batch.responses {
            row.link().append(conn, Chain::Responses, &mut self.of(conn, &row.tenant)?.responses)?;
            row.upsert(conn)?;
        }
        for (tenant, head) in &self.touched {
            let was = self.durable.get(*tenant).copied().unwrap_or_default();
            if head.transitions != was.transitions {
                write_head(conn, key, (Chain::Transitions, tenant), head.transitions)?;
            }
            if head.responses != was.responses {
                write_head(conn, key, (Chain::Responses, tenant), head.responses)?;
            }
        }
        Ok(())
    }
}

fn new_tenant(conn: &Connection, tenant: &TenantId) -> Result<u64, JournalError> {
    conn.execute("INSERT INTO tenants (name) VALUES (?1)", [tenant.as_str()])?;
    Ok(uint(conn.last_insert_rowid()))
}

impl Head {
    fn accept(&mut self, record: &RecordRow) -> Result<(), JournalError> {
        let expected = self.seq + 1;
        if record.seq != expected {
            return Err(JournalError::Gap { tenant: record.tenant.clone(), expected, found: record.seq });
        }
        if record.observed_at < self.at {
            return Err(JournalError::TimeBackwards { tenant: record.tenant.clone(), seq: record.seq });
        }
        if record.bytes.len() > MAX_RECORD_BYTES {
            return Err(JournalError::TooLarge { what: "a record", max_bytes: MAX_RECORD_BYTES });
        }
        self.seq = record.seq;
        self.at = record.observed_at;
        Ok(())
    }
}

impl Block {
    fn insert(self, conn: &Connection, no: u64, info: &mut CommitInfo) -> Result<(), JournalError> {
        let head_crc = self.head_crc(no);
        let sql = "INSERT INTO blocks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        conn.prepare_cached(sql)?.execute(params![
            key(no, self.first_seq)?,
            int(no),
            int(self.first_seq),
            int(self.last_seq),
            self.first_at.as_micros(),
            self.last_at.as_micros(),
            int(self.count),
            head_crc,
            self.body_crc(head_crc),
            self.dedup,
            self.body,
        ])?;
        info.blocks += 1;
        info.records += usize::try_from(self.count).unwrap_or(usize::MAX);
        info.body_bytes += self.body.len();
        Ok(())
    }
}

impl RecordRow {
    fn keep_dedup(&self, conn: &Connection) -> Result<(), JournalError> {
        let Some(entry) = &self.dedup else { return Ok(()) };
        conn.prepare_cached("INSERT OR REPLACE INTO dedup_long VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            self.tenant.as_str(),
            entry.key.to_be_bytes(),
            entry.content.cast_signed(),
            int(self.seq),
            self.observed_at.as_micros(),
        ])?;
        Ok(())
    }
}

impl TransitionRow {
    fn link(&self) -> Link<'_> {
        Link {
            tenant: &self.tenant,
            subject: self.alert_id.as_str(),
            seq: self.seq,
            at: self.at,
            kind: &self.kind,
            doc: &self.doc,
        }
    }
}

impl ResponseRow {
    fn link(&self) -> Link<'_> {
        Link { tenant: &self.tenant, subject: &self.id, seq: self.seq, at: self.at, kind: &self.state, doc: &self.doc }
    }

    fn upsert(&self, conn: &Connection) -> Result<(), JournalError> {
        let sql = "INSERT INTO responses (tenant, id, alert_id, state, open, seq, first_at, last_at, doc)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8)
                   ON CONFLICT (tenant, id) DO UPDATE SET alert_id = coalesce(excluded.alert_id, alert_id),
                   state = excluded.state, open = excluded.open, seq = excluded.seq, last_at = excluded.last_at,
                   doc = excluded.doc";
        conn.prepare_cached(sql)?.execute(params![
            self.tenant.as_str(),
            self.id,
            self.alert_id.as_ref().map(AlertId::as_str),
            self.state,
            self.open,
            int(self.seq),
            self.at.as_micros(),
            self.doc,
        ])?;
        Ok(())
    }
}

impl AlertRow {
    fn upsert(&self, conn: &Connection) -> Result<(), JournalError> {
        let sql = "INSERT INTO alerts (tenant, id, detector, severity, status, open, agent_id, user_id, connection,
                   first_seen, last_seen, seq, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
                   ON CONFLICT (tenant, id) DO UPDATE SET detector = excluded.detector, severity = excluded.severity,
                   status = excluded.status, open = excluded.open, agent_id = excluded.agent_id,
                   user_id = excluded.user_id, connection = excluded.connection, first_seen = excluded.first_seen,
                   last_seen = excluded.last_seen, seq = excluded.seq, doc = excluded.doc";
        conn.prepare_cached(sql)?.execute(params![
            self.tenant.as_str(),
            self.id.as_str(),
            self.detector,
            self.severity_rank,
            self.status,
            self.open,
            self.agent_id.as_ref().map(AgentId::as_str),
            self.user_id.as_ref().map(UserId::as_str),
            self.connection.as_ref().map(ConnectionName::as_str),
            self.first_seen.as_micros(),
            self.last_seen.as_micros(),
            int(self.seq),
            self.doc,
        ])?;
        Ok(())
    }
}

impl DeadLetterRow {
    /// Inserts the letter; returns how many older ones had to make room.
    fn insert(&self, conn: &Connection, keep: u64) -> Result<usize, JournalError> {
        let tenant = self.tenant.as_str();
        let sql = "INSERT INTO dead_letters (tenant, at, key_id, reason_code, pointer, message, body, size, sha256)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        conn.prepare_cached(sql)?.execute(params![
            tenant,
            self.at.as_micros(),
            self.key_id,
            self.reason_code,
            self.pointer,
            self.message,
            self.body,
            int(self.size),
            self.sha256,
        ])?;
        let kept: Option<i64> = conn
            .prepare_cached("SELECT kept FROM dead_letter_counts WHERE tenant = ?1")?
            .query_row([tenant], |row| row.get(0))
            .optional()?;
        let kept = uint(kept.unwrap_or(0)) + 1;
        let excess = kept.saturating_sub(keep.max(1));
        if excess > 0 {
            let sql = "DELETE FROM dead_letters WHERE id IN
                       (SELECT id FROM dead_letters WHERE tenant = ?1 ORDER BY id LIMIT ?2)";
            conn.prepare_cached(sql)?.execute(params![tenant, int(excess)])?;
        }
        let sql = "INSERT INTO dead_letter_counts VALUES (?1, ?2, ?3)
                   ON CONFLICT (tenant) DO UPDATE SET kept = ?2, dropped = dropped + ?3";
        conn.prepare_cached(sql)?.execute(params![tenant, int(kept - excess), int(excess)])?;
        Ok(usize::try_from(excess).unwrap_or(usize::MAX))
    }
}

//! Alerts, responses, ledger rows, dead letters: filtered and paged.

use onesec_telemetry::{AlertId, TenantId, Timestamp};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Row, params, params_from_iter};

use super::shapes::{
    AlertFilter, LedgerFilter, ResponseFilter, SeverityFilter, StoredDeadLetter, StoredResponse, StoredTransition,
};
use super::{Reader, optional_id, required_id};
use crate::cursor::{self, Cursor, Page};
use crate::db::{int, uint};
use crate::error::JournalError;
use crate::ledger::{self, LedgerRow, LedgerTable};
use crate::outbox::{self, OutboxTask};
use crate::rows::{AlertRow, DeadLetterRow};

/// The conditions of a listing, all of which must hold.
struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    fn of(tenant: &TenantId) -> Self {
        Self { sql: "tenant = ?".to_owned(), values: vec![Value::Text(tenant.as_str().to_owned())] }
    }

    fn and(&mut self, condition: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.sql.push_str(" AND ");
            self.sql.push_str(condition);
            self.values.push(value.into());
        }
    }

    fn and_text<T: AsRef<str>>(&mut self, condition: &str, text: Option<&T>) {
        self.and(condition, text.map(|text| text.as_ref().to_owned()));
    }
}

/// How one listing is read: its columns (the one that orders it first), table and order.
struct Listing<T> {
    select: String,
    order: &'static str,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
    cursor: fn(&Row<'_>) -> rusqlite::Result<Cursor>,
}

impl<T> Listing<T> {
    fn page(&self, reader: &Reader, conditions: Conditions, limit: u32) -> Result<Page<T>, JournalError> {
        let limit = limit.clamp(1, MAX_PAGE_ROWS);
        let sql =
            format!("{} WHERE {} ORDER BY {} LIMIT {}", self.select, conditions.sql, self.order, i64::from(limit) + 1);
        reader.with(|conn| {
            let mut statement = conn.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(conditions.values))?;
            let mut page = Page { items: Vec::new(), next: None };
            let mut last = None;
            while let Some(row) = rows.next()? {
                if page.items.len() == limit as usize {
                    page.next = last;
                    break;
                }
                page.items.push((self.read)(row)?);
                last = Some((self.cursor)(row)?);
            }
            Ok(page)
        })
    }
}

impl Reader {
    /// Alerts, the newest opened first. Paging visits every alert once, also while alerts change or come.
    ///
    /// # Errors
    /// [`JournalError::BadCursor`], or what reading says.
    pub fn alerts(
        &self,
        tenant: &TenantId,
        filter: &AlertFilter,
        (after, limit): (Option<&Cursor>, u32),
    ) -> Result<Page<AlertRow>, JournalError> {
        let mut conditions = Conditions::of(tenant);
        conditions.and_text("detector = ?", filter.detector.as_ref());
        conditions.and_text("status = ?", filter.status.as_ref());
        conditions.and_text("agent_id = ?", filter.agent_id.as_ref());
        conditions.and_text("user_id = ?", filter.user_id.as_ref());
        conditions.and_text("connection = ?", filter.connection.as_ref());
        conditions.and("last_seen >= ?", filter.since.map(Timestamp::as_micros));
        match filter.severity {
            Some(SeverityFilter::Exactly(rank)) => conditions.and("severity = ?", Some(i64::from(rank))),
            Some(SeverityFilter::AtLeast(rank)) => conditions.and("severity >= ?", Some(i64::from(rank))),
            None => {}
        }
        conditions.and("ord < ?", after.map(|c| c.as_number(cursor::ALERTS)).transpose()?.map(int));
        let listing = Listing {
            select: format!("SELECT ord, {ALERT_COLUMNS} FROM alerts"),
            order: "ord DESC",
            read: read_alert,
            cursor: |row| Ok(Cursor::number(cursor::ALERTS, uint(row.get(0)?))),
        };
        listing.page(self, conditions, limit)
    }

    /// One alert.
    ///
    /// # Errors
    /// What reading says.
    pub fn alert(&self, tenant: &TenantId, id: &AlertId) -> Result<Option<AlertRow>, JournalError> {
        self.with(|conn| {
            let sql = format!("SELECT ord, {ALERT_COLUMNS} FROM alerts WHERE tenant = ?1 AND id = ?2");
            Ok(conn.prepare_cached(&sql)?.query_row([tenant.as_str(), id.as_str()], read_alert).optional()?)
        })
    }

    /// What happened to an alert, oldest first.
    ///
    /// # Errors
    /// What reading says.
    pub fn transitions(&self, tenant: &TenantId, alert: &AlertId) -> Result<Vec<StoredTransition>, JournalError> {
        self.steps("transitions", tenant, alert.as_str())
    }

    /// An action as the outbox has it, whatever became of it.
    ///
    /// # Errors
    /// What reading says.
    pub fn outbox_task(&self, tenant: &TenantId, id: &str) -> Result<Option<OutboxTask>, JournalError> {
        self.with(|conn| {
            let sql = format!("SELECT {} FROM outbox WHERE tenant = ?1 AND id = ?2", outbox::COLUMNS);
            Ok(conn.prepare_cached(&sql)?.query_row([tenant.as_str(), id], outbox::read).optional()?)
        })
    }

    /// The steps of a response, oldest first.
    ///
    /// # Errors
    /// What reading says.
    pub fn response_steps(&self, tenant: &TenantId, id: &str) -> Result<Vec<StoredTransition>, JournalError> {
        self.steps("response_log", tenant, id)
    }

    fn steps(&self, table: &str, tenant: &TenantId, subject: &str) -> Result<Vec<StoredTransition>, JournalError> {
        self.with(|conn| {
            let sql = format!(
                "SELECT pos, seq, at, kind, doc, hash FROM {table}
                 WHERE tenant = ?1 AND subject = ?2 ORDER BY pos LIMIT {MAX_STEPS}"
            );
            let mut statement = conn.prepare_cached(&sql)?;
            let rows = statement.query_map([tenant.as_str(), subject], read_step)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Responses in their current state, the newest begun first.
    ///
    /// # Errors
    /// [`JournalError::BadCursor`], or what reading says.
    pub fn responses(
        &self,
        tenant: &TenantId,
        filter: &ResponseFilter,
        (after, limit): (Option<&Cursor>, u32),
    ) -> Result<Page<StoredResponse>, JournalError> {
        let mut conditions = Conditions::of(tenant);
        conditions.and_text("alert_id = ?", filter.alert_id.as_ref());
        conditions.and_text("json_extract(doc, '$.action') = ?", filter.action.as_ref());
        conditions.and_text("state = ?", filter.state.as_ref());
        conditions.and("last_at >= ?", filter.since.map(Timestamp::as_micros));
        conditions.and("ord < ?", after.map(|c| c.as_number(cursor::RESPONSES)).transpose()?.map(int));
        let listing = Listing {
            select: format!("SELECT {RESPONSE_COLUMNS} FROM responses"),
            order: "ord DESC",
            read: read_response,
            cursor: |row| Ok(Cursor::number(cursor::RESPONSES, uint(row.get(0)?))),
        };
        listing.page(self, conditions, limit)
    }

    /// One response in its current state.
    ///
    /// # Errors
    /// What reading says.
    pub fn response(&self, tenant: &TenantId, id: &str) -> Result<Option<StoredResponse>, JournalError> {
        self.with(|conn| {
            let sql = format!("SELECT {RESPONSE_COLUMNS} FROM responses WHERE tenant = ?1 AND id = ?2");
            Ok(conn.prepare_cached(&sql)?.query_row([tenant.as_str(), id], read_response).optional()?)
        })
    }

    /// Rows of a ledger table in the order of their ids.
    ///
    /// # Errors
    /// [`JournalError::BadCursor`], or what reading says.
    pub fn ledger(
        &self,
        (table, tenant): (LedgerTable, &TenantId),
        filter: &LedgerFilter,
        (after, limit): (Option<&Cursor>, u32),
    ) -> Result<Page<LedgerRow>, JournalError> {
        let mut conditions = Conditions::of(tenant);
        conditions.and_text("agent_id = ?", filter.agent_id.as_ref());
        conditions.and_text("user_id = ?", filter.user_id.as_ref());
        conditions.and_text("connection = ?", filter.connection.as_ref());
        conditions.and_text("state = ?", filter.state.as_ref());
        conditions.and("id > ?", after.map(|c| c.as_text(cursor::LEDGER)).transpose()?);
        let listing = Listing {
            select: format!("SELECT {} FROM {}", ledger::COLUMNS, table.name()),
            order: "id",
            read: LedgerRow::read,
            cursor: |row| Ok(Cursor::text(cursor::LEDGER, row.get_ref(1)?.as_str()?)),
        };
        listing.page(self, conditions, limit)
    }

    /// One row of a ledger table.
    ///
    /// # Errors
    /// What reading says.
    pub fn ledger_row(
        &self,
        table: LedgerTable,
        tenant: &TenantId,
        id: &str,
    ) -> Result<Option<LedgerRow>, JournalError> {
        self.with(|conn| {
            let sql = format!("SELECT {} FROM {} WHERE tenant = ?1 AND id = ?2", ledger::COLUMNS, table.name());
            Ok(conn.prepare_cached(&sql)?.query_row([tenant.as_str(), id], LedgerRow::read).optional()?)
        })
    }

    /// Dead letters, newest first.
    ///
    /// # Errors
    /// [`JournalError::BadCursor`], or what reading says.
    pub fn dead_letters(
        &self,
        tenant: &TenantId,
        (after, limit): (Option<&Cursor>, u32),
    ) -> Result<Page<StoredDeadLetter>, JournalError> {
        let mut conditions = Conditions::of(tenant);
        conditions.and("id < ?", after.map(|c| c.as_number(cursor::DEAD_LETTERS)).transpose()?.map(int));
        let listing = Listing {
            select: format!("SELECT {LETTER_COLUMNS} FROM dead_letters"),
            order: "id DESC",
            read: read_letter,
            cursor: |row| Ok(Cursor::number(cursor::DEAD_LETTERS, uint(row.get(0)?))),
        };
        listing.page(self, conditions, limit)
    }

    /// How many dead letters are kept, and how many had to make room so far.
    ///
    /// # Errors
    /// What reading says.
    pub fn dead_letter_counts(&self, tenant: &TenantId) -> Result<(u64, u64), JournalError> {
        self.with(|conn| {
            let sql = "SELECT kept, dropped FROM dead_letter_counts WHERE tenant = ?1";
            let row = |row: &Row<'_>| Ok((uint(row.get(0)?), uint(row.get(1)?)));
            Ok(conn.prepare_cached(sql)?.query_row(params![tenant.as_str()], row).optional()?.unwrap_or_default())
        })
    }
}

fn read_alert(row: &Row<'_>) -> rusqlite::Result<AlertRow> {
    Ok(AlertRow {
        tenant: required_id(row, 1)?,
        id: required_id(row, 2)?,
        detector: row.get(3)?,
        severity_rank: row.get(4)?,
        status: row.get(5)?,
        open: row.get(6)?,
        agent_id: optional_id(row, 7)?,
        user_id: optional_id(row, 8)?,
        connection: optional_id(row, 9)?,
        first_seen: Timestamp::from_micros(row.get(10)?),
        last_seen: Timestamp::from_micros(row.get(11)?),
        seq: uint(row.get(12)?),
        doc: row.get(13)?,
    })
}

fn read_response(row: &Row<'_>) -> rusqlite::Result<StoredResponse> {
    Ok(StoredResponse {
        id: row.get(1)?,
        alert_id: optional_id(row, 2)?,
        state: row.get(3)?,
        open: row.get(4)?,
        seq: uint(row.get(5)?),
        first_at: Timestamp::from_micros(row.get(6)?),
        last_at: Timestamp::from_micros(row.get(7)?),
        doc: row.get(8)?,
    })
}

fn read_step(row: &Row<'_>) -> rusqlite::Result<StoredTransition> {
    Ok(StoredTransition {
        pos: uint(row.get(0)?),
        seq: uint(row.get(1)?),
        at: Timestamp::from_micros(row.get(2)?),
        kind: row.get(3)?,
        doc: row.get(4)?,
        hash: row.get(5)?,
    })
}

fn read_letter(row: &Row<'_>) -> rusqlite::Result<StoredDeadLetter> {
    let letter = DeadLetterRow {
        tenant: required_id(row, 1)?,
        at: Timestamp::from_micros(row.get(2)?),
        key_id: row.get(3)?,
        reason_code: row.get(4)?,
        pointer: row.get(5)?,
        message: row.get(6)?,
        body: row.get(7)?,
        size: uint(row.get(8)?),
        sha256: row.get(9)?,
    };
    Ok(StoredDeadLetter { id: uint(row.get(0)?), letter })
}

const ALERT_COLUMNS: &str = "tenant, id, detector, severity, status, open, agent_id, user_id, connection, first_seen,
    last_seen, seq, doc";
const RESPONSE_COLUMNS: &str = "ord, id, alert_id, state, open, seq, first_at, last_at, doc";
const LETTER_COLUMNS: &str = "id, tenant, at, key_id, reason_code, pointer, message, body, size, sha256";
/// A page has no more rows, whatever is asked for.
const MAX_PAGE_ROWS: u32 = 10_000;
/// Nobody reads more steps of one alert at once.
const MAX_STEPS: u32 = 10_000;

//! Reading: a small pool of connections that cannot write and that the writer never waits for.

mod lists;
mod query;
mod records;
mod shapes;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use onesec_telemetry::{TenantId, Timestamp};
use parking_lot::{Condvar, Mutex};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row};

pub use self::query::{QueryResult, RecordFilter};
pub use self::records::{DedupIter, RecordStream, SeenRecord};
pub(crate) use self::records::{fetch_blocks, newest_record, read_block};
pub use self::shapes::{
    AlertFilter, LedgerFilter, ResponseFilter, SeverityFilter, StoredDeadLetter, StoredResponse, StoredTransition,
};
use crate::block;
use crate::db::{open_read_only, uint};
use crate::error::JournalError;
use crate::open::DB_FILE;
use crate::schema;

/// Reads the journal. Cheap to clone; any thread may use it.
#[derive(Clone)]
pub struct Reader {
    pool: Arc<Pool>,
}

struct Pool {
    dir: PathBuf,
    state: Mutex<PoolState>,
    returned: Condvar,
}

#[derive(Default)]
struct PoolState {
    idle: Vec<Connection>,
    open: usize,
}

impl Reader {
    /// Opens the journal in `dir` for reading only, beside the process that owns it or without any.
    ///
    /// # Errors
    /// [`JournalError::NewerVersion`], or what opening says.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let conn = open_read_only(dir)?;
        schema::check_version(&conn, schema::VERSION)?;
        let state = PoolState { idle: vec![conn], open: 1 };
        let pool = Pool { dir: dir.to_owned(), state: Mutex::new(state), returned: Condvar::new() };
        Ok(Self { pool: Arc::new(pool) })
    }

    /// Every tenant that ever wrote, in the order of their names.
    ///
    /// # Errors
    /// What reading says.
    pub fn tenants(&self) -> Result<Vec<TenantId>, JournalError> {
        self.with(|conn| {
            let mut names: Vec<_> = tenants(conn)?.into_iter().map(|(_, name)| name).collect();
            names.sort_unstable();
            Ok(names)
        })
    }

    /// The tenant's newest record; 0 where there is none.
    ///
    /// # Errors
    /// What reading says.
    pub fn last_seq(&self, tenant: &TenantId) -> Result<u64, JournalError> {
        self.with(|conn| match tenant_no(conn, tenant)? {
            Some(no) => Ok(newest_record(conn, no, tenant)?.0),
            None => Ok(0),
        })
    }

    /// The tenant's oldest record that retention left; `None` where there is none.
    ///
    /// # Errors
    /// What reading says.
    pub fn first_seq(&self, tenant: &TenantId) -> Result<Option<u64>, JournalError> {
        self.with(|conn| {
            let Some(no) = tenant_no(conn, tenant)? else { return Ok(None) };
            let (low, high) = block::keys_of(no)?;
            let sql = "SELECT first_seq FROM blocks WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT 1";
            let seq: Option<i64> = conn.prepare_cached(sql)?.query_row([low, high], |row| row.get(0)).optional()?;
            Ok(seq.map(uint))
        })
    }

    /// The time of the tenant's newest record.
    ///
    /// # Errors
    /// What reading says.
    pub fn last_observed_at(&self, tenant: &TenantId) -> Result<Option<Timestamp>, JournalError> {
        self.with(|conn| {
            let Some(no) = tenant_no(conn, tenant)? else { return Ok(None) };
            let (seq, at) = newest_record(conn, no, tenant)?;
            Ok((seq > 0).then_some(at))
        })
    }

    /// Size of the database file and its write-ahead log in bytes.
    ///
    /// # Errors
    /// What the file system says.
    pub fn size_bytes(&self) -> Result<u64, JournalError> {
        let db = std::fs::metadata(self.dir().join(DB_FILE)).map_err(JournalError::io("look at the journal"))?;
        let wal = std::fs::metadata(self.dir().join(format!("{DB_FILE}-wal"))).map_or(0, |wal| wal.len());
        Ok(db.len() + wal)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.pool.dir
    }

    /// Lends a connection to `work`. Never nest: the pool is bounded.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T, JournalError>) -> Result<T, JournalError> {
        let lent = self.pool.lend()?;
        let Some(conn) = &lent.conn else { return Err(JournalError::Busy) };
        work(conn)
    }

    /// Lends a connection that sees one state of the journal until `work` is done.
    pub(crate) fn with_snapshot<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        self.with(|conn| {
            let tx = conn.unchecked_transaction()?;
            let done = work(&tx)?;
            tx.finish()?;
            Ok(done)
        })
    }
}

impl Pool {
    fn lend(&self) -> Result<Lent<'_>, JournalError> {
        let mut state = self.state.lock();
        loop {
            if let Some(conn) = state.idle.pop() {
                return Ok(Lent { pool: self, conn: Some(conn) });
            }
            if state.open < MAX_CONNECTIONS {
                let conn = open_read_only(&self.dir)?;
                state.open += 1;
                return Ok(Lent { pool: self, conn: Some(conn) });
            }
            self.returned.wait(&mut state);
        }
    }
}

/// A connection on loan; goes back on drop, also when its user panics.
struct Lent<'a> {
    pool: &'a Pool,
    conn: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.pool.state.lock().idle.push(conn);
            self.pool.returned.notify_one();
        }
    }
}

pub(crate) fn tenants(conn: &Connection) -> Result<Vec<(u64, TenantId)>, JournalError> {
    let mut statement = conn.prepare_cached("SELECT no, name FROM tenants ORDER BY no")?;
    let rows = statement.query_map([], |row| Ok((uint(row.get(0)?), required_id(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn tenant_no(conn: &Connection, tenant: &TenantId) -> Result<Option<u64>, JournalError> {
    let mut statement = conn.prepare_cached("SELECT no FROM tenants WHERE name = ?1")?;
    let no: Option<i64> = statement.query_row([tenant.as_str()], |row| row.get(0)).optional()?;
    Ok(no.map(uint))
}

/// An identifier in a column; what is none was not written by us.
pub(crate) fn required_id<T: FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|_| rusqlite::Error::InvalidColumnType(column, "id".into(), Type::Text))
}

/// An identifier in a column that may be NULL.
pub(crate) fn optional_id<T: FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    if row.get_ref(column)?.data_type() == Type::Null {
        return Ok(None);
    }
    required_id(row, column).map(Some)
}

/// Enough for a dashboard and an API; more only take memory.
const MAX_CONNECTIONS: usize = 8;

//! Connections: how they are opened, and how writers take turns.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::error::JournalError;
use crate::fail_points;
use crate::open::{DB_FILE, JournalOptions, Synchronous};

/// What all handles of one opened journal share.
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    pub(crate) options: JournalOptions,
    /// SQLite has one writer; waiting here is exact, where its own busy handler sleeps and polls.
    gate: Mutex<()>,
    /// Held as long as any writing handle lives.
    _lock: File,
}

impl Shared {
    pub(crate) const fn new(dir: PathBuf, options: JournalOptions, lock: File) -> Self {
        Self { dir, options, gate: Mutex::new(()), _lock: lock }
    }
}

/// One writing connection.
pub(crate) struct Db {
    pub(crate) conn: Connection,
    pub(crate) shared: Arc<Shared>,
}

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// On the disk when it returns.
    Durable,
    /// In order and atomic, but the newest may be lost with the power: for what can be made again.
    Rebuildable,
}

impl Db {
    pub(crate) fn open(shared: &Arc<Shared>, durability: Durability) -> Result<Self, JournalError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(shared.dir.join(DB_FILE), flags)?;
        conn.busy_timeout(BUSY_TIMEOUT)?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.pragma_update(None, "synchronous", synchronous(durability, shared.options.synchronous))?;
        conn.pragma_update(None, "wal_autocheckpoint", shared.options.wal_checkpoint_pages)?;
        conn.pragma_update(None, "journal_size_limit", WAL_SIZE_LIMIT_BYTES)?;
        conn.pragma_update(None, "foreign_keys", true)?;
        conn.set_prepared_statement_cache_capacity(64);
        let db = Self { conn, shared: Arc::clone(shared) };
        db.limit_size(shared.options.max_bytes)?;
        Ok(db)
    }

    /// SQLite keeps this limit per connection, so every writing one sets it.
    pub(crate) fn limit_size(&self, max_bytes: Option<u64>) -> Result<(), JournalError> {
        let page: i64 = self.conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = max_bytes.map_or(MAX_PAGES, |bytes| int(bytes) / page.max(1)).clamp(1, MAX_PAGES);
        self.conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        Ok(())
    }

    /// Runs `work` in one transaction of its own: all of it, or on error nothing.
    pub(crate) fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let gate = self.shared.gate.lock();
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&tx)?; // dropping the transaction rolls it back
        fail_points::pass("fsync.before");
        tx.commit()?;
        fail_points::pass("fsync.after");
        // Fair: a thread that writes again and again must not starve the one that waits.
        MutexGuard::unlock_fair(gate);
        Ok(done)
    }
}

/// Opens a connection that cannot write.
pub(crate) fn open_read_only(dir: &Path) -> Result<Connection, JournalError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(dir.join(DB_FILE), flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

const fn synchronous(durability: Durability, chosen: Synchronous) -> &'static str {
    if cfg!(feature = "mutant-no-fsync") {
        return "OFF";
    }
    match (durability, chosen) {
        (_, Synchronous::Off) => "OFF",
        (Durability::Durable, Synchronous::Full) => "FULL",
        (Durability::Durable, Synchronous::Normal) | (Durability::Rebuildable, _) => "NORMAL",
    }
}

/// SQLite's integers are signed; ours that count never reach the top bit.
pub(crate) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The reverse of [`int`].
pub(crate) fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const WAL_SIZE_LIMIT_BYTES: i64 = 64 * 1024 * 1024;
/// SQLite's own upper limit.
const MAX_PAGES: i64 = 4_294_967_294;

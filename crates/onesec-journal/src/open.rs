//! Opening a journal: the lock, the key, the file, and who is in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::Arc;

use onesec_telemetry::TenantId;
use rusqlite::Connection;

use crate::db::{Durability, Shared};
use crate::error::JournalError;
use crate::index::Indexer;
use crate::key::{Found, SigningKey, private};
use crate::maintenance::Maintenance;
use crate::outbox::Outbox;
use crate::reader::Reader;
use crate::schema;
use crate::snapshot::SnapshotWriter;
use crate::writer::Writer;

/// The database in the data directory.
pub const DB_FILE: &str = "onesec.db";
/// The key that signs heads and checkpoints: 32 random bytes.
pub const KEY_FILE: &str = "journal.key";
/// Locked by the process that owns the directory.
pub const LOCK_FILE: &str = "onesec.lock";

/// When a commit counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// On the disk. The only setting for a journal that anybody relies on.
    #[default]
    Full,
    /// In the kernel; survives a crash of the process, not of the machine. For benchmarks.
    Normal,
    /// No waiting at all. For benchmarks.
    Off,
}

/// How a journal is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalOptions {
    /// For benchmarks only; see [`Synchronous`].
    pub synchronous: Synchronous,
    /// The database file grows no further; what does not fit is [`JournalError::Full`].
    pub max_bytes: Option<u64>,
    /// Dead letters kept per tenant; the oldest make room.
    pub dead_letters_per_tenant: u64,
    /// Complete snapshots kept per tenant; the oldest make room.
    pub snapshots_per_tenant: u64,
    /// Pages in the write-ahead log before a commit moves them into the database by itself. [`Maintenance::checkpoint`]
    /// should have done so before, beside the hot path.
    pub wal_checkpoint_pages: u32,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            synchronous: Synchronous::Full,
            max_bytes: None,
            dead_letters_per_tenant: 10_000,
            snapshots_per_tenant: 3,
            wal_checkpoint_pages: 4_096,
        }
    }
}

/// An opened journal; its handles may go to different threads.
#[non_exhaustive]
pub struct Opened {
    /// The hot path.
    pub writer: Writer,
    /// Queries; clone it freely.
    pub reader: Reader,
    /// Builds the query index behind the hot path.
    pub indexer: Indexer,
    /// Saves snapshots beside the hot path.
    pub snapshots: SnapshotWriter,
    /// For executors.
    pub outbox: Outbox,
    /// Retention and housekeeping.
    pub maintenance: Maintenance,
    /// What was found.
    pub info: JournalInfo,
}

/// What was found on opening.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalInfo {
    /// Whether the file did not exist before.
    pub created: bool,
    /// The file's format before it was brought up to date; 0 for a new one.
    pub found_version: i64,
    /// Size of the database file in bytes.
    pub file_bytes: u64,
    /// Every tenant with records, and its newest record.
    pub tenants: Vec<(TenantId, u64)>,
}

/// The way in.
#[derive(Debug, Clone, Copy)]
pub struct Journal;

impl Journal {
    /// Opens the journal in `dir`, creating it where there is none, and takes the directory for this process.
    ///
    /// # Errors
    /// [`JournalError::Locked`] where another process has it, [`JournalError::NewerVersion`],
    /// [`JournalError::KeyMissing`], [`JournalError::Missing`], [`JournalError::Corrupt`], or what the file system says.
    pub fn open(dir: &Path, options: JournalOptions) -> Result<Opened, JournalError> {
        create_dir(dir)?;
        let lock = take_lock(dir)?;
        let found = SigningKey::load_or_create(dir)?;
        let (created, found_version) = prepare(dir, matches!(found, Found::Fresh(_)))?;
        let key = match found {
            Found::Kept(key) => key,
            Found::Fresh(key) => {
                SigningKey::keep(dir)?;
                key
            }
        };
        let shared = Arc::new(Shared::new(dir.to_owned(), options, lock));
        let writer = Writer::open(&shared, key.clone())?;
        let info = JournalInfo {
            created,
            found_version,
            file_bytes: std::fs::metadata(dir.join(DB_FILE)).map_err(JournalError::io("look at the journal"))?.len(),
            tenants: writer.last_seqs(),
        };
        Ok(Opened {
            writer,
            reader: Reader::open(dir)?,
            indexer: Indexer::open(&shared)?,
            snapshots: SnapshotWriter::open(&shared)?,
            outbox: Outbox::open(&shared, Durability::Durable)?,
            maintenance: Maintenance::open(&shared, key)?,
            info,
        })
    }
}

fn create_dir(dir: &Path) -> Result<(), JournalError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(JournalError::io("create the data directory"))
}

fn take_lock(dir: &Path) -> Result<File, JournalError> {
    let file = private(OpenOptions::new().create(true).truncate(false).write(true))
        .open(dir.join(LOCK_FILE))
        .map_err(JournalError::io("create the lock file"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(e)) => Err(JournalError::io("lock the data directory")(e)),
    }
}

/// Creates the file for the owner alone, and brings its tables up to date. `may_create`: none was made here before.
fn prepare(dir: &Path, may_create: bool) -> Result<(bool, i64), JournalError> {
    let path = dir.join(DB_FILE);
    let created = !path.exists();
    if created && !may_create {
        return Err(JournalError::Missing);
    }
    let file = private(OpenOptions::new().create(true).truncate(false).write(true))
        .open(&path)
        .map_err(JournalError::io("create `onesec.db`"))?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .map_err(JournalError::io("protect `onesec.db`"))?;
    drop(file);
    let mut conn = Connection::open(&path)?;
    let found = schema::check_version(&conn, schema::VERSION)?;
    if found == 0 {
        if !may_create {
            return Err(JournalError::Missing);
        }
        // Both are fixed once the first table exists.
        conn.pragma_update(None, "page_size", PAGE_BYTES)?;
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    conn.pragma_update(None, "journal_mode", "WAL")?;
    schema::migrate(&mut conn)?;
    drop(conn);
    File::open(dir).and_then(|d| d.sync_all()).map_err(JournalError::io("sync the data directory"))?;
    Ok((created, found))
}

/// Blocks have some ten kilobytes: larger pages mean fewer overflow pages.
const PAGE_BYTES: u32 = 8_192;

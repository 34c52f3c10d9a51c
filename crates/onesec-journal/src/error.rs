//! What can go wrong, by who must act.

use std::path::PathBuf;

use onesec_telemetry::TenantId;
use rusqlite::ErrorCode;

/// Why the journal did not do what was asked. Nothing of the refused operation was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The disk or the configured maximum size is full. Free space, then try again: the writer stays usable.
    #[error("the journal is full: the disk or `max_size` has no room left")]
    Full,
    /// The file or its directory cannot be written.
    #[error("the journal cannot be written: its file or directory is read-only")]
    ReadOnly,
    /// SQLite got no file to work with, and does not say why.
    #[error("`onesec.db` or its log cannot be opened: no permission, or no file descriptors left")]
    CannotOpen,
    /// Another process owns the data directory.
    #[error("`{}` is in use by another process", dir.display())]
    Locked {
        /// The data directory.
        dir: PathBuf,
    },
    /// Another program holds a lock inside the file for too long.
    #[error("another program has locked the journal's file")]
    Busy,
    /// Stored bytes are not what was written.
    #[error("the journal is damaged: {what}")]
    Corrupt {
        /// What is damaged, and where.
        what: String,
    },
    /// A newer program wrote the file.
    #[error("the journal has format {found}, this program knows up to {supported}")]
    NewerVersion {
        /// The file's version.
        found: i64,
        /// The newest that this program reads.
        supported: i64,
    },
    /// `journal.key` is missing beside an existing journal: its signatures could not be checked.
    #[error("`journal.key` is missing beside an existing journal")]
    KeyMissing,
    /// A journal was here, its key still is, and the file is gone or empty. To go on with nothing would forget every
    /// revocation.
    #[error(
        "`onesec.db` is missing or empty beside its `journal.key`: put it back, or remove the key, too, to begin anew"
    )]
    Missing,
    /// A sequence number was skipped or repeated.
    #[error("tenant `{tenant}` expects record {expected}, got {found}")]
    Gap {
        /// Whose records.
        tenant: TenantId,
        /// The only number that may come next.
        expected: u64,
        /// The number given.
        found: u64,
    },
    /// `observed_at` went backwards, and every search by time relies on its order.
    #[error("record {seq} of tenant `{tenant}` is older than the one before it")]
    TimeBackwards {
        /// Whose records.
        tenant: TenantId,
        /// The record.
        seq: u64,
    },
    /// A value is larger than its limit.
    #[error("{what} is larger than {max_bytes} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit.
        max_bytes: usize,
    },
    /// The cursor belongs to another listing or was made up.
    #[error("not a cursor of this listing")]
    BadCursor,
    /// The file system refused.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// SQLite refused for any other reason.
    #[error("database error")]
    Sqlite(#[source] rusqlite::Error),
}

impl JournalError {
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }

    pub(crate) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull => Self::Full,
            std::io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Io { what, source },
        }
    }
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        match error {
            E::FromSqlConversionFailure(..) | E::InvalidColumnType(..) | E::IntegralValueOutOfRange(..) => {
                Self::corrupt("a column holds a value of the wrong kind")
            }
            error => match error.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => Self::Full,
                Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
                Some(ErrorCode::CannotOpen) => Self::CannotOpen,
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                    Self::corrupt("SQLite cannot read the file")
                }
                _ => Self::Sqlite(error),
            },
        }
    }
}

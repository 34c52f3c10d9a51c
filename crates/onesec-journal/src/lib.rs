//! Durable records, ledger tables, snapshots and queries on SQLite.
//!
//! **What it is.** One file, `onesec.db`, and one key, `journal.key`, in a directory that one process owns.
//! [`Writer::commit`] writes a [`Batch`] in one transaction and returns once it is on the disk: that is
//! what *acknowledged* means. [`Reader`]s never block it.
//!
//! **What it is not.** It does not know what a record says: records are bytes. Who queries them by kind or
//! agent brings an [`Extract`] that names their keys.
//!
//! ```
//! use onesec_journal::{Batch, Journal, JournalOptions, RecordRow};
//! use onesec_telemetry::{TenantId, Timestamp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path();
//! let mut journal = Journal::open(dir, JournalOptions::default())?;
//! let tenant = TenantId::default_tenant();
//! let mut batch = Batch::default();
//! batch.records.push(RecordRow {
//!     tenant: tenant.clone(),
//!     seq: journal.writer.last_seq(&tenant) + 1,
//!     observed_at: Timestamp::from_secs(1_767_225_600),
//!     dedup: None,
//!     bytes: b"any encoding".as_slice().into(),
//! });
//! journal.writer.commit(&batch)?; // durable from here on
//!
//! let first = journal.reader.record(&tenant, 1)?.ok_or("gone")?;
//! assert_eq!(first.bytes, "any encoding");
//! # Ok(())
//! # }
//! ```
//!
//! **Invariants.**
//! 1. A batch is there as a whole or not at all; after an error the writer can be used again.
//! 2. Sequence numbers of a tenant are contiguous and times never decrease: anything else is refused.
//! 3. Transitions and responses are hash chains; their heads, and what retention removed, are signed.
//! 4. Retention removes prefixes only, never a record that the oldest kept snapshot still needs.
//! 5. Every checksum is read back: by replay, by loading a snapshot, and all of them by [`verify()`].
//!
//! **Who writes.** The handles of [`Opened`] may live in different threads. Their transactions take turns at
//! one gate; only [`Writer`] and [`Outbox`] wait for the disk, everything behind the hot path is short.
//!
//! **Where next.** [`Journal::open`], [`block`] for the format of records, [`verify()`] for what is proved.

pub mod block;
mod chain;
mod cursor;
mod db;
mod error;
pub mod fail_points;
mod index;
mod key;
mod ledger;
mod maintenance;
mod open;
mod outbox;
mod reader;
mod rows;
mod schema;
mod snapshot;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use cursor::{Cursor, Page};
pub use error::JournalError;
pub use index::{Column, Extract, IndexProgress, Indexer};
pub use ledger::{LedgerRow, LedgerTable, LedgerWrite};
pub use maintenance::{Maintenance, Retained, RetentionCutoffs};
pub use open::{DB_FILE, Journal, JournalInfo, JournalOptions, KEY_FILE, LOCK_FILE, Opened, Synchronous};
pub use outbox::{Lane, Outbox, OutboxOutcome, OutboxState, OutboxTask, OutboxUpdate, Pace};
pub use reader::{
    AlertFilter, DedupIter, LedgerFilter, QueryResult, Reader, RecordFilter, RecordStream, ResponseFilter, SeenRecord,
    SeverityFilter, StoredDeadLetter, StoredResponse, StoredTransition,
};
pub use rows::{
    AlertRow, Batch, CommitInfo, DeadLetterRow, DedupEntry, OutboxRow, RecordRow, ResponseRow, StoredRecord,
    TransitionRow,
};
pub use snapshot::{Sections, SnapshotBuilder, SnapshotInfo, SnapshotWriter};
pub use verify::{Fault, VerifyReport, verify, verify_with};
pub use writer::Writer;

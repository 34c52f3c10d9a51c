//! The tables, and how a file of an older version becomes one of this version.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::JournalError;
use crate::ledger::LedgerTable;

/// `user_version` of the files that this program writes.
pub(crate) const VERSION: i64 = MIGRATIONS.len() as i64;

/// The migration at index `n` turns a file of version `n` into one of version `n + 1`.
/// Never edit one that was released: append.
const MIGRATIONS: &[Migration] = &[version_1, version_2, version_3, version_4, version_5];

type Migration = fn(&Transaction<'_>) -> rusqlite::Result<()>;

/// `1sec`: lets `file(1)` tell the journal from other SQLite files.
const APPLICATION_ID: i64 = 0x3173_6563;

/// Brings the file to [`VERSION`], each step in a transaction of its own.
pub(crate) fn migrate(conn: &mut Connection) -> Result<(), JournalError> {
    run(conn, MIGRATIONS)
}

fn run(conn: &mut Connection, migrations: &[Migration]) -> Result<(), JournalError> {
    let found = check_version(conn, migrations.len() as i64)?;
    for (version, migration) in migrations.iter().enumerate().skip(usize::try_from(found).unwrap_or(0)) {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        migration(&tx)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", version as i64 + 1)?;
        tx.commit()?;
    }
    Ok(())
}

/// The file's version, unless it is newer than `supported`.
pub(crate) fn check_version(conn: &Connection, supported: i64) -> Result<i64, JournalError> {
    let found: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if (0..=supported).contains(&found) { Ok(found) } else { Err(JournalError::NewerVersion { found, supported }) }
}

/// Tables that came after the first version.
const LATER: [LedgerTable; 3] = [LedgerTable::Registrations, LedgerTable::Revocations, LedgerTable::SecurityEvents];

fn version_1(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute_batch(VERSION_1)?;
    LedgerTable::ALL.into_iter().filter(|table| !LATER.contains(table)).try_for_each(|t| create(tx, t))
}

fn version_2(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    create(tx, LedgerTable::Registrations)
}

/// What is urgent has executors of its own.
fn version_3(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute_batch(
        "ALTER TABLE outbox ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0;
         DROP INDEX outbox_due;
         CREATE INDEX outbox_due ON outbox (state, urgent, due_at, created_at);",
    )
}

/// What is taken back, and who is told, outlives a restart.
fn version_4(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    create(tx, LedgerTable::Revocations)?;
    create(tx, LedgerTable::SecurityEvents)
}

/// Rows of the index hold many values. It is built anew from the blocks.
fn version_5(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute_batch(
        "DROP TABLE event_index;
         DELETE FROM index_state;
         -- `bucket` is seq >> 16: walked newest first, and dropped as a whole. `part` is of a value's hash, `run` of the
         -- bucket's records. An entry is 32 bits of the hash and the offset in the bucket, both LE; offsets ascend.
         CREATE TABLE event_index (
             tenant INTEGER NOT NULL, bucket INTEGER NOT NULL, col INTEGER NOT NULL, part INTEGER NOT NULL,
             run INTEGER NOT NULL, entries BLOB NOT NULL, PRIMARY KEY (tenant, bucket, col, part, run)
         ) STRICT, WITHOUT ROWID;",
    )
}

fn create(tx: &Transaction<'_>, table: LedgerTable) -> rusqlite::Result<()> {
    let name = table.name();
    tx.execute_batch(&format!(
        "CREATE TABLE {name} (
                 tenant TEXT NOT NULL, id TEXT NOT NULL, agent_id TEXT, user_id TEXT, connection TEXT,
                 state TEXT NOT NULL, updated_seq INTEGER NOT NULL, expires_at INTEGER, doc TEXT NOT NULL,
                 PRIMARY KEY (tenant, id)
             ) STRICT, WITHOUT ROWID;
             CREATE INDEX {name}_agent ON {name} (tenant, agent_id) WHERE agent_id IS NOT NULL;
             CREATE INDEX {name}_user ON {name} (tenant, user_id) WHERE user_id IS NOT NULL;
             CREATE INDEX {name}_expires ON {name} (expires_at) WHERE expires_at IS NOT NULL;"
    ))
}

const VERSION_1: &str = "
CREATE TABLE tenants (no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE blocks (
    key INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
    first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, count INTEGER NOT NULL,
    head_crc INTEGER NOT NULL, body_crc INTEGER NOT NULL, dedup BLOB NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE TABLE dedup_long (
    tenant TEXT NOT NULL, key BLOB NOT NULL, content INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX dedup_long_at ON dedup_long (tenant, at);

CREATE TABLE transitions (
    tenant TEXT NOT NULL, pos INTEGER NOT NULL, subject TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
    kind TEXT NOT NULL, doc TEXT NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (tenant, pos)
) STRICT, WITHOUT ROWID;
CREATE INDEX transitions_subject ON transitions (tenant, subject, pos);
CREATE TABLE response_log (
    tenant TEXT NOT NULL, pos INTEGER NOT NULL, subject TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
    kind TEXT NOT NULL, doc TEXT NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (tenant, pos)
) STRICT, WITHOUT ROWID;
CREATE INDEX response_log_subject ON response_log (tenant, subject, pos);
CREATE TABLE chain_heads (
    tenant TEXT NOT NULL, chain TEXT NOT NULL, pos INTEGER NOT NULL, hash BLOB NOT NULL, mac BLOB NOT NULL,
    PRIMARY KEY (tenant, chain)
) STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (
    tenant TEXT NOT NULL, chain TEXT NOT NULL, pos INTEGER NOT NULL, hash BLOB NOT NULL, removed INTEGER NOT NULL,
    at INTEGER NOT NULL, mac BLOB NOT NULL, PRIMARY KEY (tenant, chain)
) STRICT, WITHOUT ROWID;

-- `ord` is given once and never changes, so that paging visits every row once while rows change.
CREATE TABLE alerts (
    ord INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, id TEXT NOT NULL, detector TEXT NOT NULL,
    severity INTEGER NOT NULL, status TEXT NOT NULL, open INTEGER NOT NULL, agent_id TEXT, user_id TEXT,
    connection TEXT, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, seq INTEGER NOT NULL,
    doc TEXT NOT NULL, UNIQUE (tenant, id)
) STRICT;
CREATE INDEX alerts_detector ON alerts (tenant, detector);
CREATE INDEX alerts_status ON alerts (tenant, status);
CREATE INDEX alerts_agent ON alerts (tenant, agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX alerts_user ON alerts (tenant, user_id) WHERE user_id IS NOT NULL;
CREATE TABLE responses (
    ord INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, id TEXT NOT NULL, alert_id TEXT,
    state TEXT NOT NULL, open INTEGER NOT NULL, seq INTEGER NOT NULL, first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL, doc TEXT NOT NULL, UNIQUE (tenant, id)
) STRICT;
CREATE INDEX responses_alert ON responses (tenant, alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX responses_state ON responses (tenant, state);

CREATE TABLE outbox (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, alert_id TEXT NOT NULL, policy TEXT NOT NULL, action TEXT NOT NULL,
    doc TEXT NOT NULL, state TEXT NOT NULL, created_at INTEGER NOT NULL, due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL, updated_at INTEGER NOT NULL, result TEXT
) STRICT;
CREATE INDEX outbox_due ON outbox (state, due_at, created_at);
CREATE INDEX outbox_alert ON outbox (tenant, alert_id);

CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, at INTEGER NOT NULL, key_id TEXT,
    reason_code TEXT NOT NULL, pointer TEXT NOT NULL, message TEXT NOT NULL, body TEXT,
    size INTEGER NOT NULL, sha256 BLOB NOT NULL
) STRICT;
CREATE INDEX dead_letters_tenant ON dead_letters (tenant);
CREATE TABLE dead_letter_counts (
    tenant TEXT PRIMARY KEY, kept INTEGER NOT NULL, dropped INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
    complete INTEGER NOT NULL, bytes INTEGER NOT NULL, chunks INTEGER NOT NULL, manifest BLOB NOT NULL
) STRICT;
CREATE INDEX snapshots_tenant ON snapshots (tenant, complete, seq);
CREATE TABLE snapshot_chunks (
    snapshot INTEGER NOT NULL, no INTEGER NOT NULL, section TEXT NOT NULL, crc INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX snapshot_chunks_no ON snapshot_chunks (snapshot, no);

CREATE TABLE event_index (
    tenant INTEGER NOT NULL, bucket INTEGER NOT NULL, col INTEGER NOT NULL, value INTEGER NOT NULL,
    off INTEGER NOT NULL, more BLOB NOT NULL, PRIMARY KEY (tenant, bucket, col, value, off)
) STRICT, WITHOUT ROWID;
CREATE TABLE index_state (tenant INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
";

#[cfg(test)]
mod tests {
    use super::*;

    fn version_2(tx: &Transaction<'_>) -> rusqlite::Result<()> {
        tx.execute_batch("ALTER TABLE tenants ADD COLUMN note TEXT")
    }

    fn broken(tx: &Transaction<'_>) -> rusqlite::Result<()> {
        tx.execute_batch("CREATE TABLE half (x); CREATE TABLE tenants (x)")
    }

    #[test]
    fn an_older_file_opens_and_keeps_its_rows() {
        let mut conn = Connection::open_in_memory().expect("opens");
        run(&mut conn, &[version_1]).expect("creates");
        conn.execute("INSERT INTO tenants VALUES (1, 'a')", []).expect("inserts");
        run(&mut conn, &[version_1, version_2]).expect("migrates");
        run(&mut conn, &[version_1, version_2]).expect("nothing left to do");
        let (version, rows): (i64, i64) = conn
            .query_row("SELECT user_version, (SELECT count(*) FROM tenants) FROM pragma_user_version", [], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })
            .expect("reads");
        assert_eq!((version, rows), (2, 1));
    }

    #[test]
    fn the_index_of_an_older_file_is_built_anew() {
        let mut conn = Connection::open_in_memory().expect("opens");
        run(&mut conn, &MIGRATIONS[..4]).expect("creates");
        let old = "INSERT INTO event_index VALUES (1, 0, 1, 7, 3, x'0400'); INSERT INTO index_state VALUES (1, 4)";
        conn.execute_batch(old).expect("as it was");
        migrate(&mut conn).expect("migrates");
        let rows = "SELECT (SELECT count(*) FROM event_index), (SELECT count(*) FROM index_state)";
        let rows: (i64, i64) = conn.query_row(rows, [], |r| Ok((r.get(0)?, r.get(1)?))).expect("reads");
        assert_eq!(rows, (0, 0));
        let new = "INSERT INTO event_index VALUES (1, 0, 1, 15, 15, x'000000000000')";
        conn.execute_batch(new).expect("as it is now");
    }

    #[test]
    fn a_failed_migration_leaves_the_older_file() {
        let mut conn = Connection::open_in_memory().expect("opens");
        run(&mut conn, &[version_1]).expect("creates");
        run(&mut conn, &[version_1, broken]).expect_err("the table exists");
        assert_eq!(check_version(&conn, 1).expect("reads"), 1);
        conn.execute("CREATE TABLE half (x)", []).expect("nothing of the failed step is left");
    }
}

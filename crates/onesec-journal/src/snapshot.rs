//! Snapshots: state at one sequence number, in checked chunks.
//!
//! A snapshot is a list of named sections, cut into chunks of at most 1 MiB with a CRC-32 each. The manifest is the
//! SHA-256 over (section, length, CRC) of all chunks in order. Chunks are written in transactions of their own, so
//! that a commit waits for one chunk at most; the last transaction makes the snapshot count.

use std::sync::Arc;

use onesec_telemetry::{TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use sha2::{Digest as _, Sha256};

use crate::db::{Db, Durability, Shared, int, uint};
use crate::error::JournalError;
use crate::fail_points;
use crate::reader::Reader;

/// Named parts, in the order in which they were written.
pub type Sections = Vec<(String, Vec<u8>)>;

/// A complete snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotInfo {
    /// The state after this record.
    pub seq: u64,
    /// When it was begun.
    pub at: Timestamp,
    /// Size of all sections in bytes.
    pub bytes: u64,
    /// Chunks.
    pub chunks: u64,
}

/// Saves snapshots on a connection of its own.
pub struct SnapshotWriter {
    db: Db,
}

impl SnapshotWriter {
    /// What a crash or an error left half written goes away here.
    pub(crate) fn open(shared: &Arc<Shared>) -> Result<Self, JournalError> {
        let mut db = Db::open(shared, Durability::Durable)?;
        let half: Vec<i64> = {
            let mut statement = db.conn.prepare("SELECT id FROM snapshots WHERE complete = 0")?;
            statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        for id in half {
            remove(&mut db, id)?;
        }
        Ok(Self { db })
    }

    /// Saves a snapshot whose sections are all at hand; durable on return.
    ///
    /// # Errors
    /// What writing says; an older snapshot is still there then.
    pub fn save(
        &mut self,
        (tenant, seq): (&TenantId, u64),
        at: Timestamp,
        sections: &[(&str, &[u8])],
    ) -> Result<SnapshotInfo, JournalError> {
        let mut builder = self.begin((tenant, seq), at)?;
        for (name, bytes) in sections {
            builder.section(name, bytes)?;
        }
        builder.finish()
    }

    /// Begins a snapshot that is written section by section. It counts once [`SnapshotBuilder::finish`] returns;
    /// dropped before, it is removed.
    ///
    /// # Errors
    /// What writing says.
    pub fn begin(
        &mut self,
        (tenant, seq): (&TenantId, u64),
        at: Timestamp,
    ) -> Result<SnapshotBuilder<'_>, JournalError> {
        fail_points::pass("snapshot.before");
        let id = self.db.write(|tx| {
            let sql = "INSERT INTO snapshots (tenant, seq, at, complete, bytes, chunks, manifest)
                       VALUES (?1, ?2, ?3, 0, 0, 0, x'')";
            tx.execute(sql, params![tenant.as_str(), int(seq), at.as_micros()])?;
            Ok(tx.last_insert_rowid())
        })?;
        let info = SnapshotInfo { seq, at, bytes: 0, chunks: 0 };
        let tenant = tenant.clone();
        Ok(SnapshotBuilder { db: &mut self.db, id, tenant, info, manifest: Sha256::new(), finished: false })
    }
}

/// A snapshot in the making.
pub struct SnapshotBuilder<'a> {
    db: &'a mut Db,
    id: i64,
    tenant: TenantId,
    info: SnapshotInfo,
    manifest: Sha256,
    finished: bool,
}

impl SnapshotBuilder<'_> {
    /// Writes bytes of section `name`; called again with the same name, it goes on with that section.
    ///
    /// # Errors
    /// What writing says; drop the builder then.
    pub fn section(&mut self, name: &str, bytes: &[u8]) -> Result<(), JournalError> {
        // An empty section is there too.
        let empty = bytes.is_empty().then_some(bytes);
        for chunk in bytes.chunks(CHUNK_BYTES).chain(empty) {
            let crc = crc32fast::hash(chunk);
            let (id, no) = (self.id, int(self.info.chunks));
            self.db.write(|tx| {
                let sql = "INSERT INTO snapshot_chunks VALUES (?1, ?2, ?3, ?4, ?5)";
                tx.prepare_cached(sql)?.execute(params![id, no, name, crc, chunk])?;
                Ok(())
            })?;
            update_manifest(&mut self.manifest, name, chunk.len(), crc);
            self.info.chunks += 1;
            self.info.bytes += chunk.len() as u64;
            fail_points::pass("snapshot.middle");
        }
        Ok(())
    }

    /// Makes the snapshot count, durably, and lets the oldest make room.
    ///
    /// # Errors
    /// What writing says; then the snapshot does not count.
    pub fn finish(mut self) -> Result<SnapshotInfo, JournalError> {
        let (id, info) = (self.id, self.info.clone());
        let manifest: [u8; 32] = std::mem::take(&mut self.manifest).finalize().into();
        self.db.write(|tx| {
            let sql = "UPDATE snapshots SET complete = 1, bytes = ?2, chunks = ?3, manifest = ?4 WHERE id = ?1";
            tx.execute(sql, params![id, int(info.bytes), int(info.chunks), manifest])?;
            Ok(())
        })?;
        self.finished = true;
        fail_points::pass("snapshot.after");
        self.prune()?;
        Ok(info)
    }

    fn prune(&mut self) -> Result<(), JournalError> {
        let keep = self.db.shared.options.snapshots_per_tenant.max(1);
        let sql = "SELECT id FROM snapshots WHERE tenant = ?1 AND complete = 1 ORDER BY seq DESC, id DESC
                   LIMIT -1 OFFSET ?2";
        let old: Vec<i64> = {
            let mut statement = self.db.conn.prepare_cached(sql)?;
            let rows = statement.query_map(params![self.tenant.as_str(), int(keep)], |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        old.into_iter().try_for_each(|id| remove(self.db, id))
    }
}

impl Drop for SnapshotBuilder<'_> {
    fn drop(&mut self) {
        if !self.finished {
            // Where even that fails, the next opening removes it.
            let _ = remove(self.db, self.id);
        }
    }
}

/// Removes a snapshot a few chunks at a time; it stops to count first.
fn remove(db: &mut Db, id: i64) -> Result<(), JournalError> {
    db.write(|tx| Ok(tx.execute("UPDATE snapshots SET complete = 0 WHERE id = ?1", [id])?))?;
    let sql = "DELETE FROM snapshot_chunks WHERE rowid IN
               (SELECT rowid FROM snapshot_chunks WHERE snapshot = ?1 LIMIT 8)";
    while db.write(|tx| Ok(tx.prepare_cached(sql)?.execute([id])?))? > 0 {}
    db.write(|tx| Ok(tx.execute("DELETE FROM snapshots WHERE id = ?1", [id])?))?;
    Ok(())
}

impl Reader {
    /// The tenant's complete snapshots, newest first.
    ///
    /// # Errors
    /// What reading says.
    pub fn snapshots(&self, tenant: &TenantId) -> Result<Vec<SnapshotInfo>, JournalError> {
        self.with(|conn| {
            let sql = "SELECT seq, at, bytes, chunks FROM snapshots WHERE tenant = ?1 AND complete = 1
                       ORDER BY seq DESC, id DESC";
            let row = |row: &Row<'_>| {
                let at = Timestamp::from_micros(row.get(1)?);
                Ok(SnapshotInfo { seq: uint(row.get(0)?), at, bytes: uint(row.get(2)?), chunks: uint(row.get(3)?) })
            };
            let mut statement = conn.prepare_cached(sql)?;
            let rows = statement.query_map([tenant.as_str()], row)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The sections of the snapshot at `seq`.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] where a checksum fails or a chunk is missing: take the next older snapshot then.
    pub fn load_snapshot(&self, tenant: &TenantId, seq: u64) -> Result<Sections, JournalError> {
        self.with_snapshot(|conn| {
            let sql = "SELECT id FROM snapshots WHERE tenant = ?1 AND seq = ?2 AND complete = 1 ORDER BY id DESC";
            let id: Option<i64> =
                conn.prepare_cached(sql)?.query_row(params![tenant.as_str(), int(seq)], |row| row.get(0)).optional()?;
            let Some(id) = id else { return Err(damaged(tenant, seq, "is not there")) };
            let mut sections = Sections::new();
            walk(conn, (id, tenant, seq), |name, chunk| match sections.last_mut() {
                Some((last, bytes)) if last == name => bytes.extend_from_slice(chunk),
                _ => sections.push((name.to_owned(), chunk.to_vec())),
            })?;
            Ok(sections)
        })
    }
}

/// Visits every chunk in order and checks all there is to check.
pub(crate) fn walk(
    conn: &Connection,
    (id, tenant, seq): (i64, &TenantId, u64),
    mut visit: impl FnMut(&str, &[u8]),
) -> Result<(), JournalError> {
    let sql = "SELECT chunks, manifest FROM snapshots WHERE id = ?1";
    let (chunks, want): (i64, Vec<u8>) =
        conn.prepare_cached(sql)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let sql = "SELECT no, section, crc, body FROM snapshot_chunks WHERE snapshot = ?1 ORDER BY no";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    let mut manifest = Sha256::new();
    let mut next = 0_i64;
    while let Some(row) = rows.next()? {
        let (no, crc): (i64, u32) = (row.get(0)?, row.get(2)?);
        let text = |e: rusqlite::types::FromSqlError| JournalError::corrupt(format!("snapshot {seq}: {e}"));
        let name = row.get_ref(1)?.as_str().map_err(text)?;
        let body = row.get_ref(3)?.as_blob().map_err(text)?;
        if no != next || crc32fast::hash(body) != crc {
            return Err(damaged(tenant, seq, &format!("fails its checksum at chunk {next}")));
        }
        update_manifest(&mut manifest, name, body.len(), crc);
        visit(name, body);
        next += 1;
    }
    let whole = next == chunks && manifest.finalize().as_slice() == want;
    if whole { Ok(()) } else { Err(damaged(tenant, seq, "does not match its manifest")) }
}

fn update_manifest(manifest: &mut Sha256, name: &str, len: usize, crc: u32) {
    manifest.update((name.len() as u64).to_be_bytes());
    manifest.update(name);
    manifest.update((len as u64).to_be_bytes());
    manifest.update(crc.to_be_bytes());
}

fn damaged(tenant: &TenantId, seq: u64, why: &str) -> JournalError {
    JournalError::corrupt(format!("snapshot {seq} of tenant `{tenant}` {why}"))
}

const CHUNK_BYTES: usize = 1024 * 1024;

//! Beside the hot path: snapshots, the query index, checkpoints, retention.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use onesec_engine::Settings;
use onesec_journal::{Indexer, LedgerTable, Maintenance, Reader, RetentionCutoffs, SnapshotWriter};
use onesec_telemetry::{Seq, TenantId, Timestamp};

use super::commit::Published;
use super::dedup::LONG_HORIZON;
use super::keys::index_keys;
use super::options::{Retention, SharedAssemble};
use super::recovery;
use crate::clock::Clock;

/// Blocks indexed at a time.
const INDEX_BLOCKS: usize = 64;
/// Rows that go once they are out of date.
const EXPIRING: [LedgerTable; 4] =
    [LedgerTable::UsedJti, LedgerTable::Exceptions, LedgerTable::Revocations, LedgerTable::SecurityEvents];
/// How often what has arrived is indexed, and moved from the write-ahead log into the file.
const ROUND: Duration = Duration::from_millis(250);
/// Between two steps of an index that is behind.
const BREATH: Duration = Duration::from_millis(20);
/// How often retention looks.
const RETENTION_EVERY: Duration = Duration::from_secs(600);

/// A tenant's saved state, not yet written.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) tenant: TenantId,
    pub(super) seq: Seq,
    pub(super) at: Timestamp,
    pub(super) sections: Vec<(String, Vec<u8>)>,
}

/// What is to be saved.
#[derive(Debug)]
pub(super) enum ToSave {
    /// A state that was taken at once, because it is small.
    Taken(Snapshot),
    /// A tenant whose state is so large that taking it would make everybody wait: it is built anew from the newest
    /// snapshot and the records since, beside the one that is at work.
    Rebuilt {
        tenant: TenantId,
        /// In force where a snapshot's own are refused.
        settings: Box<Settings>,
        /// Of the newest record that is to be part of it.
        seq: Seq,
    },
}

/// What snapshots are written with.
pub(super) struct Saver {
    pub(super) writer: SnapshotWriter,
    pub(super) reader: Reader,
    pub(super) assemble: SharedAssemble,
    pub(super) published: Arc<Published>,
}

impl Saver {
    /// Writes snapshots until nobody sends any more. One counts only once its records are durable.
    pub(super) fn run(mut self, work: &Receiver<ToSave>) {
        while let Ok(work) = work.recv() {
            let snapshot = match work {
                ToSave::Taken(snapshot) => Some(snapshot),
                ToSave::Rebuilt { tenant, settings, seq } => self.rebuild((tenant, *settings), seq),
            };
            if let Some(snapshot) = snapshot.filter(|s| wait_durable((&s.tenant, s.seq), &self.published)) {
                write(&mut self.writer, &snapshot);
            }
        }
    }

    fn rebuild(&self, (tenant, settings): (TenantId, Settings), seq: Seq) -> Option<Snapshot> {
        if !wait_durable((&tenant, seq), &self.published) {
            return None;
        }
        let mut recovered = match recovery::recover(&self.reader, (&tenant, &settings), &self.assemble) {
            Ok(recovered) if !recovered.unsettled => recovered,
            Ok(_) => return None,
            Err(error) => {
                tracing::warn!(%tenant, %error, "no snapshot could be made");
                return None;
            }
        };
        let sections = recovery::sections(&mut recovered.engine, &recovered.exchanges);
        Some(Snapshot { tenant, seq: Seq(recovered.seq), at: recovered.observed_at, sections })
    }
}

fn write(writer: &mut SnapshotWriter, snapshot: &Snapshot) {
    let sections: Vec<(&str, &[u8])> =
        snapshot.sections.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    match writer.save((&snapshot.tenant, snapshot.seq.0), snapshot.at, &sections) {
        Ok(info) => tracing::debug!(tenant = %snapshot.tenant, seq = info.seq, bytes = info.bytes, "snapshot"),
        Err(error) => tracing::warn!(tenant = %snapshot.tenant, %error, "no snapshot could be written"),
    }
}

/// Whether everything the snapshot rests on became durable, within a minute.
fn wait_durable((tenant, seq): (&TenantId, Seq), published: &Published) -> bool {
    for _ in 0..6_000 {
        let durable = published.durable.read().get(tenant).copied().unwrap_or_default();
        if durable >= seq {
            return true;
        }
        if published.journal_down.read().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// What housekeeping works with.
pub(super) struct Keeper {
    pub(super) indexer: Indexer,
    pub(super) maintenance: Maintenance,
    pub(super) clock: Clock,
    /// And how long what is theirs is kept.
    pub(super) tenants: Vec<(TenantId, Retention)>,
}

impl Keeper {
    /// Works until `wake` is closed: that is how it is told to stop.
    pub(super) fn run(mut self, wake: &Receiver<()>) {
        let mut next_retention = self.clock.now() + Duration::from_secs(30);
        let mut next_checkpoint = self.clock.now();
        loop {
            let behind = self.index() >= INDEX_BLOCKS;
            // It syncs two files: where records arrive one by one, they wait for the disk behind it.
            if self.clock.now() >= next_checkpoint {
                if let Err(error) = self.maintenance.checkpoint() {
                    tracing::debug!(%error, "no checkpoint");
                }
                next_checkpoint = self.clock.now() + ROUND;
            }
            if self.clock.now() >= next_retention {
                self.retain();
                next_retention = self.clock.now() + RETENTION_EVERY;
            }
            let pause = if behind { BREATH } else { ROUND };
            if matches!(wake.recv_timeout(pause), Err(RecvTimeoutError::Disconnected)) {
                return;
            }
        }
    }

    fn index(&mut self) -> usize {
        match self.indexer.step(&index_keys, INDEX_BLOCKS) {
            Ok(progress) => progress.blocks,
            Err(error) => {
                tracing::warn!(%error, "the query index does not advance");
                0
            }
        }
    }

    fn retain(&mut self) {
        let now = self.clock.now();
        for (tenant, retention) in &self.tenants {
            let cutoffs = RetentionCutoffs {
                tenant: tenant.clone(),
                records_before: Some(now.before(retention.events)),
                alerts_before: Some(now.before(retention.alerts)),
                responses_before: Some(now.before(retention.responses)),
                long_dedup_before: Some(now.before(LONG_HORIZON)),
            };
            match self.maintenance.retain(&cutoffs, now) {
                Ok(gone) if gone.records > 0 => tracing::info!(%tenant, records = gone.records, "retention"),
                Ok(_) => {}
                Err(error) => tracing::warn!(%tenant, %error, "retention does not advance"),
            }
        }
        for table in EXPIRING {
            if let Err(error) = self.maintenance.purge_expired(table, now, 10_000) {
                tracing::debug!(%error, "expired rows stay");
            }
        }
        // As long as a person of any tenant may want one to be tried again or taken back.
        let longest = self.tenants.iter().map(|(_, retention)| retention.alerts).max().unwrap_or_default();
        if let Err(error) = self.maintenance.purge_outbox(now.before(longest), 10_000) {
            tracing::debug!(%error, "finished actions stay in the outbox");
        }
        if let Err(error) = self.maintenance.vacuum(1_000) {
            tracing::debug!(%error, "no vacuum");
        }
    }
}

//! The threads of the core, and what they share.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use onesec_journal::{Indexer, Maintenance, Reader, SnapshotWriter, Writer};
use onesec_telemetry::Seq;
use parking_lot::RwLock;
use tokio::sync::{broadcast, watch};

use super::commit::{self, CommitPort, Published};
use super::housekeeping::{Keeper, Saver, ToSave};
use super::options::{CoreOptions, StartError, TenantSetup};
use crate::clock::Clock;

#[derive(Default)]
pub(super) struct Threads {
    pub(super) shards: Vec<JoinHandle<()>>,
    pub(super) committer: Option<JoinHandle<()>>,
    pub(super) snapshots: Option<(SyncSender<ToSave>, JoinHandle<()>)>,
    pub(super) keeper: Option<(SyncSender<()>, JoinHandle<()>)>,
}

/// What works beside the shards.
pub(super) struct Beside {
    pub(super) to_save: (SyncSender<ToSave>, Receiver<ToSave>),
    pub(super) writer: Writer,
    pub(super) snapshots: SnapshotWriter,
    pub(super) reader: Reader,
    pub(super) indexer: Indexer,
    pub(super) maintenance: Maintenance,
}

impl Beside {
    pub(super) fn start(
        self,
        threads: &mut Threads,
        (port, published): (&Arc<CommitPort>, &Arc<Published>),
        (clock, options): (Clock, &CoreOptions),
    ) -> Result<(), StartError> {
        let Self { to_save: (sender, receiver), mut writer, snapshots, reader, indexer, maintenance } = self;
        let (port, public) = (port.clone(), published.clone());
        threads.committer = Some(spawn("onesec-commit", move || commit::run(&port, &mut writer, &public))?);
        let (published, assemble) = (published.clone(), options.assemble.clone());
        let saver = Saver { writer: snapshots, reader, assemble, published };
        threads.snapshots = Some((sender, spawn("onesec-snapshot", move || saver.run(&receiver))?));
        let (wake, woken) = sync_channel::<()>(1);
        let kept = |tenant: &TenantSetup| (tenant.name.clone(), tenant.retention.unwrap_or(options.retention));
        let tenants = options.tenants.iter().map(kept).collect();
        let keeper = Keeper { indexer, maintenance, clock, tenants };
        threads.keeper = Some((wake, spawn("onesec-keeper", move || keeper.run(&woken))?));
        Ok(())
    }
}

/// Which tenants go to which shard: as many shards as there are cores and tenants to fill them.
pub(super) fn plan(options: &CoreOptions) -> Vec<Vec<TenantSetup>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let shards = cores.min(options.tenants.len()).max(1);
    let mut plan = vec![Vec::new(); shards];
    for (index, setup) in options.tenants.iter().enumerate() {
        if let Some(shard) = plan.get_mut(index % shards) {
            shard.push(setup.clone());
        }
    }
    plan
}

pub(super) fn published(writer: &onesec_journal::Writer, tenants: &[TenantSetup]) -> Published {
    let durable = writer.last_seqs().into_iter().map(|(tenant, seq)| (tenant, Seq(seq))).collect();
    Published {
        views: RwLock::default(),
        durable: RwLock::new(durable),
        errands: watch::Sender::new(()),
        news: broadcast::channel(NEWS_BACKLOG).0,
        news_of: tenants.iter().map(|tenant| (tenant.name.clone(), broadcast::channel(NEWS_BACKLOG).0)).collect(),
        journal_down: RwLock::new(None),
    }
}

pub(super) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(StartError::Thread)
}

/// Alerts that a slow watcher may lag behind.
const NEWS_BACKLOG: usize = 1_024;

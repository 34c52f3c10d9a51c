//! The core: one writer. Records get their place, the engine reads them, the journal makes them durable, and only then
//! does anybody hear of it.

mod api;
mod backtest;
mod beside;
mod codec;
mod commit;
mod dedup;
mod housekeeping;
mod keys;
mod options;
mod queue;
mod recompute;
mod recovery;
mod rows;
mod shard;
mod stats;
mod tenant;
mod threads;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;

use onesec_enforcement::{Policy, Preset};
use onesec_engine::{Answer, Engine, OwnPolicies, Reported, Settings, SetupError, policies, unnamed};
use onesec_journal::{Journal, Opened, Outbox, Reader};
use onesec_telemetry::{Sender, TenantId, Timestamp};
use parking_lot::Mutex;
use tokio::sync::{broadcast, oneshot};

pub(crate) use keys::index_keys;
pub(crate) use rows::{Errand, response_row};

pub use api::{CoreError, Draft, Durable, Health, News, Obeyed, Order, Ruling, Submission, Taken};
pub use backtest::{Trial, backtest};
pub use codec::{decode_record, encode_record};
pub use options::{CoreOptions, Retention, SharedAssemble, StartError, TenantSetup};
pub use recompute::recompute;
pub use stats::ExchangeStats;
pub use view::{DetectorView, TenantView, preset_name};

use crate::clock::{Clock, StepWatch};
use commit::{CommitPort, Published};
use housekeeping::ToSave;
use queue::{Queue, Work};
use shard::Shard;
use threads::{Beside, Threads, plan, published, spawn};

/// Places of the server at which a crash test may end it, besides those of [`onesec_journal::fail_points`].
pub const FAIL_POINTS: [&str; 6] =
    ["apply.before", "apply.after", "answer.before", "answer.after", "receipt.before", "receipt.after"];

/// The running core. Cheap to clone.
#[derive(Clone)]
pub struct Core(Arc<Inner>);

struct Inner {
    clock: Clock,
    reader: Reader,
    queues: Vec<Arc<Queue>>,
    shard_of: HashMap<TenantId, usize>,
    assemble: SharedAssemble,
    port: Arc<CommitPort>,
    published: Arc<Published>,
    outbox: Mutex<Option<Outbox>>,
    stopping: AtomicBool,
    threads: Mutex<Threads>,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("tenants", &self.0.shard_of.len()).finish_non_exhaustive()
    }
}

impl Core {
    /// Opens the journal, recovers every tenant, and starts to work.
    ///
    /// # Errors
    /// [`StartError`] where the journal cannot be used or a setting has no meaning.
    pub fn start(options: CoreOptions) -> Result<Self, StartError> {
        let Opened { writer, reader, indexer, snapshots, maintenance, outbox, .. } =
            Journal::open(&options.data_dir, options.journal.clone())?;
        let floor = options.tenants.iter().filter_map(|t| writer.last_observed_at(&t.name)).max();
        let clock = Clock::start().not_before(floor.unwrap_or(Timestamp::EPOCH));
        let options = Arc::new(options);
        let plan = plan(&options);
        let port = Arc::new(CommitPort::new(plan.len()));
        let published = Arc::new(published(&writer, &options.tenants));
        let (snapshot_tx, snapshot_rx) = sync_channel::<ToSave>(1);
        let mut threads = Threads::default();

        let mut shards = Vec::new();
        for (index, setups) in plan.iter().enumerate() {
            let mut shard = Shard {
                index,
                queue: Arc::new(Queue::new(options.queued_requests, options.queued_events)),
                port: port.clone(),
                reader: reader.clone(),
                clock,
                options: options.clone(),
                setups: setups.clone(),
                snapshots: snapshot_tx.clone(),
                tenants: BTreeMap::new(),
                steps: StepWatch::default(),
                looked: Timestamp::EPOCH,
                pace: shard::Pace::default(),
            };
            shard.recover()?;
            shard.configure()?;
            for tenant in shard.tenants.values_mut() {
                let view = tenant.view();
                published.views.write().insert(view.tenant.clone(), Arc::new(view));
            }
            shards.push(shard);
        }
        let beside = Beside {
            to_save: (snapshot_tx, snapshot_rx),
            writer,
            snapshots,
            reader: reader.clone(),
            indexer,
            maintenance,
        };
        beside.start(&mut threads, (&port, &published), (clock, &options))?;
        let queues: Vec<Arc<Queue>> = shards.iter().map(|s| s.queue.clone()).collect();
        for (index, shard) in shards.into_iter().enumerate() {
            threads.shards.push(spawn(&format!("onesec-engine-{index}"), move || shard.run())?);
        }
        let shard_of = plan
            .iter()
            .enumerate()
            .flat_map(|(index, setups)| setups.iter().map(move |s| (s.name.clone(), index)))
            .collect();
        let threads = Mutex::new(threads);
        let stopping = AtomicBool::new(false);
        let assemble = options.assemble.clone();
        let outbox = Mutex::new(Some(outbox));
        let inner = Inner { clock, reader, queues, shard_of, assemble, port, published, outbox, stopping, threads };
        Ok(Self(Arc::new(inner)))
    }

    fn push(&self, tenant: &TenantId, work: Work) -> Result<(), CoreError> {
        let Some(queue) = self.0.shard_of.get(tenant).and_then(|i| self.0.queues.get(*i)) else {
            return Err(CoreError::UnknownTenant);
        };
        if self.0.published.journal_down.read().is_some() && queue.waiting() > 1_000 {
            return Err(CoreError::Journal);
        }
        queue.push(work).map_err(|(_, error)| error)
    }

    /// Takes events. Durable when it returns: one [`Taken`] per draft, in order.
    ///
    /// # Errors
    /// [`CoreError`]; nothing was taken then.
    pub async fn ingest(&self, submission: Submission) -> Result<Vec<Taken>, CoreError> {
        let (reply, answer) = oneshot::channel();
        let tenant = submission.tenant.clone();
        self.push(&tenant, Work::Ingest { submission, reply })?;
        answer.await.unwrap_or(Err(CoreError::Stopping))
    }

    /// Rules on a request, ahead of ingest. Durable when it returns.
    ///
    /// # Errors
    /// [`CoreError`]; nothing has happened then, and the request must not pass.
    pub async fn request(&self, tenant: &TenantId, draft: Draft) -> Result<Ruling, CoreError> {
        let (reply, answer) = oneshot::channel();
        let draft = Box::new(draft);
        self.push(tenant, Work::Request { tenant: tenant.clone(), draft, early: None, reply })?;
        answer.await.unwrap_or(Err(CoreError::Stopping))
    }

    /// Rules on a request whose act may begin while the ruling becomes durable; nothing of it may be released before
    /// [`Durable::wait`] has said so. A refusal comes back durable.
    ///
    /// # Errors
    /// [`CoreError`]; nothing has happened then, and the request must not pass.
    pub async fn request_early(&self, tenant: &TenantId, draft: Draft) -> Result<(Ruling, Durable), CoreError> {
        let (reply, mut answer) = oneshot::channel();
        let (early, passes) = oneshot::channel();
        let draft = Box::new(draft);
        // Where the disk is known to fail, nothing begins before it has held again.
        let early = Some(early).filter(|_| self.0.published.journal_down.read().is_none());
        self.push(tenant, Work::Request { tenant: tenant.clone(), draft, early, reply })?;
        match passes.await {
            Ok(ruling) => Ok((ruling, Durable(Some(answer)))),
            // Dropped without a word: refused, and the durable answer says so.
            Err(_) => Ok(((&mut answer).await.unwrap_or(Err(CoreError::Stopping))?, Durable(None))),
        }
    }

    /// Carries a person's decision out. Durable when it returns.
    ///
    /// # Errors
    /// [`CoreError`]; nothing has happened then.
    pub async fn order(&self, order: Order) -> Result<Obeyed, CoreError> {
        let (reply, answer) = oneshot::channel();
        let tenant = order.tenant.clone();
        self.push(&tenant, Work::Order { order: Box::new(order), reply })?;
        answer.await.unwrap_or(Err(CoreError::Stopping))
    }

    /// Puts other settings in force, as a record of their own; `false` where they are in force already.
    ///
    /// # Errors
    /// [`StartError::Setup`] where they have no meaning, [`StartError::Core`] where they cannot be recorded: the last
    /// good ones stay in force.
    pub async fn reconfigure(&self, tenant: &TenantId, settings: &Settings) -> Result<bool, StartError> {
        let Some(view) = self.view(tenant) else { return Err(StartError::Core(CoreError::UnknownTenant)) };
        if *view.settings == *settings {
            return Ok(false);
        }
        self.check_settings(tenant, settings)?;
        Engine::new(tenant.clone(), settings.clone(), recovery::boxed(&self.0.assemble))?;
        let order = Order::new(tenant.clone(), Sender::system(), shard::configure_command(settings));
        self.order(order).await.map_err(StartError::Core)?;
        Ok(true)
    }

    /// Whether a tenant could take other settings, with what people have set there.
    ///
    /// # Errors
    /// [`StartError::Setup`] with what it lacks.
    pub(crate) fn check_settings(&self, tenant: &TenantId, settings: &Settings) -> Result<(), StartError> {
        let Some(view) = self.view(tenant) else { return Err(StartError::Core(CoreError::UnknownTenant)) };
        would_be_in_force((&view.settings, view.preset, &view.own_policies), settings)?;
        Ok(())
    }

    /// What would be said to a request; nothing is changed by asking.
    ///
    /// # Errors
    /// [`CoreError`].
    pub async fn preview(&self, tenant: &TenantId, draft: Draft) -> Result<(Answer, Vec<Reported>), CoreError> {
        let (reply, answer) = oneshot::channel();
        let draft = Box::new(draft);
        self.push(tenant, Work::Preview { tenant: tenant.clone(), draft, reply })?;
        answer.await.unwrap_or(Err(CoreError::Stopping))
    }

    /// What makes the detectors.
    pub(crate) fn assemble(&self) -> &SharedAssemble {
        &self.0.assemble
    }

    /// Queries on what is durable.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.0.reader
    }

    /// Alerts as they change, each once it is durable.
    #[must_use]
    pub fn news(&self) -> broadcast::Receiver<Arc<News>> {
        self.0.published.news.subscribe()
    }

    /// The same of one tenant only.
    pub(crate) fn news_of(&self, tenant: &TenantId) -> Option<broadcast::Receiver<Arc<News>>> {
        self.0.published.news_of.get(tenant).map(broadcast::Sender::subscribe)
    }

    /// Now, as records see it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The clock that records see.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.0.clock
    }

    /// A tenant as it was at its newest durable record.
    #[must_use]
    pub fn view(&self, tenant: &TenantId) -> Option<Arc<TenantView>> {
        self.0.published.views.read().get(tenant).cloned()
    }

    /// The tenants, in order.
    #[must_use]
    pub fn tenants(&self) -> Vec<TenantId> {
        let mut names: Vec<TenantId> = self.0.shard_of.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    /// How the core does.
    #[must_use]
    pub fn health(&self) -> Health {
        let counts = &self.0.port.counts;
        Health {
            journal: self.0.published.journal_down.read().clone().map_or(Ok(()), Err),
            engine: self.0.threads.lock().shards.iter().all(|t| !t.is_finished()),
            stopping: self.0.stopping.load(Ordering::Relaxed),
            commits: counts.commits.load(Ordering::Relaxed),
            commit_failures: counts.failures.load(Ordering::Relaxed),
            records: counts.records.load(Ordering::Relaxed),
            waiting: self.0.queues.iter().map(|q| q.waiting()).sum(),
        }
    }

    /// Takes nothing new, works off and commits what is there, and saves snapshots. Comes back when all is done.
    pub async fn stop(&self) {
        let core = self.clone();
        // Joining threads blocks; a failure to join is a panic that was logged already.
        drop(tokio::task::spawn_blocking(move || core.stop_now()).await);
    }

    fn stop_now(&self) {
        if self.0.stopping.swap(true, Ordering::SeqCst) {
            return;
        }
        for queue in &self.0.queues {
            queue.stop();
        }
        // Whoever carries actions out has gone by now; the journal must not stay open for it.
        drop(self.0.outbox.lock().take());
        let threads = std::mem::take(&mut *self.0.threads.lock());
        for shard in threads.shards {
            drop(shard.join());
        }
        // Shards give snapshots before they end, and those wait for their records: the committer goes last but one.
        self.0.port.stop();
        if let Some(committer) = threads.committer {
            drop(committer.join());
        }
        if let Some((sender, thread)) = threads.snapshots {
            drop(sender);
            drop(thread.join());
        }
        if let Some((wake, thread)) = threads.keeper {
            drop(wake);
            drop(thread.join());
        }
    }
}

/// The policies that would be in force with other settings: as the engine will have it when it takes them.
pub(crate) fn would_be_in_force(
    (former, preset, set): (&Settings, Preset, &OwnPolicies),
    settings: &Settings,
) -> Result<Vec<Policy>, SetupError> {
    recordable(settings)?;
    if settings.enforcement == former.enforcement {
        return policies(settings, preset, set);
    }
    policies(settings, settings.enforcement.preset, &unnamed(set, settings))
}

/// Settings become records, and redaction would change in them what looks like a secret: what is in force must be what was
/// written.
fn recordable(settings: &Settings) -> Result<(), SetupError> {
    let content = settings.to_json();
    let recorded = onesec_telemetry::event::Json::redacted(content.clone()).to_value();
    let sections = content.as_object().into_iter().flatten();
    let changed = sections.into_iter().find(|(name, value)| recorded.get(name.as_str()) != Some(*value));
    changed.map_or(Ok(()), |(name, _)| {
        let why = "has what looks like a secret in it, and settings are recorded without secrets: name a file instead";
        Err(SetupError::Setting { setting: name.clone(), why: why.to_owned() })
    })
}

#[cfg(test)]
mod tests;

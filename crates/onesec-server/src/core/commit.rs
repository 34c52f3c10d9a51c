//! Group commit: what arrives while a commit runs goes into the next. Nothing is answered before it is durable.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use onesec_engine::{Answer, Reported};
use onesec_journal::{Batch, Writer, fail_points};
use onesec_telemetry::{Seq, TenantId};
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::{broadcast, oneshot, watch};

use super::api::{CoreError, News, Obeyed, Ruling, Taken};
use super::queue::Reply;
use super::view::TenantView;
use crate::causes::with_causes;

/// Records that may wait for the disk, per shard, before the shard waits itself.
const MAX_WAITING: usize = 16_384;

/// Everything that waits for one commit.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) batch: Batch,
    pub(super) answers: Vec<Held>,
    pub(super) news: Vec<News>,
    /// The newest of each tenant.
    pub(super) views: BTreeMap<TenantId, TenantView>,
}

/// An answer that is held until what it says is durable.
#[derive(Debug)]
pub(super) enum Held {
    Taken(Reply<Vec<Taken>>, Vec<Taken>),
    Ruling(Reply<Ruling>, Ruling),
    Obeyed(Reply<Obeyed>, Obeyed),
    /// What executors report.
    Receipt(Reply<()>),
    /// Says nothing new, but its state may rest on what is not durable yet.
    Preview(oneshot::Sender<Result<(Answer, Vec<Reported>), CoreError>>, (Answer, Vec<Reported>)),
}

impl Held {
    fn release(self) {
        match self {
            Self::Taken(reply, taken) => drop(reply.send(Ok(taken))),
            Self::Ruling(reply, ruling) => drop(reply.send(Ok(ruling))),
            Self::Obeyed(reply, obeyed) => drop(reply.send(Ok(obeyed))),
            Self::Receipt(reply) => drop(reply.send(Ok(()))),
            Self::Preview(reply, answer) => drop(reply.send(Ok(answer))),
        }
    }

    fn refuse(self, error: CoreError) {
        match self {
            Self::Taken(reply, _) => drop(reply.send(Err(error))),
            Self::Ruling(reply, _) => drop(reply.send(Err(error))),
            Self::Obeyed(reply, _) => drop(reply.send(Err(error))),
            Self::Receipt(reply) => drop(reply.send(Err(error))),
            Self::Preview(reply, _) => drop(reply.send(Err(error))),
        }
    }
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.answers.is_empty()
    }

    fn absorb(&mut self, other: Self) {
        let (batch, more) = (&mut self.batch, other.batch);
        batch.records.extend(more.records);
        batch.transitions.extend(more.transitions);
        batch.alert_views.extend(more.alert_views);
        batch.ledger.extend(more.ledger);
        batch.outbox.extend(more.outbox);
        batch.outbox_updates.extend(more.outbox_updates);
        batch.responses.extend(more.responses);
        batch.dead_letters.extend(more.dead_letters);
        self.answers.extend(other.answers);
        self.news.extend(other.news);
        self.views.extend(other.views);
    }

    fn refuse(self, error: CoreError) {
        for held in self.answers {
            held.refuse(error);
        }
    }
}

/// Where shards leave what is to be committed.
#[derive(Debug)]
pub(super) struct CommitPort {
    slots: Mutex<Slots>,
    arrived: Condvar,
    taken: Condvar,
    pub(super) counts: CommitCounts,
}

/// Counts for people.
#[derive(Debug, Default)]
pub(super) struct CommitCounts {
    pub(super) commits: AtomicU64,
    pub(super) records: AtomicU64,
    pub(super) failures: AtomicU64,
}

#[derive(Debug)]
struct Slots {
    waiting: Vec<Pending>,
    /// Shards that must rebuild their state: what they applied did not become durable.
    broken: Vec<bool>,
    stopping: bool,
}

impl CommitPort {
    pub(super) fn new(shards: usize) -> Self {
        let slots = Slots {
            waiting: (0..shards).map(|_| Pending::default()).collect(),
            broken: vec![false; shards],
            stopping: false,
        };
        Self {
            slots: Mutex::new(slots),
            arrived: Condvar::new(),
            taken: Condvar::new(),
            counts: CommitCounts::default(),
        }
    }

    /// Leaves `pending` for the next commit; waits while too much waits already. Refused where the shard is broken.
    pub(super) fn give(&self, shard: usize, pending: Pending) {
        let mut slots = self.slots.lock();
        while slots.waiting.get(shard).is_some_and(|w| w.batch.records.len() > MAX_WAITING)
            && !slots.broken.get(shard).copied().unwrap_or(true)
        {
            self.taken.wait(&mut slots);
        }
        if slots.broken.get(shard).copied().unwrap_or(true) {
            drop(slots);
            pending.refuse(CoreError::Journal);
            return;
        }
        if let Some(waiting) = slots.waiting.get_mut(shard) {
            waiting.absorb(pending);
        }
        drop(slots);
        self.arrived.notify_one();
    }

    pub(super) fn is_broken(&self, shard: usize) -> bool {
        self.slots.lock().broken.get(shard).copied().unwrap_or(true)
    }

    /// The shard has rebuilt its state from what is durable.
    pub(super) fn mended(&self, shard: usize) {
        if let Some(broken) = self.slots.lock().broken.get_mut(shard) {
            *broken = false;
        }
    }

    pub(super) fn stop(&self) {
        self.slots.lock().stopping = true;
        self.arrived.notify_all();
    }

    /// Everything that waits, or `None` once nothing more will come.
    fn take(&self) -> Option<Pending> {
        let mut slots = self.slots.lock();
        loop {
            if slots.waiting.iter().any(|w| !w.is_empty()) {
                let mut all = Pending::default();
                for waiting in &mut slots.waiting {
                    all.absorb(std::mem::take(waiting));
                }
                drop(slots);
                self.taken.notify_all();
                return Some(all);
            }
            if slots.stopping {
                return None;
            }
            self.arrived.wait_for(&mut slots, Duration::from_secs(1));
        }
    }

    /// What was applied and not written must not be built upon: every shard starts again from the disk.
    fn break_all(&self, failed: Pending) {
        let mut slots = self.slots.lock();
        for broken in &mut slots.broken {
            *broken = true;
        }
        let waiting: Vec<Pending> = slots.waiting.iter_mut().map(std::mem::take).collect();
        drop(slots);
        self.taken.notify_all();
        failed.refuse(CoreError::Journal);
        for pending in waiting {
            pending.refuse(CoreError::Journal);
        }
    }
}

/// What readers see, published once it is durable.
#[derive(Debug)]
pub(super) struct Published {
    /// Woken when actions have become durable.
    pub(super) errands: watch::Sender<()>,
    pub(super) views: RwLock<HashMap<TenantId, Arc<TenantView>>>,
    pub(super) durable: RwLock<HashMap<TenantId, Seq>>,
    pub(super) news: broadcast::Sender<Arc<News>>,
    /// The same by tenant: a flood of one makes nobody lag at another.
    pub(super) news_of: HashMap<TenantId, broadcast::Sender<Arc<News>>>,
    pub(super) journal_down: RwLock<Option<String>>,
}

/// The committer's thread: until the port stops and is empty.
pub(super) fn run(port: &CommitPort, writer: &mut Writer, published: &Published) {
    #[cfg(feature = "mutant-ledger-not-written-through")]
    let mut late = Vec::new();
    while let Some(pending) = port.take() {
        #[cfg(feature = "mutant-ledger-not-written-through")]
        let pending = {
            let mut pending = pending;
            std::mem::swap(&mut late, &mut pending.batch.ledger);
            pending
        };
        if pending.batch.is_empty() {
            // Questions only; what they rest on was committed before.
            publish(pending, published);
            continue;
        }
        match writer.commit(&pending.batch) {
            Ok(_) => {
                port.counts.commits.fetch_add(1, Ordering::Relaxed);
                port.counts.records.fetch_add(pending.batch.records.len() as u64, Ordering::Relaxed);
                *published.journal_down.write() = None;
                publish(pending, published);
            }
            Err(error) => {
                tracing::error!(
                    error = with_causes(&error),
                    records = pending.batch.records.len(),
                    "the journal cannot be written"
                );
                port.counts.failures.fetch_add(1, Ordering::Relaxed);
                *published.journal_down.write() = Some(error.to_string());
                port.break_all(pending);
            }
        }
    }
}

fn publish(pending: Pending, published: &Published) {
    {
        let mut durable = published.durable.write();
        for record in &pending.batch.records {
            match durable.get_mut(&record.tenant) {
                Some(seq) => *seq = Seq(record.seq),
                None => drop(durable.insert(record.tenant.clone(), Seq(record.seq))),
            }
        }
    }
    if !pending.views.is_empty() {
        let mut views = published.views.write();
        for (tenant, view) in pending.views {
            views.insert(tenant, Arc::new(view));
        }
    }
    if !pending.batch.outbox.is_empty() {
        published.errands.send_replace(());
    }
    fail_points::pass("answer.before");
    for held in pending.answers {
        held.release();
    }
    fail_points::pass("answer.after");
    for news in pending.news {
        let news = Arc::new(news);
        // Nobody listening is no error.
        drop(published.news_of.get(&news.tenant).map(|own| own.send(news.clone())));
        drop(published.news.send(news));
    }
}

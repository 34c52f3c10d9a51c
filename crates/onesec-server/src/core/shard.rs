//! A shard: the thread that owns the engines of some tenants.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use onesec_engine::Settings;
use onesec_journal::Reader;
use onesec_telemetry::{Command, Seq, TenantId, Thumbprint, Timestamp};

use super::api::{CoreError, Draft, Order, Taken};
use super::commit::{CommitPort, Held, Pending};
use super::housekeeping::{Snapshot, ToSave};
use super::options::{CoreOptions, StartError, TenantSetup};
use super::queue::{Queue, Reply, Work};
use super::recovery;
use super::tenant::Tenant;
use super::view::Viewer;
use crate::clock::{Clock, StepWatch};

/// Events applied before requests are looked for again.
const CHUNK: usize = 256;
/// How often time passes where nothing else happens.
const TICK: Duration = Duration::from_secs(1);
/// Records in a second above which what can wait does: about a twentieth of what a core does.
const BUSY: usize = 10_000;
/// A snapshot that is built beside waits no longer than this many times the records after which one is due.
const MOST_PUT_OFF: u64 = 8;

/// What a shard works with.
pub(super) struct Shard {
    pub(super) index: usize,
    pub(super) queue: Arc<Queue>,
    pub(super) port: Arc<CommitPort>,
    pub(super) reader: Reader,
    pub(super) clock: Clock,
    pub(super) options: Arc<CoreOptions>,
    pub(super) setups: Vec<TenantSetup>,
    pub(super) snapshots: SyncSender<ToSave>,
    pub(super) tenants: BTreeMap<TenantId, Tenant>,
    pub(super) steps: StepWatch,
    /// When the wall clock was looked at last.
    pub(super) looked: Timestamp,
    pub(super) pace: Pace,
}

/// How busy a shard is.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Records since the wall clock was looked at.
    records: usize,
    /// In the second before that, there was much to do.
    pub(super) is_busy: bool,
}

/// A submission that is being applied, chunk by chunk.
struct Underway {
    tenant: TenantId,
    rest: std::vec::IntoIter<Draft>,
    taken: Vec<Taken>,
    reply: Reply<Vec<Taken>>,
}

impl Shard {
    /// Rebuilds every tenant of this shard from the journal, with the settings of now.
    pub(super) fn recover(&mut self) -> Result<(), StartError> {
        self.tenants.clear();
        for setup in &self.setups {
            let whose = (&setup.name, &setup.settings);
            let recovered = recovery::recover(&self.reader, whose, &self.options.assemble)?;
            let viewer = Viewer::new(&recovered.engine, setup.connections.clone());
            let mut tenant = Tenant::new(setup.name.clone(), recovered.engine, viewer, self.reader.clone());
            tenant.seq = Seq(recovered.seq);
            tenant.observed_at = recovered.observed_at;
            tenant.dedup = recovery::dedup(&self.reader, &setup.name, self.clock.now())?;
            tenant.since_snapshot = recovered.tail;
            tenant.exchanges = recovered.exchanges;
            tenant.unsettled = recovered.unsettled;
            tracing::debug!(tenant = %setup.name, seq = recovered.seq, tail = recovered.tail, "recovered");
            self.tenants.insert(setup.name.clone(), tenant);
        }
        Ok(())
    }

    /// The settings of the configuration become records where they differ from those in force.
    pub(super) fn configure(&mut self) -> Result<(), StartError> {
        let mut pending = Pending::default();
        for setup in &self.setups {
            let Some(tenant) = self.tenants.get_mut(&setup.name) else { continue };
            let new = tenant.seq == Seq(0) || std::mem::take(&mut tenant.unsettled);
            if *tenant.engine.settings() == setup.settings && !new {
                tenant.finish(&mut pending);
                continue;
            }
            // What the engine could not use must not become a record.
            usable(&tenant.engine, &setup.settings)?;
            onesec_engine::Engine::new(
                setup.name.clone(),
                setup.settings.clone(),
                recovery::boxed(&self.options.assemble),
            )?;
            let order = Order {
                tenant: setup.name.clone(),
                sender: onesec_telemetry::Sender::system(),
                command: configure_command(&setup.settings),
                then: None,
                ledger: Vec::new(),
            };
            tenant.obey(order, self.clock.now(), &mut pending);
            tenant.finish(&mut pending);
        }
        pending.views.extend(self.tenants.values_mut().map(|tenant| (tenant.name.clone(), tenant.view())));
        self.port.give(self.index, pending);
        Ok(())
    }

    /// Works until the queue is stopped and empty.
    pub(super) fn run(mut self) {
        let mut underway: Option<Underway> = None;
        loop {
            let (room, patience) = if underway.is_some() { (0, Duration::ZERO) } else { (CHUNK, TICK) };
            let found = self.queue.find(room, patience);
            let mut pending = Pending::default();
            let now = self.clock.now();
            let quiet = found.requests.is_empty() && found.ingest.is_empty() && underway.is_none();
            for work in found.requests {
                self.serve(work, now, &mut pending);
            }
            if underway.is_some() || !found.ingest.is_empty() {
                // Who waits for a ruling waits for the disk alone, and not for a chunk of events.
                self.give(std::mem::take(&mut pending));
            }
            underway = underway.and_then(|work| self.go_on(work, now, &mut pending));
            for work in found.ingest {
                // Only the first may be more than a chunk, and then it is alone.
                underway = self.start(work, now, &mut pending);
            }
            self.watch_clock(now, &mut pending);
            if quiet {
                for tenant in self.tenants.values_mut() {
                    tenant.tick(now, &mut pending);
                }
            }
            self.hand_over(pending);
            if found.finished && underway.is_none() {
                break;
            }
        }
        for tenant in self.tenants.keys().cloned().collect::<Vec<_>>() {
            // Nobody waits any more.
            self.snapshot(&tenant, usize::MAX);
        }
    }

    /// A step of the wall clock is a record, so that a replay finds it, too.
    fn watch_clock(&mut self, now: Timestamp, pending: &mut Pending) {
        if now.since(self.looked) < TICK {
            return;
        }
        self.looked = now;
        self.pace = Pace { records: 0, is_busy: self.pace.records > BUSY };
        let Some(by_micros) = self.steps.step(self.clock.wall_is_ahead_by()) else { return };
        tracing::warn!(by_seconds = by_micros / 1_000_000, "the wall clock was moved");
        for tenant in self.tenants.values_mut() {
            let order = Order {
                tenant: tenant.name.clone(),
                sender: onesec_telemetry::Sender::system(),
                command: Command::ClockStepped { by_micros },
                then: None,
                ledger: Vec::new(),
            };
            tenant.obey(order, now, pending);
        }
    }

    /// Has the next commit write what there is.
    fn give(&mut self, mut pending: Pending) {
        if !pending.is_empty() {
            for tenant in self.tenants.values_mut() {
                tenant.finish(&mut pending);
            }
            self.pace.records += pending.batch.records.len();
            self.port.give(self.index, pending);
        }
    }

    fn hand_over(&mut self, pending: Pending) {
        self.give(pending);
        if self.port.is_broken(self.index) {
            self.mend();
        }
        let due: Vec<TenantId> = self.tenants.values().filter(|t| self.is_due(t)).map(|t| t.name.clone()).collect();
        for tenant in due {
            self.snapshot(&tenant, self.options.snapshot_at_once);
        }
    }

    fn is_due(&self, tenant: &Tenant) -> bool {
        is_due(&self.options, (tenant.since_snapshot, tenant.engine.weight()), self.pace.is_busy)
    }

    fn serve(&mut self, work: Work, now: Timestamp, pending: &mut Pending) {
        let name = match &work {
            Work::Request { tenant, .. } | Work::Preview { tenant, .. } => tenant.clone(),
            Work::Order { order, .. } => order.tenant.clone(),
            Work::Ingest { submission, .. } => submission.tenant.clone(),
        };
        let Some(tenant) = self.tenants.get_mut(&name) else {
            return work.refuse(CoreError::UnknownTenant);
        };
        match work {
            Work::Request { draft, early, reply, .. } => match tenant.rule(*draft, now, pending) {
                Some(ruling) => {
                    if let Some(early) = early.filter(|_| ruling.answer.applies.passes()) {
                        // Nobody waiting is no error: what counts is the durable answer.
                        drop(early.send(ruling.clone()));
                    }
                    pending.answers.push(Held::Ruling(reply, ruling));
                }
                None => drop(reply.send(Err(CoreError::UnknownTenant))),
            },
            Work::Preview { draft, reply, .. } => {
                let answer = tenant.preview(*draft, now);
                pending.answers.push(Held::Preview(reply, answer));
            }
            Work::Order { order, reply } => {
                let obeyed = tenant.obey(*order, now, pending);
                pending.answers.push(Held::Obeyed(reply, obeyed));
            }
            // Submissions come through `start`; one that strays here is worked off at once.
            Work::Ingest { .. } => {
                let mut underway = self.start(work, now, pending);
                while let Some(rest) = underway {
                    underway = self.go_on(rest, now, pending);
                }
            }
        }
    }

    /// Applies the first chunk of a submission; what is left comes back.
    fn start(&mut self, work: Work, now: Timestamp, pending: &mut Pending) -> Option<Underway> {
        let Work::Ingest { submission, reply } = work else { return None };
        if !self.tenants.contains_key(&submission.tenant) {
            drop(reply.send(Err(CoreError::UnknownTenant)));
            return None;
        }
        pending.batch.dead_letters.extend(submission.dead_letters);
        let taken = Vec::with_capacity(submission.drafts.len());
        let rest = submission.drafts.into_iter();
        self.go_on(Underway { tenant: submission.tenant, rest, taken, reply }, now, pending)
    }

    /// Applies one chunk; what is left comes back.
    fn go_on(&mut self, mut work: Underway, now: Timestamp, pending: &mut Pending) -> Option<Underway> {
        let Some(tenant) = self.tenants.get_mut(&work.tenant) else {
            drop(work.reply.send(Err(CoreError::UnknownTenant)));
            return None;
        };
        for draft in work.rest.by_ref().take(CHUNK) {
            work.taken.push(tenant.take(draft, now, pending));
        }
        if work.rest.len() > 0 {
            return Some(work);
        }
        pending.answers.push(Held::Taken(work.reply, work.taken));
        None
    }

    /// What was applied did not become durable: starts again from what did, and tries whether the journal works.
    fn mend(&mut self) {
        std::thread::sleep(Duration::from_millis(200));
        if let Err(error) = self.recover() {
            tracing::error!(%error, "the state cannot be rebuilt from the journal, trying again");
            return;
        }
        self.port.mended(self.index);
        let mut pending = Pending::default();
        let now = self.clock.now();
        for tenant in self.tenants.values_mut() {
            tenant.probe(now, &mut pending);
            tenant.finish(&mut pending);
        }
        self.port.give(self.index, pending);
    }

    /// Has a tenant's state saved: as it is now where no more than `at_once` is kept of it, which takes a moment.
    fn snapshot(&mut self, name: &TenantId, at_once: usize) {
        let Some(tenant) = self.tenants.get_mut(name).filter(|tenant| tenant.since_snapshot > 0) else { return };
        let work = if tenant.engine.weight() <= at_once {
            let sections = recovery::sections(&mut tenant.engine, &tenant.exchanges);
            ToSave::Taken(Snapshot { tenant: name.clone(), seq: tenant.seq, at: tenant.observed_at, sections })
        } else {
            let settings = Box::new(tenant.engine.settings().clone());
            ToSave::Rebuilt { tenant: name.clone(), settings, seq: tenant.seq }
        };
        // One is being written: the next will do.
        if self.snapshots.try_send(work).is_ok() {
            tenant.since_snapshot = 0;
        }
    }
}

/// Whether a snapshot is to be taken of a tenant, so many records after the last and with so many entries of state.
fn is_due(options: &CoreOptions, (since, weight): (u64, usize), is_busy: bool) -> bool {
    let every = options.snapshot_every;
    // To build a large state anew takes as long as many records do, and takes cores from those who work: it waits until
    // less is going on, though not for ever.
    let beside = weight > options.snapshot_at_once;
    let is_worth_it = since >= every && since >= weight as u64 / 2;
    is_worth_it && (!beside || !is_busy || since >= every.saturating_mul(MOST_PUT_OFF))
}

/// Settings as the record that puts them in force.
pub(super) fn configure_command(settings: &Settings) -> Command {
    let content = settings.to_json();
    let digest = Thumbprint::of(content.to_string().as_bytes());
    Command::Configure { digest, content: onesec_telemetry::event::Json::redacted(content) }
}

/// Whether the settings can be in force together with the preset and the policies that people chose.
pub(super) fn usable(engine: &onesec_engine::Engine, settings: &Settings) -> Result<(), onesec_engine::SetupError> {
    let in_force = (engine.settings(), engine.preset(), engine.own_policies().as_ref());
    super::would_be_in_force(in_force, settings).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_snapshot_waits_for() {
        let mut options = CoreOptions::new("nowhere".into());
        (options.snapshot_every, options.snapshot_at_once) = (100, 40);
        let due = |since, weight, is_busy| is_due(&options, (since, weight), is_busy);
        assert!(!due(99, 10, false) && due(100, 10, false) && due(100, 40, true), "small: at once, whatever goes on");
        assert!(due(100, 41, false) && !due(100, 41, true), "large: built when less goes on");
        assert!(!due(799, 41, true) && due(800, 41, true), "though it is built at last");
        assert!(!due(400, 1_000, false) && due(500, 1_000, false) && !due(500, 1_000, true), "worth the work");
        assert!(!due(800, 2_000, true) && due(1_000, 2_000, true));
    }
}

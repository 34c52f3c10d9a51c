//! Security events out (CAEP): what was taken back here, told to whoever is to know. In a queue that outlives a crash,
//! pushed (RFC 8935) or fetched (RFC 8936), signed with the keys that sign delegations.

mod queue;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use onesec_actions::{EventPush, Pushed};
use onesec_journal::{JournalError, LedgerFilter, LedgerRow, LedgerTable, LedgerWrite};
use onesec_telemetry::{Secret, TenantId, Timestamp, UserId};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::core::{Core, CoreError};
use crate::identity::Signer;

pub(crate) use queue::{Happened, Queued, What};

/// One who is told.
pub(crate) struct Receiver {
    pub(crate) name: String,
    pub(crate) audience: String,
    /// Fetches itself where absent.
    pub(crate) push: Option<EventPush>,
}

/// Those of one tenant of ours.
pub(crate) struct Stream {
    /// `iss`.
    pub(crate) issuer: String,
    /// The issuer of users' ids.
    pub(crate) subjects: String,
    pub(crate) receivers: Vec<Receiver>,
}

/// Tells. One for the server.
pub(crate) struct Teller {
    core: Core,
    signer: Signer,
    streams: BTreeMap<TenantId, Stream>,
    /// How many wait, by receiver.
    waiting: Mutex<HashMap<(TenantId, String), usize>>,
    woken: Notify,
}

impl Teller {
    pub(crate) fn new((core, signer): (Core, Signer), streams: BTreeMap<TenantId, Stream>) -> Self {
        Self { core, signer, streams, waiting: Mutex::default(), woken: Notify::new() }
    }

    /// Rows that have every receiver of the tenant told; to be written with what they tell of.
    pub(crate) fn rows(&self, tenant: &TenantId, user: Option<&UserId>, happened: &Happened) -> Vec<LedgerWrite> {
        let (Some(stream), Some(user)) = (self.streams.get(tenant), user) else { return Vec::new() };
        let mut rows = Vec::new();
        for receiver in &stream.receivers {
            let mut waiting = self.waiting.lock();
            let count = waiting.entry((tenant.clone(), receiver.name.clone())).or_default();
            if *count >= MOST_WAITING {
                tracing::error!(receiver = receiver.name, "too many security events wait: one is not sent");
                continue;
            }
            *count += 1;
            rows.push(Queued::new(&receiver.name, user, happened, self.core.now()).put(tenant));
        }
        rows
    }

    /// Something was queued.
    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    /// Pushes until told to stop.
    pub(crate) async fn run(self: Arc<Self>, mut stopping: watch::Receiver<bool>) {
        if self.streams.is_empty() {
            return;
        }
        let mut next = Some(self.core.now());
        loop {
            // The queue is read when something is due, and not to find out whether it is.
            if next.is_some_and(|next| next <= self.core.now()) {
                next = self.push_all().await;
            }
            tokio::select! {
                () = self.woken.notified() => next = Some(self.core.now()),
                () = tokio::time::sleep(LOOK) => {}
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
        }
    }

    /// When there is something to do again.
    async fn push_all(&self) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        for tenant in self.streams.keys() {
            let due = match self.push_due(tenant).await {
                Ok(()) => self.next_of(tenant).await,
                Err(error) => {
                    tracing::error!(%error, "security events cannot be sent now");
                    Some(self.core.now() + LOOK)
                }
            };
            next = next.into_iter().chain(due).min();
        }
        next
    }

    async fn next_of(&self, tenant: &TenantId) -> Option<Timestamp> {
        let stream = self.streams.get(tenant)?;
        let pushed = |queued: &&Queued| {
            stream.receivers.iter().any(|receiver| receiver.name == queued.receiver && receiver.push.is_some())
        };
        match self.queued(tenant).await {
            Ok(all) => all.iter().filter(pushed).map(Queued::next_at).min(),
            Err(_) => Some(self.core.now() + LOOK),
        }
    }

    async fn push_due(&self, tenant: &TenantId) -> Result<(), CoreError> {
        let Some(stream) = self.streams.get(tenant) else { return Ok(()) };
        let all = self.queued(tenant).await.map_err(|_| CoreError::Journal)?;
        self.count(tenant, &all);
        // One that hangs keeps no other from being told.
        let each = stream.receivers.iter().filter(|receiver| receiver.push.is_some());
        let told = each.map(|receiver| self.push_to((tenant, stream, receiver), &all));
        futures_util::future::join_all(told).await.into_iter().collect()
    }

    async fn push_to(
        &self,
        (tenant, stream, receiver): (&TenantId, &Stream, &Receiver),
        all: &[Queued],
    ) -> Result<(), CoreError> {
        let Some(push) = &receiver.push else { return Ok(()) };
        let now = self.core.now();
        let due = all.iter().filter(|queued| queued.receiver == receiver.name && queued.is_due(now)).take(AT_ONCE);
        for queued in due {
            let Some(token) = self.signed(stream, receiver, queued) else { return Ok(()) };
            let mut queued = queued.clone();
            let row = match push.push(&token).await {
                Pushed::Taken => queued.gone(tenant),
                Pushed::Refused(why) => queued.dead(&why, self.core.now()).put(tenant),
                Pushed::Failed(why) => queued.later(&why, self.core.now()).put(tenant),
            };
            let failed = queued.attempts > 0 && !queued.is_dead();
            self.core.keep(tenant, vec![row]).await?;
            // In order, and not against a wall.
            if failed {
                break;
            }
        }
        Ok(())
    }

    fn signed(&self, stream: &Stream, receiver: &Receiver, queued: &Queued) -> Option<Secret> {
        let claims = queued.claims((&stream.issuer, &receiver.audience), &stream.subjects);
        let keys = self.signer.keys();
        let (key, kid) = keys.current();
        key.sign(&claims, onesec_identity::SECURITY_EVENT_TYPE, kid).ok()
    }

    /// What waits, oldest first.
    async fn queued(&self, tenant: &TenantId) -> Result<Vec<Queued>, JournalError> {
        let (reader, tenant) = (self.core.reader().clone(), tenant.clone());
        let read = move || -> Result<Vec<LedgerRow>, JournalError> {
            let filter = LedgerFilter { state: Some(queue::WAITING.to_owned()), ..LedgerFilter::default() };
            let (mut rows, mut after) = (Vec::new(), None);
            for _ in 0..MOST_PAGES {
                let page = reader.ledger((LedgerTable::SecurityEvents, &tenant), &filter, (after.as_ref(), 1_000))?;
                rows.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            Ok(rows)
        };
        let rows = tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| Ok(Vec::new()))?;
        let mut all: Vec<Queued> = rows.iter().filter_map(Queued::read).collect();
        all.sort_by(|a, b| (a.at, &a.jti).cmp(&(b.at, &b.jti)));
        Ok(all)
    }

    fn count(&self, tenant: &TenantId, all: &[Queued]) {
        let mut waiting = self.waiting.lock();
        waiting.retain(|(whose, _), _| whose != tenant);
        for queued in all {
            *waiting.entry((tenant.clone(), queued.receiver.clone())).or_default() += 1;
        }
    }

    /// RFC 8936: what `name` has not taken yet, after what it says of what it took.
    ///
    /// # Errors
    /// [`CoreError`].
    pub(crate) async fn poll(
        &self,
        (tenant, name): (&TenantId, &str),
        (ack, refused): (&[String], &[(String, String)]),
        most: usize,
    ) -> Result<Option<(Vec<(String, Secret)>, bool)>, CoreError> {
        let Some(stream) = self.streams.get(tenant) else { return Ok(None) };
        let Some(receiver) = stream.receivers.iter().find(|own| own.name == name && own.push.is_none()) else {
            return Ok(None);
        };
        let mut own = self.queued(tenant).await.map_err(|_| CoreError::Journal)?;
        own.retain(|queued| queued.receiver == name);
        let now = self.core.now();
        let mut rows = Vec::new();
        own.retain(|queued| {
            let why = refused.iter().find(|(jti, _)| *jti == queued.jti).map(|(_, why)| why);
            if let Some(why) = why {
                rows.push(queued.clone().dead(why, now).put(tenant));
            } else if ack.contains(&queued.jti) {
                rows.push(queued.gone(tenant));
            }
            why.is_none() && !ack.contains(&queued.jti)
        });
        if !rows.is_empty() {
            self.core.keep(tenant, rows).await?;
        }
        let more = own.len() > most;
        let sets = own.iter().take(most);
        let sets = sets.filter_map(|queued| Some((queued.jti.clone(), self.signed(stream, receiver, queued)?)));
        Ok(Some((sets.collect(), more)))
    }
}

/// That wait for one receiver.
const MOST_WAITING: usize = 10_000;
/// Of a thousand rows each, of all receivers.
const MOST_PAGES: usize = 100;
/// For one receiver, in one go.
const AT_ONCE: usize = 50;
/// How often is looked for what has become due.
const LOOK: Duration = Duration::from_secs(1);

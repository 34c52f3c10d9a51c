//! Entries of Auth0's tenant log, by whichever way they come: taken once, told in the words of the contract, and links
//! among them read back before they count.

mod drafts;
mod drift;
mod pull;
mod read_back;
mod reconcile;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use onesec_auth0::log_elements;
use onesec_journal::DeadLetterRow;
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::limits::MAX_BATCH_EVENTS;
use onesec_telemetry::{BodyError, Rejection, TenantId, Thumbprint, Timestamp};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::Notify;

pub(crate) use drift::{Accounts, Apply, StepError};
pub(crate) use pull::{PullError, Puller};
pub(crate) use read_back::ReadBack;
pub(crate) use reconcile::reconcile;

use crate::core::{Core, CoreError, Submission, Taken};
use crate::identity::Agents;
use crate::metrics::Metrics;

/// Where entries enter. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Intake(Arc<Inner>);

struct Inner {
    core: Core,
    agents: Agents,
    metrics: Metrics,
    catalogue: Catalogue,
    /// Tenants whose links can be read back.
    reads_back: BTreeSet<TenantId>,
    /// Rung when there is a link to read back.
    bell: Arc<Notify>,
    /// When something was taken last, by tenant, since the start.
    last: Mutex<BTreeMap<TenantId, Timestamp>>,
}

/// What became of a delivery.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Receipt {
    /// Recorded.
    pub(crate) accepted: usize,
    /// Had come before.
    pub(crate) duplicates: usize,
    /// Of no interest.
    pub(crate) ignored: usize,
    /// Kept as dead letters; the first hundred are listed.
    pub(crate) rejected: usize,
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct Problem {
    index: usize,
    #[serde(flatten)]
    why: Rejection,
}

/// Why a delivery was not taken. It is to be sent again.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// There is nothing to take apart.
    Body(BodyError),
    /// Nothing can be made durable now.
    Core(CoreError),
}

impl Intake {
    pub(crate) fn new(
        (core, agents): (Core, Agents),
        metrics: Metrics,
        (reads_back, bell): (BTreeSet<TenantId>, Arc<Notify>),
    ) -> Self {
        let catalogue = Catalogue::builtin().clone();
        Self(Arc::new(Inner { core, agents, metrics, catalogue, reads_back, bell, last: Mutex::default() }))
    }

    /// Takes a delivery; durable when it returns.
    pub(crate) async fn take(&self, tenant: &TenantId, body: Bytes) -> Result<Receipt, NotTaken> {
        let (intake, whose) = (self.clone(), tenant.clone());
        let read = move || match log_elements(&body) {
            Ok(elements) => Ok(intake.read(&whose, &elements)),
            Err(error) => Err((Box::new(drafts::letter_of_body(&intake.0, &whose, (&body, &error))), error)),
        };
        match blocking(read).await.map_err(NotTaken::Core)? {
            Ok(read) => self.record(tenant, read).await.map_err(NotTaken::Core),
            Err((letter, error)) => {
                self.submit(tenant, Vec::new(), vec![*letter]).await.map_err(NotTaken::Core)?;
                Err(NotTaken::Body(error))
            }
        }
    }

    /// Takes elements that stand by themselves; durable when it returns.
    pub(crate) async fn take_elements(
        &self,
        tenant: &TenantId,
        elements: Vec<Box<RawValue>>,
    ) -> Result<Receipt, CoreError> {
        let (intake, whose) = (self.clone(), tenant.clone());
        let read = move || {
            let elements: Vec<&str> = elements.iter().map(|element| element.get()).collect();
            intake.read(&whose, &elements)
        };
        self.record(tenant, blocking(read).await?).await
    }

    fn read(&self, tenant: &TenantId, elements: &[&str]) -> Vec<drafts::Read> {
        elements.chunks(MAX_BATCH_EVENTS).map(|chunk| drafts::read(&self.0, tenant, chunk)).collect()
    }

    async fn record(&self, tenant: &TenantId, chunks: Vec<drafts::Read>) -> Result<Receipt, CoreError> {
        let mut receipt = Receipt::default();
        for (number, read) in chunks.into_iter().enumerate() {
            receipt.ignored += read.ignored;
            receipt.rejected += read.rejected.len();
            let room = MOST_LISTED.saturating_sub(receipt.problems.len());
            let first = number * MAX_BATCH_EVENTS;
            let problems = read.rejected.into_iter().take(room).map(|(at, why)| Problem { index: first + at, why });
            receipt.problems.extend(problems);
            let grants = read.grants;
            let taken = self.submit(tenant, read.drafts, read.letters).await?;
            let new = taken.iter().filter(|taken| matches!(taken, Taken::Recorded { .. })).count();
            receipt.accepted += new;
            receipt.duplicates += taken.len() - new;
            if grants && new > 0 {
                self.0.bell.notify_one();
            }
        }
        if receipt.accepted + receipt.duplicates + receipt.ignored > 0 {
            self.0.last.lock().insert(tenant.clone(), self.0.core.now());
        }
        Ok(receipt)
    }

    /// When entries of a tenant's log came in last, since the start.
    pub(crate) fn last_at(&self, tenant: &TenantId) -> Option<Timestamp> {
        self.0.last.lock().get(tenant).copied()
    }

    async fn submit(
        &self,
        tenant: &TenantId,
        drafts: Vec<crate::core::Draft>,
        dead_letters: Vec<DeadLetterRow>,
    ) -> Result<Vec<Taken>, CoreError> {
        if drafts.is_empty() && dead_letters.is_empty() {
            return Ok(Vec::new());
        }
        self.0.core.ingest(Submission { tenant: tenant.clone(), drafts, dead_letters }).await
    }
}

/// Reading takes time: not where requests are served.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, CoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| CoreError::Stopping)
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").finish_non_exhaustive()
    }
}

/// What is kept of what nobody can read.
fn digest(text: &[u8]) -> (u64, [u8; 32]) {
    (text.len() as u64, *Thumbprint::of(text).as_bytes())
}

const MOST_LISTED: usize = 100;

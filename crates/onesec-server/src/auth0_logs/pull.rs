//! The tenant's log, asked for instead of delivered: page by page from where it was left, and the same way in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use onesec_auth0::{ApiError, Management};
use onesec_journal::{LedgerRow, LedgerTable, LedgerWrite};
use onesec_telemetry::TenantId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::{Mutex, watch};

use super::Intake;
use crate::core::{Core, CoreError};

/// Asks tenants for their logs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Puller(Arc<Inner>);

struct Inner {
    core: Core,
    intake: Intake,
    clients: BTreeMap<TenantId, Arc<Management>>,
    /// One at a time: two would ask for the same.
    turn: Mutex<()>,
}

/// What a pull came to.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Pulled {
    entries: usize,
    accepted: usize,
    duplicates: usize,
    ignored: usize,
    rejected: usize,
    /// The newest entry that was taken.
    checkpoint: Option<String>,
    /// There was more than one pull takes.
    more: bool,
}

/// Why a pull ended early. What was taken until then stays taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PullError {
    /// There is no client of the Management API.
    #[error("no client of the Management API is configured for this tenant: set `enforcement.auth0`")]
    NotConfigured,
    /// Auth0 did not answer as it should.
    #[error("Auth0 does not give its log: {0}")]
    Upstream(#[from] ApiError),
    /// It cannot be made durable.
    #[error(transparent)]
    Core(#[from] CoreError),
}

#[derive(Serialize, Deserialize)]
struct Checkpoint {
    log_id: String,
}

impl Puller {
    pub(crate) fn new(core: Core, intake: Intake, clients: BTreeMap<TenantId, Arc<Management>>) -> Self {
        Self(Arc::new(Inner { core, intake, clients, turn: Mutex::default() }))
    }

    /// Takes what is new, page by page.
    pub(crate) async fn pull(&self, tenant: &TenantId) -> Result<Pulled, PullError> {
        let inner = &self.0;
        let client = inner.clients.get(tenant).ok_or(PullError::NotConfigured)?;
        let _turn = inner.turn.lock().await;
        let mut pulled = Pulled { checkpoint: inner.checkpoint(tenant).await?, ..Pulled::default() };
        for _ in 0..MOST_PAGES {
            let page = page_after(client, pulled.checkpoint.as_deref()).await?;
            let Some(last) = page.iter().rev().find_map(|entry| id_of(entry)) else { return Ok(pulled) };
            pulled.entries += page.len();
            let receipt = inner.intake.take_elements(tenant, page).await?;
            pulled.accepted += receipt.accepted;
            pulled.duplicates += receipt.duplicates;
            pulled.ignored += receipt.ignored;
            pulled.rejected += receipt.rejected;
            // After what came before it is durable: a crash in between takes a page twice, and none is lost.
            inner.core.keep(tenant, vec![checkpoint_row(tenant, &last)]).await?;
            let stuck = pulled.checkpoint.replace(last.clone()) == Some(last);
            if stuck {
                return Ok(pulled);
            }
        }
        pulled.more = true;
        Ok(pulled)
    }

    /// Every so often, until the server stops.
    pub(crate) async fn run(self, tenant: TenantId, every: Duration, mut stopping: watch::Receiver<bool>) {
        let mut failing = false;
        loop {
            let pulled = tokio::select! {
                pulled = self.pull(&tenant) => pulled,
                _ = stopping.wait_for(|stopping| *stopping) => return,
            };
            match &pulled {
                Ok(pulled) => tracing::debug!(%tenant, entries = pulled.entries, "Auth0's log was asked"),
                // Once, and not every half minute for as long as it lasts.
                Err(error) if !failing => tracing::warn!(%tenant, %error, "Auth0's log cannot be asked, trying again"),
                Err(_) => {}
            }
            failing = pulled.is_err();
            let asked = match &pulled {
                Err(PullError::Upstream(error)) => error.retry_after().unwrap_or_default(),
                Ok(pulled) if pulled.more => continue,
                _ => Duration::ZERO,
            };
            tokio::select! {
                () = tokio::time::sleep(every.max(asked)) => {}
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
        }
    }
}

impl Inner {
    async fn checkpoint(&self, tenant: &TenantId) -> Result<Option<String>, CoreError> {
        let (reader, tenant) = (self.core.reader().clone(), tenant.clone());
        let read = move || reader.ledger_row(LedgerTable::Settings, &tenant, CHECKPOINT);
        let row = tokio::task::spawn_blocking(read).await.map_err(|_| CoreError::Stopping)?;
        let row = row.map_err(|_| CoreError::Journal)?;
        Ok(row.and_then(|row| serde_json::from_str::<Checkpoint>(&row.doc).ok()).map(|checkpoint| checkpoint.log_id))
    }
}

/// The next page. One that is too large is asked for in smaller parts; an entry that the tenant keeps no longer leads to the
/// oldest that it keeps.
async fn page_after(client: &Management, after: Option<&str>) -> Result<Vec<Box<RawValue>>, ApiError> {
    let mut take = PAGE;
    loop {
        match client.logs(after, take).await {
            Err(ApiError::Undecodable { .. }) if take > 1 => take /= 4,
            Err(ApiError::NotFound | ApiError::Refused { status: 400, .. }) if after.is_some() => {
                tracing::warn!(
                    "Auth0 does not know where its log was left: going on with the oldest entry that it keeps"
                );
                return client.logs(None, take).await;
            }
            answer => return answer,
        }
        take = take.max(1);
    }
}

fn id_of(entry: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Id {
        log_id: Option<String>,
        #[serde(rename = "_id")]
        own: Option<String>,
    }
    let id: Id = serde_json::from_str(entry.get()).ok()?;
    id.log_id.or(id.own).filter(|id| !id.is_empty())
}

fn checkpoint_row(tenant: &TenantId, log_id: &str) -> LedgerWrite {
    let doc = Checkpoint { log_id: log_id.to_owned() };
    let row = LedgerRow {
        tenant: tenant.clone(),
        id: CHECKPOINT.to_owned(),
        agent_id: None,
        user_id: None,
        connection: None,
        state: "auth0-checkpoint".to_owned(),
        updated_seq: 0,
        expires_at: None,
        doc: serde_json::to_string(&doc).unwrap_or_default(),
    };
    LedgerWrite::Put { table: LedgerTable::Settings, row }
}

const CHECKPOINT: &str = "auth0/checkpoint";
/// Entries of a page: as many as Auth0 gives.
const PAGE: usize = 100;
/// Of one pull.
const MOST_PAGES: usize = 500;

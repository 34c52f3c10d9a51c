//! Links of the log count once the Management API lists them, with the scopes that stand there. What waits for that is a row
//! of the ledger, so that a restart forgets none.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use onesec_auth0::{AccountInfo, ApiError, Management};
use onesec_journal::{LedgerFilter, LedgerRow, LedgerTable, LedgerWrite};
use onesec_telemetry::event::ConnectedAccountLink;
use onesec_telemetry::{
    AccountId, Authority, Common, ConnectionName, Details, Event, EventId, Sender, TenantId, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use crate::core::{Core, CoreError, Draft, Submission};

/// What is known of a link that waits.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Waiting {
    event: EventId,
    at: Option<Timestamp>,
    account: Option<AccountId>,
}

/// The row of a link that waits to be read back.
pub(super) fn row(tenant: &TenantId, event: &Event) -> Option<LedgerWrite> {
    let (user, connection) = (event.common.user_id.clone()?, event.common.connection.clone()?);
    let account = event.details.account_id().cloned();
    let waiting = Waiting { event: event.id.clone(), at: event.timestamp, account };
    let row = LedgerRow {
        tenant: tenant.clone(),
        id: row_id(&event.id),
        agent_id: None,
        user_id: Some(user),
        connection: Some(connection),
        state: STATE.to_owned(),
        updated_seq: 0,
        expires_at: None,
        doc: serde_json::to_string(&waiting).ok()?,
    };
    Some(LedgerWrite::Put { table: LedgerTable::Settings, row })
}

fn row_id(event: &EventId) -> String {
    format!("auth0/read-back/{event}")
}

/// Reads links back, beside everything else.
pub(crate) struct ReadBack {
    core: Core,
    clients: BTreeMap<TenantId, Arc<Management>>,
    bell: Arc<Notify>,
    tries: HashMap<(TenantId, String), Try>,
}

/// How often a row was tried in vain, and when it is next.
#[derive(Debug, Clone, Copy)]
struct Try {
    failed: u32,
    /// So often Auth0 answered and did not list it.
    missed: u32,
    next: Timestamp,
}

/// A row, read.
struct Wait {
    id: String,
    user: UserId,
    connection: ConnectionName,
    said: Waiting,
}

impl ReadBack {
    pub(crate) fn new(core: Core, clients: BTreeMap<TenantId, Arc<Management>>, bell: Arc<Notify>) -> Self {
        Self { core, clients, bell, tries: HashMap::new() }
    }

    /// Until the server stops.
    pub(crate) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        loop {
            let mut pause = IDLE;
            for tenant in self.clients.keys().cloned().collect::<Vec<_>>() {
                tokio::select! {
                    soon = self.work_off(&tenant) => pause = pause.min(soon),
                    _ = stopping.wait_for(|stopping| *stopping) => return,
                }
            }
            tokio::select! {
                () = self.bell.notified() => {}
                () = tokio::time::sleep(pause) => {}
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
        }
    }

    /// Reads back what is due, and says when to come again.
    async fn work_off(&mut self, tenant: &TenantId) -> Duration {
        let Some(waiting) = self.waiting(tenant).await else { return AFTER_FAILURE };
        self.tries.retain(|(whose, id), _| whose != tenant || waiting.iter().any(|wait| wait.id == *id));
        let mut by_user: BTreeMap<UserId, Vec<Wait>> = BTreeMap::new();
        let now = self.core.now();
        let mut soon = IDLE;
        for wait in waiting {
            match self.tries.get(&(tenant.clone(), wait.id.clone())).map(|tried| tried.next).filter(|next| *next > now)
            {
                Some(next) => soon = soon.min(next.since(now)),
                None => by_user.entry(wait.user.clone()).or_default().push(wait),
            }
        }
        for (user, waits) in by_user {
            soon = soon.min(self.ask(tenant, &user, waits).await);
        }
        soon.max(LEAST_PAUSE)
    }

    async fn waiting(&self, tenant: &TenantId) -> Option<Vec<Wait>> {
        let (reader, tenant) = (self.core.reader().clone(), tenant.clone());
        let filter = LedgerFilter { state: Some(STATE.to_owned()), ..LedgerFilter::default() };
        let read = move || reader.ledger((LedgerTable::Settings, &tenant), &filter, (None, AT_ONCE));
        let page = tokio::task::spawn_blocking(read).await.ok()?.ok()?;
        let wait = |row: LedgerRow| {
            let said = serde_json::from_str(&row.doc).ok()?;
            Some(Wait { id: row.id, user: row.user_id?, connection: row.connection?, said })
        };
        Some(page.items.into_iter().filter_map(wait).collect())
    }

    /// One question answers all links of a user.
    async fn ask(&mut self, tenant: &TenantId, user: &UserId, waits: Vec<Wait>) -> Duration {
        let Some(client) = self.clients.get(tenant).cloned() else { return IDLE };
        let listed = match client.connected_accounts(user).await {
            Ok(listed) => Some(listed),
            // Gone with all their accounts.
            Err(ApiError::NotFound) => Some(Vec::new()),
            Err(error) => {
                tracing::warn!(%tenant, %error, "links of Auth0's log cannot be read back, trying again");
                None
            }
        };
        let mut soon = IDLE;
        for wait in waits {
            let found = listed.as_ref().map(|listed| find(listed, &wait));
            soon = soon.min(self.settle(tenant, wait, found).await);
        }
        soon
    }

    /// `found`: absent where Auth0 did not answer.
    async fn settle(&mut self, tenant: &TenantId, wait: Wait, found: Option<Option<&AccountInfo>>) -> Duration {
        let key = (tenant.clone(), wait.id.clone());
        let done = match found {
            Some(Some(account)) => self.grant(tenant, &wait, account).await,
            Some(None) if self.tries.get(&key).is_some_and(|tried| tried.missed + 1 >= MOST_TRIES) => {
                tracing::warn!(%tenant, event = %wait.said.event, "Auth0's log tells of a link that Auth0 does not list");
                self.give_up(tenant, &wait).await
            }
            Some(None) | None => Err(CoreError::Busy),
        };
        if done.is_ok() {
            self.tries.remove(&key);
            return IDLE;
        }
        let before = self.tries.get(&key).map_or((0, 0), |tried| (tried.failed, tried.missed));
        let failed = before.0.saturating_add(1);
        let missed = before.1 + u32::from(matches!(found, Some(None)));
        let pause = FIRST_PAUSE * 2_u32.pow(failed.min(9) - 1);
        self.tries.insert(key, Try { failed, missed, next: self.core.now() + pause });
        pause
    }

    /// The link counts from now on, and waits no longer: both or neither.
    async fn grant(&self, tenant: &TenantId, wait: &Wait, account: &AccountInfo) -> Result<(), CoreError> {
        let known = self.unnamed(tenant, wait).await;
        let details = Details::ConnectedAccountLink(ConnectedAccountLink {
            scopes: account.scopes.clone(),
            access_type: account.access_type.clone(),
            // A link that was reported without an id is this one: it must not stand twice.
            account_id: if known { None } else { Some(account.id.clone()) },
        });
        let at = wait.said.at.or(account.created_at);
        self.tell(tenant, (wait, "linked"), (details, at)).await
    }

    async fn unnamed(&self, tenant: &TenantId, wait: &Wait) -> bool {
        let (reader, tenant) = (self.core.reader().clone(), tenant.clone());
        let filter = LedgerFilter {
            user_id: Some(wait.user.clone()),
            connection: Some(wait.connection.clone()),
            ..LedgerFilter::default()
        };
        let read = move || reader.ledger((LedgerTable::Accounts, &tenant), &filter, (None, AT_ONCE));
        let rows = tokio::task::spawn_blocking(read).await.ok().and_then(Result::ok).map(|page| page.items);
        let unnamed = |row: &LedgerRow| row.state == "linked" && row.doc.contains("\"account_id\":null");
        rows.is_some_and(|rows| rows.len() == 1 && rows.iter().any(unnamed))
    }

    /// What cannot be confirmed is told, and grants nothing.
    async fn give_up(&self, tenant: &TenantId, wait: &Wait) -> Result<(), CoreError> {
        let name = "auth0.link_unconfirmed".into();
        let details = Details::Custom(onesec_telemetry::event::Custom { name });
        self.tell(tenant, (wait, "unconfirmed"), (details, wait.said.at)).await
    }

    async fn tell(
        &self,
        tenant: &TenantId,
        (wait, what): (&Wait, &str),
        (details, at): (Details, Option<Timestamp>),
    ) -> Result<(), CoreError> {
        let common =
            Common { user_id: Some(wait.user.clone()), connection: Some(wait.connection.clone()), ..Common::default() };
        // The entry's own id, so that the second of two attempts is recognised.
        let id = EventId::new(&format!("{}-{what}", wait.said.event)).unwrap_or_else(|_| wait.said.event.clone());
        let mut event = Event::new(id, common, details);
        event.timestamp = at;
        let mut draft = Draft::new(event, Sender::auth0(Authority::Trust));
        draft.trusted_time = true;
        let id = wait.id.clone();
        draft.ledger.push(LedgerWrite::Remove { table: LedgerTable::Settings, tenant: tenant.clone(), id });
        let submission = Submission { tenant: tenant.clone(), drafts: vec![draft], dead_letters: Vec::new() };
        self.core.ingest(submission).await.map(drop)
    }
}

/// The account that the link is about: the one it names, else the only one at the connection.
fn find<'a>(listed: &'a [AccountInfo], wait: &Wait) -> Option<&'a AccountInfo> {
    let mut there = listed.iter().filter(|account| account.connection == wait.connection);
    match &wait.said.account {
        Some(id) => there.find(|account| account.id == *id),
        None => there.next().filter(|_| there.next().is_none()),
    }
}

const STATE: &str = "auth0-read-back";
/// Rows that are looked at in one go.
const AT_ONCE: u32 = 500;
/// How often a link is looked for that Auth0 does not list: within two minutes of pauses.
const MOST_TRIES: u32 = 7;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LEAST_PAUSE: Duration = Duration::from_millis(200);
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// Without a bell.
const IDLE: Duration = Duration::from_secs(60);

//! Connected accounts here and at Auth0: what differs, and what is done about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use onesec_auth0::{AccountInfo, ApiError, Management};
use onesec_journal::{Cursor, LedgerFilter, LedgerTable};
use onesec_telemetry::event::{ConnectedAccountLink, ConnectedAccountUnlink};
use onesec_telemetry::{
    AccountId, Authority, Common, ConnectionName, Details, Event, EventId, ScopeSet, Sender, TenantId, Timestamp,
    UserId,
};
use onesec_trackers::change::AccountRow;
use serde::{Deserialize, Serialize};

use crate::core::{Core, CoreError, Draft, Submission};

/// Compares, step by step. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Accounts {
    core: Core,
    clients: Arc<BTreeMap<TenantId, Arc<Management>>>,
}

/// What is done about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Apply {
    /// Nothing.
    #[default]
    None,
    /// Links that are missing here are made, and scopes set right.
    Links,
    /// And what is not there any more is unlinked here.
    All,
}

/// One difference.
#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    /// `missing_here`, `missing_there`, `scopes_differ`, `ended_here`.
    what: &'static str,
    user_id: UserId,
    connection: ConnectionName,
    account_id: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    here: Option<ScopeSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    there: Option<ScopeSet>,
    applied: bool,
}

/// What one step came to.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Step {
    pub(crate) users: usize,
    pub(crate) accounts: usize,
    pub(crate) applied: usize,
    /// Connections at which anything was found.
    connections: BTreeSet<ConnectionName>,
    pub(crate) drift: Vec<Difference>,
    /// Where the next step begins; absent at the end.
    pub(crate) next: Option<String>,
}

/// Why a step was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// There is no client of the Management API.
    #[error("no client of the Management API is configured for this tenant: set `enforcement.auth0`")]
    NotConfigured,
    /// The cursor is none of ours.
    #[error("the cursor is none that a step gave")]
    BadCursor,
    /// Auth0 knows too few of the users.
    #[error("Auth0 does not know {0} of {1} users: is this the right tenant? Nothing was changed")]
    Strangers(usize, usize),
    /// Auth0 did not answer as it should.
    #[error("Auth0 does not tell of its users: {0}")]
    Upstream(#[from] ApiError),
    /// It cannot be made durable.
    #[error(transparent)]
    Core(#[from] CoreError),
}

impl Accounts {
    pub(crate) fn new(core: Core, clients: BTreeMap<TenantId, Arc<Management>>) -> Self {
        Self { core, clients: Arc::new(clients) }
    }

    /// One step: the users of a page of the tenant's, then those that only we know.
    pub(crate) async fn step(&self, tenant: &TenantId, at: Option<&str>, apply: Apply) -> Result<Step, StepError> {
        let client = self.clients.get(tenant).ok_or(StepError::NotConfigured)?;
        match at.unwrap_or(THEIRS).split_once(':').ok_or(StepError::BadCursor)? {
            ("theirs", after) => self.theirs(tenant, (client, after), apply).await,
            ("ours", after) => self.ours(tenant, (client, after), apply).await,
            _ => Err(StepError::BadCursor),
        }
    }

    /// Users as Auth0 lists them, oldest first.
    async fn theirs(
        &self,
        tenant: &TenantId,
        (client, after): (&Management, &str),
        apply: Apply,
    ) -> Result<Step, StepError> {
        let page = client.users(Some(after).filter(|after| !after.is_empty())).await?;
        let mut step =
            Step { next: Some(page.next.map_or(OURS.to_owned(), |next| format!("{THEIRS}{next}"))), ..Step::default() };
        for user in page.users {
            let asked = self.core.now();
            let Some(there) = listed(client, &user).await? else { continue };
            let here = self.rows(tenant, &user).await?;
            let found = compare(&user, &here, &there);
            self.note(tenant, (&mut step, apply), (there, found, asked)).await?;
        }
        Ok(step)
    }

    /// Linked accounts of ours whose users Auth0 may not list any more.
    async fn ours(
        &self,
        tenant: &TenantId,
        (client, after): (&Management, &str),
        apply: Apply,
    ) -> Result<Step, StepError> {
        let (users, next) = self.linked_users(tenant, after).await?;
        let mut step = Step { next: next.map(|next| format!("{OURS}{next}")), ..Step::default() };
        let mut gone = Vec::new();
        let count = users.len();
        let asked = self.core.now();
        for user in users {
            // Whom Auth0 lists was compared before.
            if listed(client, &user).await?.is_none() {
                let here = self.rows(tenant, &user).await?;
                gone.push(compare(&user, &here, &[]));
            }
        }
        if apply == Apply::All && gone.len() > FEW && gone.len() * 2 > count {
            return Err(StepError::Strangers(gone.len(), count));
        }
        for found in gone {
            self.note(tenant, (&mut step, apply), (Vec::new(), found, asked)).await?;
        }
        Ok(step)
    }

    async fn note(
        &self,
        tenant: &TenantId,
        (step, apply): (&mut Step, Apply),
        (there, found, asked): (Vec<AccountInfo>, Vec<Found>, Timestamp),
    ) -> Result<(), CoreError> {
        step.users += 1;
        step.accounts += there.len();
        step.connections.extend(there.into_iter().map(|account| account.connection));
        let mut drafts = Vec::new();
        for mut found in found {
            let difference = &mut found.difference;
            let adds = matches!(difference.what, "missing_here" | "scopes_differ") && apply != Apply::None;
            difference.applied = adds || (difference.what == "missing_there" && apply == Apply::All);
            if difference.applied {
                step.applied += 1;
                drafts.extend(draft(&found, asked));
            }
            step.drift.push(found.difference);
        }
        if drafts.is_empty() {
            return Ok(());
        }
        self.core.ingest(Submission { tenant: tenant.clone(), drafts, dead_letters: Vec::new() }).await.map(drop)
    }

    /// Rows of one user.
    async fn rows(&self, tenant: &TenantId, user: &UserId) -> Result<Vec<AccountRow>, CoreError> {
        let filter = LedgerFilter { user_id: Some(user.clone()), ..LedgerFilter::default() };
        let (reader, tenant) = (self.core.reader().clone(), tenant.clone());
        let read = move || reader.ledger((LedgerTable::Accounts, &tenant), &filter, (None, MOST_ROWS));
        let page = tokio::task::spawn_blocking(read).await.map_err(|_| CoreError::Stopping)?;
        let rows = page.map_err(|_| CoreError::Journal)?.items;
        Ok(rows.iter().filter_map(|row| serde_json::from_str(&row.doc).ok()).collect())
    }

    /// Users with a linked account, a page of them after `after`.
    async fn linked_users(
        &self,
        tenant: &TenantId,
        after: &str,
    ) -> Result<(BTreeSet<UserId>, Option<String>), StepError> {
        let cursor =
            if after.is_empty() { None } else { Some(Cursor::parse(after).map_err(|_| StepError::BadCursor)?) };
        let (reader, tenant) = (self.core.reader().clone(), tenant.clone());
        let filter = LedgerFilter { state: Some("linked".to_owned()), ..LedgerFilter::default() };
        let read = move || reader.ledger((LedgerTable::Accounts, &tenant), &filter, (cursor.as_ref(), OURS_AT_ONCE));
        let page = tokio::task::spawn_blocking(read).await.map_err(|_| CoreError::Stopping)?;
        let page = page.map_err(|_| StepError::BadCursor)?;
        let users = page.items.into_iter().filter_map(|row| row.user_id).collect();
        Ok((users, page.next.map(|next| next.to_string())))
    }
}

/// The accounts of a user; `None` where Auth0 does not know the user.
async fn listed(client: &Management, user: &UserId) -> Result<Option<Vec<AccountInfo>>, ApiError> {
    match client.connected_accounts(user).await {
        Ok(listed) => Ok(Some(listed)),
        Err(ApiError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A difference, and the link that would set it right.
struct Found {
    difference: Difference,
    /// The account, the id it has here, and since when it counts.
    link: Option<(AccountInfo, Option<AccountId>, Option<Timestamp>)>,
}

/// What differs for one user.
fn compare(user: &UserId, here: &[AccountRow], there: &[AccountInfo]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut met: BTreeSet<usize> = BTreeSet::new();
    for account in there {
        let at = |row: &AccountRow| row.connection == account.connection;
        let exact = here.iter().position(|row| at(row) && row.account_id.as_ref() == Some(&account.id));
        // An account that was reported without an id is the first that nobody else is.
        let unnamed =
            || here.iter().enumerate().position(|(i, row)| at(row) && row.account_id.is_none() && !met.contains(&i));
        let row = exact.or_else(unnamed);
        met.extend(row);
        let row = row.and_then(|row| here.get(row));
        let (what, named) = match row {
            None if here.iter().any(|row| at(row) && row.unlinked_at > account.created_at) => ("ended_here", None),
            None => ("missing_here", Some(account.id.clone())),
            Some(row) if row.state.as_str() != "linked" && row.unlinked_at >= account.created_at => {
                ("ended_here", None)
            }
            Some(row) if row.state.as_str() != "linked" => ("missing_here", row.account_id.clone()),
            Some(row) if account.scopes.is_some() && row.scopes != account.scopes => {
                ("scopes_differ", row.account_id.clone())
            }
            Some(_) => continue,
        };
        let difference = Difference {
            what,
            user_id: user.clone(),
            connection: account.connection.clone(),
            account_id: Some(account.id.clone()),
            here: row.and_then(|row| row.scopes.clone()),
            there: account.scopes.clone(),
            applied: false,
        };
        // That its scopes are others changes nothing of when it was linked: an unlink that is told of late still ends it.
        let since = if what == "scopes_differ" { row.and_then(|row| row.linked_at) } else { account.created_at };
        found.push(Found { difference, link: Some((account.clone(), named, since)) });
    }
    let linked = here.iter().enumerate().filter(|(i, row)| row.state.as_str() == "linked" && !met.contains(i));
    found.extend(linked.map(|(_, row)| Found {
        difference: Difference {
            what: "missing_there",
            user_id: user.clone(),
            connection: row.connection.clone(),
            account_id: row.account_id.clone(),
            here: row.scopes.clone(),
            there: None,
            applied: false,
        },
        link: None,
    }));
    found
}

/// What sets a difference right, on the word of the Management API, which was asked at `asked`.
fn draft(found: &Found, asked: Timestamp) -> Option<Draft> {
    let Found { difference, link } = found;
    let (details, at) = match (difference.what, link) {
        ("missing_there", _) => {
            let account_id = difference.account_id.clone();
            // What was linked since then is not meant.
            (Details::ConnectedAccountUnlink(ConnectedAccountUnlink { account_id }), Some(asked))
        }
        (_, Some((account, named, since))) => {
            let details = ConnectedAccountLink {
                scopes: account.scopes.clone(),
                access_type: account.access_type.clone(),
                account_id: named.clone(),
            };
            (Details::ConnectedAccountLink(details), Some(since.unwrap_or(asked)))
        }
        _ => return None,
    };
    let common = Common {
        user_id: Some(difference.user_id.clone()),
        connection: Some(difference.connection.clone()),
        ..Common::default()
    };
    let id = EventId::new(&format!("reconcile-{}-{}", asked.as_micros(), ulid::Ulid::generate())).ok()?;
    let mut event = Event::new(id, common, details);
    event.timestamp = at;
    let mut draft = Draft::new(event, Sender::auth0(Authority::Trust));
    draft.trusted_time = true;
    Some(draft)
}

const THEIRS: &str = "theirs:";
const OURS: &str = "ours:";
const OURS_AT_ONCE: u32 = 100;
const MOST_ROWS: u32 = 1_000;
/// So many strangers are nothing strange.
const FEW: usize = 5;

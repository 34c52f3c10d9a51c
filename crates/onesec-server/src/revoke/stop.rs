//! The first step: what was lent counts no more here. It is done before anybody else is asked, and durable.

use std::collections::BTreeSet;

use onesec_actions::Answered;
use onesec_journal::{JournalError, LedgerFilter, LedgerRow, LedgerTable, Reader};
use onesec_telemetry::event::{AgentDelegationRevoked, ConnectedAccountUnlink};
use onesec_telemetry::{
    Common, ConnectionName, DelegationId, Details, Event, EventId, Name, Sender, TenantId, Thumbprint,
};

use super::report::{Revocation, Target};
use crate::core::{Core, CoreError, Draft, Submission};

/// What the ledger has that the revocation means.
struct Found {
    /// Connections at which an account is linked.
    linked: BTreeSet<ConnectionName>,
    /// Delegations that count, now or once an account is linked again.
    alive: Vec<LedgerRow>,
}

/// Takes it back, as events of our own with ids of their own: done again, it is done once. `seen`: connections at which
/// tokens of the user were given out, whatever the ledger knows of links.
pub(super) async fn stop(
    core: &Core,
    tenant: &TenantId,
    (revocation, seen): (&Revocation, &BTreeSet<ConnectionName>),
) -> Answered {
    match try_stop(core, tenant, (revocation, seen)).await {
        Ok(answered) => answered,
        Err(error) => Answered::Failed { why: error.to_string(), after: None },
    }
}

async fn try_stop(
    core: &Core,
    tenant: &TenantId,
    (revocation, seen): (&Revocation, &BTreeSet<ConnectionName>),
) -> Result<Answered, CoreError> {
    let target = &revocation.target;
    let found = find(core, tenant, target).await?;
    let (count, linked) = (found.alive.len(), found.linked.len());
    let drafts = drafts(revocation, found, seen);
    if drafts.is_empty() {
        return Ok(Answered::Unneeded(nothing(target).to_owned()));
    }
    core.ingest(Submission { tenant: tenant.clone(), drafts, dead_letters: Vec::new() }).await?;
    let left = find(core, tenant, target).await?;
    let unlinks = target.agent_id.is_none();
    if !left.alive.is_empty() || (unlinks && !left.linked.is_empty()) {
        return Ok(Answered::Failed { why: "something that was lent still counts".to_owned(), after: None });
    }
    Ok(if unlinks {
        Answered::Confirmed(format!("accounts unlinked: {linked}, delegations ended: {count}; nothing is left"))
    } else if count == 0 {
        Answered::Unneeded(nothing(target).to_owned())
    } else {
        Answered::Confirmed(format!("delegations ended: {count}; none is left"))
    })
}

const fn nothing(target: &Target) -> &'static str {
    if target.agent_id.is_some() {
        "nothing is lent to this agent here; `onesec contain` stops an agent altogether"
    } else {
        "nothing of this user is linked or lent here"
    }
}

async fn find(core: &Core, tenant: &TenantId, target: &Target) -> Result<Found, CoreError> {
    let (reader, tenant, target) = (core.reader().clone(), tenant.clone(), target.clone());
    let read = move || -> Result<Found, JournalError> {
        let mut alive = Vec::new();
        for state in ["live", "dormant"] {
            alive.extend(rows(&reader, (LedgerTable::Delegations, &tenant), (&target, state))?);
        }
        let linked = if target.user_id.is_some() && target.agent_id.is_none() {
            rows(&reader, (LedgerTable::Accounts, &tenant), (&target, "linked"))?
        } else {
            Vec::new()
        };
        Ok(Found { linked: linked.into_iter().filter_map(|row| row.connection).collect(), alive })
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(_)) => Err(CoreError::Journal),
        Err(_) => Err(CoreError::Stopping),
    }
}

fn rows(
    reader: &Reader,
    table: (LedgerTable, &TenantId),
    (target, state): (&Target, &str),
) -> Result<Vec<LedgerRow>, JournalError> {
    let filter = LedgerFilter {
        agent_id: target.agent_id.clone(),
        user_id: target.user_id.clone(),
        connection: target.connection.clone(),
        state: Some(state.to_owned()),
    };
    let (mut rows, mut after) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let page = reader.ledger(table, &filter, (after.as_ref(), 1_000))?;
        rows.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(rows)
}

fn drafts(revocation: &Revocation, found: Found, seen: &BTreeSet<ConnectionName>) -> Vec<Draft> {
    let target = &revocation.target;
    match (&target.user_id, &target.agent_id) {
        (Some(_), None) => {
            let of_delegations = found.alive.iter().filter_map(|row| row.connection.clone());
            let mut connections: BTreeSet<ConnectionName> = found.linked.into_iter().chain(of_delegations).collect();
            match &target.connection {
                Some(only) => connections = BTreeSet::from([only.clone()]),
                None => connections.extend(seen.iter().cloned()),
            }
            connections.into_iter().filter_map(|connection| unlink(revocation, connection)).collect()
        }
        (Some(_), Some(_)) => revoke_of_pair(revocation).into_iter().collect(),
        (None, _) => found.alive.iter().filter_map(|row| revoke_one(revocation, row)).collect(),
    }
}

fn unlink(revocation: &Revocation, connection: ConnectionName) -> Option<Draft> {
    let details = Details::ConnectedAccountUnlink(ConnectedAccountUnlink { account_id: None });
    let common = Common {
        user_id: revocation.target.user_id.clone(),
        connection: Some(connection.clone()),
        ..Common::default()
    };
    draft(revocation, connection.as_str(), (common, details))
}

/// Leaves a mark: what was lent before and is told later is void, too.
fn revoke_of_pair(revocation: &Revocation) -> Option<Draft> {
    let target = &revocation.target;
    let delegated_by = Name::new(target.user_id.as_ref()?.as_str()).ok()?;
    let reason = revocation.reason.clone();
    let details = Details::AgentDelegationRevoked(AgentDelegationRevoked { delegated_by, delegation_id: None, reason });
    let common = Common {
        agent_id: target.agent_id.clone(),
        user_id: target.user_id.clone(),
        connection: target.connection.clone(),
        ..Common::default()
    };
    draft(revocation, "pair", (common, details))
}

fn revoke_one(revocation: &Revocation, row: &LedgerRow) -> Option<Draft> {
    let delegated_by = Name::new(row.user_id.as_ref()?.as_str()).ok()?;
    let (delegation_id, reason) = (DelegationId::new(&row.id).ok(), revocation.reason.clone());
    let details = Details::AgentDelegationRevoked(AgentDelegationRevoked { delegated_by, delegation_id, reason });
    let common = Common { agent_id: row.agent_id.clone(), connection: row.connection.clone(), ..Common::default() };
    let which = format!("{}\u{1f}{}", row.id, row.connection.as_ref().map_or("", AsRef::as_ref));
    draft(revocation, &which, (common, details))
}

fn draft(revocation: &Revocation, which: &str, (common, details): (Common, Details)) -> Option<Draft> {
    let digest = Thumbprint::of(which.as_bytes()).to_base64url();
    let id = EventId::new(&format!("{}-{}", revocation.id, digest.get(..16)?)).ok()?;
    Some(Draft::new(Event::new(id, common, details), Sender::system()))
}

/// Of a thousand rows each.
const MOST_PAGES: usize = 100;

//! What lives on: access tokens that came through here and that nobody can call back, and until when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use onesec_journal::{JournalError, RecordFilter};
use onesec_telemetry::event::Text;
use onesec_telemetry::{AgentId, Body, ConnectionName, Details, Record, TenantId, Thumbprint, Timestamp};

use super::report::{Remaining, Target};
use crate::core::{Core, CoreError, decode_record, index_keys};

/// A token of a provider that was given out and may still be good.
#[derive(Debug, Clone)]
pub(super) struct GivenOut {
    pub(super) connection: ConnectionName,
    pub(super) agent: Option<AgentId>,
    pub(super) token: Option<Thumbprint>,
    pub(super) until: Timestamp,
}

/// What was given out for the target within the last day and is not over, by the records of our own gateway.
pub(super) async fn given_out(core: &Core, tenant: &TenantId, target: &Target) -> Result<Vec<GivenOut>, CoreError> {
    let now = core.now();
    let filter = RecordFilter {
        kind: Some("token_exchange_response".to_owned()),
        agent: target.agent_id.clone(),
        user: target.user_id.clone(),
        connection: target.connection.clone(),
        since: Some(now.before(LONGEST)),
        ..RecordFilter::default()
    };
    let (reader, tenant) = (core.reader().clone(), tenant.clone());
    let read = move || -> Result<Vec<GivenOut>, JournalError> {
        let (mut found, mut after) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let page = reader.query_records((&tenant, &filter), &index_keys, (after.as_ref(), 1_000))?;
            let records = page.items.iter().filter_map(|stored| decode_record(&stored.bytes));
            found.extend(records.filter_map(|record| alive(&record, now)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(found)
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(_)) => Err(CoreError::Journal),
        Err(_) => Err(CoreError::Stopping),
    }
}

fn alive(record: &Record, now: Timestamp) -> Option<GivenOut> {
    let Body::Event(event) = &record.body else { return None };
    let Details::TokenExchangeResponse(response) = &event.details else { return None };
    let life = u64::try_from(response.expires_in?).ok().filter(|_| response.success)?;
    let until = record.at + Duration::from_secs(life).min(LONGEST);
    let (connection, agent) = (event.common.connection.clone()?, event.common.agent_id.clone());
    (until > now).then(|| GivenOut { connection, agent, token: response.token_thumbprint, until })
}

/// Where they lead to.
pub(super) fn connections(given_out: &[GivenOut]) -> BTreeSet<ConnectionName> {
    given_out.iter().map(|given| given.connection.clone()).collect()
}

/// What of it was not seen to end, the last of each agent at each connection; and what nobody here can see.
pub(super) fn remaining(given_out: &[GivenOut], ended: &[Thumbprint], has_user: bool) -> Vec<Remaining> {
    let mut last: BTreeMap<(&ConnectionName, Option<&AgentId>), Timestamp> = BTreeMap::new();
    for given in given_out.iter().filter(|given| given.token.is_none_or(|token| !ended.contains(&token))) {
        let until = last.entry((&given.connection, given.agent.as_ref())).or_insert(given.until);
        *until = given.until.max(*until);
    }
    let of_provider = last.into_iter().map(|((connection, agent), until)| Remaining {
        what: Text::redacted("access tokens of the provider that came through here"),
        connection: Some(connection.clone()),
        agent_id: agent.cloned(),
        until: Some(until),
    });
    let of_auth0 = has_user.then(|| Remaining {
        what: Text::redacted("access tokens of Auth0's: nobody can end them, they live as long as their API says"),
        connection: None,
        agent_id: None,
        until: None,
    });
    of_provider.chain(of_auth0).collect()
}

/// No token counts for longer.
const LONGEST: Duration = Duration::from_secs(86_400);
/// Of a thousand records each.
const MOST_PAGES: usize = 20;

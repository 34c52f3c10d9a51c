//! What is true for a user, told in records.

mod authority;
mod chains;
mod exchanges;
mod model;
mod reach;
mod snapshots;
mod told;

use std::time::Duration;

use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::event::*;
use onesec_telemetry::{
    AccountId, Attestation, Authority, Body, Channel, Command, Common, DelegationId, Details, Event, EventId, Name,
    Record, ScopeSet, Sender, Seq, Subject, TenantId, Timestamp,
};

use super::{Settled, Trackers};
use crate::config::{RateLimit, TrackerConfig};
use crate::facts::*;

/// Records are told from small numbers: seconds since a start.
pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + secs)
}

pub(super) fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

pub(super) fn id<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

pub(super) fn opt<T: std::str::FromStr>(text: &str) -> Option<T>
where
    T::Err: std::fmt::Debug,
{
    (!text.is_empty()).then(|| id(text))
}

pub(super) fn record(secs: i64, body: Body) -> Record {
    Record {
        tenant: TenantId::default_tenant(),
        seq: Seq(1),
        observed_at: at(secs),
        at: at(secs),
        late: false,
        sender: Sender::replay(),
        subject: Subject::Unknown,
        attestation: Attestation::Absent,
        network: None,
        text: None,
        body,
    }
}

/// An event about (agent, user, connection); `""` leaves a name out.
pub(super) fn event(secs: i64, [agent, user, connection]: [&str; 3], details: Details) -> Record {
    let common = Common { agent_id: opt(agent), user_id: opt(user), connection: opt(connection), ..Common::default() };
    let name = format!("e-{secs}-{agent}-{user}-{}", details.kind().as_str());
    record(secs, Body::Event(Event::new(id::<EventId>(&name), common, details).into()))
}

pub(super) fn exchange(secs: i64, key: [&str; 3], wanted: &str) -> Record {
    let details = TokenExchange {
        subject_token_type: None,
        scopes: (!wanted.is_empty()).then(|| scopes(wanted)),
        exchange_id: None,
        login_hint: None,
        audience: None,
        resource: None,
        actor: None,
        is_privileged_worker: None,
        account_id: None,
    };
    event(secs, key, Details::TokenExchange(details))
}

pub(super) fn response(secs: i64, key: [&str; 3], returned: &str) -> Record {
    let details = TokenExchangeResponse {
        success: true,
        error: None,
        error_description: None,
        scopes: (!returned.is_empty()).then(|| scopes(returned)),
        expires_in: Some(3600),
        exchange_id: None,
        issued_token_type: None,
        token_thumbprint: None,
        account_id: None,
    };
    event(secs, key, Details::TokenExchangeResponse(details))
}

pub(super) fn usage(secs: i64, key: [&str; 3]) -> Record {
    let details = ConnectedAccountUsage {
        action: None,
        scopes: None,
        token_thumbprint: None,
        method: None,
        resource: None,
        status: None,
        account_id: None,
    };
    event(secs, key, Details::ConnectedAccountUsage(details))
}

pub(super) fn link(secs: i64, user: &str, granted: &str) -> Record {
    let scopes = (!granted.is_empty()).then(|| scopes(granted));
    let details = ConnectedAccountLink { scopes, access_type: None, account_id: None };
    event(secs, ["", user, "github"], Details::ConnectedAccountLink(details))
}

pub(super) fn unlink(secs: i64, user: &str) -> Record {
    event(secs, ["", user, "github"], Details::ConnectedAccountUnlink(ConnectedAccountUnlink { account_id: None }))
}

/// A delegation at `github`, to be changed by `with`.
pub(super) fn delegation(
    secs: i64,
    [name, agent, by, user]: [&str; 4],
    with: impl FnOnce(&mut AgentIdentityDelegation),
) -> Record {
    let mut details = AgentIdentityDelegation {
        delegated_by: id(by),
        scopes: None,
        expires_at: None,
        delegation_chain: None,
        attestation: None,
        delegation_id: opt(name),
        parent_id: None,
        max_depth: None,
        account_id: None,
    };
    with(&mut details);
    event(secs, [agent, user, "github"], Details::AgentIdentityDelegation(details))
}

pub(super) fn delegate(secs: i64, names: [&str; 4]) -> Record {
    delegation(secs, names, |_| {})
}

pub(super) fn revoke(secs: i64, agent: &str, by: &str) -> Record {
    let details = AgentDelegationRevoked { delegated_by: id(by), delegation_id: None, reason: None };
    event(secs, [agent, "", "github"], Details::AgentDelegationRevoked(details))
}

pub(super) fn command(secs: i64, command: Command) -> Record {
    let mut record = record(secs, Body::Command(command));
    record.sender.channel = Channel::Api;
    record
}

/// The same record from a key without authority, not bound to any agent.
pub(super) fn claimed(mut record: Record, key: &str) -> Record {
    record.sender =
        Sender { channel: Channel::Ingest, key: Some(id(key)), owner: None, agent: None, authority: Authority::Claim };
    record
}

/// Changes the details of an exchange.
pub(super) fn with_exchange(mut record: Record, with: impl FnOnce(&mut TokenExchange)) -> Record {
    if let Body::Event(event) = &mut record.body
        && let Details::TokenExchange(details) = &mut event.details
    {
        with(details);
    }
    record
}

pub(super) fn trackers() -> Trackers {
    Trackers::new(TrackerConfig::default(), Catalogue::builtin())
}

impl Trackers {
    /// Observes and lets pass.
    pub(super) fn pass(&mut self, record: &Record) {
        self.observe(record);
        self.settle(Settled::Passed);
    }

    pub(super) fn pass_all<'r>(&mut self, records: impl IntoIterator<Item = &'r Record>) {
        records.into_iter().for_each(|record| self.pass(record));
    }

    /// What becomes of a delegation, link or revocation.
    pub(super) fn outcome(&mut self, record: &Record) -> DelegationOutcome {
        let outcome = self.observe(record).delegation.expect("about a delegation").outcome;
        self.settle(Settled::Passed);
        outcome
    }

    /// How the agent stands, in one word.
    pub(super) fn stands(&self, secs: i64, key: [&str; 3]) -> &'static str {
        match self.preview(&usage(secs, key)).access.expect("a use").standing {
            Standing::Authorised { .. } => "authorised",
            Standing::Dormant { .. } => "dormant",
            Standing::Ended { how, .. } => how.as_str(),
            Standing::Never => "never",
        }
    }
}

pub(super) const A: [&str; 3] = ["mail-bot", "ann", "github"];

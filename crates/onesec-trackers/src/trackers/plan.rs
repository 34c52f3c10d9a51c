//! What a record would change in the ledger, and what is to be told about it. Nothing changes here.

use std::borrow::Cow;

use onesec_telemetry::event::{AgentDelegationRevoked, AgentIdentityDelegation};
use onesec_telemetry::{
    AgentId, AgentRegistration, Attestation, Body, Channel, Command, DelegationId, Details, Record, ScopeSet, Timestamp,
};

use super::State;
use super::look::Look;
use super::wish::{derived_id, digest64, is_unattested, signed_wish, vouches, wish};
use crate::chains::{Cut, Ground, Grown, Growth, Row, Wish};
use crate::config::Unattested;
use crate::facts::{AccountState, DelegationFacts, DelegationOutcome, Ending, Posture, Refusal};

/// A change of the ledger, checked and ready.
#[derive(Debug)]
pub(super) enum Plan<'r> {
    None,
    Refused(Cow<'r, DelegationId>, Refusal),
    Delegate { wish: Wish<'r>, rows: Vec<Growth>, attested: bool },
    Same(Cow<'r, DelegationId>, Vec<u32>),
    Link { user: &'r str, connection: &'r str, account: Option<&'r str>, scopes: Option<&'r ScopeSet> },
    Unlink { user: &'r str, connection: &'r str, account: Option<&'r str> },
    Revoke { id: Cow<'r, DelegationId>, cut: Cut<'r>, ended: Vec<(u32, Ending)>, mark: bool },
    Suspend(&'r AgentId),
    Resume(&'r AgentId),
    Register(&'r AgentRegistration),
    Unregister(&'r AgentId),
    Accept { agent: &'r str, user: Option<&'r str>, connection: &'r str, scopes: &'r ScopeSet },
}

/// The parts of the facts that come from a plan.
#[derive(Debug, Default)]
pub(super) struct Told<'a> {
    pub(super) delegation: Option<DelegationFacts<'a>>,
    pub(super) posture: Vec<Posture>,
}

/// Agents for whom one record may show that an account gives too much.
const MOST_POSTURES: usize = 1000;

impl State {
    /// What `record` would change.
    pub(super) fn plan<'r>(&self, record: &'r Record) -> Plan<'r> {
        match &record.body {
            Body::Event(event) => match &event.details {
                Details::ConnectedAccountLink(d) => {
                    self.plan_link(record, d.account_id.as_ref().map(AsRef::as_ref), d.scopes.as_ref())
                }
                Details::ConnectedAccountUnlink(d) => {
                    self.plan_unlink(record, d.account_id.as_ref().map(AsRef::as_ref))
                }
                Details::AgentIdentityDelegation(d) => self.plan_delegation(record, d),
                Details::AgentDelegationRevoked(d) => self.plan_revocation(record, d),
                _ => Plan::None,
            },
            Body::Command(command) if record.has_authority() => self.plan_command(command, record.at),
            _ => Plan::None,
        }
    }

    fn plan_link<'r>(&self, record: &'r Record, account: Option<&'r str>, scopes: Option<&'r ScopeSet>) -> Plan<'r> {
        let refused = |why| Plan::Refused(Cow::Owned(derived_id(record)), why);
        let (Some(user), Some(connection)) = (record.user(), record.connection()) else { return Plan::None };
        let (user, connection) = (user.as_str(), connection.as_str());
        if !record.has_authority() {
            return refused(Refusal::NoAuthority);
        }
        let holder = self.accounts.find(self.shared.seed.pair(user, connection), user, connection);
        if self.accounts.link_is_old(holder, account, record.at) {
            return refused(Refusal::OlderThanEnd);
        }
        if self.accounts.is_new(holder, account) && self.accounts_full() {
            return refused(Refusal::LedgerFull);
        }
        Plan::Link { user, connection, account, scopes }
    }

    fn plan_unlink<'r>(&self, record: &'r Record, account: Option<&'r str>) -> Plan<'r> {
        let refused = |why| Plan::Refused(Cow::Owned(derived_id(record)), why);
        let (Some(user), Some(connection)) = (record.user(), record.connection()) else { return Plan::None };
        let (user, connection) = (user.as_str(), connection.as_str());
        if !record.has_authority() {
            return refused(Refusal::NoAuthority);
        }
        let holder = self.accounts.find(self.shared.seed.pair(user, connection), user, connection);
        let adds_row = holder.is_none() || (account.is_some() && self.accounts.is_new(holder, account));
        if adds_row && self.accounts_full() {
            return refused(Refusal::LedgerFull);
        }
        Plan::Unlink { user, connection, account }
    }

    /// Holders without accounts are marks of unlinks, or belong to delegations, which have a bound of their own.
    fn accounts_full(&self) -> bool {
        let bounds = &self.config.bounds;
        let marks = self.accounts.holders().len().saturating_sub(bounds.delegations);
        self.accounts.len() >= bounds.accounts || marks >= bounds.accounts
    }

    fn plan_delegation<'r>(&self, record: &'r Record, d: &'r AgentIdentityDelegation) -> Plan<'r> {
        let (id, proof) = match &record.attestation {
            Attestation::Verified(proof) => (Cow::Borrowed(&proof.id), Some(proof.as_ref())),
            _ => (d.delegation_id.as_ref().map_or_else(|| Cow::Owned(derived_id(record)), Cow::Borrowed), None),
        };
        let Some(agent) = record.agent() else { return Plan::Refused(id, Refusal::NoAuthority) };
        let refused = matches!(record.attestation, Attestation::Refused(_));
        if refused || proof.is_some_and(|proof| !vouches(proof, record, d)) {
            return Plan::Refused(id, Refusal::AttestationRefused);
        }
        if !record.backs_delegation() {
            return Plan::Refused(id, Refusal::NoAuthority);
        }
        if is_unattested(record) && self.config.unattested == Unattested::Refuse {
            return Plan::Refused(id, Refusal::Unattested);
        }
        let wish = match proof {
            Some(proof) => signed_wish(record, (d, agent), proof),
            None => wish(record, (d, agent), id),
        };
        let stated = proof.map_or_else(|| record.connection(), |proof| proof.link.connection.as_ref());
        let connections = stated.map_or(self.config.default_connections.as_slice(), std::slice::from_ref);
        let ground =
            Ground { chains: &self.chains, accounts: &self.accounts, seed: &self.shared.seed, config: &self.config };
        match ground.plan(&wish, connections, |connection| self.meaning(connection.as_str())) {
            Err(why) => Plan::Refused(wish.id, why),
            Ok(Grown::Same(rows)) => Plan::Same(wish.id, rows),
            Ok(Grown::New(_)) if self.suspended.contains_key(d.delegated_by.as_str()) => {
                Plan::Refused(wish.id, Refusal::SuspendedDelegator)
            }
            Ok(Grown::New(rows)) => Plan::Delegate { wish, rows, attested: proof.is_some() },
        }
    }

    fn plan_revocation<'r>(&self, record: &'r Record, d: &'r AgentDelegationRevoked) -> Plan<'r> {
        let agent = record.agent().map(AsRef::as_ref);
        let connection = record.connection().map(AsRef::as_ref);
        let id = d.delegation_id.as_ref().map_or_else(|| Cow::Owned(derived_id(record)), Cow::Borrowed);
        let by = d.delegated_by.as_str();
        let user = record.user().map(AsRef::as_ref).filter(|user| *user != by);
        if !record.has_authority() {
            return Plan::Refused(id, Refusal::NoAuthority);
        }
        let cut = match (&d.delegation_id, agent) {
            (Some(id), agent) => Cut::Id { id, agent, connection },
            (None, Some(agent)) => Cut::Pair { agent, by, user, connection },
            (None, None) => return Plan::Refused(id, Refusal::NothingToEnd),
        };
        self.plan_cut(id, cut, record.at)
    }

    fn plan_cut<'r>(&self, id: Cow<'r, DelegationId>, cut: Cut<'r>, at: Timestamp) -> Plan<'r> {
        let mut ended: Vec<(u32, Ending)> = Vec::new();
        let named = self.chains.named_by(&cut, at, &self.shared.seed);
        ended.extend(named.iter().map(|&row| (row, Ending::Revoked)));
        for below in named.iter().flat_map(|&row| self.chains.below(row)) {
            if !ended.iter().any(|(row, _)| *row == below) {
                ended.push((below, Ending::ParentEnded));
            }
        }
        let room = self.chains.len() < self.config.bounds.delegations;
        let mark = room || !self.chains.needs_mark(&cut, &self.shared.seed);
        if !mark && ended.is_empty() {
            return Plan::Refused(id, Refusal::LedgerFull);
        }
        Plan::Revoke { id, cut, ended, mark }
    }

    fn plan_command<'r>(&self, command: &'r Command, at: Timestamp) -> Plan<'r> {
        match command {
            Command::SuspendAgent { agent, .. } => Plan::Suspend(agent),
            Command::ResumeAgent { agent } => Plan::Resume(agent),
            Command::RegisterAgent(registration) => self.plan_registration(registration),
            Command::UnregisterAgent { agent } => Plan::Unregister(agent),
            Command::RevokeDelegation { delegation, .. } => {
                let cut = Cut::Id { id: delegation, agent: None, connection: None };
                self.plan_cut(Cow::Borrowed(delegation), cut, at)
            }
            Command::AcceptScopes { agent, user, connection, scopes } => Plan::Accept {
                agent: agent.as_str(),
                user: user.as_ref().map(AsRef::as_ref),
                connection: connection.as_str(),
                scopes,
            },
            _ => Plan::None,
        }
    }

    fn plan_registration<'r>(&self, registration: &'r AgentRegistration) -> Plan<'r> {
        let agent = registration.agent_id.as_str();
        let known = self.registry.find(self.shared.seed.of(agent), agent).is_some();
        if known || self.registry.len() < self.config.bounds.registrations {
            return Plan::Register(registration);
        }
        Plan::Refused(Cow::Owned(no_delegation()), Refusal::LedgerFull)
    }

    /// What the facts say about the plan.
    pub(super) fn tell<'a>(&self, plan: &Plan<'a>, record: &Record) -> Told<'a> {
        let unattested = is_unattested(record) && self.config.unattested == Unattested::Alert;
        let fact =
            |id: &Cow<'a, DelegationId>, outcome| Some(DelegationFacts { delegation: id.clone(), outcome, unattested });
        match plan {
            Plan::Refused(id, why) => {
                Told { delegation: fact(id, DelegationOutcome::Refused(*why)), ..Told::default() }
            }
            Plan::Same(id, rows) => {
                let live = rows.iter().filter_map(|&at| self.chains.row(at)).any(|row| self.is_live(row));
                Told { delegation: fact(id, live_or_dormant(live)), ..Told::default() }
            }
            Plan::Delegate { wish, rows, .. } => Told {
                delegation: fact(&wish.id, live_or_dormant(rows.iter().any(|row| row.live))),
                posture: self.posture_of_delegation(wish, rows),
            },
            Plan::Link { user, connection, account, scopes: Some(scopes) } => Told {
                posture: self.posture_of_link([user, connection], *account, (scopes, record.at)),
                ..Told::default()
            },
            Plan::Revoke { id, ended, .. } => Told { delegation: fact(id, self.revoked(ended)), ..Told::default() },
            _ => Told::default(),
        }
    }

    fn revoked(&self, ended: &[(u32, Ending)]) -> DelegationOutcome {
        let mut ids: Vec<DelegationId> = Vec::new();
        for id in ended.iter().filter_map(|&(at, _)| self.chains.row(at)).map(|row| &row.id) {
            // The rows of one delegation at several connections have one id.
            if ids.last() != Some(id) && !ids.contains(id) {
                ids.push(id.clone());
            }
        }
        if ids.is_empty() {
            DelegationOutcome::Refused(Refusal::NothingToEnd)
        } else {
            DelegationOutcome::Revoked { ended: ids }
        }
    }

    /// Whether the row's account is linked.
    pub(super) fn is_live(&self, row: &Row) -> bool {
        let holder = self.accounts.holder(row.holder);
        row.ended.is_none() && holder.is_some_and(|h| h.state(row.account.as_deref()).is_linked())
    }

    fn posture_of_delegation(&self, wish: &Wish<'_>, rows: &[Growth]) -> Vec<Posture> {
        let posture = |row: &Growth| {
            let found = self.accounts.find(
                self.shared.seed.pair(&row.user, row.connection.as_str()),
                &row.user,
                row.connection.as_str(),
            );
            let holder = found.and_then(|at| self.accounts.holder(at))?;
            let AccountState::Linked { scopes: Some(held), .. } = holder.state(row.account.as_deref()) else {
                return None;
            };
            let bound = row.bound.as_ref()?;
            self.posture([wish.agent, &row.user, row.connection.as_str()], (&wish.id, bound), held)
        };
        rows.iter().filter_map(posture).collect()
    }

    fn posture_of_link(
        &self,
        [user, connection]: [&str; 2],
        account: Option<&str>,
        (held, at): (&ScopeSet, Timestamp),
    ) -> Vec<Posture> {
        let found = self.accounts.find(self.shared.seed.pair(user, connection), user, connection);
        let Some(holder) = found.and_then(|at| self.accounts.holder(at)) else { return Vec::new() };
        if holder.resolve(account).is_some_and(|known| known.linked > Some(at)) {
            return Vec::new();
        }
        let concerned = |row: &&Row| row.holds(at) && row.covers_account(account) && row.bound.is_some();
        let mut rows: Vec<&Row> = holder.alive.iter().filter_map(|&at| self.chains.row(at)).filter(concerned).collect();
        rows.sort_unstable_by(|a, b| (&a.agent, &a.id).cmp(&(&b.agent, &b.id)));
        rows.truncate(MOST_POSTURES);
        let posture = |row: &Row| self.posture_of_row(row, held);
        rows.into_iter().filter_map(posture).collect()
    }

    /// What the gateway's exchange shows about the set-up.
    pub(super) fn posture_of_exchange(&self, look: &Look<'_>, record: &Record) -> Option<Posture> {
        if record.sender.channel != Channel::Gateway {
            return None;
        }
        let row = look.stand.right().and_then(|at| self.chains.row(at))?;
        let returned = match &record.event()?.details {
            Details::TokenExchangeResponse(d) => d.scopes.as_ref().filter(|_| d.success),
            _ => None,
        };
        self.posture_of_row(row, returned.or_else(|| look.link_scopes(self))?)
    }

    fn posture_of_row(&self, row: &Row, held: &ScopeSet) -> Option<Posture> {
        let bound = row.bound.as_deref()?;
        self.posture([&row.agent, &row.user, &row.connection], (&row.id, bound), held)
    }

    fn posture(&self, key: [&str; 3], (id, bound): (&DelegationId, &ScopeSet), held: &ScopeSet) -> Option<Posture> {
        // Where the delegation allows all that the account gives, both are one shared set.
        if std::ptr::eq(bound, held) {
            return None;
        }
        let [agent, user, connection] = key;
        let excess = self.meaning(connection).beyond(bound, held);
        if excess.is_empty() {
            return None;
        }
        let version = digest64(&[&held.to_string(), &bound.to_string(), id.as_str()]);
        Some(Posture {
            agent: agent.parse().ok()?,
            user: user.parse().ok()?,
            connection: connection.parse().ok()?,
            excess,
            version,
        })
    }
}

const fn live_or_dormant(live: bool) -> DelegationOutcome {
    if live { DelegationOutcome::Live } else { DelegationOutcome::Dormant }
}

/// What a refusal names that is about no delegation.
#[expect(clippy::expect_used, reason = "printable ASCII is an identifier")]
fn no_delegation() -> DelegationId {
    DelegationId::new("none").expect("an identifier")
}

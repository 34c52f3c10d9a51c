//! What is left of a record until it is known what became of it.

use std::time::Duration;

use compact_str::CompactString;
use onesec_telemetry::{Channel, Details, Record, ScopeSet, Thumbprint, Timestamp};

use super::State;
use super::look::{Act, Look};
use super::measure::Grant;
use super::reach::Reached;
use crate::behaviour::{Deed, Who};
use crate::exchange::{Network, View};
use crate::facts::{Baseline, Facts, ScopeFacts};
use crate::pool::Owner;
use crate::shared::stable_hash;
use crate::window::Class;

/// The record just observed, as far as statistics need it. Its buffers are used again: a clean exchange of a known
/// agent allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Stash {
    pub(super) open: bool,
    pub(super) at: Timestamp,
    pub(super) class: Class,
    /// The agent did something, rather than something being done to it.
    pub(super) acts: bool,
    /// The sender's word about trust counts.
    pub(super) trusted: bool,
    pub(super) act: Act,
    pub(super) view: Option<View>,
    pub(super) agent: String,
    pub(super) user: String,
    pub(super) connection: String,
    pub(super) key: String,
    pub(super) root: String,
    pub(super) exchange: String,
    pub(super) gateway: bool,
    pub(super) agent_hash: u64,
    pub(super) agent_slot: Option<u32>,
    pub(super) agent_user_hash: u64,
    pub(super) agent_user: Option<u32>,
    pub(super) pair_hash: u64,
    pub(super) pair: Option<u32>,
    pub(super) void: Option<Timestamp>,
    pub(super) over_agent: bool,
    pub(super) over_user: bool,
    pub(super) over_root: bool,
    pub(super) network: Option<Network>,
    pub(super) confusable: Option<CompactString>,
    /// Asked for beyond the baseline.
    pub(super) pending: ScopeSet,
    /// In order at first sight: what would be learned.
    pub(super) learn: Option<ScopeSet>,
    pub(super) token: Option<Thumbprint>,
    pub(super) token_until: Option<Timestamp>,
    pub(super) app: String,
    pub(super) verified: Option<bool>,
    pub(super) deed: Option<Box<Deed>>,
    pub(super) event: String,
    pub(super) task: String,
    pub(super) reached: Reached,
    /// What was forgotten is told with this record.
    pub(super) tells_lost: bool,
}

impl Stash {
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn fill(&mut self, state: &State, look: &Look<'_>, (facts, record): (&Facts<'_>, &Record)) {
        self.clear();
        self.open = true;
        self.tells_lost = facts.lost.is_some();
        let Some(event) = record.event().filter(|_| !record.late) else {
            let who = Who::of(None, 0, record);
            self.deed = state.deed(who, record, facts.behaviour.as_deref());
            return;
        };
        self.at = record.at;
        self.class = look.class;
        self.acts = !matches!(
            event.details,
            Details::AgentIdentityDelegation(_)
                | Details::AgentDelegationRevoked(_)
                | Details::ConnectedAccountLink(_)
                | Details::ConnectedAccountUnlink(_)
        );
        self.trusted = record.has_authority();
        self.act = look.act;
        self.view = Some(look.view);
        keep(&mut self.agent, look.agent.map(AsRef::as_ref));
        keep(&mut self.user, look.user.map(AsRef::as_ref));
        keep(&mut self.connection, look.connection.map(AsRef::as_ref));
        keep(&mut self.key, record.sender.key.as_ref().map(AsRef::as_ref));
        keep(&mut self.exchange, event.details.exchange_id().map(AsRef::as_ref));
        self.gateway = record.sender.channel == Channel::Gateway;
        (self.agent_hash, self.agent_slot) = (look.agent_hash, look.agent_slot);
        (self.agent_user_hash, self.agent_user) = (look.agent_user_hash, look.agent_user);
        (self.pair_hash, self.pair, self.void) = (look.pair_hash, look.pair, look.void);
        self.network = record.network.filter(|_| look.act == Act::Ask).map(Network::of);
        if look.agent_slot.is_none() {
            self.confusable = facts.agent.as_ref().and_then(|a| a.confusable_with.map(CompactString::from));
        }
        keep(&mut self.event, Some(event.id.as_str()));
        if look.act != Act::None {
            keep(&mut self.task, event.common.task_id.as_ref().map(AsRef::as_ref));
            self.reached = state.reached(look, record, facts.access.as_ref());
        }
        self.fill_rates(facts);
        if let Some(scopes) = &facts.scopes {
            self.fill_scopes(state, look, scopes);
        }
        self.fill_token(&event.details);
        let who = Who::of(look.agent, look.agent_hash, record);
        self.deed = state.deed(who, record, facts.behaviour.as_deref());
        if let Some(grant) = Grant::of(record) {
            keep(&mut self.app, Some(grant.app));
            keep(&mut self.user, Some(grant.user));
            self.verified = grant.verified.filter(|_| record.has_authority());
        }
    }

    /// Forgets the record before, but for the buffers.
    fn clear(&mut self) {
        for buffer in [&mut self.user, &mut self.root, &mut self.app, &mut self.task] {
            buffer.clear();
        }
        self.view = None;
        self.reached = Reached::default();
        self.act = Act::None;
        self.agent.clear();
        (self.over_agent, self.over_user, self.over_root) = (false, false, false);
        (self.network, self.confusable, self.learn) = (None, None, None);
        (self.token, self.token_until, self.verified) = (None, None, None);
        self.pending = ScopeSet::empty();
        self.deed = None;
    }

    fn fill_rates(&mut self, facts: &Facts<'_>) {
        let Some(exchange) = &facts.exchange else { return };
        self.over_agent = exchange.by_agent.exceeded;
        self.over_user = exchange.by_agent_user.is_some_and(|rate| rate.exceeded);
        if let Some(root) = &exchange.by_root {
            keep(&mut self.root, Some(root.root.as_str()));
            self.over_root = root.rate.exceeded;
        }
    }

    fn fill_scopes(&mut self, state: &State, look: &Look<'_>, scopes: &ScopeFacts<'_>) {
        if self.user.is_empty() || self.agent.is_empty() || look.act != Act::Ask {
            return;
        }
        if !matches!(scopes.baseline, Baseline::Delegation(_)) {
            self.pending = scopes.beyond.clone();
        }
        let first = matches!(scopes.baseline, Baseline::FirstSight) && look.view.counts() && scopes.named;
        let lost = || state.exchange.evicted.has(stable_hash(&[&self.agent, &self.user, &self.connection]));
        if first && !lost() {
            self.learn = Some(state.meaning(&self.connection).modest(&scopes.effective));
        }
    }

    fn fill_token(&mut self, details: &Details) {
        let Details::TokenExchangeResponse(d) = details else { return };
        if !d.success {
            return;
        }
        let secs = d.expires_in.and_then(|secs| u64::try_from(secs).ok()).filter(|secs| *secs > 0);
        // One whose life is unknown is held by nobody, at no time, and was issued all the same.
        self.token_until = Some(secs.map_or(Timestamp::EPOCH, |secs| self.at + Duration::from_secs(secs)));
        self.token = d.token_thumbprint.filter(|_| self.trusted);
    }

    /// The sending key: whose quota a new entry counts against.
    pub(super) fn owner(&self, state: &mut State) -> Owner {
        if self.key.is_empty() { None } else { Some(state.shared.name(&self.key)) }
    }
}

fn keep(buffer: &mut String, text: Option<&str>) {
    buffer.clear();
    buffer.push_str(text.unwrap_or_default());
}

//! `Trackers`: all trackers of one tenant, run by one record at a time.

mod commit;
mod look;
mod measure;
mod plan;
mod reach;
mod rows;
mod save;
mod settle;
mod stash;
#[cfg(test)]
mod tests;
mod wish;

use std::collections::{BTreeMap, BTreeSet};

use onesec_telemetry::{AgentId, Record, Timestamp};

use crate::accounts::ConnectedAccountTracker;
use crate::behaviour::BehaviourTracker;
use crate::chains::DelegationChainTracker;
use crate::change::{LedgerChange, ToolRow};
use crate::config::TrackerConfig;
use crate::exchange::ExchangeTracker;
use crate::facts::Facts;
use crate::pool::Pool;
use crate::reach::ReachTracker;
use crate::registry::Registry;
use crate::scopes::{CatalogueRef, Meaning};
use crate::shared::{Shared, Sym};
use crate::tokens::{App, Token};
use look::Look;
use reach::Heard;
use stash::Stash;

/// All trackers of one tenant.
///
/// Not Clone: two copies would count the same record twice.
#[derive(Debug)]
pub struct Trackers {
    state: State,
    stash: Stash,
}

/// What became of the record just observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It was refused: joins no window and teaches nothing; what it asked for beyond its baseline is pending.
    Refused,
    /// It passed, and something was found: counts, and teaches no baseline.
    PassedWithFindings,
    /// It passed: counts and teaches.
    Passed,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TrackerStats {
    /// Accounts in the ledger, unlinked ones included.
    pub accounts: usize,
    /// Accounts that are linked.
    pub accounts_linked: usize,
    /// Agents that hold a delegation that has not ended.
    pub authorised_agents: usize,
    /// Delegations in the ledger with ended ones and marks of revocations.
    pub delegations: usize,
    /// Delegations that have not ended.
    pub delegations_live: usize,
    /// Suspended agents.
    pub suspended: usize,
    /// Registered agents.
    pub registered: usize,
    /// Baselines that people widened.
    pub accepted: usize,
    /// Agents with statistics.
    pub agents: usize,
    /// (agent, user) with statistics.
    pub agent_users: usize,
    /// (agent, user, connection) with statistics.
    pub pairs: usize,
    /// Issued tokens that are remembered.
    pub tokens: usize,
    /// Applications with statistics.
    pub apps: usize,
    /// What is known of behaviour: agents, tasks, memory, tools, messages and the like.
    pub behaviour: usize,
    /// Statistics that had to go for others.
    pub evictions: u64,
    /// Of these, agents that were above their limit: something was forgotten that mattered.
    pub armed_evicted: u64,
    /// Learned baselines that had to go for others.
    pub baselines_evicted: u64,
    /// Records that the full ledger refused.
    pub refused_full: u64,
}

/// Everything but what the last record left to be settled.
#[derive(Debug)]
pub(crate) struct State {
    config: TrackerConfig,
    catalogue: CatalogueRef,
    pub(crate) shared: Shared,
    exchange: ExchangeTracker,
    accounts: ConnectedAccountTracker,
    chains: DelegationChainTracker,
    tokens: Pool<Token>,
    apps: Pool<App>,
    suspended: BTreeMap<AgentId, Timestamp>,
    pub(crate) registry: Registry,
    pub(crate) behaviour: BehaviourTracker,
    reach: ReachTracker,
    refused_full: u64,
    dirty: Dirty,
}

/// Rows that changed since they were drained.
#[derive(Debug, Default)]
struct Dirty {
    holders: BTreeSet<u32>,
    delegations: BTreeSet<u32>,
    agents: BTreeSet<Sym>,
    /// Agents of whom no more is new than that they are still there.
    seen: Vec<(Sym, Timestamp)>,
    registrations: BTreeSet<Sym>,
}

impl Dirty {
    fn is_empty(&self) -> bool {
        let ledger = self.holders.is_empty() && self.delegations.is_empty() && self.registrations.is_empty();
        ledger && self.agents.is_empty() && self.seen.is_empty()
    }
}

impl Trackers {
    /// Trackers that have seen nothing. The catalogue is `Catalogue::builtin()` or an `Arc<Catalogue>`.
    #[must_use]
    pub fn new(config: TrackerConfig, catalogue: impl Into<CatalogueRef>) -> Self {
        Self { state: State::new(config, catalogue.into()), stash: Stash::default() }
    }

    /// Takes other settings; what is kept stays, and so do the bounds of how much is kept.
    pub fn reconfigure(&mut self, config: TrackerConfig, catalogue: impl Into<CatalogueRef>) {
        let bounds = self.state.config.bounds;
        self.state.behaviour.least = config.instruction_from;
        self.state.config = TrackerConfig { bounds, ..config };
        self.state.catalogue = catalogue.into();
    }

    /// Applies what the record changes in the ledger, and measures it. Statistics wait for [`Trackers::settle`];
    /// a record that was not settled before the next one counts as [`Settled::Refused`].
    pub fn observe<'a>(&'a mut self, record: &'a Record) -> Facts<'a> {
        if self.stash.is_open() {
            self.settle(Settled::Refused);
        }
        let plan = self.state.plan(record);
        let told = self.state.tell(&plan, record);
        self.state.commit(plan, record);
        self.state.commit_behaviour(record);
        self.state.commit_reach(record);
        self.state.watch(record.observed_at);
        let heard = self.state.hear(record);
        let look = Look::new(&self.state, record, heard);
        let facts = self.state.measure(&look, record, told);
        self.stash.fill(&self.state, &look, (&facts, record));
        facts
    }

    /// The facts that [`Trackers::observe`] would give, without any change; but for decoys: whoever may ask must not find
    /// them by asking.
    #[must_use]
    pub fn preview<'a>(&'a self, record: &'a Record) -> Facts<'a> {
        let told = self.state.tell(&self.state.plan(record), record);
        Facts { canary: None, ..self.state.measure(&Look::new(&self.state, record, Heard::Nothing), record, told) }
    }

    /// Brings the record just observed into the statistics.
    pub fn settle(&mut self, settled: Settled) {
        self.state.settle(&mut self.stash, settled);
    }

    /// Rows that changed since the last call: accounts, delegations, agents, each in the order of their names.
    #[must_use]
    pub fn changes(&mut self) -> Vec<LedgerChange> {
        let mut changes = Vec::new();
        self.changes_into(&mut changes);
        changes
    }

    /// As [`Trackers::changes`], into room that is there already.
    pub fn changes_into(&mut self, out: &mut Vec<LedgerChange>) {
        if self.state.dirty.is_empty() {
            return;
        }
        // Only who was seen, most of the time.
        let seen = std::mem::take(&mut self.state.dirty.seen);
        let dirty = if self.state.dirty.is_empty() { None } else { Some(std::mem::take(&mut self.state.dirty)) };
        if let Some(dirty) = &dirty {
            self.state.changed_rows(dirty, out);
        }
        let told = |name: &Sym| dirty.as_ref().is_some_and(|dirty| dirty.agents.contains(name));
        let only_seen = seen.iter().filter(|(name, _)| !told(name));
        out.extend(only_seen.filter_map(|(name, at)| Some(LedgerChange::AgentSeen(name.id()?, *at))));
        self.state.dirty.seen = seen;
        self.state.dirty.seen.clear();
    }

    /// Every row: to rebuild tables.
    pub fn ledger_rows(&self) -> impl Iterator<Item = LedgerChange> {
        self.state.all_rows().into_iter()
    }

    /// Tools whose manifests were shown, by server and name.
    #[must_use]
    pub fn tools(&self) -> Vec<ToolRow> {
        self.state.behaviour.tools()
    }

    /// The same number means that the same tools are known.
    #[must_use]
    pub const fn tools_version(&self) -> u64 {
        self.state.behaviour.tools_version
    }

    /// Names of connections at which something was ever linked, ascending.
    pub fn connections(&self) -> impl Iterator<Item = &str> {
        self.state.accounts.connections()
    }

    /// How much is kept.
    #[must_use]
    pub fn stats(&self) -> TrackerStats {
        let state = &self.state;
        let exchange = &state.exchange;
        TrackerStats {
            accounts: state.accounts.len(),
            accounts_linked: state.accounts.linked_len(),
            authorised_agents: state.chains.agents_len(),
            delegations: state.chains.len(),
            delegations_live: state.chains.live_len(),
            suspended: state.suspended.len(),
            registered: state.registry.len(),
            accepted: state.accounts.accepted_len(),
            agents: exchange.agents.len(),
            agent_users: exchange.agent_users.len(),
            pairs: exchange.pairs.len(),
            tokens: state.tokens.len(),
            apps: state.apps.len(),
            behaviour: state.behaviour.len(),
            evictions: exchange.evictions()
                + state.tokens.evictions()
                + state.apps.evictions()
                + state.behaviour.evictions()
                + state.reach.evictions(),
            armed_evicted: exchange.armed_evicted,
            baselines_evicted: state.reach.baselines_evicted,
            refused_full: state.refused_full,
        }
    }
}

impl State {
    fn new(config: TrackerConfig, catalogue: CatalogueRef) -> Self {
        let (bounds, least) = (config.bounds, config.instruction_from);
        Self {
            config,
            catalogue,
            shared: Shared::default(),
            exchange: ExchangeTracker::new(&bounds),
            accounts: ConnectedAccountTracker::default(),
            chains: DelegationChainTracker::default(),
            tokens: Pool::new(bounds.tokens, bounds.key_share),
            apps: Pool::new(bounds.apps, bounds.key_share),
            suspended: BTreeMap::new(),
            registry: Registry::default(),
            behaviour: BehaviourTracker::new(&bounds, least),
            reach: ReachTracker::new(&bounds),
            refused_full: 0,
            dirty: Dirty::default(),
        }
    }

    pub(crate) fn meaning(&self, connection: &str) -> Meaning<'_> {
        Meaning::new(self.catalogue.as_ref(), connection)
    }
}

//! Rows: the ledger as tables and people see it.

use onesec_telemetry::{AgentId, ConnectionName, Name, ScopeSet, Timestamp, UserId};

use super::{Dirty, State};
use crate::accounts::{Account, Holder};
use crate::chains::Row;
use crate::change::{AccountRow, AgentRow, BaselineRow, DelegationRow, LedgerChange};
use crate::exchange::AgentStats;
use crate::shared::Sym;

impl State {
    pub(super) fn changed_rows(&self, dirty: &Dirty, out: &mut Vec<LedgerChange>) {
        let mut holders: Vec<&Holder> = dirty.holders.iter().filter_map(|&at| self.accounts.holder(at)).collect();
        holders.sort_unstable_by(|a, b| (&a.user, &a.connection).cmp(&(&b.user, &b.connection)));
        let mut delegations: Vec<u32> = dirty.delegations.iter().copied().collect();
        self.chains.sort(&mut delegations);
        let accounts = holders.into_iter().flat_map(|holder| self.account_rows(holder));
        let delegations = delegations.into_iter().filter_map(|at| self.delegation_row(self.chains.row(at)?));
        out.extend(accounts);
        out.extend(delegations);
        out.extend(dirty.agents.iter().filter_map(|name| self.agent_row_of(name)));
        out.extend(dirty.registrations.iter().filter_map(|name| self.registration_row(name)));
    }

    pub(super) fn all_rows(&self) -> Vec<LedgerChange> {
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let mut agents: std::collections::BTreeSet<Sym> =
            self.exchange.agents.iter().map(|agent| agent.name.clone()).collect();
        agents.extend(self.suspended.keys().map(|agent| Sym::lone(agent.as_str())));
        let all = Dirty {
            holders: (0..count(self.accounts.holders().len())).collect(),
            delegations: (0..count(self.chains.rows().len())).collect(),
            agents,
            seen: Vec::new(),
            registrations: self.registry.sorted().iter().map(|known| Sym::lone(known.agent_id.as_str())).collect(),
        };
        let mut rows = Vec::new();
        self.changed_rows(&all, &mut rows);
        rows
    }

    fn registration_row(&self, name: &Sym) -> Option<LedgerChange> {
        let known = self.registry.find(self.shared.seed.of(name), name).cloned();
        Some(LedgerChange::Registration(name.id()?, known))
    }

    fn account_rows(&self, holder: &Holder) -> Vec<LedgerChange> {
        let mut accounts: Vec<&Account> = holder.accounts.iter().collect();
        accounts.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        accounts.into_iter().filter_map(|account| self.account_row(holder, account)).collect()
    }

    fn account_row(&self, holder: &Holder, account: &Account) -> Option<LedgerChange> {
        let linked = holder.linked(account).is_some();
        Some(LedgerChange::Account(AccountRow {
            user_id: holder.user.id()?,
            connection: holder.connection.id()?,
            account_id: account.id.as_ref().and_then(Sym::id),
            state: Name::new(if linked { "linked" } else { "unlinked" }).ok()?,
            scopes: account.scopes.as_deref().cloned(),
            linked_at: account.linked,
            unlinked_at: holder.unlinked(account),
            agents: if linked { self.agents_on(holder, account) } else { Vec::new() },
        }))
    }

    fn agents_on(&self, holder: &Holder, account: &Account) -> Vec<AgentId> {
        let covers = |row: &&Row| {
            let void = holder.unlinked(account).is_some_and(|end| row.created <= end);
            row.covers_account(account.id.as_deref()) && !void
        };
        let rows = holder.alive.iter().filter_map(|&at| self.chains.row(at)).filter(covers);
        let mut agents: Vec<&Sym> = rows.map(|row| &row.agent).collect();
        agents.sort_unstable();
        agents.dedup();
        agents.into_iter().take(MOST_AGENTS).filter_map(Sym::id).collect()
    }

    fn delegation_row(&self, row: &Row) -> Option<LedgerChange> {
        let state = match row.ended {
            Some(_) => "ended",
            None if self.is_live(row) => "live",
            None => "dormant",
        };
        Some(LedgerChange::Delegation(DelegationRow {
            id: row.id.clone(),
            agent_id: row.agent.id()?,
            user_id: row.user.id()?,
            delegated_by: row.by.id()?,
            connection: row.connection.id()?,
            account_id: row.account.as_ref().and_then(Sym::id),
            scopes: row.bound.as_deref().cloned(),
            created_at: row.created,
            expires_at: row.expires,
            parent_id: self.chains.row(row.parent).map(|parent| parent.id.clone()),
            depth: row.depth,
            state: Name::new(state).ok()?,
            ending: row.ended.map(|(how, _)| how),
            ended_at: row.ended.map(|(_, at)| at),
            attested: row.attested,
        }))
    }

    fn agent_row_of(&self, name: &Sym) -> Option<LedgerChange> {
        let suspended = self.suspended.get(&**name).copied();
        let slot = self.exchange.agents.find(self.shared.seed.of(name), |known| known.name == *name);
        let known = slot.and_then(|slot| self.exchange.agents.get(slot));
        let when = known.map(|known| (known.first, known.seen)).or(suspended.map(|at| (at, at)));
        let (first_seen, last_seen) = when.unwrap_or((Timestamp::EPOCH, Timestamp::EPOCH));
        let networks = known.map(networks_of).unwrap_or_default();
        Some(LedgerChange::Agent(AgentRow {
            agent_id: name.id()?,
            state: Name::new(if suspended.is_some() { "suspended" } else { "active" }).ok()?,
            first_seen,
            last_seen,
            connections: known.map(|k| k.connections.iter().filter_map(Sym::id).collect()).unwrap_or_default(),
            networks,
            baselines: self.baseline_rows(name, known),
        }))
    }

    /// The baselines that changed last, and all that people accepted for one user.
    fn baseline_rows(&self, agent: &Sym, known: Option<&AgentStats>) -> Vec<BaselineRow> {
        let mut keys: Vec<(Sym, Sym)> = known.map(|known| known.baselines.to_vec()).unwrap_or_default();
        let accepted = self.accounts.accepted_of(agent).iter().take(MOST_AGENTS);
        keys.extend(accepted.filter_map(|row| Some((row.user.clone()?, row.connection.clone()))));
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().filter_map(|key| self.baseline_row(agent, &key)).collect()
    }

    fn baseline_row(&self, agent: &Sym, (user, connection): &(Sym, Sym)) -> Option<BaselineRow> {
        let seed = &self.shared.seed;
        let holder = self.accounts.find(seed.pair(user, connection), user, connection);
        let void = holder.and_then(|at| self.accounts.holder(at)).and_then(Holder::any_unlinked);
        let hash = seed.triple(agent, user, connection);
        let is = |p: &crate::exchange::Pair| p.agent == *agent && p.user == *user && p.connection == *connection;
        let pair = self.exchange.pairs.find(hash, is).and_then(|slot| self.exchange.pairs.get(slot));
        let mut sides = pair.into_iter().flat_map(|p| p.learned.both()).filter_map(|side| side.valid(void));
        // What was proved is shown; what was only reported, where nothing was proved.
        let side = sides.next();
        let [accepted, _] = self.accounts.accepted(agent, (Some(user), connection), void);
        let set = |scopes: Option<&ScopeSet>| scopes.cloned().unwrap_or_default();
        let accepted = set(accepted);
        let pending = set(side.and_then(|s| s.pending.as_deref()));
        let row = BaselineRow {
            user_id: user.id::<UserId>()?,
            connection: connection.id::<ConnectionName>()?,
            learned: set(side.and_then(|s| s.scopes.as_deref())),
            pending: self.meaning(connection).beyond(&accepted, &pending),
            accepted,
        };
        let empty = row.learned.is_empty() && row.pending.is_empty() && row.accepted.is_empty();
        (!empty).then_some(row)
    }
}

fn networks_of(agent: &AgentStats) -> Vec<Name> {
    let networks = agent.sides.both().flat_map(|side| &side.networks);
    let mut names: Vec<Name> = Vec::new();
    for name in networks.filter_map(|network| Name::new(&network.to_string()).ok()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Most agents that one account's row lists.
const MOST_AGENTS: usize = 1000;

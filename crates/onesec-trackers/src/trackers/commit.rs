//! Carries a plan out. What was checked before is not checked again.

use std::sync::Arc;
use std::time::Duration;

use onesec_telemetry::{AgentId, Record, ScopeSet, Timestamp};

use super::State;
use super::plan::Plan;
use crate::accounts::Accepted;
use crate::chains::{Growth, Row, Wish};
use crate::facts::{Ending, Refusal};
use crate::shared::Key;

impl State {
    pub(super) fn commit(&mut self, plan: Plan<'_>, record: &Record) {
        let at = record.at;
        match plan {
            Plan::None | Plan::Same(..) => {}
            Plan::Refused(_, why) => self.refused_full += u64::from(why == Refusal::LedgerFull),
            Plan::Delegate { wish, rows, attested } => {
                for row in rows {
                    self.delegate(&wish, row, (attested, record.late));
                }
            }
            Plan::Link { user, connection, account, scopes } => {
                let holder = self.accounts.entry(user, connection, &mut self.shared);
                let account = account.map(|account| self.shared.name(account));
                let scopes = scopes.map(|scopes| self.shared.set(scopes));
                self.accounts.link(holder, account, (at, scopes));
                self.touch_holder(holder);
            }
            Plan::Unlink { user, connection, account } => {
                let holder = self.accounts.entry(user, connection, &mut self.shared);
                let account = account.map(|account| self.shared.name(account));
                self.accounts.unlink(holder, account, at);
                self.end_void(holder);
                self.touch_holder(holder);
            }
            Plan::Revoke { cut, ended, mark, .. } => {
                for (row, how) in ended {
                    self.end(row, how, at);
                }
                if mark {
                    self.chains.mark(&cut, at, &self.shared.seed);
                }
            }
            Plan::Suspend(agent) => {
                self.suspended.entry(agent.clone()).or_insert(at);
                self.touch_agent(agent);
            }
            Plan::Resume(agent) => {
                self.suspended.remove(agent);
                self.touch_agent(agent);
            }
            Plan::Register(registration) => {
                self.registry.put(Arc::new(registration.clone()), &self.shared.seed);
                self.touch_registration(&registration.agent_id);
            }
            Plan::Unregister(agent) => {
                self.registry.remove(agent.as_str(), &self.shared.seed);
                self.touch_registration(agent);
            }
            Plan::Accept { agent, user, connection, scopes } => self.accept((agent, user, connection), scopes, at),
        }
    }

    fn accept(&mut self, (agent, user, connection): (&str, Option<&str>, &str), scopes: &ScopeSet, at: Timestamp) {
        let user = user.map(|user| self.shared.name(user));
        let row = Accepted {
            connection: self.shared.name(connection),
            user: user.clone(),
            at,
            scopes: self.shared.set(scopes),
        };
        let agent = self.shared.name(agent);
        if let Some(user) = user {
            self.note_baseline(&agent, (user, row.connection.clone()));
        }
        self.dirty.agents.insert(agent.clone());
        self.accounts.accept(agent, row, &mut self.shared);
    }

    fn delegate(&mut self, wish: &Wish<'_>, growth: Growth, (attested, late): (bool, bool)) {
        let connection = growth.connection.as_str();
        let holder = self.accounts.entry(&growth.user, connection, &mut self.shared);
        let row = Row {
            id: wish.id.as_ref().clone(),
            connection: self.shared.name(connection),
            agent: self.shared.name(wish.agent),
            user: self.shared.name(&growth.user),
            by: self.shared.name(wish.by),
            account: growth.account.map(|account| self.shared.name(&account)),
            bound: growth.bound.map(|bound| self.shared.set(&bound)),
            created: wish.issued,
            expires: growth.expires,
            ended: None,
            content: wish.content,
            depth: growth.depth,
            max_depth: growth.max_depth,
            attested,
            parent: growth.parent,
            first_child: crate::chains::NONE,
            next_sibling: crate::chains::NONE,
            next_alive: crate::chains::NONE,
            holder,
        };
        if !late {
            self.sweep(&row);
        }
        let at = self.chains.add(row, &self.shared.seed);
        if let Some(holder) = self.accounts.holder_mut(holder) {
            holder.alive.push(at);
        }
        self.dirty.delegations.insert(at);
        self.dirty.holders.insert(holder);
    }

    /// Writes the end of older delegations of the same (agent, user, connection) whose time was over long ago, so
    /// that those who delegate every hour do not make every exchange look at all of them.
    fn sweep(&mut self, new: &Row) {
        let key = [&*new.agent, &*new.user, &*new.connection];
        let hash = self.shared.seed.triple(key[0], key[1], key[2]);
        let Some((alive, _)) = self.chains.grants(hash, &Key::new(key)) else { return };
        let long_over =
            |(at, row): (u32, &Row)| row.expires.filter(|&end| end + DISORDER < new.created).map(|end| (at, end));
        let over: Vec<(u32, Timestamp)> = alive.filter_map(long_over).collect();
        for (at, end) in over {
            // What hangs below cannot have lasted longer.
            for below in self.chains.below(at) {
                let own = self.chains.row(below).and_then(|row| row.expires);
                self.end(below, Ending::Expired, own.unwrap_or(end));
            }
            self.end(at, Ending::Expired, end);
        }
    }

    /// Ends what the last unlink made void, and all that hangs below.
    fn end_void(&mut self, holder: u32) {
        let Some(known) = self.accounts.holder(holder) else { return };
        let void = |at: &u32| {
            let row = self.chains.row(*at)?;
            known.void_since(row.account.as_deref(), row.created).map(|end| (*at, end))
        };
        let void: Vec<(u32, Timestamp)> = known.alive.iter().filter_map(void).collect();
        for &(at, end) in &void {
            self.end(at, Ending::Unlinked, end);
        }
        for (at, end) in void {
            for below in self.chains.below(at) {
                self.end(below, Ending::ParentEnded, end);
            }
        }
    }

    fn end(&mut self, at: u32, how: Ending, time: Timestamp) {
        let Some(row) = self.chains.row(at) else { return };
        let holder_at = row.holder;
        self.chains.end(at, (how, time), &self.shared.seed);
        if let Some(holder) = self.accounts.holder_mut(holder_at) {
            holder.alive.retain(|other| *other != at);
        }
        self.dirty.delegations.insert(at);
        self.dirty.holders.insert(holder_at);
    }

    /// The account's rows changed, and perhaps whether its delegations are dormant.
    fn touch_holder(&mut self, at: u32) {
        self.dirty.holders.insert(at);
        let alive = self.accounts.holder(at).map_or(&[][..], |holder| &holder.alive);
        self.dirty.delegations.extend(alive.iter().copied());
    }

    fn touch_registration(&mut self, agent: &AgentId) {
        let name = self.shared.name(agent.as_str());
        self.dirty.registrations.insert(name);
    }

    fn touch_agent(&mut self, agent: &AgentId) {
        let name = self.shared.name(agent.as_str());
        self.dirty.agents.insert(name);
    }
}

/// How far apart records may come out of order.
const DISORDER: Duration = Duration::from_secs(120);

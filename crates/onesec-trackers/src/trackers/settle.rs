//! What a record leaves in the statistics, once it is known what became of it.

use std::time::Duration;

use compact_str::CompactString;

use super::look::Act;
use super::stash::Stash;
use super::{Settled, State};
use crate::exchange::{AgentStats, AgentUser, JOIN_WITHIN, Join, Pair, Root, Skeleton, View, within};
use crate::shared::{Sym, stable_hash};
use crate::tokens::{App, Token};
use crate::window::Class;

impl State {
    pub(super) fn settle(&mut self, stash: &mut Stash, settled: Settled) {
        if !std::mem::replace(&mut stash.open, false) {
            return;
        }
        if stash.tells_lost {
            self.reach.lost = None;
        }
        let before = (self.exchange.armed_evicted, self.reach.baselines_evicted);
        self.settle_all(stash, settled);
        self.note_lost(before, stash);
    }

    fn settle_all(&mut self, stash: &mut Stash, settled: Settled) {
        if let Some(deed) = stash.deed.take() {
            self.settle_behaviour(*deed, settled);
        }
        if !stash.app.is_empty() && settled != Settled::Refused {
            self.settle_grant(stash);
        }
        if stash.agent.is_empty() {
            return;
        }
        let slot = self.settle_agent(stash, settled);
        self.settle_reach(stash, settled, slot);
        if stash.view.is_some_and(View::counts) {
            self.settle_user(stash, settled);
            self.settle_root(stash, settled);
        }
        if settled != Settled::Refused {
            self.settle_view(stash);
            self.settle_issued(stash);
        }
        self.settle_baseline(stash, settled);
    }

    fn settle_agent(&mut self, stash: &mut Stash, settled: Settled) -> u32 {
        let slot = stash.agent_slot.unwrap_or_else(|| self.add_agent(stash));
        self.register(stash, slot);
        let limit = self.config.exchange_rate;
        let passed = settled != Settled::Refused;
        let Some(agent) = self.exchange.agents.get_mut(slot) else { return slot };
        let counts = stash.view.is_some_and(View::counts);
        agent.seen = agent.seen.max(stash.at);
        let mut changed = stash.agent_slot.is_none();
        let side = agent.sides.get_mut(stash.class);
        side.first = side.first.or(Some(stash.at));
        if passed && stash.acts {
            side.last = side.last.max(Some(stash.at));
        }
        if counts {
            side.window.settle(stash.at, stash.over_agent, passed.then_some(&limit));
        }
        if let Some(network) = stash.network.filter(|_| passed) {
            changed |= side.add_network(network);
        }
        if passed && stash.act == Act::Ask && !stash.connection.is_empty() {
            changed |= agent.add_connection(&stash.connection, &mut self.shared);
        }
        if changed {
            agent.shown = agent.seen;
            self.dirty.agents.insert(agent.name.clone());
        } else if agent.seen.since(agent.shown) >= SHOW_EVERY {
            agent.shown = agent.seen;
            self.dirty.seen.push((agent.name.clone(), agent.seen));
        }
        slot
    }

    fn add_agent(&mut self, stash: &mut Stash) -> u32 {
        let owner = stash.owner(self);
        let name = self.shared.name(&stash.agent);
        let mut agent = AgentStats::new(name, stash.at);
        agent.confusable = stash.confusable.take().map(|other| self.shared.name(&other));
        let (slot, gone) = self.exchange.agents.insert(stash.agent_hash, owner, agent);
        self.exchange.armed_evicted += u64::from(gone.is_some_and(|gone| gone.is_armed()));
        slot
    }

    /// Lets the agent's id take part in telling look-alikes: once, and never on mere hearsay.
    fn register(&mut self, stash: &Stash, slot: u32) {
        if stash.class == Class::Reported && !stash.trusted {
            return;
        }
        let Some(agent) = self.exchange.agents.get_mut(slot) else { return };
        if std::mem::replace(&mut agent.registered, true) {
            return;
        }
        let name = agent.name.clone();
        let skeleton = onesec_telemetry::id::confusable_skeleton(&name);
        let hash = self.shared.seed.of(&skeleton);
        let first = self.exchange.skeletons.find(hash, |known| known.is(&skeleton));
        let first = first.and_then(|slot| self.exchange.skeletons.get(slot)).map(|known| known.agent.clone());
        if let Some(first) = first {
            if let Some(agent) = self.exchange.agents.get_mut(slot).filter(|_| first != name) {
                agent.confusable = Some(first);
            }
        } else {
            let owner = stash.owner(self);
            self.exchange.skeletons.insert(hash, owner, Skeleton { agent: name });
        }
    }

    fn settle_user(&mut self, stash: &Stash, settled: Settled) {
        let passed = settled != Settled::Refused;
        if stash.user.is_empty() || (stash.agent_user.is_none() && !passed && !stash.over_user) {
            return;
        }
        let slot = stash.agent_user.unwrap_or_else(|| {
            let owner = stash.owner(self);
            let (agent, user) = (self.shared.name(&stash.agent), self.shared.name(&stash.user));
            let new = AgentUser { agent, user, windows: crate::window::Split::default() };
            let (slot, gone) = self.exchange.agent_users.insert(stash.agent_user_hash, owner, new);
            self.exchange.armed_evicted += u64::from(gone.is_some_and(|gone| gone.windows.is_armed()));
            slot
        });
        let limit = self.config.exchange_rate;
        if let Some(known) = self.exchange.agent_users.get_mut(slot) {
            known.windows.get_mut(stash.class).settle(stash.at, stash.over_user, passed.then_some(&limit));
        }
    }

    fn settle_root(&mut self, stash: &Stash, settled: Settled) {
        let passed = settled != Settled::Refused;
        if stash.root.is_empty() {
            return;
        }
        let hash = self.shared.seed.of(&stash.root);
        let slot = self.exchange.roots.find(hash, |known| *known.agent == *stash.root).unwrap_or_else(|| {
            let owner = stash.owner(self);
            let new = Root { agent: self.shared.name(&stash.root), windows: crate::window::Split::default() };
            let (slot, gone) = self.exchange.roots.insert(hash, owner, new);
            self.exchange.armed_evicted += u64::from(gone.is_some_and(|gone| gone.windows.is_armed()));
            slot
        });
        let limit = self.config.exchange_rate;
        if let Some(root) = self.exchange.roots.get_mut(slot) {
            root.windows.get_mut(stash.class).settle(stash.at, stash.over_root, passed.then_some(&limit));
        }
    }

    fn settle_view(&mut self, stash: &Stash) {
        match stash.view {
            Some(View::First { bit }) => {
                let key = stash.owner(self);
                let name = |text: &str, state: &mut Self| state.shared.name(text);
                let user = (!stash.user.is_empty()).then(|| name(&stash.user, self));
                let join = Join {
                    exchange: CompactString::from(stash.exchange.as_str()),
                    key: key.clone(),
                    gateway: stash.gateway,
                    agent: name(&stash.agent, self),
                    user,
                    connection: name(&stash.connection, self),
                    at: stash.at,
                    views: bit,
                };
                let hash = crate::pool::Entry::hash(&join, &self.shared.seed);
                let joins = &mut self.exchange.joins;
                joins.shed(&key, |old| old.at + JOIN_WITHIN + DISORDER < stash.at);
                joins.insert(hash, key, join);
            }
            Some(View::Again { slot, bit }) => {
                if let Some(join) = self.exchange.joins.get_mut(slot) {
                    (join.at, join.views) = (stash.at, bit);
                }
            }
            Some(View::Joined { slot, bit }) => {
                if let Some(join) = self.exchange.joins.get_mut(slot).filter(|join| within(join.at, stash.at)) {
                    join.views |= bit;
                }
            }
            Some(View::Alone | View::None) | None => {}
        }
    }

    /// Remembers whom the token was issued to, and until when it can be used.
    fn settle_issued(&mut self, stash: &mut Stash) {
        if let Some(thumbprint) = stash.token {
            let hash = self.shared.seed.of_bytes(thumbprint.as_bytes());
            let agent = self.shared.name(&stash.agent);
            let slot = self.tokens.find(hash, |known| known.thumbprint == thumbprint).unwrap_or_else(|| {
                let owner = stash.owner(self);
                self.tokens.insert(hash, owner, Token { thumbprint, holders: Vec::new() }).0
            });
            if let Some(token) = self.tokens.get_mut(slot) {
                token.issue(agent, stash.at, stash.token_until);
            }
        }
        if stash.class == Class::Reported && !stash.trusted {
            // Hearsay about tokens must not make an honest exchange look like one too many.
            return;
        }
        let counts = stash.view.is_some_and(View::counts);
        if stash.token_until.is_none() && (stash.pair.is_none() || !counts) {
            return;
        }
        let Some(pair) = self.pair_of(stash).and_then(|slot| self.exchange.pairs.get_mut(slot)) else { return };
        let held = pair.token_until.is_some_and(|until| until > stash.at);
        if !held {
            pair.while_held = 0;
        } else if counts {
            pair.while_held = pair.while_held.saturating_add(1);
        }
        pair.token_until = pair.token_until.max(stash.token_until);
    }

    fn settle_baseline(&mut self, stash: &mut Stash, settled: Settled) {
        let learn = stash.learn.take().filter(|_| settled == Settled::Passed);
        if stash.user.is_empty() || (stash.pending.is_empty() && learn.is_none()) {
            return;
        }
        let Some(slot) = self.pair_of(stash) else { return };
        let pending = std::mem::take(&mut stash.pending);
        let Some(pair) = self.exchange.pairs.get_mut(slot) else { return };
        let key = (pair.agent.clone(), (pair.user.clone(), pair.connection.clone()));
        let side = pair.learned.get_mut(stash.class);
        if !side.open(stash.at, stash.void) {
            return;
        }
        let mut changed = false;
        if let Some(learn) = learn.filter(|_| side.scopes.is_none()) {
            side.scopes = Some(self.shared.set(&learn));
            changed = true;
        }
        let before = side.pending.as_deref();
        if pending.iter().any(|scope| before.is_none_or(|before| !before.contains(scope))) {
            let all = before.map_or_else(|| pending.clone(), |before| before.union(&pending));
            if all.len() <= onesec_telemetry::limits::MAX_SCOPES {
                side.pending = Some(self.shared.set(&all));
                changed = true;
            }
        }
        if changed {
            self.note_baseline(&key.0, key.1);
        }
    }

    /// Remembers, for people, that a baseline of `agent` changed.
    pub(super) fn note_baseline(&mut self, agent: &Sym, key: (Sym, Sym)) {
        let hash = self.shared.seed.of(agent);
        let slot = self.exchange.agents.find(hash, |known| known.name == *agent);
        if let Some(known) = slot.and_then(|slot| self.exchange.agents.get_mut(slot)) {
            known.add_baseline(key);
            self.dirty.agents.insert(agent.clone());
        }
    }

    fn pair_of(&mut self, stash: &mut Stash) -> Option<u32> {
        if stash.pair.is_some() || stash.user.is_empty() || stash.connection.is_empty() {
            return stash.pair;
        }
        let owner = stash.owner(self);
        let name = |text: &str, state: &mut Self| state.shared.name(text);
        let (agent, user) = (name(&stash.agent, self), name(&stash.user, self));
        let new = Pair::new(agent, user, name(&stash.connection, self));
        let (slot, gone) = self.exchange.pairs.insert(stash.pair_hash, owner, new);
        if let Some(gone) = gone.filter(Pair::has_baseline) {
            self.exchange.evicted.mark(stable_hash(&[&gone.agent, &gone.user, &gone.connection]));
            self.reach.baselines_evicted += 1;
        }
        stash.pair = Some(slot);
        stash.pair
    }

    fn settle_grant(&mut self, stash: &Stash) {
        let hash = self.shared.seed.of(&stash.app);
        let user = self.shared.name(&stash.user);
        let slot = self.apps.find(hash, |known| *known.id == *stash.app).unwrap_or_else(|| {
            let owner = stash.owner(self);
            let new = App { id: self.shared.name(&stash.app), verified: false, users: crate::window::Split::default() };
            self.apps.insert(hash, owner, new).0
        });
        let window = self.config.consent_window;
        if let Some(app) = self.apps.get_mut(slot) {
            app.verified = stash.verified.unwrap_or(app.verified);
            let class = if stash.trusted { Class::Proved } else { stash.class };
            app.grant(user, (stash.at, class), window);
        }
    }
}

/// How often a row shows that an agent is still there.
const SHOW_EVERY: Duration = Duration::from_secs(60);
/// How far apart records may come out of order.
const DISORDER: Duration = Duration::from_secs(120);

//! What a record leaves in the behaviour of its agent, once it is known what became of it.

use compact_str::CompactString;
use onesec_telemetry::{EventId, TextSignals};

use super::deed::{Deed, Spawned};
use super::lineage::Parent;
use super::memory::{self, NewPiece, Piece};
use super::taint::{Poison, Taint};
use crate::pool::Owner;
use crate::trackers::{Settled, State};
use crate::window::Class;

impl Deed {
    /// The sending key: whose quota a new entry counts against.
    fn owner(&self, state: &mut State) -> Owner {
        self.owner.as_ref().map(|key| state.shared.name(key))
    }
}

impl State {
    pub(crate) fn settle_behaviour(&mut self, deed: Deed, settled: Settled) {
        // What was refused has not happened: nothing was taken in, remembered or learned.
        if settled == Settled::Refused {
            return;
        }
        if let Some(spawned) = &deed.spawned {
            self.settle_spawn(&deed, spawned);
        }
        if deed.act.is_some() {
            self.settle_act(&deed, settled == Settled::Passed);
        }
        if let Some(dose) = &deed.dose {
            self.taint(&deed, |taint| taint.take(dose));
        }
        if let Some(poison) = &deed.read {
            self.taint(&deed, |taint| taint.read((**poison).clone(), (deed.at, &deed.event)));
        }
        if let Some(piece) = &deed.write {
            self.settle_write(&deed, piece);
        }
        self.settle_others(&deed);
        if let Some((to, authority)) = &deed.tells {
            let to = CompactString::from(to.as_str());
            self.pass_on(&deed, (&to, *authority));
        }
    }

    fn settle_others(&mut self, deed: &Deed) {
        let owner = deed.owner(self);
        if !deed.shown.is_empty() {
            let (class, authority) = deed.shown_by;
            self.settle_manifests(&deed.shown, (class, authority, &deed.event), owner.clone());
        }
        if let Some(message) = &deed.message {
            self.settle_message(message, (deed.class, &deed.event), owner.clone());
        }
        if let Some(agent) = deed.agent.as_ref().filter(|_| !deed.shares.is_empty()) {
            self.settle_spread(&deed.shares, (agent, deed.class, deed.at), &owner);
        }
        if let Some(decision) = &deed.decision {
            self.settle_decision(decision, owner.clone());
        }
        if let Some(trade) = &deed.trade {
            self.settle_trade(trade, (deed.agent.as_deref(), deed.class), &owner);
        }
    }

    fn conduct_of(&mut self, deed: &Deed, agent: &str) -> u32 {
        let owner = deed.owner(self);
        self.conduct_slot(agent, &owner)
    }

    fn settle_act(&mut self, deed: &Deed, teaches: bool) {
        let (Some(agent), Some(act)) = (&deed.agent, &deed.act) else { return };
        let slot = self.conduct_of(deed, agent);
        let tool = act.tool.as_ref().map(|tool| self.shared.name(tool));
        if let Some(conduct) = self.behaviour.agents.get_mut(slot) {
            conduct.habits.get_mut(deed.class).note(act, tool, teaches);
        }
        if !act.told {
            self.taint(deed, |taint| taint.step(deed.at, &deed.event, act.sensitive));
        }
    }

    /// Changes the taint of the agent and of its task.
    fn taint(&mut self, deed: &Deed, change: impl Fn(&mut Taint)) {
        if let Some(agent) = &deed.agent {
            let slot = self.conduct_of(deed, agent);
            if let Some(conduct) = self.behaviour.agents.get_mut(slot) {
                change(conduct.taint.get_mut(deed.class));
            }
        }
        let slot = deed.task.as_ref().and_then(|task| self.task_slot(task));
        if let Some(task) = slot.and_then(|slot| self.behaviour.tasks.get_mut(slot)) {
            change(task.taint.get_mut(deed.class));
        }
    }

    fn settle_write(&mut self, deed: &Deed, new: &NewPiece) {
        let Some(agent) = &deed.agent else { return };
        let poison = new.poison.map(|signals| self.poison(deed, (agent, &new.key), signals));
        self.put_piece(deed, (&new.space, new), poison.clone());
        if new.space == memory::SHARED {
            return;
        }
        // Whatever a write calls itself: what somebody else reads under its key may be it.
        let marked = self.piece(memory::SHARED, &new.key).and_then(|piece| piece.poison.as_deref());
        let own_mark = marked.is_some_and(|mark| *mark.writer == **agent);
        if poison.is_some() || own_mark {
            self.put_piece(deed, (memory::SHARED, new), poison);
        }
    }

    fn put_piece(&mut self, deed: &Deed, (space, new): (&str, &NewPiece), poison: Option<Poison>) {
        let proved = deed.class == Class::Proved;
        let hash = self.shared.seed.pair(space, &new.key);
        let found = self.behaviour.memory.find(hash, |known| *known.space == *space && *known.key == *new.key);
        let piece = Piece {
            space: self.shared.name(space),
            key: self.shared.name(&new.key),
            proved,
            at: deed.at,
            poison: poison.map(Box::new),
            from: new.from.clone(),
        };
        let owner = deed.owner(self);
        match found.and_then(|slot| self.behaviour.memory.get_mut(slot)) {
            // Hearsay does not clean what was seen, and what has no key does not clean what was written without one.
            Some(old)
                if (old.proved && !proved) || (&*old.key == "*" && old.poison.is_some() && piece.poison.is_none()) => {}
            Some(old) => *old = piece,
            None => {
                let (_, gone) = self.behaviour.memory.insert(hash, owner, piece);
                self.behaviour.note_gone(gone, |piece, _| piece.poison.is_some());
            }
        }
    }

    fn poison(&mut self, deed: &Deed, (agent, key): (&str, &str), signals: TextSignals) -> Poison {
        let writer = self.shared.name(agent);
        let user = deed.user.as_ref().map(|user| self.shared.name(user));
        let task = deed.task.as_ref().map(|task| self.shared.name(task));
        let mark: (EventId, _) = (deed.event.clone(), deed.at);
        Poison::new(mark, (writer, user, task), (CompactString::from(key), signals))
    }

    /// What one agent was told by another, or got from its parent, it was told by whoever told that one.
    fn pass_on(&mut self, deed: &Deed, (to, authority): (&str, bool)) {
        let Some(from) = &deed.agent else { return };
        // Whom it told is its own word, and about the other no more than hearsay.
        let class = if authority { Class::Proved } else { Class::Reported };
        self.inherit((deed, class), from, to);
    }

    fn inherit(&mut self, (deed, class): (&Deed, Class), from: &str, to: &str) {
        let hash = self.shared.seed.of(from);
        let found = self.behaviour.agents.find(hash, |known| *known.agent == *from);
        let Some(source) = found.and_then(|slot| self.behaviour.agents.get(slot)) else { return };
        let proved = source.taint.get(Class::Proved).cloned().unwrap_or_default();
        let reported = source.taint.get(Class::Reported).cloned();
        let slot = self.conduct_of(deed, to);
        let Some(conduct) = self.behaviour.agents.get_mut(slot) else { return };
        conduct.taint.get_mut(class).inherit(&proved);
        if let Some(reported) = reported {
            conduct.taint.get_mut(Class::Reported).inherit(&reported);
        }
    }

    fn settle_spawn(&mut self, deed: &Deed, spawned: &Spawned) {
        let Some(agent) = &deed.agent else { return };
        let owner = deed.owner(self);
        let parent = spawned.parent.as_str();
        // That it multiplies is the parent's own word; where a child comes from, somebody else's.
        let class = if spawned.by_parent { Class::Proved } else { deed.class };
        self.multiply(parent, (class, deed.at), &owner);
        let came = Parent { agent: self.shared.name(parent), vouched: spawned.vouched };
        let slot = self.born_slot(agent, &owner);
        if let Some(born) = self.behaviour.born.get_mut(slot) {
            let known = born.parent.get_mut(deed.class);
            if came.outweighs(known.as_ref()) {
                *known = Some(came);
            }
            // It may live again where somebody with authority says so.
            if spawned.authority {
                born.stopped = None;
            }
        }
        self.inherit((deed, deed.class), parent, agent);
    }
}

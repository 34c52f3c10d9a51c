//! Messages between agents: which came before, and how the two speak with each other.

use compact_str::CompactString;
use onesec_telemetry::event::AgentMessage;
use onesec_telemetry::{Details, EventId, Name, Record};
use serde::{Deserialize, Serialize};

use super::measure::Who;
use crate::facts::{AgentFacts, MessageFacts};
use crate::pool::Entry;
use crate::shared::{Seed, Sym, both};
use crate::trackers::State;
use crate::window::Class;

/// A message that was reported.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    id: Sym,
    from: Sym,
    to: Sym,
    event: EventId,
    proved: bool,
    /// Keys that reported it: the two ends may both do so, each once.
    keys: Vec<Option<Sym>>,
}

/// How two agents speak with each other.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pairing {
    from: Sym,
    to: Sym,
    signed: bool,
    protocol: Option<Sym>,
}

/// What a message leaves behind.
#[derive(Debug)]
pub(crate) struct NewMessage {
    id: CompactString,
    from: CompactString,
    to: CompactString,
    signed: bool,
    protocol: Option<CompactString>,
}

impl NewMessage {
    pub(crate) fn of(record: &Record) -> Option<Self> {
        let Details::AgentMessage(d) = &record.event()?.details else { return None };
        Some(Self {
            id: CompactString::from(d.message_id.as_str()),
            from: CompactString::from(d.from_agent.as_str()),
            to: CompactString::from(d.to_agent.as_str()),
            signed: signature(record, d) == Some(true),
            protocol: d.protocol.as_ref().map(|protocol| CompactString::from(protocol.as_str())),
        })
    }
}

/// What is known of the signature: that it is good, only on the word of somebody with authority.
fn signature(record: &Record, d: &AgentMessage) -> Option<bool> {
    d.signature_valid.filter(|valid| !valid || record.has_authority())
}

impl State {
    pub(crate) fn message_facts<'a>(
        &'a self,
        who: Who<'_>,
        record: &Record,
        agent: Option<&AgentFacts<'a>>,
    ) -> Option<MessageFacts<'a>> {
        let Details::AgentMessage(d) = &record.event()?.details else { return None };
        let known = self.message(d.message_id.as_str(), who.class);
        let same = known.filter(|known| *known.from == *d.from_agent.as_str() && *known.to == *d.to_agent.as_str());
        let key = record.sender.key.as_ref().map(AsRef::as_ref);
        let again = |known: &&Message| known.keys.iter().any(|k| k.as_deref() == key);
        let pairing = self.pairing(d.from_agent.as_str(), d.to_agent.as_str());
        let spoke = pairing.and_then(|pairing| pairing.protocol.as_deref());
        let bound = record.sender.agent.as_ref();
        Some(MessageFacts {
            signature: signature(record, d),
            signed_before: pairing.is_some_and(|pairing| pairing.signed),
            replayed: same.filter(again).map(|known| &known.event),
            rerouted: known.filter(|_| same.is_none()).map(|known| &known.event),
            protocol_changed: spoke.zip(d.protocol.as_ref().map(Name::as_str)).is_some_and(|(was, is)| was != is),
            spoofed: bound.is_some_and(|bound| *bound != d.from_agent && *bound != d.to_agent),
            tainted: false,
            confusable_with: agent.and_then(|agent| agent.confusable_with),
        })
    }

    /// What was proved, and for hearsay what was merely said. They are kept apart: who says it first must not hide it.
    fn message(&self, id: &str, class: Class) -> Option<&Message> {
        let of = |proved: bool| {
            let hash = hash(&self.shared.seed, id, proved);
            let slot = self.behaviour.messages.find(hash, |known| *known.id == *id && known.proved == proved)?;
            self.behaviour.messages.get(slot)
        };
        of(true).or_else(|| if class == Class::Reported { of(false) } else { None })
    }

    fn pairing(&self, from: &str, to: &str) -> Option<&Pairing> {
        let is = |known: &Pairing| *known.from == *from && *known.to == *to;
        let slot = self.behaviour.pairings.find(self.shared.seed.pair(from, to), is)?;
        self.behaviour.pairings.get(slot)
    }

    pub(crate) fn settle_message(&mut self, new: &NewMessage, by: (Class, &EventId), owner: Option<Sym>) {
        let (class, event) = by;
        let proved = class == Class::Proved;
        let hash = hash(&self.shared.seed, &new.id, proved);
        match self.behaviour.messages.find(hash, |known| *known.id == *new.id && known.proved == proved) {
            Some(slot) => {
                if let Some(known) = self.behaviour.messages.get_mut(slot)
                    && known.keys.len() < MOST_KEYS
                    && !known.keys.contains(&owner)
                {
                    known.keys.push(owner.clone());
                }
            }
            None => {
                let message = Message {
                    id: self.shared.name(&new.id),
                    from: self.shared.name(&new.from),
                    to: self.shared.name(&new.to),
                    event: event.clone(),
                    proved,
                    keys: vec![owner.clone()],
                };
                self.behaviour.messages.insert(hash, owner.clone(), message);
            }
        }
        // How two agents speak is learned from what has authority or was seen.
        if class == Class::Proved || new.signed {
            self.settle_pairing(new, owner);
        }
    }

    fn settle_pairing(&mut self, new: &NewMessage, owner: Option<Sym>) {
        let hash = self.shared.seed.pair(&new.from, &new.to);
        let protocol = new.protocol.as_ref().map(|protocol| self.shared.name(protocol));
        let is = |known: &Pairing| *known.from == *new.from && *known.to == *new.to;
        match self.behaviour.pairings.find(hash, is).and_then(|slot| self.behaviour.pairings.get_mut(slot)) {
            Some(known) => {
                known.signed |= new.signed;
                known.protocol = known.protocol.take().or(protocol);
            }
            None => {
                let (from, to) = (self.shared.name(&new.from), self.shared.name(&new.to));
                let pairing = Pairing { from, to, signed: new.signed, protocol };
                self.behaviour.pairings.insert(hash, owner, pairing);
            }
        }
    }
}

fn hash(seed: &Seed, id: &str, proved: bool) -> u64 {
    both(seed.of(id), u64::from(proved))
}

impl Entry for Message {
    fn hash(&self, seed: &Seed) -> u64 {
        hash(seed, &self.id, self.proved)
    }
}

impl Entry for Pairing {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.pair(&self.from, &self.to)
    }
}

/// Keys that may report one message.
const MOST_KEYS: usize = 4;

//! Who came from whom: spawned agents, the parents that vouch for them, and how fast they multiply.

use std::time::Duration;

use onesec_telemetry::{Details, Record, Timestamp};
use serde::{Deserialize, Serialize};

use super::measure::Who;
use crate::facts::LineageFacts;
use crate::pool::{Entry, Pool};
use crate::shared::{Seed, Sym};
use crate::trackers::State;
use crate::window::{Class, Split};

/// An agent that was spawned, that spawned others, or that ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Born {
    pub(crate) agent: Sym,
    pub(crate) parent: Split<Option<Parent>>,
    /// Somebody with authority said that it ended.
    pub(crate) stopped: Option<Timestamp>,
    pub(crate) brood: Split<Brood>,
}

/// From whom an agent came.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Parent {
    pub(crate) agent: Sym,
    /// The parent itself or somebody with authority says so.
    pub(crate) vouched: bool,
}

impl Parent {
    /// Whether it may take the place of `old`: what counts for more is not replaced by what counts for less.
    pub(crate) fn outweighs(&self, old: Option<&Self>) -> bool {
        old.is_none_or(|old| self.vouched || !old.vouched)
    }
}

/// When children came, and anything below; newest last.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Brood {
    children: Vec<Timestamp>,
    below: Vec<Timestamp>,
}

impl Born {
    pub(crate) fn new(agent: Sym) -> Self {
        Self { agent, parent: Split::default(), stopped: None, brood: Split::default() }
    }
}

impl Brood {
    pub(crate) fn child(&mut self, at: Timestamp) {
        push(&mut self.children, at);
    }

    pub(crate) fn descendant(&mut self, at: Timestamp) {
        push(&mut self.below, at);
    }
}

fn push(times: &mut Vec<Timestamp>, at: Timestamp) {
    times.retain(|time| at.since(*time) < WITHIN);
    if times.len() < MOST_TIMES {
        times.push(at);
    }
}

/// Finds an agent.
fn find<'a>(born: &'a Pool<Born>, seed: &Seed, agent: &str) -> Option<&'a Born> {
    let slot = born.find(seed.of(agent), |known| *known.agent == *agent)?;
    born.get(slot)
}

/// Those above an agent, nearest first; at most 16, so that a cycle ends.
pub(crate) fn above<'a>(
    born: &'a Pool<Born>,
    seed: &'a Seed,
    (agent, class): (&str, Class),
) -> impl Iterator<Item = &'a Parent> + use<'a> {
    let mut next = find(born, seed, agent);
    std::iter::from_fn(move || {
        let said = &next?.parent;
        let proved = said.get(Class::Proved).and_then(Option::as_ref);
        let reported = said.get(Class::Reported).and_then(Option::as_ref).filter(|_| class == Class::Reported);
        let parent = proved.or(reported)?;
        next = find(born, seed, &parent.agent);
        Some(parent)
    })
    .take(MOST_ABOVE)
}

impl State {
    /// When the agent was said to have ended.
    pub(crate) fn stopped(&self, who: Who<'_>) -> Option<Timestamp> {
        let (agent, born) = (who.agent?.as_str(), &self.behaviour.born);
        if born.len() == 0 {
            return None;
        }
        let slot = born.find(who.hash, |known| *known.agent == *agent)?;
        born.get(slot)?.stopped
    }

    pub(crate) fn lineage_facts<'a>(&'a self, who: Who<'a>, record: &'a Record) -> Option<LineageFacts<'a>> {
        let agent = who.agent?.as_str();
        let (born, seed) = (&self.behaviour.born, &self.shared.seed);
        let stopped = self.stopped(who);
        let Some(Details::AgentSpawn(spawn)) = record.event().map(|event| &event.details) else {
            return stopped.map(|at| LineageFacts { stopped: Some(at), ..LineageFacts::default() });
        };
        let known = above(born, seed, (agent, who.class)).next().map(|parent| &*parent.agent);
        let only_stopped = || stopped.map(|at| LineageFacts { stopped: Some(at), ..LineageFacts::default() });
        let Some(parent) = spawn.parent_id.as_ref().map(AsRef::as_ref).or(known) else { return only_stopped() };
        let over: Vec<&str> = above(born, seed, (parent, who.class)).map(|above| &*above.agent).collect();
        let cycle = parent == agent || over.contains(&agent);
        let root = over.last().copied().unwrap_or(parent);
        let within = |times: &[Timestamp]| {
            let near = times.iter().filter(|time| record.at.since(**time) < WITHIN).count();
            u32::try_from(near + 1).unwrap_or(u32::MAX)
        };
        let brood = |name: &str| find(born, seed, name).and_then(|born| born.brood.get(who.class));
        Some(LineageFacts {
            parent: Some(parent),
            depth: u8::try_from(over.len() + 1).unwrap_or(u8::MAX),
            cycle,
            siblings: brood(parent).map_or(1, |brood| within(&brood.children)),
            swarm: brood(root).map_or(1, |brood| within(&brood.below)),
            stopped,
        })
    }

    /// The parent has a child more, and so have all above it.
    pub(crate) fn multiply(&mut self, parent: &str, (class, at): (Class, Timestamp), owner: &Option<Sym>) {
        let slot = self.born_slot(parent, owner);
        if let Some(born) = self.behaviour.born.get_mut(slot) {
            born.brood.get_mut(class).child(at);
        }
        let over: Vec<Sym> =
            above(&self.behaviour.born, &self.shared.seed, (parent, class)).map(|above| above.agent.clone()).collect();
        let root = over.last().map_or_else(|| parent.to_owned(), |root| root.to_string());
        let slot = self.born_slot(&root, owner);
        if let Some(born) = self.behaviour.born.get_mut(slot) {
            born.brood.get_mut(class).descendant(at);
        }
    }

    /// The agent's entry, made where there is none.
    pub(crate) fn born_slot(&mut self, agent: &str, owner: &Option<Sym>) -> u32 {
        let hash = self.shared.seed.of(agent);
        let found = self.behaviour.born.find(hash, |known| *known.agent == *agent);
        found.unwrap_or_else(|| {
            let born = Born::new(self.shared.name(agent));
            self.behaviour.born.insert(hash, owner.clone(), born).0
        })
    }
}

impl Entry for Born {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.of(&self.agent)
    }
}

/// Children that come within this are counted together.
const WITHIN: Duration = Duration::from_secs(300);
/// Times that are remembered.
const MOST_TIMES: usize = 64;
/// Generations that are looked at.
const MOST_ABOVE: usize = 16;

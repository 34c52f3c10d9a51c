//! Who came from whom: spawned agents, the parents that vouch for them, and how fast they multiply.

use std::time::Duration;

use onesec_telemetry::{Details, Record, Timestamp};
use serde::{Deserialize, Serialize};

use super::measure::Who;
use crate::facts::LineageFacts;
use crate::pool::{Entry, Pool};
use crate::shared::{Seed, Shared, Sym};
use crate::trackers::State;
use crate::window::{Class, Split};

/// An agent that was spawned, that spawned others, or that ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Born {
    pub(crate) agent: Sym,
    /// Its parent, and whether the parent itself or somebody with authority says so.
    pub(crate) parent: Option<(Sym, bool)>,
    /// Somebody with authority said that it ended.
    pub(crate) stopped: Option<Timestamp>,
    pub(crate) brood: Split<Brood>,
}

/// When children came, and anything below; newest last.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Brood {
    children: Vec<Timestamp>,
    below: Vec<Timestamp>,
}

impl Born {
    pub(crate) fn new(agent: Sym) -> Self {
        Self { agent, parent: None, stopped: None, brood: Split::default() }
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
    agent: &str,
) -> impl Iterator<Item = (&'a Sym, bool)> + use<'a> {
    let mut next = find(born, seed, agent);
    std::iter::from_fn(move || {
        let (parent, vouched) = next?.parent.as_ref()?;
        next = find(born, seed, parent);
        Some((parent, *vouched))
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
        let known = find(born, seed, agent).and_then(|born| born.parent.as_ref()).map(|(parent, _)| &**parent);
        let parent = spawn.parent_id.as_ref().map(AsRef::as_ref).or(known)?;
        let over: Vec<&str> = above(born, seed, parent).map(|(above, _)| &**above).collect();
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
            above(&self.behaviour.born, &self.shared.seed, parent).map(|(above, _)| above.clone()).collect();
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

    fn share(&mut self, shared: &mut Shared) {
        shared.share(&mut self.agent);
        if let Some((parent, _)) = &mut self.parent {
            shared.share(parent);
        }
    }
}

/// Children that come within this are counted together.
const WITHIN: Duration = Duration::from_secs(300);
/// Times that are remembered.
const MOST_TIMES: usize = 64;
/// Generations that are looked at.
const MOST_ABOVE: usize = 16;

//! Who came from whom: spawned agents and the parents that vouch for them.

use onesec_telemetry::Timestamp;
use serde::{Deserialize, Serialize};

use crate::pool::{Entry, Pool};
use crate::shared::{Seed, Shared, Sym};

/// An agent that was spawned, or that ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Born {
    pub(crate) agent: Sym,
    /// Its parent, and whether the parent itself or somebody with authority says so.
    pub(crate) parent: Option<(Sym, bool)>,
    pub(crate) at: Timestamp,
    /// Somebody with authority said that it ended.
    pub(crate) stopped: Option<Timestamp>,
    /// When it spawned children, newest last; and when anything below it was spawned.
    pub(crate) children: Vec<Timestamp>,
    pub(crate) below: Vec<Timestamp>,
}

impl Born {
    pub(crate) fn new(agent: Sym, at: Timestamp) -> Self {
        Self { agent, parent: None, at, stopped: None, children: Vec::new(), below: Vec::new() }
    }
}

/// Finds an agent.
pub(crate) fn find<'a>(born: &'a Pool<Born>, seed: &Seed, agent: &str) -> Option<&'a Born> {
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

/// Generations that are looked at.
const MOST_ABOVE: usize = 16;

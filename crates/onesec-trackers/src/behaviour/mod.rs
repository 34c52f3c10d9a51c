//! What agents do: acts and habits, mandates of tasks, taint by untrusted content, provenance of memory.
//!
//! Mandates are stated by authority. Everything else is statistics: bounded, and kept apart for what was proved and what
//! was merely reported, so that hearsay never judges what the gateway saw.

mod act;
mod commit;
mod conduct;
mod deed;
mod lineage;
mod measure;
mod memory;
pub(crate) mod places;
mod settle;
mod taint;
mod tasks;
pub(crate) mod words;

use onesec_telemetry::Reach;

use self::conduct::Conduct;
use self::lineage::Born;
use self::memory::Piece;
use self::tasks::Task;
use crate::config::Bounds;
use crate::pool::Pool;
use crate::shared::Shared;
use crate::state::{StateError, StateReader, StateWriter};

pub(crate) use deed::Deed;
pub(crate) use measure::Who;

/// Behaviour of all agents of a tenant.
#[derive(Debug)]
pub(crate) struct BehaviourTracker {
    agents: Pool<Conduct>,
    tasks: Pool<Task>,
    memory: Pool<Piece>,
    born: Pool<Born>,
    /// From which certainty on a text counts as an instruction.
    pub(crate) least: Reach,
}

impl BehaviourTracker {
    pub(crate) fn new(bounds: &Bounds, least: Reach) -> Self {
        let share = bounds.key_share;
        Self {
            agents: Pool::new(bounds.conducts, share),
            tasks: Pool::new(bounds.tasks, share),
            memory: Pool::new(bounds.memories, share),
            born: Pool::new(bounds.conducts, share),
            least,
        }
    }

    pub(crate) fn evictions(&self) -> u64 {
        self.agents.evictions() + self.tasks.evictions() + self.memory.evictions() + self.born.evictions()
    }

    pub(crate) fn save(&self, out: &mut StateWriter) {
        out.put("conducts", &self.agents.saved());
        out.put("tasks", &self.tasks.saved());
        out.put("memory", &self.memory.saved());
        out.put("born", &self.born.saved());
    }

    pub(crate) fn load(
        (bounds, least): (&Bounds, Reach),
        shared: &mut Shared,
        from: StateReader<'_>,
    ) -> Result<Self, StateError> {
        let new = Self::new(bounds, least);
        Ok(Self {
            agents: new.agents.fill(from.get("conducts")?, shared),
            tasks: new.tasks.fill(from.get("tasks")?, shared),
            memory: new.memory.fill(from.get("memory")?, shared),
            born: new.born.fill(from.get("born")?, shared),
            least,
        })
    }
}

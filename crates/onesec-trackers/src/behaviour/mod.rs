//! What agents do: acts and habits, mandates of tasks, taint by untrusted content, provenance of memory.
//!
//! Mandates are stated by authority. Everything else is statistics: bounded, and kept apart for what was proved and what
//! was merely reported, so that hearsay never judges what the gateway saw.

mod act;
mod approvals;
mod commit;
mod conduct;
mod deed;
mod lineage;
mod manifests;
mod measure;
mod memory;
mod messages;
pub(crate) mod places;
mod settle;
mod spread;
mod sql;
mod taint;
mod tasks;
mod web;
pub(crate) mod words;

use onesec_telemetry::{Reach, Timestamp};

use self::approvals::Approver;
use self::conduct::Conduct;
use self::lineage::Born;
use self::manifests::{Alike, Manifest};
use self::memory::Piece;
use self::messages::{Message, Pairing};
use self::spread::Cluster;
use self::tasks::Task;
use self::web::{Page, Surfer};
use crate::config::Bounds;
use crate::pool::Pool;
use crate::shared::Seed;
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
    manifests: Pool<Manifest>,
    alikes: Pool<Alike>,
    messages: Pool<Message>,
    pairings: Pool<Pairing>,
    clusters: Pool<Cluster>,
    approvers: Pool<Approver>,
    pages: Pool<Page>,
    surfers: Pool<Surfer>,
    /// Another number whenever a tool's manifest may have changed.
    pub(crate) tools_version: u64,
    /// From which certainty on a text counts as an instruction.
    pub(crate) least: Reach,
    /// The time of the record at work.
    now: Timestamp,
    /// What had to make room and mattered, since it was told last.
    pub(crate) lost: u32,
}

impl BehaviourTracker {
    /// Notes what had to make room.
    fn note_gone<V>(&mut self, gone: Option<V>, matters: impl FnOnce(&V, Timestamp) -> bool) {
        let matters = gone.is_some_and(|gone| matters(&gone, self.now));
        self.lost = self.lost.saturating_add(u32::from(matters));
    }

    pub(crate) fn new(bounds: &Bounds, least: Reach) -> Self {
        let share = bounds.key_share;
        Self {
            agents: Pool::new(bounds.conducts, share),
            tasks: Pool::new(bounds.tasks, share),
            memory: Pool::new(bounds.memories, share),
            born: Pool::new(bounds.conducts, share),
            manifests: Pool::new(bounds.manifests, share),
            alikes: Pool::new(bounds.memories, share),
            messages: Pool::new(bounds.memories, share),
            pairings: Pool::new(bounds.conducts, share),
            clusters: Pool::new(bounds.tasks, share),
            approvers: Pool::new(bounds.approvers, share),
            pages: Pool::new(bounds.memories, share),
            surfers: Pool::new(bounds.conducts, share),
            tools_version: 0,
            least,
            now: Timestamp::EPOCH,
            lost: 0,
        }
    }

    /// Entries of all kinds.
    pub(crate) fn len(&self) -> usize {
        let acting = self.agents.len() + self.tasks.len() + self.born.len() + self.clusters.len() + self.surfers.len();
        let said = self.memory.len() + self.messages.len() + self.pairings.len() + self.pages.len();
        acting + said + self.manifests.len() + self.alikes.len() + self.approvers.len()
    }

    pub(crate) fn evictions(&self) -> u64 {
        self.agents.evictions()
            + self.tasks.evictions()
            + self.memory.evictions()
            + self.born.evictions()
            + self.manifests.evictions()
            + self.alikes.evictions()
            + self.messages.evictions()
            + self.pairings.evictions()
            + self.clusters.evictions()
            + self.approvers.evictions()
            + self.pages.evictions()
            + self.surfers.evictions()
    }

    pub(crate) fn save(&self, out: &mut StateWriter) {
        out.put("conducts", &self.agents.saved());
        out.put("tasks", &self.tasks.saved());
        out.put("memory", &self.memory.saved());
        out.put("born", &self.born.saved());
        out.put("manifests", &self.manifests.saved());
        out.put("alikes", &self.alikes.saved());
        out.put("messages", &self.messages.saved());
        out.put("pairings", &self.pairings.saved());
        out.put("clusters", &self.clusters.saved());
        out.put("approvers", &self.approvers.saved());
        out.put("pages", &self.pages.saved());
        out.put("surfers", &self.surfers.saved());
        out.put("lost", &self.lost);
    }

    pub(crate) fn load(
        (bounds, least): (&Bounds, Reach),
        seed: &Seed,
        from: StateReader<'_>,
    ) -> Result<Self, StateError> {
        let new = Self::new(bounds, least);
        Ok(Self {
            agents: new.agents.fill(&mut from.stream("conducts")?, seed)?,
            tasks: new.tasks.fill(&mut from.stream("tasks")?, seed)?,
            memory: new.memory.fill(&mut from.stream("memory")?, seed)?,
            born: new.born.fill(&mut from.stream("born")?, seed)?,
            manifests: new.manifests.fill(&mut from.stream("manifests")?, seed)?,
            alikes: new.alikes.fill(&mut from.stream("alikes")?, seed)?,
            messages: new.messages.fill(&mut from.stream("messages")?, seed)?,
            pairings: new.pairings.fill(&mut from.stream("pairings")?, seed)?,
            clusters: new.clusters.fill(&mut from.stream("clusters")?, seed)?,
            approvers: new.approvers.fill(&mut from.stream("approvers")?, seed)?,
            pages: new.pages.fill(&mut from.stream("pages")?, seed)?,
            surfers: new.surfers.fill(&mut from.stream("surfers")?, seed)?,
            tools_version: 1,
            least,
            now: Timestamp::EPOCH,
            lost: from.get("lost")?,
        })
    }
}

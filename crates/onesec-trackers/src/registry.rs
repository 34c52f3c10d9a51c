//! Registered agents: a ledger, changed by commands only.

use std::sync::Arc;

use hashbrown::HashTable;
use onesec_telemetry::AgentRegistration;

use crate::shared::Seed;

/// What was registered, by agent.
#[derive(Debug, Default)]
pub(crate) struct Registry(HashTable<Arc<AgentRegistration>>);

impl Registry {
    /// The registration of `agent`, found by the hash of its name.
    pub(crate) fn find(&self, hash: u64, agent: &str) -> Option<&Arc<AgentRegistration>> {
        if self.0.is_empty() {
            return None;
        }
        self.0.find(hash, |known| known.agent_id.as_str() == agent)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// In place of what was registered before.
    pub(crate) fn put(&mut self, registration: Arc<AgentRegistration>, seed: &Seed) {
        let hash = seed.of(registration.agent_id.as_str());
        let same = |known: &Arc<AgentRegistration>| known.agent_id == registration.agent_id;
        match self.0.find_mut(hash, same) {
            Some(known) => *known = registration,
            None => {
                self.0.insert_unique(hash, registration, |known| seed.of(known.agent_id.as_str()));
            }
        }
    }

    pub(crate) fn remove(&mut self, agent: &str, seed: &Seed) {
        if let Ok(entry) = self.0.find_entry(seed.of(agent), |known| known.agent_id.as_str() == agent) {
            entry.remove();
        }
    }

    /// All of them, by name: no history shows in the order.
    pub(crate) fn sorted(&self) -> Vec<&Arc<AgentRegistration>> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_unstable_by(|a, b| a.agent_id.cmp(&b.agent_id));
        all
    }

    pub(crate) fn fill(saved: Vec<Arc<AgentRegistration>>, seed: &Seed) -> Self {
        let mut registry = Self::default();
        for registration in saved {
            registry.put(registration, seed);
        }
        registry
    }
}

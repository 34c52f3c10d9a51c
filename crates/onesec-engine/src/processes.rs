//! Processes of agents, as those registered them who started them: what `kill_process` may act on, and nothing else.

use std::collections::BTreeMap;

use onesec_telemetry::{AgentId, Command, ProcessId};
use serde::{Deserialize, Serialize};

/// Registered processes, by agent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ProcessBook {
    agents: BTreeMap<AgentId, Vec<ProcessId>>,
    /// Changes with every change, so that readers need not compare.
    version: u64,
}

impl ProcessBook {
    /// The agent's, oldest first.
    #[must_use]
    pub fn of(&self, agent: &AgentId) -> &[ProcessId] {
        self.agents.get(agent).map_or(&[], Vec::as_slice)
    }

    /// The same number means the same content.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Takes what a command says, where it is about this. Beyond the bound an agent's oldest make room: they have most
    /// likely ended without saying so.
    pub(crate) fn obey(&mut self, command: &Command) {
        match command {
            Command::RegisterProcess { agent, process } => {
                if self.agents.len() >= MOST_AGENTS && !self.agents.contains_key(agent) {
                    return;
                }
                let own = self.agents.entry(agent.clone()).or_default();
                own.retain(|known| known != process);
                if own.len() >= MOST_PER_AGENT {
                    own.remove(0);
                }
                own.push(process.clone());
            }
            Command::ProcessEnded { agent, process } => {
                let Some(own) = self.agents.get_mut(agent) else { return };
                own.retain(|known| known != process);
                if own.is_empty() {
                    self.agents.remove(agent);
                }
            }
            _ => return,
        }
        self.version += 1;
    }
}

const MOST_AGENTS: usize = 10_000;
const MOST_PER_AGENT: usize = 64;

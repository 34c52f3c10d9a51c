//! What authority says about tasks and agents counts at once, before the record is judged.

use onesec_telemetry::event::TaskStart;
use onesec_telemetry::{AgentId, Body, Command, Details, Record, TaskId};

use super::conduct::Conduct;
use super::tasks::{Bounded, Task};
use crate::pool::Owner;
use crate::shared::Sym;
use crate::trackers::State;
use crate::window::Split;

impl State {
    /// Tasks that begin and end, agents that end.
    pub(crate) fn commit_behaviour(&mut self, record: &Record) {
        self.behaviour.now = self.behaviour.now.max(record.observed_at);
        if let Body::Command(Command::ApproveTool { tool, server, digest, .. }) = &record.body {
            self.approve_tool(server.as_ref(), tool, *digest);
            return;
        }
        let Some(event) = record.event().filter(|_| !record.late) else { return };
        match &event.details {
            Details::TaskStart(start) => {
                let (Some(task), Some(agent)) = (&event.common.task_id, record.agent()) else { return };
                self.begin_task(record, start, (task, agent));
            }
            Details::TaskEnd(_) if record.has_authority() => {
                let Some(task) = &event.common.task_id else { return };
                let slot = self.task_slot(task.as_str());
                let known = slot.and_then(|slot| self.behaviour.tasks.get_mut(slot));
                if let Some(known) = known.filter(|known| known.ended.is_none()) {
                    known.ended = Some(record.at);
                }
            }
            Details::AgentStop(_) if record.has_authority() => {
                let Some(agent) = record.agent() else { return };
                let owner = self.sender(record);
                let slot = self.born_slot(agent.as_str(), &owner);
                if let Some(born) = self.behaviour.born.get_mut(slot) {
                    born.stopped = Some(record.at);
                }
            }
            _ => {}
        }
    }

    /// A mandate that stands is not changed by stating another: a task that could be begun anew would bound nothing.
    fn begin_task(&mut self, record: &Record, start: &TaskStart, (task, agent): (&TaskId, &AgentId)) {
        let stated = record.has_authority();
        if !stated && record.sender.agent.as_ref() != Some(agent) {
            return;
        }
        let owner = self.sender(record);
        let slot = self.task_slot(task.as_str());
        let old = slot.and_then(|slot| self.behaviour.tasks.get(slot));
        let stands = old.is_some_and(|old| old.stated && (!stated || old.ended.is_none()));
        if stands {
            return;
        }
        let new = Task {
            id: self.shared.name(task.as_str()),
            agent: self.shared.name(agent.as_str()),
            stated,
            goal: start.goal.as_ref().map(|goal| short(goal.as_str())),
            bounds: Bounded::of_task(start),
            started: record.at,
            ended: None,
            taint: Split::default(),
        };
        match slot.and_then(|slot| self.behaviour.tasks.get_mut(slot)) {
            // Its taint stays: beginning a task again is no way to be rid of it.
            Some(old) => *old = Task { taint: std::mem::take(&mut old.taint), ..new },
            None => {
                let hash = self.shared.seed.of(task.as_str());
                let (_, gone) = self.behaviour.tasks.insert(hash, owner.clone(), new);
                self.behaviour.note_gone(gone, Task::matters);
            }
        }
        let task = self.shared.name(task.as_str());
        let slot = self.conduct_slot(agent.as_str(), &owner);
        if let Some(conduct) = self.behaviour.agents.get_mut(slot) {
            conduct.begin(task, stated);
        }
    }

    pub(crate) fn task_slot(&self, task: &str) -> Option<u32> {
        self.behaviour.tasks.find(self.shared.seed.of(task), |known| *known.id == *task)
    }

    /// The agent's entry, made where there is none.
    pub(crate) fn conduct_slot(&mut self, agent: &str, owner: &Owner) -> u32 {
        let hash = self.shared.seed.of(agent);
        let found = self.behaviour.agents.find(hash, |known| *known.agent == *agent);
        found.unwrap_or_else(|| {
            let conduct = Conduct::new(self.shared.name(agent));
            let (slot, gone) = self.behaviour.agents.insert(hash, owner.clone(), conduct);
            self.behaviour.note_gone(gone, Conduct::matters);
            slot
        })
    }

    /// The sending key, whose quota a new entry counts against.
    pub(crate) fn sender(&mut self, record: &Record) -> Option<Sym> {
        record.sender.key.as_ref().map(|key| self.shared.name(key.as_str()))
    }
}

/// Enough of a goal to recognise it by.
fn short(text: &str) -> Box<str> {
    let end = text.floor_char_boundary(256);
    text.get(..end).unwrap_or_default().into()
}

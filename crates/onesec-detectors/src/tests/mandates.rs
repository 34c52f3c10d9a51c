//! Mandates and taint against a model of twenty lines: whatever agents do in whatever order, leaving tasks out or mixing
//! them up, an act is judged as the model says.

use std::collections::BTreeMap;
use std::time::Duration;

use onesec_engine::{Engine, Settings};
use onesec_telemetry::{Severity, TenantId};
use onesec_testkit::{Draft, at, records};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::scenarios::built_in;

/// What happens.
#[derive(Debug, Clone)]
enum Op {
    Begin { agent: usize, task: usize, sends: bool },
    End { task: usize },
    Reads { agent: usize, task: Option<usize> },
    Calls { agent: usize, task: Option<usize>, sends: bool },
}

fn op() -> impl Strategy<Value = (u64, Op)> {
    let (agent, task) = (0_usize..2, 0_usize..3);
    let maybe = proptest::option::of(0_usize..3);
    let ops = prop_oneof![
        1 => (agent.clone(), task.clone(), any::<bool>()).prop_map(|(agent, task, sends)| Op::Begin { agent, task, sends }),
        1 => task.prop_map(|task| Op::End { task }),
        2 => (agent.clone(), maybe.clone()).prop_map(|(agent, task)| Op::Reads { agent, task }),
        4 => (agent, maybe, any::<bool>()).prop_map(|(agent, task, sends)| Op::Calls { agent, task, sends }),
    ];
    (prop_oneof![3 => 1_u64..120, 1 => 600_u64..2_400], ops)
}

/// The model: who works on what, what it allows, and who read something when.
#[derive(Default)]
struct Model {
    now: u64,
    tasks: BTreeMap<usize, Task>,
    agents: [Option<u64>; 2],
}

struct Task {
    agent: usize,
    sends: bool,
    live: bool,
    tainted: bool,
}

impl Model {
    fn does(&mut self, op: &Op) -> Option<Severity> {
        match *op {
            Op::Begin { agent, task, sends } => {
                // What stands is not stated anew; what has ended may be, and stays as tainted as it was.
                let old = self.tasks.get(&task);
                if old.is_none_or(|old| !old.live) {
                    let tainted = old.is_some_and(|old| old.tainted);
                    self.tasks.insert(task, Task { agent, sends, live: true, tainted });
                }
            }
            Op::End { task } => {
                if let Some(task) = self.tasks.get_mut(&task) {
                    task.live = false;
                }
            }
            Op::Reads { agent, task } => {
                self.agents[agent] = Some(self.now);
                if let Some(task) = task.and_then(|task| self.tasks.get_mut(&task)) {
                    task.tainted = true;
                }
            }
            Op::Calls { agent, task, sends } => return self.judges(agent, task, sends),
        }
        None
    }

    fn judges(&self, agent: usize, task: Option<usize>, sends: bool) -> Option<Severity> {
        let named = task.and_then(|task| self.tasks.get(&task));
        let tainted =
            named.is_some_and(|task| task.tainted) || self.agents[agent].is_some_and(|at| self.now - at <= 30 * 60);
        let allowed = match named.filter(|task| task.agent == agent) {
            Some(task) => Some(task.sends),
            None => self.tasks.values().filter(|task| task.live && task.agent == agent).map(|task| task.sends).max(),
        };
        let outside = sends && allowed == Some(false);
        outside.then_some(if tainted { Severity::Critical } else { Severity::High })
    }
}

fn draft(op: &Op, after: u64) -> Draft {
    let name = |agent: usize| format!("bot-{agent}");
    let id = |task: usize| format!("t-{task}");
    let members = |value: Value| value.as_object().cloned().unwrap_or_default();
    let offset = format!("+{after}s");
    let with_task = |draft: Draft, task: Option<usize>| match task {
        Some(task) => draft.with("task_id", id(task)),
        None => draft,
    };
    match *op {
        Op::Begin { agent, task, sends } => {
            let actions = if sends { json!(["read", "send"]) } else { json!(["read"]) };
            let details = json!({"task_id": id(task), "allowed_actions": actions});
            at(&offset).trusted().event("task_start").details(members(details)).agent(&name(agent))
        }
        Op::End { task } => {
            let details = json!({"task_id": id(task)});
            at(&offset).trusted().event("task_end").details(members(details)).agent("bot-0")
        }
        Op::Reads { agent, task } => {
            let details = json!({"content": "Lunch is at noon.", "source": "email"});
            with_task(at(&offset).own_key(&name(agent)).event("content_ingest").details(members(details)), task)
        }
        Op::Calls { agent, task, sends } => {
            let details = json!({"tool": if sends { "note.send" } else { "note.list" }});
            let draft = at(&offset).from(onesec_testkit::From::Decide(name(agent)));
            with_task(draft.event("tool_call").details(members(details)), task)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn acts_are_judged_as_the_model_says(ops in vec(op(), 1..40)) {
        let mut engine = Engine::new(TenantId::default_tenant(), Settings::default(), Box::new(built_in)).expect("an engine");
        let mut model = Model::default();
        let story = records(ops.iter().map(|(after, op)| draft(op, *after)));
        for ((after, op), record) in ops.iter().zip(&story) {
            model.now += after;
            let want = model.does(op);
            let findings = engine.apply(record).findings;
            let found = findings.iter().find(|finding| finding.brief.detector == "goal-hijack");
            prop_assert_eq!(found.map(|finding| finding.brief.severity), want, "{:?} of {:?}", op, ops);
        }
    }
}

#[test]
fn half_an_hour_is_half_an_hour() {
    let mut model = Model::default();
    let story = [
        (0, Op::Begin { agent: 0, task: 0, sends: false }),
        (0, Op::Reads { agent: 0, task: None }),
        (30 * 60, Op::Calls { agent: 0, task: None, sends: true }),
        (1, Op::Calls { agent: 0, task: None, sends: true }),
    ];
    let mut severities = Vec::new();
    for (after, op) in &story {
        model.now += after;
        severities.extend(model.does(op));
    }
    assert_eq!(severities, [Severity::Critical, Severity::High]);
    assert_eq!(onesec_trackers::facts::TAINT_OF_AGENT, Duration::from_secs(30 * 60));
}

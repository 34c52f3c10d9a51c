//! `rogue-agent`: an agent outlives its task, multiplies, arms itself, or blinds those who watch it (ASI10).

use std::time::Duration;

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::{ActionClass, Channel, Details};
use onesec_trackers::facts::{Act, BehaviourFacts, LineageFacts};

use crate::words::plain;

/// When an agent has gone its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RogueLimits {
    /// Generations below the first agent that are in order.
    pub depth: u8,
    /// Children of one agent within five minutes that are in order.
    pub children: u32,
    /// All that comes from one agent within five minutes that is in order.
    pub swarm: u32,
    /// Whether agents that nobody registered are worth an alert.
    pub require_registration: bool,
    /// Agents whose work it is to create clients, keys and agents.
    pub provisioners: Vec<String>,
}

impl Default for RogueLimits {
    fn default() -> Self {
        Self { depth: 3, children: 10, swarm: 30, require_registration: false, provisioners: Vec::new() }
    }
}

/// Fires on acts after the task ended or the agent was stopped, on agents spawned too deep, in a circle or in swarms, on
/// an agent that makes clients, keys, grants or agents (CRITICAL where they are for itself), and on one that switches logs
/// or guards off. Agents that nobody registered are MEDIUM where registration is asked for.
///
/// **Blind spot**: an agent whose every act looks like its work; tasks whose end nobody reports.
#[derive(Debug)]
pub struct RogueAgent {
    descriptor: Descriptor,
    limits: RogueLimits,
}

impl RogueAgent {
    /// With these limits.
    #[must_use]
    pub fn new(limits: RogueLimits) -> Self {
        let descriptor = Descriptor {
            owasp: &["ASI10"],
            references: &["OWASP Top 10 for Agentic Applications 2026, ASI10 Rogue Agents"],
            stateless: true,
            blind_spot: "an agent whose every act looks like its work; tasks whose end nobody reports",
            mitigation: "Contain the agent and what came from it; then find out who let it.",
            ..Descriptor::new("rogue-agent", Module::AiContainment, "Agent goes its own way")
        };
        Self { descriptor, limits }
    }

    fn verdict(&self, record: &Record, facts: &Facts<'_>, behaviour: &BehaviourFacts<'_>) -> Option<Judged> {
        let act = behaviour.act.as_ref();
        let lineage = behaviour.lineage.as_ref();
        if let Some(at) = lineage.and_then(|lineage| lineage.stopped).filter(|_| act.is_some()) {
            return Some((Severity::High, format!("the agent acts, and it was stopped at {at}"), "after-stop"));
        }
        let spawned = lineage.filter(|_| is_spawn(record)).and_then(|lineage| self.multiplies(lineage));
        spawned
            .or_else(|| act.and_then(|act| after_end(record, behaviour, act)))
            .or_else(|| act.and_then(|act| blinds(act, behaviour)))
            .or_else(|| act.and_then(|act| self.provisions(record, act, behaviour)))
            .or_else(|| self.unregistered(facts, act))
    }

    fn multiplies(&self, lineage: &LineageFacts<'_>) -> Option<Judged> {
        let limits = &self.limits;
        let parent = plain(lineage.parent.unwrap_or_default());
        if lineage.cycle {
            return Some((Severity::High, format!("the agent comes from itself, by way of `{parent}`"), "cycle"));
        }
        if lineage.depth > limits.depth {
            let depth = lineage.depth;
            return Some((Severity::High, format!("the agent is {depth} generations below the first"), "too-deep"));
        }
        if lineage.siblings > limits.children {
            let count = lineage.siblings;
            return Some((Severity::High, format!("`{parent}` spawned {count} agents within five minutes"), "swarm"));
        }
        if lineage.swarm > limits.swarm {
            let count = lineage.swarm;
            return Some((Severity::High, format!("{count} agents came from one within five minutes"), "swarm"));
        }
        None
    }

    /// Clients, keys, grants and agents are made by people, or by agents whose work that is.
    fn provisions(&self, record: &Record, act: &Act<'_>, behaviour: &BehaviourFacts<'_>) -> Option<Judged> {
        let agent = record.agent()?.as_str();
        if self.limits.provisioners.iter().any(|known| known == agent) || !act.changes() {
            return None;
        }
        let said = act.tool.into_iter().chain(operation(act));
        let words: Vec<String> = said.flat_map(split).collect();
        let makes = words.iter().any(|word| MAKES.contains(&word.as_str()));
        let what = words.iter().find(|word| PROVISIONS.contains(&word.as_str()))?;
        if !makes {
            return None;
        }
        let own = act.texts().any(|text| {
            text == agent
                || text.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').any(|part| part == agent)
        });
        if own {
            return Some((Severity::Critical, format!("the agent makes a {what} for itself"), "self-grant"));
        }
        let covered = behaviour.mandate.source.is_stated() && behaviour.mandate.outside.is_none();
        let severity = if covered { Severity::Low } else { Severity::High };
        Some((severity, format!("the agent makes a {what}, which is no agent's work"), "provisioning"))
    }

    fn unregistered(&self, facts: &Facts<'_>, act: Option<&Act<'_>>) -> Option<Judged> {
        let agent = facts.agent.as_ref()?;
        let asked = self.limits.require_registration && agent.registration.is_none() && act.is_some();
        asked.then(|| (Severity::Medium, "nobody registered the agent".to_owned(), "unregistered"))
    }
}

impl Detector for RogueAgent {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(behaviour) = facts.behaviour.as_deref() else { return };
        let Some((severity, reason, problem)) = self.verdict(record, facts, behaviour) else { return };
        let mut finding = Finding::about(record, severity, reason).with("problem", problem).aspect(problem);
        if let Some(taint) = behaviour.taint.as_ref().filter(|_| severity >= Severity::High) {
            finding.evidence = finding.evidence.and(taint.event);
        }
        if let Some(task) = behaviour.mandate.task {
            finding = finding.with("task", task);
        }
        out.report(finding);
    }
}

type Judged = (Severity, String, &'static str);

fn is_spawn(record: &Record) -> bool {
    matches!(record.event().map(|event| &event.details), Some(Details::AgentSpawn(_)))
}

/// The task is over. What is asked about before it happens has no excuse; what is reported may be a little late.
fn after_end(record: &Record, behaviour: &BehaviourFacts<'_>, act: &Act<'_>) -> Option<Judged> {
    let ended = behaviour.mandate.ended?;
    let asks = matches!(record.sender.channel, Channel::Decide | Channel::Gateway);
    if !asks && record.at.since(ended) <= GRACE {
        return None;
    }
    let severity = if act.changes() { Severity::High } else { Severity::Medium };
    Some((severity, format!("the agent acts for a task that ended at {ended}"), "after-end"))
}

/// Whoever switches off what watches him has something to hide.
fn blinds(act: &Act<'_>, behaviour: &BehaviourFacts<'_>) -> Option<Judged> {
    if !act.changes() {
        return None;
    }
    let said = act.tool.into_iter().chain(operation(act)).chain(act.target);
    let words: Vec<String> = said.flat_map(split).collect();
    let stops = act.classes.contains(ActionClass::Delete) || words.iter().any(|word| STOPS.contains(&word.as_str()));
    let what = words.iter().find(|word| WATCHES.contains(&word.as_str())).filter(|_| stops)?;
    let severity = if behaviour.taint.is_some() { Severity::Critical } else { Severity::High };
    Some((severity, format!("the agent switches off {what}"), "blinding"))
}

/// What a general tool is told to do.
fn operation<'a>(act: &'a Act<'_>) -> impl Iterator<Item = &'a str> {
    let named = act.arguments.iter().filter(|argument| {
        matches!(
            argument.key.as_str(),
            "op" | "operation" | "action" | "command" | "cmd" | "resource" | "type" | "endpoint" | "path" | "url"
        )
    });
    // A file that ends in `.log` is the protocol of anything; `/var/log` and `audit.log` are not.
    named.map(|argument| argument.text.strip_suffix(".log").unwrap_or(&argument.text))
}

fn split(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut lower = false;
    for c in text.chars().take(512) {
        let breaks = !c.is_alphanumeric() || (c.is_uppercase() && lower);
        if breaks && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        lower = c.is_lowercase();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words.into_iter()
}

const MAKES: [&str; 12] =
    ["create", "register", "add", "issue", "generate", "grant", "new", "mint", "provision", "assign", "post", "clone"];
const PROVISIONS: [&str; 17] = [
    "client",
    "clients",
    "key",
    "keys",
    "apikey",
    "credential",
    "credentials",
    "agent",
    "agents",
    "webhook",
    "webhooks",
    "grant",
    "grants",
    "role",
    "roles",
    "permission",
    "serviceaccount",
];
const STOPS: [&str; 9] = ["disable", "stop", "pause", "mute", "off", "suppress", "silence", "exclude", "bypass"];
const WATCHES: [&str; 14] = [
    "log",
    "logs",
    "logging",
    "audit",
    "auditing",
    "monitoring",
    "monitor",
    "alerts",
    "alerting",
    "telemetry",
    "guard",
    "guardrail",
    "guardrails",
    "onesec",
];
/// What is reported may come a little after the end of its task.
const GRACE: Duration = Duration::from_secs(10);

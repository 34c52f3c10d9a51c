//! Attack chains: findings of several detectors that follow one another become one incident.
//!
//! The rules are data ([`rules`]): ordered stages, each a choice of detectors. Every stage is a finding of MEDIUM or more that rests on
//! more than hearsay, within an hour, about the same agent, user or task. Incidents are never stages.

mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use onesec_detector::{Descriptor, Entity, Evidence, Finding, Module};
use onesec_telemetry::{AgentId, AlertId, Attribution, EventId, Record, Seq, Severity, Timestamp, UserId};
use serde::{Deserialize, Serialize};

pub use rules::{ChainRule, chain_rules, chain_rules_of};

/// The code of incidents.
pub(crate) const ATTACK_CHAIN: &str = "attack-chain";

/// What an incident says of itself.
pub static CHAIN_DESCRIPTOR: Descriptor = Descriptor {
    owasp: &["ASI01", "ASI03", "ASI10"],
    blind_spot: "stages that no detector finds, and chains that no rule knows",
    mitigation: "Contain the agent named here first; then follow the evidence from the first stage on.",
    ..Descriptor::new(ATTACK_CHAIN, Module::AiContainment, "Attack in several stages")
};

/// Findings of the last hour by whom they are about.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ChainBook {
    notes: BTreeMap<Subject, Vec<Note>>,
    /// When something was last noted of each, oldest first.
    order: BTreeSet<(Timestamp, Subject)>,
}

/// About whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Subject {
    Agent(AgentId),
    User(UserId),
    Task(String),
}

/// A finding that may be a stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Note {
    detector: String,
    aspects: Vec<String>,
    seq: Seq,
    at: Timestamp,
    alert: AlertId,
    event: EventId,
}

/// A finding that was filed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage<'a> {
    pub(crate) detector: &'static str,
    pub(crate) finding: &'a Finding,
    pub(crate) attribution: Attribution,
    pub(crate) alert: &'a AlertId,
}

/// A chain that is complete, and the alerts that are its parts.
#[derive(Debug)]
pub(crate) struct Incident {
    pub(crate) finding: Finding,
    pub(crate) parts: Vec<AlertId>,
}

impl ChainBook {
    /// Notes a finding; the incidents that it completes.
    pub(crate) fn note(&mut self, record: &Record, stage: Stage<'_>, rules: &[ChainRule]) -> Vec<Incident> {
        let counts = stage.finding.severity >= Severity::Medium
            && stage.attribution > Attribution::Reported
            && stage.detector != ATTACK_CHAIN
            && !record.late;
        let Some(event) = stage.finding.evidence.iter().next().filter(|_| counts) else { return Vec::new() };
        let note = Note {
            detector: stage.detector.to_owned(),
            aspects: stage.finding.aspects.iter().map(ToString::to_string).collect(),
            seq: record.seq,
            at: record.at,
            alert: stage.alert.clone(),
            event: event.clone(),
        };
        let mut incidents: Vec<Incident> = Vec::new();
        for subject in subjects(record, stage.finding) {
            let found = self.add(&subject, note.clone(), rules);
            for (rule, parts) in found {
                // The same chain about agent, user and task is one incident: the first of them names it.
                let known = |incident: &Incident| incident.finding.aspects.contains(rule.name.as_str());
                if !incidents.iter().any(known) {
                    incidents.push(incident(record, (&subject, rule), &parts));
                }
            }
        }
        incidents
    }

    fn add<'r>(&mut self, subject: &Subject, note: Note, rules: &'r [ChainRule]) -> Vec<(&'r ChainRule, Vec<Note>)> {
        let notes = self.notes.entry(subject.clone()).or_default();
        if let Some(last) = notes.iter().map(|note| note.at).max() {
            self.order.remove(&(last, subject.clone()));
        }
        notes.retain(|old| note.at.since(old.at) < WITHIN);
        let complete = rules.iter().filter_map(|rule| Some((rule, completes(rule, notes, &note)?))).collect();
        // The first of a kind may begin a chain, and so may the latest. Which alert they belong to must not count: it is
        // for people's eyes, and hearsay opens alerts, too.
        let same = |old: &Note| old.detector == note.detector && old.aspects == note.aspects;
        if notes.iter().filter(|old| same(old)).count() >= MOST_OF_A_KIND
            && let Some(latest) = notes.iter().rposition(same)
        {
            notes.remove(latest);
        }
        if notes.len() >= MOST_NOTES {
            notes.remove(0);
        }
        notes.push(note.clone());
        let last = notes.iter().map(|note| note.at).max().unwrap_or(note.at);
        self.order.insert((last, subject.clone()));
        while self.order.len() > MOST_SUBJECTS {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.notes.remove(&oldest);
        }
        complete
    }
}

impl Note {
    fn fits(&self, stage: &[String]) -> bool {
        stage.iter().any(|wanted| match wanted.split_once('/') {
            Some((detector, aspect)) => self.detector == detector && self.aspects.iter().any(|own| own == aspect),
            None => self.detector == *wanted,
        })
    }
}

/// The stages of `rule`, where `last` is the last of them and the others came before, in order.
fn completes(rule: &ChainRule, before: &[Note], last: &Note) -> Option<Vec<Note>> {
    let (end, stages) = rule.stages.split_last()?;
    if stages.is_empty() || !last.fits(end) {
        return None;
    }
    let mut parts: Vec<Note> = Vec::new();
    // What one record shows is one thing, however many detectors see it.
    let mut rest = before.iter().filter(|note| note.at <= last.at && note.seq < last.seq);
    for stage in stages {
        let fits = |note: &&Note| {
            note.fits(stage)
                && parts.last().is_none_or(|part| part.seq < note.seq)
                && note.detector != last.detector
                && parts.iter().all(|part| part.detector != note.detector)
        };
        let found = rest.find(fits)?.clone();
        parts.push(found);
    }
    parts.push(last.clone());
    Some(parts)
}

fn subjects(record: &Record, finding: &Finding) -> Vec<Subject> {
    let agent = finding.entity.agent.as_ref().or_else(|| record.agent());
    let user = finding.entity.user.as_ref().or_else(|| record.user());
    let task = record.event().and_then(|event| event.common.task_id.as_ref());
    let all = [
        agent.cloned().map(Subject::Agent),
        task.map(|task| Subject::Task(task.to_string())),
        user.cloned().map(Subject::User),
    ];
    all.into_iter().flatten().collect()
}

fn incident(record: &Record, (subject, rule): (&Subject, &ChainRule), parts: &[Note]) -> Incident {
    let entity = match subject {
        Subject::Agent(agent) => Entity { agent: Some(agent.clone()), ..Entity::default() },
        Subject::User(user) => Entity { user: Some(user.clone()), ..Entity::default() },
        Subject::Task(_) => Entity::agent_of(record),
    };
    let mut events = parts.iter().map(|part| &part.event);
    let mut evidence =
        events.next().map_or_else(|| Finding::about(record, Severity::Info, "").evidence, Evidence::from);
    for event in events {
        evidence = evidence.and(event);
    }
    let stages: Vec<String> = parts.iter().map(|part| part.detector.clone()).collect();
    let mut alerts: Vec<AlertId> = Vec::new();
    for part in parts {
        if !alerts.contains(&part.alert) {
            alerts.push(part.alert.clone());
        }
    }
    let reason = format!("{}: {}", rule.says, stages.join(", then "));
    let finding = Finding::new(entity, evidence, Severity::Critical, reason)
        .with("chain", rule.name.as_str())
        .with("stages", stages)
        .with("alerts", alerts.iter().map(ToString::to_string).collect::<Vec<_>>())
        .aspect(rule.name.clone());
    Incident { finding, parts: alerts }
}

/// Stages further apart than this belong to different stories.
const WITHIN: Duration = Duration::from_secs(3600);
/// Findings of one kind that are remembered.
const MOST_OF_A_KIND: usize = 3;
/// Findings that are remembered of one agent, user or task.
const MOST_NOTES: usize = 32;
/// Agents, users and tasks.
const MOST_SUBJECTS: usize = 50_000;

//! `memory-poisoning`: an instruction is planted in memory, and somebody else acts on it (ASI06).

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::Details;
use onesec_trackers::facts::{BehaviourFacts, MemoryFacts, PoisonFacts, is_own_source};

use crate::words::{plain, signals_list};

/// Fires on a write to memory that reads like an instruction: HIGH where it comes from elsewhere than the person or the
/// writer had taken in untrusted content, MEDIUM where the person's own words touch tokens, claim authority or hide
/// something. Another user, task or agent that reads it is MEDIUM; one that acts within ten acts of reading it, CRITICAL
/// (HIGH where the act is within its stated mandate).
///
/// **Blind spot**: readings that nobody reports; a poisoned text in words that nobody would take for an instruction.
#[derive(Debug)]
pub struct MemoryPoisoning(Descriptor);

impl MemoryPoisoning {
    /// There is nothing to set.
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI06"],
            references: &["OWASP Top 10 for Agentic Applications 2026, ASI06 Memory & Context Poisoning"],
            stateless: true,
            blind_spot: "readings that nobody reports; poison in words that nobody would take for an instruction",
            mitigation: "Remove the entry under the key named here, and look at what was written by the same source.",
            ..Descriptor::new("memory-poisoning", Module::AiContainment, "Instruction planted in memory")
        })
    }
}

impl Default for MemoryPoisoning {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for MemoryPoisoning {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(behaviour) = facts.behaviour.as_deref() else { return };
        let Some(memory) = &behaviour.memory else { return };
        let judged = match &memory.poisoned {
            Some(poison) => read_or_acted(record, behaviour, poison).map(|(severity, why)| {
                let mut finding = about(record, memory, (severity, why)).with("says", signals_list(poison.signals));
                finding.evidence = finding.evidence.and(poison.event);
                if let Some(read) = poison.read {
                    finding.evidence = finding.evidence.and(read);
                }
                finding.with("written_by", poison.writer)
            }),
            None => written(record, behaviour, memory),
        };
        if let Some(finding) = judged {
            out.report(finding);
        }
    }
}

fn about(record: &Record, memory: &MemoryFacts<'_>, (severity, why): (Severity, String)) -> Finding {
    let finding = Finding::about(record, severity, why);
    if memory.key.is_empty() { finding } else { finding.with("key", memory.key) }
}

/// Somebody else's poison.
fn read_or_acted(
    record: &Record,
    behaviour: &BehaviourFacts<'_>,
    poison: &PoisonFacts<'_>,
) -> Option<(Severity, String)> {
    if !(poison.other_user || poison.other_task) {
        return None;
    }
    let whose = if poison.other_user { "another user" } else { "another task" };
    let key = plain(poison.key);
    if matches!(record.event().map(|e| &e.details), Some(Details::AgentMemoryRead(_))) {
        return Some((Severity::Medium, format!("memory `{key}`, poisoned for {whose}, is read")));
    }
    let act = behaviour.act.as_ref()?;
    let asks_for_token = matches!(record.event().map(|e| &e.details), Some(Details::TokenExchange(_)));
    if !act.changes() && !asks_for_token && record.connection().is_none() {
        return None;
    }
    let covered = behaviour.mandate.source.is_stated() && behaviour.mandate.outside.is_none();
    let severity = if covered { Severity::High } else { Severity::Critical };
    Some((severity, format!("the agent acts on memory `{key}`, which was poisoned for {whose}")))
}

/// A write that reads like an instruction.
fn written(record: &Record, behaviour: &BehaviourFacts<'_>, memory: &MemoryFacts<'_>) -> Option<Finding> {
    let text = behaviour.text?;
    let source = match &record.event()?.details {
        Details::AgentMemoryWrite(d) => d.source.as_ref(),
        Details::ContextUpdate(d) => d.source.as_ref(),
        Details::RagInject(d) => d.source.as_ref(),
        _ => return None,
    };
    let own = memory.from.is_none() && source.is_some_and(|source| is_own_source(source.as_str()));
    let severity = match (own, text.signals.is_grave()) {
        (false, _) => Severity::High,
        (true, true) => Severity::Medium,
        (true, false) => Severity::Low,
    };
    let from = match (memory.from, source) {
        (Some(_), _) => "by an agent that had taken in untrusted content".to_owned(),
        (None, Some(source)) => format!("from `{}`", plain(source.as_str())),
        (None, None) => "from nobody knows where".to_owned(),
    };
    let mut finding = about(record, memory, (severity, format!("a standing instruction is written to memory {from}")));
    if let Some(content) = memory.from {
        finding.evidence = finding.evidence.and(content);
    }
    Some(finding.with("says", signals_list(text.signals)).with("score", u32::from(text.value)))
}

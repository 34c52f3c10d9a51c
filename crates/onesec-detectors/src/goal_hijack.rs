//! `goal-hijack`: an agent under the influence of untrusted content leaves what it was there to do (ASI01).

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::{ActionClass, Details, Reach, TextSignal};
use onesec_trackers::facts::{Act, BehaviourFacts, Outside, TaintFacts};

use crate::words::{plain, signals_list};

/// Fires on an act outside the mandate of the task (or of the agent, where the task states none): HIGH where untrusted
/// content was taken in before, CRITICAL where it also destroys, sends, pays or runs something. Without such content it is
/// LOW to HIGH by the harm it can do. Where nobody stated a mandate, it takes a text that reads like an instruction and a
/// change within ten acts, or private data that was read and then sent to somebody whom the content names.
///
/// A text that reads like an instruction is LOW by itself, MEDIUM where there is hardly a doubt.
///
/// **Blind spot**: content that nobody reports; an act within the mandate that serves somebody else's ends.
#[derive(Debug)]
pub struct GoalHijack(Descriptor);

impl GoalHijack {
    /// There is nothing to set: mandates are stated by tasks and registrations.
    #[must_use]
    pub fn new() -> Self {
        Self(Descriptor {
            owasp: &["ASI01"],
            references: &["OWASP Top 10 for Agentic Applications 2026, ASI01 Agent Goal Hijack"],
            stateless: true,
            blind_spot: "content that nobody reports; acts within the mandate that serve somebody else's ends",
            mitigation: "Look at the content named in the evidence, end the task, and let the agent begin anew without it.",
            ..Descriptor::new("goal-hijack", Module::AiContainment, "Agent led away from its goal")
        })
    }
}

impl Default for GoalHijack {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for GoalHijack {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(behaviour) = facts.behaviour.as_deref() else { return };
        let taint = behaviour.taint.as_ref();
        let judged = match &behaviour.act {
            Some(act) => outside(act, behaviour)
                .or_else(|| taint.and_then(|taint| exfiltrates(act, taint)))
                .or_else(|| taint.and_then(|taint| follows(act, behaviour, taint))),
            None => None,
        };
        match judged {
            Some((severity, reason)) => out.report(hijacked(record, behaviour, (severity, reason))),
            None => out_of_text(record, behaviour, out),
        }
    }
}

type Judged = (Severity, String);

fn hijacked(record: &Record, behaviour: &BehaviourFacts<'_>, (severity, reason): Judged) -> Finding {
    let mut finding = Finding::about(record, severity, reason);
    if let Some(act) = &behaviour.act {
        finding = finding.with("action", act.gravest().as_str());
        if let Some(tool) = act.tool {
            finding = finding.with("tool", tool);
        }
    }
    if let Some(goal) = behaviour.mandate.goal {
        finding = finding.with("goal", goal);
    }
    let Some(taint) = &behaviour.taint else { return finding };
    finding.evidence = finding.evidence.and(taint.event);
    finding = finding.with("content_from", taint.source);
    if let Some(instructed) = taint.instructed {
        finding.evidence = finding.evidence.and(instructed.event);
        finding = finding.with("content_says", signals_list(instructed.signals));
    }
    finding
}

/// The act is none that the mandate covers.
fn outside(act: &Act<'_>, behaviour: &BehaviourFacts<'_>) -> Option<Judged> {
    let outside = behaviour.mandate.outside?;
    let grave = act.gravest().is_grave();
    let what = match outside {
        Outside::Tool => format!("tool `{}`", act.tool.unwrap_or_default()),
        Outside::Connection => "the connection".to_owned(),
        Outside::Action(classes) => {
            let names: Vec<&str> = classes.iter().map(ActionClass::as_str).collect();
            format!("to {}", names.join(" and "))
        }
        _ => "the act".to_owned(),
    };
    let Some(taint) = &behaviour.taint else {
        let severity = match act.gravest() {
            _ if grave => Severity::High,
            ActionClass::Read => Severity::Low,
            _ => Severity::Medium,
        };
        return Some((severity, format!("{what} is outside the mandate")));
    };
    let severity = if grave { Severity::Critical } else { Severity::High };
    let influence = influence(taint);
    Some((severity, format!("{what} is outside the mandate, {influence}")))
}

fn influence(taint: &TaintFacts<'_>) -> String {
    let whose = if taint.of_task { "the task" } else { "the agent" };
    format!("after {whose} took in untrusted content from `{}`", plain(taint.source))
}

/// Private data goes to somebody whom the content named (and from whom it did not come).
fn exfiltrates(act: &Act<'_>, taint: &TaintFacts<'_>) -> Option<Judged> {
    let leaves = act.classes.contains(ActionClass::Send) || act.classes.contains(ActionClass::Execute);
    (leaves && taint.recipient_named && taint.sensitive.is_some()).then(|| {
        let influence = influence(taint);
        (
            Severity::High,
            format!("private data was read, and something is sent to a place that the content names, {influence}"),
        )
    })
}

/// Nobody said what the agent is there for: it changes something a few acts after a text that tells it to.
fn follows(act: &Act<'_>, behaviour: &BehaviourFacts<'_>, taint: &TaintFacts<'_>) -> Option<Judged> {
    let instructed = taint.instructed?;
    if behaviour.mandate.source.is_stated() || !act.changes() {
        return None;
    }
    let steps = instructed.steps + 1;
    let sends = act.gravest().is_grave() && taint.recipient_named;
    let severity = if sends { Severity::Critical } else { Severity::High };
    let influence = influence(taint);
    Some((
        severity,
        format!("{} within {steps} acts of a text that reads like an instruction, {influence}", act.gravest().as_str()),
    ))
}

/// A text that reads like an instruction, where nothing was done yet.
fn out_of_text(record: &Record, behaviour: &BehaviourFacts<'_>, out: &mut Findings) {
    let Some(text) = behaviour.text else { return };
    let Some(event) = record.event() else { return };
    let stated = matches!(event.details, Details::AgentGoal(_) | Details::AgentPlan(_) | Details::AgentDecision(_));
    let taken_in = matches!(
        event.details,
        Details::ContentIngest(_)
            | Details::AgentMarkdownIngest(_)
            | Details::RagRetrieval(_)
            | Details::ToolCall(_)
            | Details::FunctionCall(_)
            | Details::AgentAction(_)
    );
    let grave = [TextSignal::Override, TextSignal::Concealment, TextSignal::Exfiltration, TextSignal::Hidden];
    let several = grave.into_iter().filter(|signal| text.signals.contains(*signal)).count() > 1;
    let severity = match () {
        () if stated && behaviour.taint.is_some() => Severity::Medium,
        () if taken_in && text.reach == Reach::Lenient && several => Severity::Medium,
        () if taken_in || stated => Severity::Low,
        () => return,
    };
    let reason = if stated {
        "what the agent is after reads like an instruction by somebody else"
    } else {
        "content reads like an instruction to the agent"
    };
    let finding = Finding::about(record, severity, reason);
    out.report(finding.with("content_says", signals_list(text.signals)).with("score", u32::from(text.value)));
}

//! From findings to the answer to a request: detectors, policies, people's word, and what holds somebody back.

use onesec_enforcement::{Decision, Judged, Phase, Verdict, decide, ruled};
use onesec_telemetry::{Channel, Details, Mode, Record, Severity};

use super::Engine;
use crate::judge::reads;
use crate::output::{Answer, Brief, Output, Reported};
use crate::respond::Scene;
use crate::restraints::HeldBack;

impl Engine {
    /// What a request would be told that was not asked about before: what was reported of it later, judged by the preset
    /// and the policies in force.
    #[must_use]
    pub fn would_answer(&self, record: &Record, findings: &[Reported]) -> Answer {
        let answer = Answer::new(self.decision(record, Phase::Request, findings), findings);
        self.held_back(record, Phase::Request, answer)
    }

    pub(super) fn answer(&self, record: &Record, findings: &[Reported]) -> Option<Answer> {
        let phase = phase(record)?;
        if let Some(down) = self.guard_down(record, phase) {
            return Some(down);
        }
        let answer = Answer::new(self.decision(record, phase, findings), findings);
        Some(self.held_back(record, phase, answer))
    }

    /// The answer, where nothing holds agent or address back for a while.
    pub(super) fn held_back(&self, record: &Record, phase: Phase, answer: Answer) -> Answer {
        let Some(HeldBack { verdict, reason }) = self.restraints.ask(record, phase) else { return answer };
        if verdict <= answer.applies {
            return answer;
        }
        let because = Brief { detector: "restraint", severity: Severity::High, reason, alert: None };
        Answer {
            applies: verdict,
            would: verdict.max(answer.would),
            mode: self.mode,
            because: Some(because),
            approval: None,
        }
    }

    /// A dead guard keeps its gate shut.
    pub(super) fn guard_down(&self, record: &Record, phase: Phase) -> Option<Answer> {
        let dead = self.detectors.iter().find(|g| g.blocks() && reads(g, record))?;
        let detector = dead.descriptor().code;
        let because = Brief {
            detector,
            severity: Severity::Critical,
            reason: format!("detector `{detector}` is down, and what it guards is refused"),
            alert: None,
        };
        let verdict = if phase == Phase::Release { Verdict::Withhold } else { Verdict::Deny };
        Some(Answer { applies: verdict, would: verdict, mode: self.mode, because: Some(because), approval: None })
    }

    pub(super) fn decision(&self, record: &Record, phase: Phase, findings: &[Reported]) -> Decision {
        let whom = [
            record.agent().map(AsRef::as_ref),
            record.user().map(AsRef::as_ref),
            record.connection().map(AsRef::as_ref),
        ];
        let covered = self.responder.covered(record, phase, findings);
        let judged: Vec<Judged<'_>> = findings
            .iter()
            .zip(covered)
            .map(|(f, covered)| Judged {
                detector: f.brief.detector,
                severity: f.brief.severity,
                binding: f.binding,
                retry_after: f.retry_after,
                ruled: if covered {
                    Some(Verdict::Allow)
                } else {
                    ruled(self.responder.policies(), (f.brief.detector, f.brief.severity), whom)
                },
            })
            .collect();
        decide(self.preset, self.mode, phase, &judged)
    }

    /// What passes counts and uses up what let it pass; what is held is asked about.
    pub(super) fn settle_request(&mut self, record: &Record, output: &mut Output) {
        let Some(answer) = &mut output.answer else { return };
        if answer.applies.passes() {
            self.restraints.count(record);
            let covered = self.responder.covered(record, Phase::Request, &output.findings);
            if self.mode == Mode::Live && covered.contains(&true) {
                output.steps.extend(self.responder.use_up(record));
            }
        } else if answer.applies == Verdict::Hold {
            let scene = Scene { record, alerts: &self.alerts, mode: self.mode, preset: self.preset };
            let (approval, step) = self.responder.hold(scene, &output.findings, answer);
            answer.approval = approval;
            output.steps.extend(step);
        }
    }
}

/// At which point of a request a record stands; `None` for what has happened already.
pub(super) fn phase(record: &Record) -> Option<Phase> {
    match (record.sender.channel, record.event().map(|e| &e.details)) {
        (Channel::Gateway, Some(Details::TokenExchange(_))) | (Channel::Decide, Some(_)) => Some(Phase::Request),
        (Channel::Gateway, Some(Details::TokenExchangeResponse(d))) if d.success => Some(Phase::Release),
        _ => None,
    }
}

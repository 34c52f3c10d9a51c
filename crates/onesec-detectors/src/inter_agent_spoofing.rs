//! `inter-agent-spoofing`: a message between agents is not what it seems (ASI07).

use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, Module, Record, Severity};
use onesec_telemetry::{Details, Kind};
use onesec_trackers::facts::{BehaviourFacts, MessageFacts};

/// Fires on a message with a bad signature, on one that is no longer signed where the two signed before, on a replay, on a
/// message that was sent to somebody else before, on a sender whose key belongs to another agent or whose name looks like
/// a known one, and on a message for a task that has ended. Messages without a signature are MEDIUM where signatures are
/// asked for.
///
/// **Blind spot**: messages that nobody reports; what two agents agree on by other ways.
#[derive(Debug)]
pub struct InterAgentSpoofing {
    descriptor: Descriptor,
    require_signatures: bool,
}

impl InterAgentSpoofing {
    /// Whether messages without a signature are worth an alert.
    #[must_use]
    pub fn new(require_signatures: bool) -> Self {
        let descriptor = Descriptor {
            owasp: &["ASI07"],
            references: &["OWASP Top 10 for Agentic Applications 2026, ASI07 Insecure Inter-Agent Communication"],
            kinds: &[Kind::AgentMessage, Kind::AgentImpersonation],
            stateless: true,
            blind_spot: "messages that nobody reports; what two agents agree on by other ways",
            mitigation: "Find out who sent the message; let agents sign what they send, and take a message once only.",
            ..Descriptor::new("inter-agent-spoofing", Module::AiContainment, "Message between agents is not genuine")
        };
        Self { descriptor, require_signatures }
    }

    fn verdict(
        &self,
        message: &MessageFacts<'_>,
        behaviour: &BehaviourFacts<'_>,
    ) -> Option<(Severity, String, &'static str)> {
        let found = |severity, why: &str, problem| Some((severity, why.to_owned(), problem));
        if message.spoofed {
            return found(Severity::High, "the key that sent it is another agent's", "other-key");
        }
        if message.signature == Some(false) {
            return found(Severity::High, "the signature of the message does not verify", "bad-signature");
        }
        if message.replayed.is_some() {
            return found(Severity::High, "the message came before", "replay");
        }
        if message.rerouted.is_some() {
            return found(Severity::High, "the message was between other agents before", "re-routed");
        }
        if let Some(known) = message.confusable_with {
            return Some((Severity::High, format!("the sender's name looks like that of `{known}`"), "look-alike"));
        }
        let unsigned = message.signature != Some(true);
        if message.signed_before && unsigned {
            return found(
                Severity::High,
                "messages between the two were signed before, and this one is not",
                "downgrade",
            );
        }
        if behaviour.mandate.ended.is_some() {
            return found(Severity::Medium, "the message is for a task that has ended", "ended-task");
        }
        if message.protocol_changed {
            return found(Severity::Medium, "the two spoke another protocol before", "protocol");
        }
        if self.require_signatures && unsigned {
            return found(Severity::Medium, "the message is not signed", "unsigned");
        }
        None
    }
}

impl Detector for InterAgentSpoofing {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        let Some(event) = record.event() else { return };
        if let Details::AgentImpersonation(posed) = &event.details {
            let mut finding = Finding::about(record, Severity::High, "the agent posed as a user");
            if let Some(user) = &posed.impersonated_user {
                finding = finding.with("user", user.as_str());
            }
            out.report(finding);
            return;
        }
        let Some(behaviour) = facts.behaviour.as_deref() else { return };
        let (Some(message), Details::AgentMessage(said)) = (&behaviour.message, &event.details) else { return };
        let Some((severity, reason, problem)) = self.verdict(message, behaviour) else { return };
        let mut finding = Finding::about(record, severity, reason).with("problem", problem).aspect(problem);
        for earlier in [message.replayed, message.rerouted].into_iter().flatten() {
            finding.evidence = finding.evidence.and(earlier);
        }
        out.report(finding.with("to", said.to_agent.as_str()).with("message_id", said.message_id.as_str()));
    }
}

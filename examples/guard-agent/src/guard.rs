//! onesec in process, as an agent framework would hold it: one method for what happened, one for what is about to.

use onesec_enforcement::Preset;
use onesec_engine::{Answer, EnforcementSettings, Engine, Settings};
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{
    AgentId, Attestation, Authority, Body, Channel, DecodeOptions, EventId, KnownConnections, Mode, Record, Sender,
    Seq, Subject, TenantId, Timestamp, decode_event,
};
use onesec_text::{Scorer, score_event};
use serde_json::{Value, json};

/// Why something could not be put to the engine: a mistake of the program, not of the agent.
pub(crate) type Error = Box<dyn std::error::Error>;

/// An engine, and what a program has to bring: who speaks, in which order, at what time, and what the texts are worth.
pub(crate) struct Guard {
    engine: Engine,
    scorer: Scorer,
    agent: AgentId,
    seq: Seq,
    now: Timestamp,
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// Go on.
    Allowed,
    /// Do not; the reason, for the model and for people.
    Refused(String),
}

impl Guard {
    /// Guards `agent`, strictly, and in earnest.
    ///
    /// # Errors
    /// Where the engine cannot be set up.
    pub(crate) fn new(agent: &str) -> Result<Self, Error> {
        let enforcement =
            EnforcementSettings { mode: Mode::Live, preset: Preset::Strict, ..EnforcementSettings::default() };
        let settings = Settings { enforcement, ..Settings::default() };
        let detectors = |_: &Settings| Ok(onesec_detectors::all(&onesec_detectors::Settings::default()));
        let engine = Engine::new(TenantId::default_tenant(), settings, Box::new(detectors))?;
        // A real program reads its clock here and before each record.
        let now = Timestamp::from_secs(1_767_225_600);
        Ok(Self { engine, scorer: Scorer::new(), agent: AgentId::new(agent)?, seq: Seq(0), now })
    }

    /// Something that your program itself knows: a task begins, a user delegates. It has the authority.
    ///
    /// # Errors
    /// Where the contract does not know such an event.
    pub(crate) fn tell(&mut self, kind: &str, details: &Value) -> Result<(), Error> {
        let record = self.record(kind, details, Sender::replay())?;
        self.engine.apply(&record);
        Ok(())
    }

    /// Something that the agent has done or taken in.
    ///
    /// # Errors
    /// Where the contract does not know such an event.
    pub(crate) fn note(&mut self, kind: &str, details: &Value) -> Result<(), Error> {
        let sender = self.agents_own(Channel::Ingest);
        let record = self.record(kind, details, sender)?;
        self.engine.apply(&record);
        Ok(())
    }

    /// Whether the agent may do what it is about to do. Judged, counted, and remembered.
    ///
    /// # Errors
    /// Where the contract does not know such an event.
    pub(crate) fn may(&mut self, kind: &str, details: &Value) -> Result<Ruling, Error> {
        let sender = self.agents_own(Channel::Decide);
        let record = self.record(kind, details, sender)?;
        let (answer, _) = self.engine.decide(&record)?;
        Ok(ruling(&answer))
    }

    fn agents_own(&self, channel: Channel) -> Sender {
        Sender { channel, key: None, owner: None, agent: Some(self.agent.clone()), authority: Authority::Claim }
    }

    fn record(&mut self, kind: &str, details: &Value, sender: Sender) -> Result<Record, Error> {
        self.seq = self.seq.next();
        let text = json!({"type": kind, "details": details}).to_string();
        let connections = KnownConnections::default();
        let catalogue = Catalogue::builtin();
        let options = DecodeOptions { connections: &connections, catalogue, bound_agent: sender.agent.as_ref() };
        let (event, _warnings) = decode_event(&text, options, &EventId::new(&format!("event-{}", self.seq))?)?;
        Ok(Record {
            tenant: TenantId::default_tenant(),
            seq: self.seq,
            observed_at: self.now,
            at: self.now,
            late: false,
            sender,
            subject: event.common.user_id.clone().map_or(Subject::Unknown, Subject::Claimed),
            attestation: Attestation::Absent,
            network: None,
            // Texts are scored where they come in; the score is a part of the record.
            text: score_event(&self.scorer, &event),
            body: Body::Event(event.into()),
        })
    }
}

fn ruling(answer: &Answer) -> Ruling {
    if answer.applies.passes() {
        return Ruling::Allowed;
    }
    let because = answer.because.as_ref().map(|brief| format!("{}: {}", brief.detector, brief.reason));
    Ruling::Refused(because.unwrap_or_else(|| answer.applies.as_str().to_owned()))
}

//! The whole engine inside your program: ask it before an exchange happens. No socket, runtime, clock or database.
//!
//! `cargo run -p embed-engine`
#![expect(clippy::print_stdout, reason = "an example that shows what was decided")]

use onesec_engine::{Answer, EnforcementSettings, Engine, Settings};
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{
    AgentId, Attestation, Authority, Body, Channel, DecodeOptions, EventId, KnownConnections, Mode, Record, Sender,
    Seq, Subject, TenantId, Timestamp, decode_event,
};

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let mut guard = Guard::new()?;
    guard.delegate(&MAIL, "mail-bot", "gmail.readonly")?;
    for (agent, scopes) in [("mail-bot", "gmail.readonly"), ("mail-bot", "gmail.send"), ("cat-bot", "gmail.readonly")] {
        let answer = guard.may_exchange(agent, &MAIL, scopes)?;
        let because = answer.because.map_or_else(String::new, |b| format!(": {}: {}", b.detector, b.reason));
        println!("{agent} asks for {scopes}: {}{because}", answer.applies.as_str());
    }
    Ok(())
}

/// Whose account, and where.
struct Account {
    user: &'static str,
    connection: &'static str,
}

const MAIL: Account = Account { user: "ada", connection: "google-oauth2" };

/// An engine and what your program has to bring: sequence numbers and the time.
struct Guard {
    engine: Engine,
    seq: Seq,
    now: Timestamp,
}

impl Guard {
    fn new() -> Result<Self, Error> {
        let enforcement = EnforcementSettings { mode: Mode::Live, ..EnforcementSettings::default() };
        let settings = Settings { enforcement, ..Settings::default() };
        let detectors = |_: &Settings| Ok(onesec_detectors::all(&onesec_detectors::Settings::default()));
        let engine = Engine::new(TenantId::default_tenant(), settings, Box::new(detectors))?;
        Ok(Self { engine, seq: Seq(0), now: Timestamp::from_secs(1_767_225_600) })
    }

    /// A user lets an agent act: said by your program, which has the authority.
    fn delegate(&mut self, account: &Account, agent: &str, scopes: &str) -> Result<(), Error> {
        let Account { user, connection } = account;
        let text = format!(
            r#"{{"type": "agent_identity_delegation", "details": {{"agent_id": "{agent}", "delegated_by": "{user}",
                "connection": "{connection}", "scopes": "{scopes}"}}}}"#
        );
        let record = self.record(&text, Sender::replay())?;
        self.engine.apply(&record);
        Ok(())
    }

    /// Asks before the act, with the agent whose credential your program has checked.
    fn may_exchange(&mut self, agent: &str, account: &Account, scopes: &str) -> Result<Answer, Error> {
        let Account { user, connection } = account;
        let text = format!(
            r#"{{"type": "token_exchange", "details": {{"user_id": "{user}", "connection": "{connection}",
                "scopes": "{scopes}"}}}}"#
        );
        let sender = Sender {
            channel: Channel::Decide,
            key: None,
            owner: None,
            agent: Some(AgentId::new(agent)?),
            authority: Authority::Claim,
        };
        let record = self.record(&text, sender)?;
        let output = self.engine.apply(&record);
        output.answer.ok_or_else(|| "no verdict on what is no request".into())
    }

    fn record(&mut self, text: &str, sender: Sender) -> Result<Record, Error> {
        self.seq = self.seq.next();
        let connections = KnownConnections::default();
        let catalogue = Catalogue::builtin();
        let options = DecodeOptions { connections: &connections, catalogue, bound_agent: sender.agent.as_ref() };
        let (event, _warnings) = decode_event(text, options, &EventId::new(&format!("event-{}", self.seq))?)?;
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
            text: None,
            body: Body::Event(event.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(guard: &mut Guard, agent: &str, scopes: &str) -> &'static str {
        guard.may_exchange(agent, &MAIL, scopes).expect("a verdict").applies.as_str()
    }

    #[test]
    fn what_was_delegated_passes_and_nothing_else_does() {
        let mut guard = Guard::new().expect("an engine");
        guard.delegate(&MAIL, "mail-bot", "gmail.readonly").expect("a delegation");
        assert_eq!(verdict(&mut guard, "mail-bot", "gmail.readonly"), "allow");
        assert_eq!(verdict(&mut guard, "mail-bot", "gmail.send"), "deny");
        assert_eq!(verdict(&mut guard, "cat-bot", "gmail.readonly"), "deny");
    }

    #[test]
    fn the_example_runs() {
        main().expect("runs");
    }
}

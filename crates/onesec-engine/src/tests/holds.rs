//! Requests that are held, and what a yes is good for.

use onesec_enforcement::{ApprovalError, Verdict};
use onesec_telemetry::{KeyId, Mode, Name, ResponseStatus, Sender, Thumbprint};
use std::time::Duration;

use super::*;
use crate::EnforcementSettings;

/// Live and balanced: what is CRITICAL is held.
fn live() -> Engine {
    let enforcement = EnforcementSettings { mode: Mode::Live, ..EnforcementSettings::default() };
    engine_with(&[("loud", GuardClass::Advisory)], Settings { enforcement, ..Settings::default() })
}

/// Feeds records one after the other, each at its place.
struct Story {
    engine: Engine,
    last: Record,
}

impl Story {
    fn begin(words: &str) -> (Self, Output) {
        let mut engine = live();
        let first = records([asks("0s", "bot-7", words)]).remove(0);
        let output = engine.apply(&first);
        (Self { engine, last: first }, output)
    }

    fn feed(&mut self, mut record: Record, after: u64) -> Output {
        record.seq = self.last.seq.next();
        record.observed_at = self.last.observed_at + Duration::from_secs(after);
        record.at = record.observed_at;
        self.last = record;
        self.engine.apply(&self.last)
    }

    fn ask(&mut self, agent: &str, words: &str, after: u64) -> Output {
        let record = records([asks("0s", agent, words)]).remove(0);
        self.feed(record, after)
    }

    fn decide(&mut self, (id, digest): (&Name, Thumbprint), approve: bool, owner: &str) -> Output {
        let note = None;
        let mut record = command(&self.last, Command::DecideApproval { id: id.clone(), digest, approve, note });
        record.sender = Sender::system();
        record.sender.channel = onesec_telemetry::Channel::Api;
        record.sender.key = KeyId::new(&format!("key-{owner}")).ok();
        record.sender.owner = Name::new(owner).ok();
        self.feed(record, 1)
    }

    fn waiting(&self) -> (Name, Thumbprint) {
        let approval = self.engine.approvals().next().expect("something waits");
        (approval.id.clone(), approval.digest)
    }
}

fn verdict(output: &Output) -> Verdict {
    output.answer.as_ref().expect("an answer").applies
}

fn status(output: &Output) -> Vec<ResponseStatus> {
    output.steps.iter().map(|step| step.response.status).collect()
}

#[test]
fn what_a_person_approved_passes_once_and_not_twice() {
    let (mut story, held) = Story::begin("CRITICAL suspicious");
    assert_eq!((verdict(&held), status(&held)), (Verdict::Hold, vec![ResponseStatus::PendingApproval]));
    let (id, digest) = story.waiting();
    assert_eq!(held.answer.and_then(|a| a.approval), Some(id.clone()));
    // The same question again is the same approval.
    let again = story.ask("bot-7", "CRITICAL suspicious", 1);
    assert_eq!(again.answer.and_then(|a| a.approval), Some(id.clone()));
    let said = story.decide((&id, digest), true, "boss");
    assert_eq!((said.approval, story.engine.approvals().count()), (Some(Ok(())), 0));
    let passed = story.ask("bot-7", "CRITICAL suspicious", 1);
    assert_eq!((verdict(&passed), status(&passed)), (Verdict::Allow, vec![ResponseStatus::Succeeded]));
    assert_eq!(verdict(&story.ask("bot-7", "CRITICAL suspicious", 1)), Verdict::Hold);
    assert_eq!(story.decide((&id, digest), true, "boss").approval, Some(Err(ApprovalError::Used)));
}

#[test]
fn a_yes_is_for_that_agent_and_those_findings_and_ten_minutes() {
    for (agent, words, after, want) in [
        ("bot-8", "CRITICAL suspicious", 1, Verdict::Hold),
        ("bot-7", "CRITICAL something else", 1, Verdict::Hold),
        ("bot-7", "CRITICAL suspicious;HIGH more", 1, Verdict::Hold),
        ("bot-7", "CRITICAL suspicious binding", 1, Verdict::Deny),
        ("bot-7", "CRITICAL suspicious", 601, Verdict::Hold),
        ("bot-7", "CRITICAL suspicious", 598, Verdict::Allow),
    ] {
        let (mut story, _) = Story::begin("CRITICAL suspicious");
        let (id, digest) = story.waiting();
        story.decide((&id, digest), true, "boss");
        assert_eq!(verdict(&story.ask(agent, words, after)), want, "{agent} {words} {after}");
    }
}

#[test]
fn nobody_who_asked_says_yes_and_no_means_no() {
    let (mut story, _) = Story::begin("CRITICAL suspicious");
    let (id, digest) = story.waiting();
    let other = Thumbprint::of(b"another question");
    assert_eq!(story.decide((&id, other), true, "boss").approval, Some(Err(ApprovalError::OtherDigest)));
    let asker = story.last.clone();
    let mut own = command(&asker, Command::DecideApproval { id: id.clone(), digest, approve: true, note: None });
    own.sender = records([asks("0s", "bot-7", "x")]).remove(0).sender;
    assert_eq!(story.feed(own, 1).approval, Some(Err(ApprovalError::OwnRequest)));
    let said = story.decide((&id, digest), false, "boss");
    assert_eq!((said.approval, status(&said)), (Some(Ok(())), vec![ResponseStatus::Rejected]));
    assert_eq!(verdict(&story.ask("bot-7", "CRITICAL suspicious", 1)), Verdict::Hold);
}

#[test]
fn what_waits_and_what_was_granted_outlive_a_snapshot() {
    let (mut story, _) = Story::begin("CRITICAL suspicious");
    let reload = |engine: &mut Engine| {
        let mut out = onesec_detector::StateWriter::default();
        engine.save(&mut out);
        let sections = out.into_sections().into_iter().collect();
        let assemble = |_: &Settings| Ok(vec![Loud::boxed("loud", GuardClass::Advisory)]);
        Engine::load(TenantId::default_tenant(), Box::new(assemble), &sections).expect("loads")
    };
    story.engine = reload(&mut story.engine);
    let (id, digest) = story.waiting();
    assert_eq!(story.decide((&id, digest), true, "boss").approval, Some(Ok(())));
    story.engine = reload(&mut story.engine);
    assert_eq!(verdict(&story.ask("bot-7", "CRITICAL suspicious", 1)), Verdict::Allow);
    story.engine = reload(&mut story.engine);
    assert_eq!(verdict(&story.ask("bot-7", "CRITICAL suspicious", 1)), Verdict::Hold);
}

#[test]
fn what_nobody_uses_expires_with_a_receipt() {
    let (mut story, _) = Story::begin("CRITICAL suspicious");
    let (id, digest) = story.waiting();
    story.decide((&id, digest), true, "boss");
    let later = story.ask("bot-9", "INFO nothing", 601);
    assert_eq!(status(&later), [ResponseStatus::Expired]);
}

//! From alerts to steps of actions.

use std::net::IpAddr;
use std::time::Duration;

use onesec_detector::StateWriter;
use onesec_enforcement::{ApprovalError, Preset};
use onesec_telemetry::{AgentId, Mode, Name, ResponseStatus, Thumbprint};
use onesec_testkit::START;
use serde_json::{Value, json};

use super::*;
use crate::EnforcementSettings;

/// Nothing is held: what waits is what policies ask.
fn settings(policies: Value) -> Settings {
    let Value::Array(policies) = policies else { panic!("a list") };
    let enforcement =
        EnforcementSettings { mode: Mode::Live, preset: Preset::Observe, policies, ..EnforcementSettings::default() };
    Settings { enforcement, ..Settings::default() }
}

/// With one policy about what is CRITICAL.
fn live(actions: &Value, approval: &Value) -> Engine {
    let policy =
        json!([{"name": "p", "match": {"min_severity": "CRITICAL"}, "actions": actions, "approval": approval}]);
    engine_with(&[("loud", GuardClass::Advisory)], settings(policy))
}

fn steps(outputs: &[Output]) -> Vec<Vec<(ResponseStatus, bool)>> {
    let of = |output: &Output| output.steps.iter().map(|s| (s.response.status, s.queued.is_some())).collect();
    outputs.iter().map(of).collect()
}

const EXECUTED: (ResponseStatus, bool) = (ResponseStatus::Executing, true);
const ASKED: (ResponseStatus, bool) = (ResponseStatus::PendingApproval, false);

#[test]
fn what_is_said_on_top_of_what_was_seen_asks_and_what_is_seen_then_acts() {
    let mut engine = live(&json!(["suspend_agent"]), &Value::Null);
    let story = [
        asks("0s", "bot", "HIGH"),
        does("1s", "bot", "CRITICAL").reported(),
        does("2s", "bot", "CRITICAL").reported(),
        asks("3s", "bot", "CRITICAL"),
        asks("4s", "bot", "CRITICAL"),
    ];
    let outputs = apply(&mut engine, story);
    assert_eq!(engine.open_alerts().len(), 1, "it is one alert all the while");
    assert_eq!(steps(&outputs), [vec![], vec![ASKED], vec![], vec![EXECUTED], vec![]]);
}

#[test]
fn hearsay_stops_nobody_but_is_told() {
    let mut engine = live(&json!(["log", "suspend_agent", "kill_process"]), &Value::Null);
    let outputs = apply(&mut engine, [does("0s", "bot", "CRITICAL").reported()]);
    assert_eq!(steps(&outputs), [[EXECUTED, ASKED, ASKED]]);
}

fn decide(engine: &Engine, approve: bool) -> Command {
    let asked = engine.approvals().next().expect("a question");
    Command::DecideApproval { id: asked.id.clone(), digest: asked.digest, approve, note: None }
}

#[test]
fn a_yes_counts_once_also_after_a_restart() {
    let mut engine = live(&json!(["suspend_agent"]), &json!({"ttl": "60s"}));
    apply(&mut engine, [asks("0s", "bot", "CRITICAL")]);
    let yes = decide(&engine, true);
    let mut out = StateWriter::default();
    engine.save(&mut out);
    let sections = out.into_sections().into_iter().collect();
    let assemble = |_: &Settings| Ok(vec![Loud::boxed("loud", GuardClass::Advisory)]);
    let engine = Engine::load(TenantId::default_tenant(), Box::new(assemble), &sections);
    let mut engine = engine.expect("it loads");
    assert_eq!(engine.approvals().count(), 1);
    // Two records by an owned key: only the first finds the question.
    let mut said = records([at("5s").person().command(yes.clone()), at("6s").person().command(yes)]);
    for (record, seq) in said.iter_mut().zip(100..) {
        record.seq = Seq(seq);
        record.sender.owner = Some(Name::new("ann").expect("a name"));
    }
    let outputs: Vec<Output> = said.iter().map(|record| engine.apply(record)).collect();
    assert_eq!((outputs[0].approval, outputs[1].approval), (Some(Ok(())), Some(Err(ApprovalError::Used))));
    assert_eq!(steps(&outputs), [vec![EXECUTED], vec![]]);
    let approved = outputs[0].steps[0].response.approved_by.as_ref().map(AsRef::as_ref);
    assert_eq!(approved, Some("ann"));
}

#[test]
fn silence_ends_a_question_and_leaves_a_receipt() {
    let mut engine = live(&json!(["suspend_agent"]), &json!({"ttl": "60s"}));
    let outputs =
        apply(&mut engine, [asks("0s", "bot", "CRITICAL"), at("59s").tick(), at("60s").tick(), at("61s").tick()]);
    assert_eq!(steps(&outputs), [vec![ASKED], vec![], vec![(ResponseStatus::Expired, false)], vec![]]);
    let ids: Vec<_> = outputs.iter().flat_map(|o| &o.steps).map(|s| s.response.id.clone()).collect();
    assert_eq!(ids[0], ids[1], "of the same action");
}

#[test]
fn questions_about_nobody_are_about_their_alerts() {
    let mut engine = live(&json!(["log"]), &json!({}));
    apply(&mut engine, [asks("0s", "bot-7", "CRITICAL"), asks("1s", "bot-8", "CRITICAL")]);
    assert_eq!(engine.approvals().count(), 2);
    let digests: std::collections::BTreeSet<Thumbprint> = engine.approvals().map(|asked| asked.digest).collect();
    assert_eq!(digests.len(), 2);
}

#[test]
fn dry_run_says_what_it_would_do() {
    let mut engine = live(&json!(["log", "suspend_agent"]), &Value::Null);
    let outputs = apply(&mut engine, [at("0s").mode(Mode::DryRun), asks("1s", "bot", "CRITICAL")]);
    let dry = (ResponseStatus::DryRun, false);
    assert_eq!(steps(&outputs)[1], [dry, dry]);
    assert_eq!(outputs[0].transitions[0].after.detector.as_str(), "enforcement-off");
    assert_eq!(outputs[0].transitions[0].after.severity, Severity::High);
}

fn held(limit: u32, seconds: u64) -> Draft {
    let agent = AgentId::new("bot").expect("an id");
    let (per, until) = (Duration::from_secs(60), START + Duration::from_secs(seconds));
    at("0s").command(Command::RestrainAgent { agent, limit, per, until, reason: None })
}

#[test]
fn being_held_back_once_more_lets_nobody_go() {
    for (again, limit, until) in [(held(2, 900), 0, 600), (held(0, 60), 0, 600), (held(0, 900), 0, 900)] {
        let mut engine = loud();
        apply(&mut engine, [held(0, 600), again]);
        let held: Vec<_> = engine.restraints().agents().map(|(_, held)| (held.limit, held.until)).collect();
        assert_eq!(held, [(limit, START + Duration::from_secs(until))]);
    }
    let mut engine = loud();
    let block = |address: &str, seconds| {
        let address: IpAddr = address.parse().expect("an address");
        let until = START + Duration::from_secs(seconds);
        at("0s").command(Command::BlockAddress { address, until, reason: None })
    };
    apply(&mut engine, [block("::ffff:192.0.2.7", 600), block("192.0.2.7", 60)]);
    let blocked: Vec<_> = engine.restraints().addresses().collect();
    assert_eq!(blocked, [(IpAddr::from([192, 0, 2, 7]), START + Duration::from_secs(600))]);
}

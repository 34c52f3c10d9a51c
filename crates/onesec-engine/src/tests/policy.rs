//! Exceptions, modes, settings.

use onesec_enforcement::{Preset, Verdict};
use onesec_telemetry::event::{Json, Text};
use onesec_telemetry::{AgentId, Exception, Mode, Name, Thumbprint};
use onesec_testkit::START;
use std::time::Duration;

use super::*;
use crate::EnforcementSettings;

fn exception(detector: &str, agent: Option<&str>, seconds: u64) -> Draft {
    at("0s").command(Command::AddException(Exception {
        id: Name::new("x-1").expect("a name"),
        detector: Name::new(detector).expect("a name"),
        agent_id: agent.map(|agent| AgentId::new(agent).expect("an id")),
        user_id: None,
        connection: None,
        reason: Text::redacted("known and wanted"),
        owner: None,
        expires_at: START + Duration::from_secs(seconds),
    }))
}

fn found(outputs: &[Output]) -> Vec<usize> {
    outputs.iter().map(|o| o.findings.len()).collect()
}

#[test]
fn an_exception_is_silence_until_it_ends() {
    let mut engine = loud();
    let story = [
        exception("loud", Some("bot-7"), 100),
        does("99s", "bot-7", "HIGH"),
        does("99s", "bot-8", "HIGH"),
        does("100s", "bot-7", "HIGH"),
    ];
    assert_eq!(found(&apply(&mut engine, story)), [0, 0, 1, 1]);
}

#[test]
fn an_exception_for_everybody_is_for_everybody_and_can_be_taken_back() {
    let mut engine = loud();
    let back = at("5s").command(Command::RemoveException { id: Name::new("x-1").expect("a name") });
    let story = [exception("loud", None, 100), does("1s", "bot-8", "HIGH"), back, does("6s", "bot-8", "HIGH")];
    assert_eq!(found(&apply(&mut engine, story)), [0, 0, 0, 1]);
}

#[test]
fn no_exception_hides_what_rests_on_a_person_or_cannot_be_waived() {
    let mut engine = loud();
    let story = [exception("loud", None, 100), does("1s", "bot-7", "HIGH binding"), does("2s", "bot-7", "HIGH")];
    assert_eq!(found(&apply(&mut engine, story)), [0, 1, 0]);
    let mut engine = engine_with(&[("revoked-access", GuardClass::Closed)], Settings::default());
    let story = [exception("revoked-access", None, 100), does("1s", "bot-7", "HIGH")];
    assert_eq!(found(&apply(&mut engine, story)), [0, 1]);
}

fn verdicts(output: &Output) -> (Verdict, Verdict) {
    let answer = output.answer.as_ref().expect("an answer");
    (answer.applies, answer.would)
}

#[test]
fn dry_run_says_and_live_does() {
    let mut engine = engine_with(&[("unauthorized-agent", GuardClass::Closed)], Settings::default());
    let story = [
        asks("0s", "bot-7", "CRITICAL"),
        at("1s").mode(Mode::Live),
        asks("2s", "bot-7", "CRITICAL"),
        asks("3s", "bot-7", "nothing"),
        at("4s").command(Command::SetPreset(Name::new("observe").expect("a name"))),
        asks("5s", "bot-7", "CRITICAL"),
    ];
    let outputs = apply(&mut engine, story);
    assert_eq!(verdicts(&outputs[0]), (Verdict::Allow, Verdict::Deny));
    assert_eq!(verdicts(&outputs[2]), (Verdict::Deny, Verdict::Deny));
    assert_eq!(verdicts(&outputs[3]), (Verdict::Allow, Verdict::Allow));
    assert_eq!(verdicts(&outputs[5]), (Verdict::Allow, Verdict::Allow));
    assert_eq!((engine.mode(), engine.preset()), (Mode::Live, Preset::Observe));
    assert_eq!(
        outputs[2].answer.as_ref().and_then(|a| a.because.as_ref()).map(|b| b.detector),
        Some("unauthorized-agent")
    );
}

#[test]
fn a_person_s_decision_holds_in_dry_run() {
    let mut engine = loud();
    let outputs = apply(&mut engine, [asks("0s", "bot-7", "LOW binding"), does("1s", "bot-7", "LOW binding")]);
    assert_eq!(verdicts(&outputs[0]), (Verdict::Deny, Verdict::Deny));
    assert!(outputs[1].answer.is_none(), "what has happened already gets no verdict");
}

/// A merged alert does not hide a request: each is judged by its own findings.
#[test]
fn every_request_gets_its_own_verdict() {
    let live = EnforcementSettings { mode: Mode::Live, ..EnforcementSettings::default() };
    let settings = Settings { enforcement: live, ..Settings::default() };
    let mut engine = engine_with(&[("unauthorized-agent", GuardClass::Closed)], settings);
    let outputs = apply(&mut engine, (0..50).map(|_| asks("+1s", "bot-7", "CRITICAL")));
    assert!(outputs.iter().all(|o| verdicts(o).0 == Verdict::Deny));
    assert_eq!(engine.open_alerts()[0].occurrences, 50);
}

fn configure(settings: &Settings) -> Command {
    let content = settings.to_json();
    Command::Configure { digest: Thumbprint::of(content.to_string().as_bytes()), content: Json::redacted(content) }
}

fn built_in(settings: Settings) -> Engine {
    let assemble = |_: &Settings| Ok(onesec_detectors::all(&onesec_detectors::Settings::default()));
    Engine::new(TenantId::default_tenant(), settings, Box::new(assemble)).expect("an engine")
}

#[test]
fn new_settings_keep_what_was_counted() {
    let mut engine = built_in(Settings::default());
    let limit = [("limit".to_owned(), serde_json::json!(12))].into();
    let stricter = Settings { detectors: [("exchange-rate".to_owned(), limit)].into(), ..Settings::default() };
    let exchange = || at("+1s").gateway("bot-7").exchange("ada", "github").scopes("read:org");
    let delegation = at("0s").trusted().delegate("ada", "bot-7", "github");
    let story = std::iter::once(delegation).chain((0..12).map(|_| exchange()));
    let outputs = apply(&mut engine, story.chain([at("+1s").command(configure(&stricter)), exchange()]));
    // Nobody signed the delegation, which is said of it once.
    assert!(outputs[1..14].iter().all(|o| o.findings.is_empty()));
    assert_eq!(outputs[14].findings[0].brief.detector, "exchange-rate");
    assert_eq!(engine.settings(), &stricter);
}

#[test]
fn settings_that_mean_nothing_change_nothing() {
    let mut engine = built_in(Settings::default());
    let limit = [("limit".to_owned(), serde_json::json!(0))].into();
    let wrong = Settings { detectors: [("exchange-rate".to_owned(), limit)].into(), ..Settings::default() };
    apply(&mut engine, [at("0s").command(configure(&wrong))]);
    assert_eq!(engine.settings(), &Settings::default());
}

#[test]
fn a_mode_that_a_person_chose_survives_settings_that_do_not_speak_of_it() {
    let mut engine = built_in(Settings::default());
    let other = Settings { max_depth: 4, ..Settings::default() };
    apply(&mut engine, [at("0s").mode(Mode::Live), at("1s").command(configure(&other))]);
    assert_eq!(engine.mode(), Mode::Live);
}

#[test]
fn what_is_switched_off_is_silent_and_the_rest_is_not() {
    let off = Settings { detectors_off: vec!["unauthorized-agent".to_owned()], ..Settings::default() };
    let module = Settings { modules_off: vec!["token_vault".to_owned()], ..Settings::default() };
    let story = || [at("0s").gateway("bot-7").exchange("ada", "github").scopes("repo")];
    let codes = |settings| -> Vec<&str> {
        let outputs = apply(&mut built_in(settings), story());
        outputs[0].findings.iter().map(|f| f.brief.detector).collect()
    };
    assert_eq!(codes(Settings::default()), ["unauthorized-agent", "scope-escalation"]);
    assert_eq!(codes(off), ["scope-escalation"]);
    assert_eq!(codes(module), Vec::<&str>::new());
}

#[test]
fn what_a_person_decided_holds_whatever_is_switched_off() {
    let off = Settings {
        detectors_off: vec!["unauthorized-agent".to_owned(), "revoked-access".to_owned()],
        ..Settings::default()
    };
    let module = Settings { modules_off: vec!["token_vault".to_owned()], ..Settings::default() };
    for settings in [off, module] {
        let mut engine = built_in(settings);
        let suspend = Command::SuspendAgent { agent: AgentId::new("bot-7").expect("an agent"), reason: None };
        let exchange = |agent| at("+1s").gateway(agent).exchange("ada", "github").scopes("repo");
        let linked = at("0s").trusted().link("ada", "github");
        let delegated = at("0s").trusted().delegate("ada", "bot-8", "github");
        let unlinked = at("+1s").trusted().unlink("ada", "github");
        let story = [
            linked,
            delegated,
            exchange("bot-7"),
            at("+1s").command(suspend),
            exchange("bot-7"),
            unlinked,
            exchange("bot-8"),
        ];
        let outputs = apply(&mut engine, story);
        let passes: Vec<bool> = outputs.iter().flat_map(|o| &o.answer).map(|a| a.applies.passes()).collect();
        assert_eq!(passes, [true, false, false]);
        assert_eq!(engine.descriptors().filter(|d| d.code == "unauthorized-agent").count(), 0);
    }
}

#[test]
fn two_detectors_of_one_code_are_refused() {
    let twice =
        |_: &Settings| Ok(vec![Loud::boxed("loud", GuardClass::Closed), Loud::boxed("loud", GuardClass::Closed)]);
    assert!(Engine::new(TenantId::default_tenant(), Settings::default(), Box::new(twice)).is_err());
    let shouted = |_: &Settings| Ok(vec![Loud::boxed("Loud", GuardClass::Closed)]);
    assert!(Engine::new(TenantId::default_tenant(), Settings::default(), Box::new(shouted)).is_err());
}

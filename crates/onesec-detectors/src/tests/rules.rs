//! What takes more than one story to say, or a look at the alert itself.

use onesec_enforcement::Verdict;
use onesec_engine::{EnforcementSettings, Engine, Output, Settings};
use onesec_telemetry::{Change, Mode, TenantId};
use onesec_testkit::{Draft, at, records};

use super::scenarios::built_in;

fn live() -> Engine {
    let enforcement = EnforcementSettings { mode: Mode::Live, ..EnforcementSettings::default() };
    let settings = Settings { enforcement, ..Settings::default() };
    Engine::new(TenantId::default_tenant(), settings, Box::new(built_in)).expect("an engine")
}

fn apply(engine: &mut Engine, drafts: impl IntoIterator<Item = Draft>) -> Vec<Output> {
    records(drafts).iter().map(|record| engine.apply(record)).collect()
}

fn applies(output: &Output) -> Verdict {
    output.answer.as_ref().expect("a request").applies
}

fn exchange(offset: &str) -> Draft {
    at(offset).gateway("bot-7").exchange("ada", "github").scopes("read:org")
}

fn delegated() -> Draft {
    at("0s").trusted().delegate("ada", "bot-7", "github")
}

#[test]
fn who_keeps_hammering_is_let_in_again_once_the_window_has_passed() {
    let mut engine = live();
    let burst = (0..20).map(|_| exchange("+1s"));
    let hammering = (0..1_000).map(|_| exchange("+250ms"));
    let story = std::iter::once(delegated()).chain(burst).chain(hammering).chain([exchange("+2m")]);
    let outputs = apply(&mut engine, story);
    let answers: Vec<Verdict> = outputs.iter().filter_map(|o| o.answer.as_ref()).map(|a| a.applies).collect();
    assert!(answers[..20].iter().all(|a| a.passes()));
    assert!(answers[20..1_020].iter().all(|a| !a.passes()));
    assert!(answers[1_020].passes(), "five minutes after the last that passed");
}

#[test]
fn the_time_to_wait_is_true() {
    let mut engine = live();
    let burst = std::iter::once(delegated()).chain((0..21).map(|_| exchange("+1s")));
    let outputs = apply(&mut engine, burst);
    let Some(Verdict::RateLimit { retry_after }) = outputs.last().map(applies) else { panic!("not limited") };
    let wait = |seconds: u64| {
        let mut engine = live();
        let story = std::iter::once(delegated()).chain((0..21).map(|_| exchange("+1s")));
        let outputs = apply(&mut engine, story.chain([exchange(&format!("+{seconds}s"))]));
        applies(&outputs[22]).passes()
    };
    assert!(wait(retry_after.as_secs()) && !wait(retry_after.as_secs() - 1), "{retry_after:?}");
}

#[test]
fn one_posture_alert_until_the_delegation_changes() {
    let mut engine = live();
    let link = at("0s").trusted().link("ada", "github").scopes("repo read:org gist");
    let bound = |offset: &str, scopes: &str| at(offset).trusted().delegate("ada", "bot-7", "github").scopes(scopes);
    let again = at("+1s").trusted().revoke("ada", "bot-7", "github");
    let story = [link, bound("1s", "read:org"), exchange("2s"), exchange("3h"), again, bound("+1s", "read:org gist")];
    let outputs = apply(&mut engine, story);
    let of = |o: &Output| -> Vec<Change> {
        let own = o.transitions.iter().filter(|t| t.after.detector.as_str() == "over-scoped-token");
        own.map(|t| t.change).collect()
    };
    let changes: Vec<Vec<Change>> = outputs.iter().map(of).collect();
    assert_eq!(changes[1], [Change::Opened]);
    assert_eq!(changes[2], [Change::Raised], "now the gateway saw it");
    assert!(changes[3..5].iter().all(Vec::is_empty), "{changes:?}");
    assert_eq!(changes[5], [Change::Closed, Change::Opened]);
}

#[test]
fn a_look_alike_is_named() {
    let mut engine = live();
    let bot = |name: &str| at("+1s").gateway(name).exchange("ada", "github").scopes("read:org");
    apply(&mut engine, [at("0s").trusted().delegate("ada", "mail-bot", "github"), bot("mail-bot"), bot("Mail-Bot")]);
    let alert = &engine.open_alerts()[0];
    assert_eq!(alert.attributes["confusable_with"], "mail-bot");
}

#[test]
fn a_new_class_of_scope_raises_the_alert_again_and_the_same_does_not() {
    let mut engine = live();
    let bound = at("0s").person().delegate("ada", "bot-7", "google-oauth2").scopes("gmail.readonly");
    let wants = |scopes: &str| at("+1s").gateway("bot-7").exchange("ada", "google-oauth2").scopes(scopes);
    let story = [bound, wants("gmail.send"), wants("gmail.send"), wants("gmail.modify"), wants("gmail.modify")];
    let raised: Vec<usize> = apply(&mut engine, story).iter().map(|o| o.transitions.len()).collect();
    assert_eq!(raised, [0, 1, 0, 1, 0]);
}

#[test]
fn a_revoked_right_is_one_finding_that_tells_of_no_other() {
    let mut engine = live();
    let end = at("5s").trusted().unlink("ada", "github");
    let link = at("0s").trusted().link("ada", "github");
    let outputs = apply(&mut engine, [link, delegated(), end, exchange("6s")]);
    let codes: Vec<&str> = outputs[3].findings.iter().map(|f| f.brief.detector).collect();
    assert_eq!(codes, ["revoked-access"]);
    assert!(outputs[3].findings[0].binding);
}

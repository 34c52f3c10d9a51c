//! A scenario fails where it should.

use onesec_detector::{Descriptor, Facts, Finding, Findings, Module, Severity};

use super::*;

/// Reports every exchange at `crm`.
struct Legacy(Descriptor);

impl Detector for Legacy {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }
    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
        if facts.exchange.is_some() && record.connection().is_some_and(|c| c.as_str() == "crm") {
            out.report(Finding::about(record, Severity::Medium, "exchange at crm"));
        }
    }
}

fn assemble(_: &Settings) -> Result<Vec<Box<dyn Detector>>, SetupError> {
    Ok(vec![Box::new(Legacy(Descriptor::new("legacy", Module::TokenVault, "Legacy")))])
}

fn story(name: &str, connection: &str, end: &str) -> Scenario {
    let text = format!(
        "
name: {name}
detector: legacy
shows: an exchange at a system that is phased out
events:
  - {{at: 0s, sender: trusted, type: connected_account_link, details: {{user_id: ada, connection: crm}}}}
  - at: 5s
    sender: gateway
    type: token_exchange
    details: {{agent_id: bot-7, user_id: ada, connection: {connection}}}
    repeat: {{times: 3, every: 10s}}
{end}
"
    );
    Scenario::parse(&text).expect("a scenario")
}

const ALERT: &str = "expect: [{detector: legacy, severity: MEDIUM, agent: bot-7, user: ada, connection: crm,
  occurrences: 3, attribution: observed, verdict: allow, refused: 0, says: at crm}]";

fn outcome(scenarios: &[Scenario]) -> String {
    run(scenarios, assemble).to_string()
}

#[test]
fn an_attack_and_its_twin_pass() {
    let twin = story("twin", "github", "twin_of: attack\nsilent: true");
    let report = run(&[story("attack", "crm", ALERT), twin], assemble);
    assert!(report.ok(), "{report}");
    assert_eq!(report.proved("legacy"), (1, 1));
}

#[test]
fn what_is_not_found_is_missed_and_shown_beside_what_was() {
    let said = outcome(&[story("attack", "crm", &ALERT.replace("occurrences: 3", "occurrences: 4"))]);
    assert!(said.contains("- MEDIUM legacy\n      occurrences: want 4, got 3\n"), "{said}");
    let said = outcome(&[story("attack", "github", ALERT)]);
    assert!(said.contains("no further alert of this detector"), "{said}");
}

#[test]
fn what_nobody_expects_is_a_mismatch() {
    let said = outcome(&[story("quiet", "crm", "silent: true")]);
    assert!(said.contains("+ MEDIUM legacy agent bot-7 user ada connection crm, 3 occurrences"), "{said}");
}

#[test]
fn a_twin_that_differs_in_two_fields_is_none() {
    let mut twin = story("twin", "github", "twin_of: attack\nsilent: true");
    twin.written[0]["at"] = Value::from("1s");
    let said = outcome(&[story("attack", "crm", ALERT), twin]);
    assert!(said.contains("no twin of `attack`: events 1, 2 differ"), "{said}");
    let lonely = story("twin", "github", "twin_of: attack\nsilent: true");
    assert!(outcome(&[lonely]).contains("there is no such scenario"));
}

#[test]
fn a_report_of_nothing_proves_nothing() {
    assert!(!run(&[], assemble).ok());
    let elsewhere = run_scenarios(Path::new("no-such-directory"), assemble);
    assert!(matches!(elsewhere, Err(ScenarioError::File { .. })));
}

#[test]
fn a_misspelt_detector_does_not_pass() {
    let text = "{name: a, detector: legasy, shows: x, events: [], expect: [{detector: legasy, severity: LOW}]}";
    assert!(!run(&[Scenario::parse(text).expect("a scenario")], assemble).ok());
}

#[test]
fn what_is_no_scenario_says_where() {
    let error = |text: &str| Scenario::parse(text).expect_err("refused").to_string();
    let with = |event: &str| format!("{{name: a, detector: b, shows: c, silent: true, events: [{event}]}}");
    assert!(error("{name: a, detector: b, shows: c, events: []}").contains("expect"));
    assert!(error("{name: a, detector: b, shows: c, events: [], silnt: true}").contains("silnt"));
    assert!(error(&with("{type: token_exchange}")).contains("event 1: the contract rejects `token_exchange`"));
    assert!(error(&with("{type: token_exchnge}")).contains("did you mean"));
    assert!(error(&with("{at: soon, type: agent_goal, details: {agent_id: a}}")).contains("`soon`"));
    assert!(error(&with("{sender: gateway, type: token_exchange, details: {connection: c}}")).contains("agent_id"));
    assert!(error(&with("{command: {suspend: {}}}")).contains("no command"));
    assert!(error(&with("{at: 1s}")).contains("either `type` or `command`"));
}

#[test]
fn commands_are_people_s() {
    let text = "{name: a, detector: b, shows: c, silent: true,
        events: [{at: 1s, command: {suspend_agent: {agent: bot-7}}}, {command: {set_mode: live}}]}";
    let scenario = Scenario::parse(text).expect("a scenario");
    assert!(scenario.records().iter().all(Record::has_authority));
}

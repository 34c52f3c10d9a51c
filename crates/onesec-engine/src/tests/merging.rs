//! One alert per detector, entity and hour.

use onesec_telemetry::{Alert, AlertStatus, Attribution, Change, Severity};

use super::*;

fn only(engine: &Engine) -> Alert {
    let alerts = engine.open_alerts();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    alerts[0].clone()
}

#[test]
fn the_same_within_the_hour_is_one_alert_with_a_count() {
    let mut engine = loud();
    let outputs = apply(&mut engine, (0..25).map(|_| does("+1s", "bot-7", "MEDIUM")));
    assert_eq!(changes(&outputs), [Change::Opened]);
    let alert = only(&engine);
    assert_eq!((alert.occurrences, alert.severity), (25, Severity::Medium));
    let evidence: Vec<&str> = alert.evidence.iter().map(AsRef::as_ref).collect();
    let want: Vec<String> = (1..=10).chain(16..=25).map(|n| format!("e-{n}")).collect();
    assert_eq!(evidence, want);
}

#[test]
fn another_agent_is_another_alert() {
    let mut engine = loud();
    apply(&mut engine, [does("0s", "bot-7", "MEDIUM"), does("1s", "bot-8", "MEDIUM"), does("2s", "bot-7", "MEDIUM")]);
    assert_eq!(engine.alerts_open(), 2);
}

#[test]
fn after_the_hour_it_is_closed_with_its_count_and_the_next_is_new() {
    let mut engine = loud();
    let story = [does("0s", "bot-7", "MEDIUM"), does("59m", "bot-7", "MEDIUM"), does("60m", "bot-7", "MEDIUM")];
    let outputs = apply(&mut engine, story);
    assert_eq!(changes(&outputs), [Change::Opened, Change::Closed, Change::Opened]);
    let (closed, opened) = (&outputs[2].transitions[0], &outputs[2].transitions[1]);
    assert_eq!((closed.after.occurrences, opened.after.occurrences), (2, 1));
    assert_ne!(closed.alert, opened.alert);
}

#[test]
fn it_is_raised_where_it_gets_worse_and_only_there() {
    let mut engine = loud();
    let told = |words| does("+1s", "bot-7", words);
    let story = [
        told("MEDIUM"),
        told("HIGH"),      // worse
        told("MEDIUM"),    // milder: counts
        told("HIGH send"), // a class that was not there
        told("HIGH send"),
        told("HIGH delete"),           // another
        told("HIGH").own_key("bot-7"), // a better word
        told("HIGH").own_key("bot-7"),
        told("LOW").gateway("bot-7"), // the best, whatever it says
    ];
    let outputs = apply(&mut engine, story);
    let at: Vec<usize> = (0..outputs.len()).filter(|i| !outputs[*i].transitions.is_empty()).collect();
    assert_eq!(at, [0, 1, 3, 5, 6, 8]);
    let alert = only(&engine);
    assert_eq!((alert.severity, alert.attribution), (Severity::High, Attribution::Observed));
    assert_eq!((alert.occurrences, alert.description.as_str()), (9, "HIGH"));
}

#[test]
fn once_resolved_the_next_finding_is_a_new_alert() {
    let mut engine = loud();
    let first = records([does("0s", "bot-7", "MEDIUM"), does("5s", "bot-7", "MEDIUM")]);
    engine.apply(&first[0]);
    let id = only(&engine).id;
    let resolve = |status| Command::SetAlertStatus { alert: id.clone(), status, note: None };
    let output = engine.apply(&command(&first[0], resolve(AlertStatus::Resolved)));
    assert_eq!(output.transitions[0].after.status, AlertStatus::Resolved);
    assert_eq!(engine.alerts_open(), 0);
    let mut again = first[1].clone();
    again.seq = again.seq.next();
    assert_eq!(engine.apply(&again).transitions[0].change, Change::Opened);
    assert_ne!(only(&engine).id, id);
}

#[test]
fn acknowledged_it_counts_in_silence_for_one_window() {
    let mut engine = loud();
    let story = records([
        does("0s", "bot-7", "MEDIUM"),
        does("50m", "bot-7", "MEDIUM"),
        does("51m", "bot-8", "INFO"),
        does("65m", "bot-7", "HIGH"), // worse, and the first hour is over: silent all the same
        does("109m", "bot-7", "CRITICAL"),
        does("110m", "bot-7", "MEDIUM"), // an hour after the acknowledgement
    ]);
    engine.apply(&story[0]);
    engine.apply(&story[1]);
    let id = engine.open_alerts()[0].id.clone();
    let acknowledge = Command::SetAlertStatus { alert: id.clone(), status: AlertStatus::Acknowledged, note: None };
    engine.apply(&command(&story[1], acknowledge));
    for record in &story[3..5] {
        let output = engine.apply(record);
        assert!(output.transitions.is_empty(), "{:?}", output.transitions);
    }
    let alert = engine.alert(&id).expect("still the same alert").clone();
    assert_eq!((alert.occurrences, alert.severity), (4, Severity::Critical));
    let last = engine.apply(&story[5]);
    assert_eq!(changes(&[last]), [Change::Closed, Change::Opened]);
}

#[test]
fn a_false_positive_is_a_label_and_no_silence() {
    let mut engine = loud();
    let story = records([does("0s", "bot-7", "MEDIUM"), does("9s", "bot-7", "HIGH")]);
    engine.apply(&story[0]);
    let id = only(&engine).id;
    let label = Command::SetAlertStatus { alert: id.clone(), status: AlertStatus::FalsePositive, note: None };
    engine.apply(&command(&story[0], label));
    assert_eq!(engine.apply(&story[1]).transitions[0].change, Change::Raised);
    assert_eq!(only(&engine).status, AlertStatus::FalsePositive);
}

#[test]
fn what_stands_is_one_alert_until_it_changes() {
    let mut engine = loud();
    let story = [does("0s", "bot-7", "HIGH 1"), does("30d", "bot-7", "HIGH 1"), does("31d", "bot-7", "HIGH 2")];
    let outputs = apply(&mut engine, story);
    assert_eq!(changes(&outputs), [Change::Opened, Change::Closed, Change::Opened]);
    assert_eq!(outputs[2].transitions[0].after.occurrences, 2);
}

/// Two delegations of one agent at one account, shown by one link: the id of an alert is made from the record.
#[test]
fn one_record_that_shows_two_set_ups_opens_one_alert() {
    let mut engine = loud();
    let outputs = apply(&mut engine, [does("0s", "bot-7", "MEDIUM 1; HIGH 2")]);
    assert_eq!(changes(&outputs), [Change::Opened, Change::Raised]);
    assert_eq!(only(&engine).occurrences, 2);
}

#[test]
fn a_late_record_raises_nothing_above_low() {
    let mut engine = loud();
    let late = does("10m", "bot-7", "CRITICAL").trusted().happened_at("1m");
    let outputs = apply(&mut engine, [late]);
    assert_eq!(outputs[0].findings[0].brief.severity, Severity::Low);
    assert_eq!(only(&engine).severity, Severity::Low);
}

#[test]
fn what_is_said_in_degrees_is_said_once() {
    const CODES: &[(&str, GuardClass)] = &[
        ("unauthorized-agent", GuardClass::Closed),
        ("other", GuardClass::Closed),
        ("revoked-access", GuardClass::Closed),
    ];
    let mut engine = engine_with(CODES, Settings::default());
    let outputs = apply(&mut engine, [does("0s", "bot-7", "CRITICAL")]);
    let codes: Vec<&str> = outputs[0].findings.iter().map(|f| f.brief.detector).collect();
    assert_eq!(codes, ["other", "revoked-access"]);
    let revoked = engine.open_alerts().into_iter().find(|a| a.detector.as_str() == "revoked-access");
    assert_eq!(revoked.expect("one").attributes["also"].to_string(), r#"["unauthorized-agent"]"#);
}

#[test]
fn what_one_key_says_crowds_out_neither_what_was_seen_nor_what_others_say() {
    let mut engine = loud();
    let mut story = vec![asks("0s", "seen", "HIGH"), does("0s", "said", "HIGH")];
    story.extend((0..450).map(|n| does("1s", &format!("flood-{n}"), "HIGH")));
    let mut records = records(story);
    for record in records.iter_mut().skip(2) {
        record.sender.key = "flooder".parse().ok();
    }
    for record in &records {
        engine.apply(record);
    }
    let open: Vec<String> =
        engine.open_alerts().into_iter().filter_map(|alert| alert.agent_id.map(|agent| agent.to_string())).collect();
    assert_eq!(open.len(), 102);
    assert!(["seen", "said", "flood-449"].iter().all(|agent| open.iter().any(|open| open == agent)));
}

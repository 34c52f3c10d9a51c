//! What replay promises.

use std::sync::Arc;

use super::*;

const STORY: &str = concat!(
    r#"{"id":"3","type":"token_exchange","timestamp":"2026-01-01T00:00:20Z","details":{"agent_id":"bot-7","user_id":"ana","connection":"github","scopes":"repo:status"}}"#,
    "\n",
    r#"{"id":"1","type":"connected_account_link","timestamp":"2026-01-01T00:00:00Z","details":{"user_id":"ana","connection":"github","scopes":"repo:status"}}"#,
    "\n\n",
    r#"{"id":"2","type":"agent_identity_delegation","timestamp":"2026-01-01T00:00:10Z","details":{"agent_id":"bot-7","user_id":"ana","connection":"github","delegated_by":"ana","scopes":"repo:status"}}"#,
    "\n",
    r#"{"id":"4","type":"token_exchange","timestamp":"2026-01-01T00:00:30Z","details":{"agent_id":"bot-7","user_id":"ana","connection":"github","scopes":"delete_repo"}}"#,
    "\n",
    r#"{"id":"5","type":"token_exchange","details":{"agent_id":"stranger","user_id":"ana","connection":"github"}}"#,
    "\n",
);

fn alerts(text: &str) -> Vec<Alert> {
    let more: SharedAssemble = Arc::new(|_| Ok(Vec::new()));
    let input = Input::parse(text).expect("readable");
    judge(input.events, Settings::default(), (&more, |_: &Engine, _: &Record, _: &Output| {})).expect("settings")
}

/// What `--json` prints.
fn printed(text: &str) -> String {
    let (mut out, buffer) = Out::buffer(true);
    assert_eq!(report(alerts(text), "test", &mut out).expect("written"), Ended::Well);
    buffer.text()
}

#[test]
fn events_count_in_the_order_of_their_time_and_have_authority() {
    let found: Vec<(String, String)> = alerts(STORY)
        .iter()
        .map(|a| (a.detector.to_string(), a.agent_id.as_ref().map(ToString::to_string).unwrap_or_default()))
        .collect();
    let has = |detector: &str, agent: &str| found.contains(&(detector.to_owned(), agent.to_owned()));
    assert!(has("scope-escalation", "bot-7"), "{found:?}");
    assert!(has("unauthorized-agent", "stranger"), "{found:?}");
    assert!(!has("unauthorized-agent", "bot-7"), "delegated before it exchanged: {found:?}");
    assert!(!found.iter().any(|(detector, _)| detector == "untrusted-claim"), "{found:?}");
}

#[test]
fn two_runs_print_the_same_bytes_whatever_the_order_of_the_lines() {
    let first = printed(STORY);
    assert!(first.lines().count() >= 2, "{first}");
    assert_eq!(first, printed(STORY));
    // The last line has no time and stays last: it takes that of the event before it.
    let mut lines: Vec<&str> = STORY.lines().filter(|l| !l.is_empty()).collect();
    lines.swap(0, 2);
    assert_eq!(first, printed(&lines.join("\n")));
}

#[test]
fn an_array_is_as_good_as_lines() {
    let lines: Vec<&str> = STORY.lines().filter(|l| !l.is_empty()).collect();
    assert_eq!(printed(STORY), printed(&format!("[{}]", lines.join(","))));
}

#[test]
fn what_came_twice_counts_once_and_what_cannot_be_read_is_told_by_line() {
    let again = format!("{STORY}{}\nnot json\n", STORY.lines().next().expect("line"));
    let conflict = again.replace("not json", r#"{"id":"4","type":"token_exchange","details":{"connection":"x"}}"#);
    let input = Input::parse(&again).expect("readable");
    assert_eq!((input.events.len(), input.repeated, input.undated), (5, 1, 1));
    assert!(input.rejected[0].starts_with("line 8:"), "{:?}", input.rejected);
    let input = Input::parse(&conflict).expect("readable");
    assert!(input.rejected[0].contains("id-conflict"), "{:?}", input.rejected);
    assert_eq!(printed(STORY), printed(&again));
}

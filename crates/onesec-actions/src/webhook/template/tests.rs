//! Messages with hostile words in them.

use onesec_enforcement::ActionSpec;

use super::*;
use crate::testing::job;

const ALL: [Template; 4] = [Template::Json, Template::Slack, Template::Teams, Template::PagerDuty];

const HOSTILE: [&str; 9] = [
    "<!channel> <@U012AB3CD> <!here|x>",
    "[free](https://evil.example/x)",
    "<https://evil.example|click>",
    "line\nbreak\r\u{0}\u{1b}[0m",
    "\u{202e}gnp.exe\u{2066}\u{200b}",
    "**bold** _x_ `y` # h",
    "\"},{\"type\":\"mrkdwn\",\"text\":\"<!channel>\"",
    "<at>all</at> <script>alert(1)</script>",
    "javascript:alert(1) www.evil.example",
];

fn base() -> Url {
    Url::parse("https://onesec.example/ui/").expect("an address")
}

/// Every string of a message with the name that it stands under.
fn strings<'a>(value: &'a Value, name: &'a str, out: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::String(text) => out.push((name, text)),
        Value::Array(items) => items.iter().for_each(|item| strings(item, name, out)),
        Value::Object(map) => map.iter().for_each(|(name, item)| strings(item, name, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn hostile_words_are_words() {
    for hostile in HOSTILE {
        let mut job = job(ActionSpec::Log);
        job.alert.title = hostile.to_owned();
        job.alert.description = hostile.repeat(2_000);
        job.alert.mitigation = hostile.to_owned();
        for template in [Template::Slack, Template::Teams, Template::PagerDuty] {
            let message = body(template, &job, Some(&base()), None);
            let mut all = Vec::new();
            strings(&message, "", &mut all);
            for (name, text) in all {
                let ours = matches!(name, "url" | "$schema" | "client_url") || name == "contentType";
                let case = format!("{} {name}: {text:?}", template.as_str());
                assert!(!text.chars().any(|c| c.is_control() || onesec_telemetry::id::is_hidden(c)), "{case}");
                assert!(text.chars().count() <= 3_000, "{case}");
                if ours || template == Template::PagerDuty {
                    continue;
                }
                for part in ["<", ">", "](", "://", "www."] {
                    assert!(!text.contains(part), "{part} in {case}");
                }
            }
            assert!(message.to_string().len() < 28_000, "{} is too long for Teams", template.as_str());
        }
    }
}

#[test]
fn slack_knows_no_markdown_and_its_notification_no_stranger() {
    let mut job = job(ActionSpec::Log);
    job.alert.title = "*stranger* <!channel>".to_owned();
    let message = body(Template::Slack, &job, None, None);
    let mut all = Vec::new();
    strings(&message, "", &mut all);
    let kinds: Vec<_> = all.iter().filter(|(name, _)| *name == "type").map(|(_, kind)| *kind).collect();
    assert!(kinds.iter().all(|kind| ["section", "plain_text"].contains(kind)), "{kinds:?}");
    assert_eq!(message["text"], "onesec: HIGH alert");
    assert_eq!(message["blocks"][0]["text"]["text"], "HIGH: *stranger* &lt;!channel&gt;");
    assert_eq!(message["parse"], "none");
}

#[test]
fn teams_has_a_card_of_runs_in_the_envelope_of_workflows() {
    let message = body(Template::Teams, &job(ActionSpec::Log), None, None);
    let card = &message["attachments"][0];
    assert_eq!(message["type"], "message");
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(card["content"]["type"], "AdaptiveCard");
    let blocks = card["content"]["body"].as_array().expect("blocks");
    assert!(blocks.iter().all(|b| b["type"] == "RichTextBlock" && b["inlines"][0]["type"] == "TextRun"), "{blocks:?}");
    assert_eq!(blocks[0]["inlines"][0]["text"], "HIGH: bot-7 asks for more than it was granted");
}

#[test]
fn pagerduty_gets_its_key_and_one_incident_per_alert() {
    let key = Secret::new("R0UT1NG".to_owned());
    for (severity, urgency) in [
        (Severity::Info, "info"),
        (Severity::Low, "info"),
        (Severity::Medium, "warning"),
        (Severity::High, "error"),
        (Severity::Critical, "critical"),
    ] {
        let mut job = job(ActionSpec::Log);
        job.alert.severity = severity;
        let message = body(Template::PagerDuty, &job, None, Some(&key));
        assert_eq!(message["payload"]["severity"], urgency);
        assert_eq!((&message["routing_key"], &message["dedup_key"]), (&"R0UT1NG".into(), &"a1b2c3".into()));
        assert_eq!(message["event_action"], "trigger");
    }
}

#[test]
fn json_is_the_alert_as_it_is() {
    let job = job(ActionSpec::Log);
    let message = body(Template::Json, &job, None, None);
    assert_eq!(message["alert"], serde_json::to_value(&job.alert).expect("json"));
    let named = ["type", "action_id", "policy", "mode"].map(|name| message[name].as_str().unwrap_or_default());
    assert_eq!(named, ["alert", "act-1", "vps-agent", "live"]);
}

#[test]
fn links_open_the_dashboard_and_nothing_else() {
    let mut job = job(ActionSpec::Log);
    job.alert.id = onesec_telemetry::AlertId::new("../approve?x=1#y").expect("an id");
    for template in ALL {
        let mut all = Vec::new();
        let message = body(template, &job, Some(&base()), None);
        strings(&message, "", &mut all);
        let links: Vec<_> = all.iter().filter(|(name, _)| matches!(*name, "url" | "client_url" | "link")).collect();
        assert_eq!(links.len(), 1, "{}", template.as_str());
        assert_eq!(links[0].1, "https://onesec.example/ui/alerts/..%2Fapprove%3Fx=1%23y", "{}", template.as_str());
        let without = body(template, &job, None, None).to_string();
        assert!(!without.contains("onesec.example"), "{}", template.as_str());
    }
}

//! The words of a message: an alert as the receiver reads it.

use onesec_enforcement::{Job, Template};
use onesec_telemetry::{Alert, Mode, Secret, Severity};
use serde_json::{Value, json};
use url::Url;

use super::text::{line, slack, teams};

/// The message about `job`. `dashboard` is where a link leads, which opens it and changes nothing; `key` is the hook's
/// secret, which PagerDuty has in the message.
pub(super) fn body(template: Template, job: &Job, dashboard: Option<&Url>, key: Option<&Secret>) -> Value {
    let link = dashboard.and_then(|base| link(base, &job.alert));
    match template {
        Template::Json => plain(job, link.as_ref()),
        Template::Slack => for_slack(job, link.as_ref()),
        Template::Teams => for_teams(job, link.as_ref()),
        Template::PagerDuty => for_pagerduty(job, link.as_ref(), key),
    }
}

/// Whether the secret goes into the message, so that nothing is signed with it.
pub(super) const fn carries_secret(template: Template) -> bool {
    matches!(template, Template::PagerDuty)
}

fn link(base: &Url, alert: &Alert) -> Option<Url> {
    let mut link = base.clone();
    link.path_segments_mut().ok()?.pop_if_empty().extend(["alerts", alert.id.as_str()]);
    Some(link)
}

/// For machines: the alert as it is. In dry run nothing is sent, so that what is sent is live.
fn plain(job: &Job, link: Option<&Url>) -> Value {
    json!({
        "type": "alert",
        "action_id": job.id,
        "policy": job.policy,
        "mode": Mode::Live.as_str(),
        "requested_at": job.requested_at,
        "alert": job.alert,
        "link": link.map(Url::as_str),
    })
}

/// Names and values that a person reads, in order.
fn facts(job: &Job) -> Vec<(&'static str, String)> {
    let alert = &job.alert;
    let mut facts = vec![("Detector", alert.detector.to_string())];
    facts.extend(alert.agent_id.as_ref().map(|agent| ("Agent", agent.to_string())));
    facts.extend(alert.user_id.as_ref().map(|user| ("User", user.to_string())));
    facts.extend(alert.connection.as_ref().map(|connection| ("Connection", connection.to_string())));
    facts.push(("Count", alert.occurrences.to_string()));
    facts.push(("Last seen", alert.last_seen.to_string()));
    facts.push(("Policy", job.policy.to_string()));
    facts.push(("Alert", alert.id.to_string()));
    facts
}

/// Block Kit with `plain_text` alone: there, neither mentions nor markdown exist. The text at the top is what
/// notifications show, is read as markdown, and so has no stranger's word in it.
fn for_slack(job: &Job, link: Option<&Url>) -> Value {
    let alert = &job.alert;
    let words = |text: &str| json!({"type": "plain_text", "emoji": false, "text": slack(text, LONG)});
    let section = |text: &str| json!({"type": "section", "text": words(text)});
    let fields: Vec<Value> = facts(job)
        .iter()
        .map(|(name, value)| json!({"type": "plain_text", "emoji": false, "text": slack(&format!("{name}: {value}"), SHORT)}))
        .collect();
    let mut blocks = vec![section(&format!("{}: {}", alert.severity.as_str(), alert.title))];
    blocks.extend(
        [&alert.description, &alert.mitigation].into_iter().filter(|t| !t.trim().is_empty()).map(|t| section(t)),
    );
    blocks.push(json!({"type": "section", "fields": fields}));
    if let Some(link) = link {
        let label = json!({"type": "plain_text", "emoji": false, "text": OPEN});
        let button = json!({"type": "button", "text": label, "url": link.as_str()});
        blocks.push(json!({"type": "actions", "elements": [button]}));
    }
    json!({
        "text": format!("onesec: {} alert", alert.severity.as_str()),
        "blocks": blocks,
        "parse": "none",
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

/// An adaptive card in the envelope of Teams' workflows. `TextRun` knows no markdown, unlike `TextBlock` and facts.
fn for_teams(job: &Job, link: Option<&Url>) -> Value {
    let alert = &job.alert;
    let run = |text: &str, bold: bool| json!({"type": "TextRun", "text": teams(text, LONG), "weight": if bold { "bolder" } else { "default" }});
    let block = |text: &str, bold: bool| json!({"type": "RichTextBlock", "inlines": [run(text, bold)]});
    let mut blocks = vec![block(&format!("{}: {}", alert.severity.as_str(), alert.title), true)];
    blocks.extend(
        [&alert.description, &alert.mitigation].into_iter().filter(|t| !t.trim().is_empty()).map(|t| block(t, false)),
    );
    blocks.extend(facts(job).iter().map(|(name, value)| block(&format!("{name}: {value}"), false)));
    let actions: Vec<Value> =
        link.iter().map(|link| json!({"type": "Action.OpenUrl", "title": OPEN, "url": link.as_str()})).collect();
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
        "actions": actions,
    });
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

/// Events API, version 2. All messages about one alert are one incident.
fn for_pagerduty(job: &Job, link: Option<&Url>, key: Option<&Secret>) -> Value {
    let alert = &job.alert;
    let source = alert.agent_id.as_ref().map_or(alert.tenant.as_str(), |agent| agent.as_str());
    let details: serde_json::Map<String, Value> =
        facts(job).into_iter().map(|(name, value)| (name.to_owned(), line(&value, SHORT).into())).collect();
    json!({
        "routing_key": key.map(Secret::expose_to_wire),
        "event_action": "trigger",
        "dedup_key": alert.id,
        "client": "onesec",
        "client_url": link.map(Url::as_str),
        "payload": {
            "summary": line(&format!("{}: {}", alert.severity.as_str(), alert.title), LONG),
            "source": line(source, SHORT),
            "severity": urgency(alert.severity),
            "timestamp": alert.last_seen,
            "component": alert.module,
            "class": alert.detector,
            "custom_details": {
                "facts": details,
                "description": line(&alert.description, LONG),
                "mitigation": line(&alert.mitigation, LONG),
            },
        },
    })
}

const fn urgency(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Info | Severity::Low => "info",
    }
}

const OPEN: &str = "Open in onesec";

/// Characters of a paragraph. Slack takes 3,000 of a section, each of ours being up to five of its; PagerDuty 1,024.
const LONG: usize = 550;
/// Characters of a fact. Slack takes 2,000 of a field.
const SHORT: usize = 250;

#[cfg(test)]
mod tests;

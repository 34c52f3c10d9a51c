//! What became of every action once nothing is under way: none lost, none carried out more often than its kind may be.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use onesec_journal::Reader;
use onesec_telemetry::TenantId;
use serde_json::{Value, json};

use super::observed::{Unseen, all, text};
use crate::http::Http;
use crate::receiver::Receiver;

/// How long actions may take to settle; nothing here takes long by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// What policy does about an agent that nobody let act: a message, a program, a restraint, and a program once a person
/// says so.
#[must_use]
pub fn policies(program: &Path) -> Value {
    let about = json!({"detectors": ["unauthorized-agent"], "min_severity": "CRITICAL"});
    json!([
        {"name": "strays", "match": about, "max_per_minute": 10_000, "actions": [
            "webhook", {"command": {"argv": [program]}},
            {"rate_limit_agent": {"limit": 1_000, "per": "1s", "for": "12h"}}]},
        {"name": "ask", "match": about, "max_per_minute": 10_000, "approval": {"ttl": "12h"},
         "actions": [{"command": {"argv": [program]}}]},
    ])
}

/// Waits until no action is under way, and looks at each.
///
/// # Errors
/// What is not as it must be, a line each.
pub fn check(http: &mut Http, dir: &Path, (receiver, ran): (&Receiver, &Path)) -> Result<usize, Vec<String>> {
    let receipts = quiet(http).map_err(|why| vec![why])?;
    let reader = Reader::open(dir).map_err(|error| vec![error.to_string()])?;
    let runs = counted(std::fs::read_to_string(ran).unwrap_or_default().lines().map(str::to_owned));
    let messages = counted(receiver.messages().iter().map(|message| message.id().to_owned()));
    let mut wrong = Vec::new();
    let mut of_alert: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for receipt in &receipts {
        let (id, kind) = (text(receipt, "id"), format!("{} {}", text(receipt, "policy"), text(receipt, "action")));
        of_alert.entry(text(receipt, "alert_id")).or_default().push(kind.clone());
        let task = reader.outbox_task(&TenantId::default_tenant(), &id).map_err(|error| vec![error.to_string()])?;
        let attempts = task.map_or(0, |task| task.attempts);
        let (ran, sent) = (runs.get(&id).copied().unwrap_or(0), messages.get(&id).copied().unwrap_or(0));
        if let Some(why) = judge(receipt, attempts, (ran, sent)) {
            wrong.push(format!(
                "{kind} {id}: {why}; {attempts} attempts, ran {ran} times, sent {sent} times; {receipt}"
            ));
        }
    }
    for (alert, mut kinds) in of_alert {
        kinds.sort_unstable();
        if kinds != ["ask command", "strays command", "strays rate_limit_agent", "strays webhook"] {
            wrong.push(format!("alert {alert} has the receipts {kinds:?}"));
        }
    }
    let alerts = http.get("/api/v1/alerts?limit=1000&detector=unauthorized-agent").json();
    let alerts = alerts["alerts"].as_array().map_or(0, Vec::len);
    if receipts.len() != alerts * 4 {
        wrong.push(format!("{alerts} alerts have {} receipts instead of four each", receipts.len()));
    }
    if wrong.is_empty() { Ok(receipts.len()) } else { Err(wrong) }
}

/// What must hold of one action, by its kind.
fn judge(receipt: &Value, attempts: u64, (ran, sent): (u64, u64)) -> Option<&'static str> {
    let status = receipt["status"].as_str().unwrap_or_default();
    match (receipt["action"].as_str().unwrap_or_default(), status) {
        ("webhook", "succeeded") if sent == 0 => Some("is said to be sent and did not arrive"),
        ("webhook", "succeeded") if sent > attempts => Some("was sent more often than it was claimed"),
        ("rate_limit_agent", "verified") | ("webhook", "succeeded") => None,
        ("command", _) if ran > 1 => Some("ran twice"),
        ("command", "succeeded") if ran == 0 => Some("is said to have run and did not"),
        ("command", "pending_approval" | "rejected") if ran > 0 => Some("ran without anybody's word"),
        ("command", "succeeded" | "pending_approval" | "rejected") => None,
        ("command", "failed") if receipt["reason"].as_str().is_some_and(|why| why.contains("nobody knows")) => None,
        _ => Some("ended otherwise than it may"),
    }
}

fn quiet(http: &mut Http) -> Result<Vec<Value>, String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let receipts = match all(http, "responses") {
            Ok(receipts) => receipts,
            Err(Unseen::Gone) => return Err("the server went while its actions settled".to_owned()),
            Err(Unseen::Wrong(why)) => return Err(why),
        };
        let under_way: Vec<&Value> = receipts.iter().filter(|receipt| receipt["status"] == "executing").collect();
        if under_way.is_empty() {
            return Ok(receipts);
        }
        if Instant::now() > until {
            return Err(format!("{} actions do not end, such as {}", under_way.len(), under_way[0]));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn counted(ids: impl Iterator<Item = String>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for id in ids {
        *counts.entry(id).or_default() += 1;
    }
    counts
}

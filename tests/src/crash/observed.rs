//! What stands in a server that is up: its journal, its lists, and what its engine counts.

use onesec_journal::Reader;
use onesec_server::core::decode_record;
use onesec_telemetry::{Body, TenantId};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

use super::model::Facts;
use crate::http::Http;

/// Why there is nothing to be seen.
#[derive(Debug)]
pub enum Unseen {
    /// The server went while it was asked.
    Gone,
    /// What is there must not be.
    Wrong(String),
}

impl From<String> for Unseen {
    fn from(why: String) -> Self {
        Self::Wrong(why)
    }
}

/// Everything that the model knows of, by the server's own word, and how often each event stands in the journal.
///
/// # Errors
/// [`Unseen`].
pub fn facts(http: &mut Http, dir: &Path) -> Result<Facts, Unseen> {
    let mut facts = Facts::new();
    let mut counted: BTreeMap<String, u32> = BTreeMap::new();
    let said = said(dir)?;
    for (name, id) in said.events.iter().map(|id| ("event", id)).chain(said.ruled.iter().map(|id| ("ruling", id))) {
        *counted.entry(format!("{name} {id}")).or_default() += 1;
    }
    let (mut linked, mut standing, mut suspended) = (0_u64, 0_u64, 0_u64);
    for account in all(http, "accounts")? {
        linked += u64::from(account["state"] == "linked");
        facts.insert(format!("account {}", text(&account, "user_id")), text(&account, "state"));
    }
    for delegation in all(http, "delegations")? {
        standing += u64::from(delegation["state"] != "ended");
        let [agent, user, state] = ["agent_id", "user_id", "state"].map(|name| text(&delegation, name));
        *counted.entry(format!("delegation {agent} {user} {state}")).or_default() += 1;
    }
    for agent in all(http, "agents")? {
        if agent["state"] == "suspended" {
            suspended += 1;
            facts.insert(format!("agent {}", text(&agent, "agent_id")), "suspended".to_owned());
        }
    }
    for registered in all(http, "registrations")? {
        *counted.entry(format!("registration {}", text(&registered, "agent_id"))).or_default() += 1;
    }
    for key in all(http, "keys")? {
        *counted.entry(format!("key {}", text(&key, "name"))).or_default() += 1;
    }
    facts.extend(counted.into_iter().map(|(name, count)| (name, count.to_string())));
    alerts(http, &mut facts)?;
    // The lists are tables; the engine must have come to the same by itself.
    let counts = get(http, "/api/v1/status")?["counts"].clone();
    let engine = ["accounts_linked", "delegations_live", "suspended_agents"].map(|name| counts[name].as_u64());
    if engine != [Some(linked), Some(standing), Some(suspended)] {
        return Err(Unseen::Wrong(format!(
            "tables have {linked}, {standing}, {suspended}; the engine counts {engine:?}"
        )));
    }
    Ok(facts)
}

/// Alerts about agents that nobody let act, with how often they were seen, and what waits for a person because of them.
fn alerts(http: &mut Http, facts: &mut Facts) -> Result<(), Unseen> {
    let mut agents = BTreeMap::new();
    for alert in get(http, "/api/v1/alerts?limit=1000&detector=unauthorized-agent").map(|page| list(&page, "alerts"))? {
        let agent = text(&alert, "agent_id");
        agents.insert(text(&alert, "id"), agent.clone());
        if facts.insert(format!("alert {agent}"), alert["occurrences"].to_string()).is_some() {
            return Err(Unseen::Wrong(format!("two alerts about `{agent}`")));
        }
    }
    for asked in all(http, "responses")?.iter().filter(|response| response["policy"] == "ask") {
        let agent = agents.get(&text(asked, "alert_id")).cloned().unwrap_or_default();
        let word = match asked["status"].as_str() {
            Some("pending_approval") => "waits",
            Some("rejected") => "rejected",
            _ => "approved",
        };
        if facts.insert(format!("approval {agent}"), word.to_owned()).is_some() {
            return Err(Unseen::Wrong(format!("two questions about `{agent}`")));
        }
    }
    let waiting = all(http, "approvals")?.len();
    let asked = facts.iter().filter(|(name, word)| name.starts_with("approval ") && *word == "waits").count();
    if waiting == asked {
        Ok(())
    } else {
        Err(Unseen::Wrong(format!("{asked} receipts wait, and {waiting} questions")))
    }
}

/// What the journal has, in order.
#[derive(Debug, Default)]
pub(crate) struct InJournal {
    /// The ids of all events.
    pub(crate) events: Vec<String>,
    /// The ids of those that were ruled on, once for each ruling.
    ruled: Vec<String>,
}

/// Reads the journal.
pub(crate) fn said(dir: &Path) -> Result<InJournal, String> {
    let reader = Reader::open(dir).map_err(|error| format!("the journal does not open: {error}"))?;
    let mut said = InJournal::default();
    // The ruling follows the question.
    let mut last = (0, String::new());
    for stored in reader.records_from(&TenantId::default_tenant(), 1) {
        let stored = stored.map_err(|error| format!("a record does not read: {error}"))?;
        let record = decode_record(&stored.bytes).ok_or_else(|| format!("record {} does not decode", stored.seq))?;
        match &record.body {
            Body::Event(event) => {
                last = (stored.seq, event.id.to_string());
                said.events.push(last.1.clone());
            }
            Body::Decided(decided) if decided.seq.0 == last.0 => said.ruled.push(last.1.clone()),
            Body::Decided(decided) => return Err(format!("a ruling on {} comes after {}", decided.seq, last.0)),
            _ => {}
        }
    }
    Ok(said)
}

/// Everything in a list; what does not fit on a page would be overlooked.
pub(super) fn all(http: &mut Http, name: &str) -> Result<Vec<Value>, Unseen> {
    // What waits for people is listed as a whole.
    let limit = if name == "approvals" { "" } else { "?limit=1000" };
    let page = get(http, &format!("/api/v1/{name}{limit}"))?;
    if page["next"].is_null() { Ok(list(&page, name)) } else { Err(Unseen::Wrong(format!("too many {name} to check"))) }
}

fn get(http: &mut Http, path: &str) -> Result<Value, Unseen> {
    let answer = http.get(path);
    match answer.status {
        200 => Ok(answer.json()),
        0 => Err(Unseen::Gone),
        other => Err(Unseen::Wrong(format!("{path} was answered {other}: {}", answer.text()))),
    }
}

fn list(page: &Value, name: &str) -> Vec<Value> {
    page[name].as_array().cloned().unwrap_or_default()
}

pub(super) fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

//! `onesec explain`: the rule, the facts, the number, and what would make it pass.

use serde_json::Value;

use super::alerts::describe;
use super::builtin;
use super::client::{Client, Query, segment};
use super::error::{CliError, Ended};
use super::out::{Ink, Out, clean};
use super::table::{field, one_line, rows_of};

pub(super) async fn explain(id: &str, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let answer = client.send(hyper::Method::GET, &format!("/api/v1/alerts/{}", segment(id)), None).await?;
    if answer.is_success() {
        return alert(&answer.body, client, out).await;
    }
    if answer.status != 404 && answer.status != 400 && answer.status != 422 {
        return Err(answer.refusal());
    }
    exchange(id, client, out).await
}

async fn alert(alert: &Value, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let evidence: Vec<String> =
        rows_of(alert.get("evidence").unwrap_or(&Value::Null), "").iter().filter_map(|id| one_line(id)).collect();
    let mut events = Vec::new();
    for id in &evidence {
        events.extend(find(client, id).await?);
    }
    events.sort_by_key(|event| event.get("seq").and_then(Value::as_u64));
    if out.json() {
        let rule = builtin::descriptor(&field(alert, &["/detector"]));
        let rule =
            rule.map(|d| serde_json::json!({"title": d.title, "blind_spot": d.blind_spot, "references": d.references}));
        out.document(&serde_json::json!({
            "alert": alert, "rule": rule, "events": events, "would_pass": remedy(alert),
        }))?;
        return Ok(Ended::Well);
    }
    describe(alert, out)?;
    rule(&field(alert, &["/detector"]), out)?;
    let facts = alert.get("attributes").and_then(Value::as_object);
    if let Some(facts) = facts.filter(|facts| !facts.is_empty()) {
        out.line(Ink::Bold.on("the facts"))?;
        for (name, value) in facts {
            out.line(format_args!(
                "  {:<18}{}",
                clean(&name.replace('_', " "), 40),
                one_line(value).unwrap_or_default()
            ))?;
        }
    }
    evidence_lines(&events, out)?;
    out.line(Ink::Bold.on("what would make it pass"))?;
    out.line(format_args!("  {}", clean(&remedy(alert), 600)))?;
    Ok(Ended::Well)
}

fn rule(code: &str, out: &mut Out) -> Result<(), CliError> {
    let Some(descriptor) = builtin::descriptor(code) else { return Ok(()) };
    out.line(Ink::Bold.on("the rule"))?;
    let owasp = if descriptor.owasp.is_empty() { String::new() } else { format!(" ({})", descriptor.owasp.join(", ")) };
    out.line(format_args!("  {}: {}{owasp}", descriptor.code, descriptor.title))?;
    if !descriptor.references.is_empty() {
        out.line(format_args!("  see {}", descriptor.references.join("; ")))?;
    }
    if !descriptor.blind_spot.is_empty() {
        out.line(format_args!("  it cannot see {}", descriptor.blind_spot))?;
    }
    Ok(())
}

fn evidence_lines(events: &[Value], out: &mut Out) -> Result<(), CliError> {
    out.line(Ink::Bold.on("the evidence"))?;
    if events.is_empty() {
        out.line("  the records are gone: they are kept for `journal.retention.events`")?;
    }
    for event in events {
        if field(event, &["/type"]) == "decided" { decision(event, out)? } else { happened(event, out)? }
    }
    Ok(())
}

/// What would have to change for the same request to pass.
fn remedy(alert: &Value) -> String {
    let get = |pointer: &str| field(alert, &[pointer]);
    let raw = |pointer: &str| shell_word(alert.pointer(pointer).and_then(Value::as_str).unwrap_or_default());
    let scopes = rows_of(alert.pointer("/attributes/new_scopes").unwrap_or(&Value::Null), "");
    let scopes: Vec<String> = scopes.iter().filter_map(|scope| scope.as_str().map(shell_word)).collect();
    let mut delegate = format!(
        "onesec delegations add --agent {} --user {} --connection {}",
        raw("/agent_id"),
        raw("/user_id"),
        raw("/connection")
    );
    for scope in &scopes {
        delegate.push_str(&format!(" --scope {scope}"));
    }
    match get("/detector").as_str() {
        "scope-escalation" => {
            format!("without {} it passes. If the agent needs it, let the user say so: {delegate}", scopes.join(" "))
        }
        "unauthorized-agent" if get("/attributes/standing") == "suspended" => {
            format!("the agent was suspended by a person: onesec agents resume {}", raw("/agent_id"))
        }
        "unauthorized-agent" => format!("a delegation by the user whose account it is: {delegate}"),
        "revoked-access" => {
            let (ended, how) = (get("/attributes/ended_at"), get("/attributes/how"));
            format!("the right ended at {ended} ({how}): it takes a new link by the user, and then {delegate}")
        }
        "exchange-rate" => {
            let (limit, window) = (get("/attributes/limit"), get("/attributes/window_seconds"));
            format!(
                "at most {limit} exchanges in {window} s; raise `detectors.exchange-rate.limit` if the agent needs more"
            )
        }
        "goal-hijack" => "a mandate that covers it (`allowed_tools`, `allowed_connections`, `allowed_actions` of its \
                          task_start, or `mandate` of the agent's registration), or a person's yes to exactly this act"
            .to_owned(),
        "tool-integrity" if !get("/attributes/digest").is_empty() => {
            let server = raw("/attributes/server");
            let server = if server == "''" { String::new() } else { format!(" --server {server}") };
            let (tool, digest) = (raw("/attributes/tool"), get("/attributes/digest"));
            format!("if the manifest is as it should be: onesec tools approve {tool}{server} --digest {digest}")
        }
        _ => get("/mitigation"),
    }
}

/// `text` as one word of a shell command, whatever is in it: an agent's name must not become somebody's command.
fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

async fn exchange(id: &str, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let mut records = Vec::new();
    for id in [id.to_owned(), format!("{id}-issued"), format!("{id}-failed")] {
        records.extend(find(client, &id).await?);
    }
    if records.is_empty() {
        return Err(CliError::refused(format!("no alert and no recorded exchange has the id `{}`", clean(id, 100))));
    }
    records.sort_by_key(|record| record.get("seq").and_then(Value::as_u64));
    if out.json() {
        out.document(&Value::Array(records))?;
        return Ok(Ended::Well);
    }
    for record in &records {
        if field(record, &["/type"]) == "decided" { decision(record, out)? } else { happened(record, out)? }
    }
    Ok(Ended::Well)
}

/// One line about an event.
fn happened(event: &Value, out: &mut Out) -> Result<(), CliError> {
    let get = |pointer| field(event, &[pointer]);
    let parts = [
        get("/details/agent_id"),
        get("/subject/user_id"),
        get("/details/connection"),
        get("/details/scopes"),
        get("/details/app_id"),
        get("/details/error"),
    ];
    let said: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    out.line(format_args!("  {}  {}  {}", get("/observed_at"), Ink::Bold.on(get("/type")), said.join("  ")))?;
    Ok(())
}

/// The verdict on a request, with all that spoke against it.
fn decision(record: &Value, out: &mut Out) -> Result<(), CliError> {
    let get = |pointer| field(record, &[pointer]);
    let (applied, would, mode) = (get("/details/decision"), get("/details/would"), get("/details/mode"));
    out.line(format_args!("  {}  decided: {applied} (mode {mode}; live mode says {would})", get("/observed_at")))?;
    let findings = record.pointer("/details/findings").map(|list| rows_of(list, "")).unwrap_or_default();
    for finding in &findings {
        let get = |pointer| field(finding, &[pointer]);
        out.line(format_args!("    {} {}: {}", get("/severity"), get("/detector"), get("/reason")))?;
    }
    if findings.is_empty() {
        out.line("    nothing spoke against it")?;
    }
    Ok(())
}

/// The records that an event's or exchange's id finds.
async fn find(client: &Client, id: &str) -> Result<Vec<Value>, CliError> {
    let page = client.get("/api/v1/events", &Query::default().with("event_id", Some(id))).await?;
    Ok(rows_of(&page, "events").into_iter().cloned().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_cannot_become_a_command() {
        let alert = json!({"detector": "scope-escalation", "agent_id": "x'; rm -rf ~; '", "user_id": "$(id)",
            "connection": "github", "attributes": {"new_scopes": ["`id`", "repo"]}});
        let shown = remedy(&alert);
        assert!(shown.contains(r"--agent 'x'\''; rm -rf ~; '\''' --user '$(id)'"), "{shown}");
        assert!(shown.contains("--scope '`id`' --scope 'repo'"), "{shown}");
    }
}

//! `onesec revoke`: takes access back, and says of each station what came of it.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::args::{RevocationsArgs, RevokeArgs};
use super::client::{Client, Query, segment};
use super::error::{CliError, Ended};
use super::out::{Out, clean};
use super::table::{self, Column, field};

const STEPS: &[Column] = &[
    ("STEP", &["/step"]),
    ("CONNECTION", &["/connection"]),
    ("STATE", &["/state"]),
    ("HOW OR WHY", &["/detail"]),
    ("TRIED", &["/attempts"]),
    ("AGAIN AT", &["/next_at"]),
];

const REMAINING: &[Column] =
    &[("STILL GOOD", &["/what"]), ("CONNECTION", &["/connection"]), ("AGENT", &["/agent_id"]), ("UNTIL", &["/until"])];

const LIST: &[Column] = &[
    ("REQUESTED", &["/requested_at"]),
    ("USER", &["/user_id"]),
    ("CONNECTION", &["/connection"]),
    ("AGENT", &["/agent_id"]),
    ("STATE", &["/state"]),
    ("BY", &["/requested_by"]),
    ("ID", &["/id"]),
];

pub(super) async fn revoke(args: RevokeArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let mut body = json!({
        "user_id": args.user, "connection": args.connection, "agent_id": args.agent, "reason": args.reason,
        "request_id": args.request_id, "client_ids": args.clients,
    });
    if let (false, Some(members)) = (args.parts.is_empty(), body.as_object_mut()) {
        let parts: Vec<&str> = args.parts.iter().map(|part| part.as_str()).collect();
        members.insert("parts".to_owned(), json!(parts));
    }
    let begun = client.call(Method::POST, "/api/v1/revocations", Some(&body)).await?;
    let seen = watched(client, begun, args.wait).await?;
    tell(&seen, out)
}

pub(super) async fn revocations(args: RevocationsArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let Some(id) = args.id else {
        let query = Query::default().with("user_id", args.user).with("state", args.state);
        let answer = client.get("/api/v1/revocations", &query).await?;
        table::list(out, &answer, "revocations", LIST)?;
        return Ok(Ended::Well);
    };
    let path = format!("/api/v1/revocations/{}", segment(&id));
    if !args.retry {
        return tell(&client.get(&path, &Query::default()).await?, out);
    }
    let begun = client.call(Method::POST, &format!("{path}/retry"), Some(&json!({}))).await?;
    let seen = watched(client, begun, PATIENCE).await?;
    tell(&seen, out)
}

/// Looks until it is over, or for so many seconds.
async fn watched(client: &Client, mut seen: Value, seconds: u64) -> Result<Value, CliError> {
    let id = field(&seen, &["/id"]);
    let path = format!("/api/v1/revocations/{}", segment(&id));
    let mut left = Duration::from_secs(seconds);
    while field(&seen, &["/state"]) == "running" && !left.is_zero() {
        tokio::time::sleep(LOOK).await;
        left = left.saturating_sub(LOOK);
        seen = client.get(&path, &Query::default()).await?;
    }
    Ok(seen)
}

/// Well where no step was refused or failed, and none is still to be taken.
fn tell(seen: &Value, out: &mut Out) -> Result<Ended, CliError> {
    let state = field(seen, &["/state"]);
    let ended = if state == "done" { Ended::Well } else { Ended::Negative };
    if out.json() {
        out.document(seen)?;
        return Ok(ended);
    }
    out.line(format_args!("revocation {}: {}", field(seen, &["/id"]), clean(&state, 40)))?;
    table::list(out, seen, "steps", STEPS)?;
    if seen.get("remaining").and_then(Value::as_array).is_some_and(|left| !left.is_empty()) {
        out.line("")?;
        table::list(out, seen, "remaining", REMAINING)?;
    }
    if state == "running" {
        out.line(format_args!("it goes on: `onesec revocations {}`", field(seen, &["/id"])))?;
    }
    Ok(ended)
}

const LOOK: Duration = Duration::from_millis(250);
/// Seconds.
const PATIENCE: u64 = 30;

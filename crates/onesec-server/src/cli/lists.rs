//! Lists that are only read: status, events, accounts.

use serde_json::Value;

use super::args::{AccountsArgs, EventsArgs};
use super::client::{Client, Query};
use super::error::{CliError, Ended};
use super::out::{Ink, Out};
use super::table::{self, Column, one_line, rows_of};

const EVENTS: &[Column] = &[
    ("TIME", &["/observed_at"]),
    ("KIND", &["/type"]),
    ("AGENT", &["/details/agent_id"]),
    ("USER", &["/subject/user_id", "/details/user_id"]),
    ("CONNECTION", &["/details/connection"]),
    ("WHAT", &["/details/scopes", "/details/would", "/details/error"]),
    ("ID", &["/id", "/details/exchange_id"]),
];

const REJECTED: &[Column] =
    &[("TIME", &["/at"]), ("KEY", &["/key"]), ("CODE", &["/code"]), ("AT", &["/pointer"]), ("WHY", &["/message"])];

const ACCOUNTS: &[Column] = &[
    ("USER", &["/user_id"]),
    ("CONNECTION", &["/connection"]),
    ("STATE", &["/state"]),
    ("SCOPES", &["/scopes"]),
    ("LINKED", &["/linked_at"]),
    ("UNLINKED", &["/unlinked_at"]),
    ("AGENTS", &["/agents"]),
];

const DETECTORS: &[Column] = &[
    ("DETECTOR", &["/code"]),
    ("ALERTS", &["/alerts"]),
    ("FINDINGS", &["/findings"]),
    ("ERRORS", &["/errors"]),
    ("ALIVE", &["/alive"]),
];

pub(super) async fn events(args: EventsArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let query = Query::default()
        .with("kind", args.kind)
        .with("agent_id", args.narrow.agent)
        .with("user_id", args.narrow.user)
        .with("connection", args.narrow.connection)
        .with("since", args.since)
        .with("until", args.until)
        .with("limit", args.narrow.limit.map(|limit| limit.to_string()));
    if args.rejected {
        let answer = client.get("/api/v1/events/rejected", &query).await?;
        table::list(out, &answer, "rejected", REJECTED)?;
    } else {
        let answer = client.get("/api/v1/events", &query).await?;
        table::list(out, &answer, "events", EVENTS)?;
    }
    Ok(Ended::Well)
}

pub(super) async fn accounts(args: AccountsArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let query = Query::default().with("user_id", args.user).with("connection", args.connection);
    let answer = client.get("/api/v1/accounts", &query).await?;
    table::list(out, &answer, "accounts", ACCOUNTS)?;
    Ok(Ended::Well)
}

pub(super) async fn status(client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let answer = client.get("/api/v1/status", &Query::default()).await?;
    if out.json() {
        out.document(&answer)?;
        return Ok(Ended::Well);
    }
    let mut shown = answer.clone();
    let detectors = shown.as_object_mut().and_then(|members| members.remove("detectors"));
    write_members(&shown, "", out)?;
    if let Some(detectors) = detectors.filter(|list| !rows_of(list, "").is_empty()) {
        out.line("")?;
        table::list(out, &detectors, "detectors", DETECTORS)?;
    }
    Ok(Ended::Well)
}

/// The members of an object, one a line; those of objects within are indented below their name.
pub(super) fn write_members(value: &Value, indent: &str, out: &mut Out) -> Result<(), CliError> {
    for (name, value) in value.as_object().into_iter().flatten() {
        let label = super::out::clean(&name.replace('_', " "), 40);
        match value {
            Value::Object(_) if indent.len() < 6 => {
                out.line(format_args!("{indent}{}", Ink::Dim.on(label)))?;
                write_members(value, &format!("{indent}  "), out)?;
            }
            _ => {
                if let Some(text) = one_line(value) {
                    out.line(format_args!("{indent}{label:<22} {text}"))?;
                }
            }
        }
    }
    Ok(())
}

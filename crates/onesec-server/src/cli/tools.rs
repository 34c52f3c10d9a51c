//! `onesec tools` and `onesec decide`: what agents may use, and whether they may do something now.

use std::io::Read as _;
use std::path::Path;

use hyper::Method;
use serde_json::{Value, json};

use super::args::{ApproveTool, DecideArgs, ToolAct, ToolsArgs};
use super::client::{Client, Query};
use super::error::{CliError, Ended};
use super::out::{Out, clean};
use super::table::{self, Column, field};

const TOOLS: &[Column] = &[
    ("STATE", &["/state"]),
    ("SERVER", &["/server"]),
    ("TOOL", &["/tool"]),
    ("EVENT", &["/event_id"]),
    ("DIGEST", &["/digest"]),
];

const FINDINGS: &[Column] = &[("SEVERITY", &["/severity"]), ("DETECTOR", &["/detector"]), ("WHY", &["/reason"])];

pub(super) async fn tools(args: ToolsArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    if let Some(ToolAct::Approve(wanted)) = args.act {
        return approve(wanted, client, out).await;
    }
    let query = Query::default().with("state", args.state.as_deref());
    let answer = client.get("/api/v1/tools", &query).await?;
    table::list(out, &answer, "tools", TOOLS)?;
    Ok(Ended::Well)
}

async fn approve(wanted: ApproveTool, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let ApproveTool { tool, server, digest, note } = wanted;
    let body = json!({"tool": tool, "server": server, "digest": digest, "note": note});
    let answer = client.call(Method::POST, "/api/v1/tools/approve", Some(&body)).await?;
    if out.json() {
        out.document(&answer)?;
    } else {
        out.line(format_args!("{}: approved", clean(&tool, 80)))?;
    }
    Ok(Ended::Well)
}

/// Exit code 0 where the agent may go on, and not where it may not.
pub(super) async fn decide(args: DecideArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let text = read(&args.file)?;
    let event: Value =
        serde_json::from_str(&text).map_err(|error| CliError::usage(format!("the event is no JSON: {error}")))?;
    let answer = client.call(Method::POST, "/api/v1/decide", Some(&event)).await?;
    let allowed = answer.get("decision").and_then(Value::as_str) == Some("allow");
    if out.json() {
        out.document(&answer)?;
    } else {
        let (decision, would) = (field(&answer, &["/decision"]), field(&answer, &["/would"]));
        out.line(format_args!("{decision} (live mode: {would})"))?;
        table::list(out, &answer, "findings", FINDINGS)?;
    }
    if allowed { Ok(Ended::Well) } else { Ok(Ended::Negative) }
}

fn read(file: &Path) -> Result<String, CliError> {
    let unreadable = |error: std::io::Error| CliError::usage(format!("{}: {error}", file.display()));
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(unreadable)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(unreadable)
}

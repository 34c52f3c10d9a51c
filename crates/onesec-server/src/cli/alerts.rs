//! `onesec alerts`: lists them, follows them, decides on them.

use http_body_util::BodyExt as _;
use hyper::Method;
use onesec_telemetry::Severity;
use serde_json::{Value, json};

use super::args::{AlertAct, AlertChange, AlertsArgs};
use super::client::{Client, Query, segment};
use super::error::{CliError, Ended};
use super::out::{Ink, Out, clean};
use super::table::{self, Column, field};

const COLUMNS: &[Column] = &[
    ("LAST SEEN", &["/last_seen"]),
    ("SEVERITY", &["/severity"]),
    ("DETECTOR", &["/detector"]),
    ("AGENT", &["/agent_id"]),
    ("USER", &["/user_id"]),
    ("CONNECTION", &["/connection"]),
    ("COUNT", &["/occurrences"]),
    ("STATUS", &["/status"]),
    ("ID", &["/id"]),
];

/// Longest line of a stream that is kept: no alert is larger.
const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;

pub(super) async fn alerts(args: AlertsArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    match args.act {
        Some(AlertAct::Show { id }) => show(&id, client, out).await,
        Some(AlertAct::Ack(change)) => set(change, "acknowledged", client, out).await,
        Some(AlertAct::Resolve(change)) => set(change, "resolved", client, out).await,
        Some(AlertAct::FalsePositive(change)) => set(change, "false_positive", client, out).await,
        None if args.follow => follow(&args, client, out).await,
        None => {
            let answer = client.get("/api/v1/alerts", &query(&args)).await?;
            table::list(out, &answer, "alerts", COLUMNS)?;
            Ok(Ended::Well)
        }
    }
}

fn query(args: &AlertsArgs) -> Query {
    let upper = |text: &Option<String>| text.as_ref().map(|text| text.to_uppercase());
    Query::default()
        .with("detector", args.detector.as_ref())
        .with("severity", upper(&args.severity))
        .with("min_severity", upper(&args.min_severity))
        .with("status", args.status.as_ref())
        .with("agent_id", args.narrow.agent.as_ref())
        .with("user_id", args.narrow.user.as_ref())
        .with("connection", args.narrow.connection.as_ref())
        .with("since", args.since.as_ref())
        .with("limit", args.narrow.limit.map(|limit| limit.to_string()))
}

async fn show(id: &str, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let alert = client.get(&format!("/api/v1/alerts/{}", segment(id)), &Query::default()).await?;
    if out.json() {
        out.document(&alert)?;
        return Ok(Ended::Well);
    }
    describe(&alert, out)?;
    out.line(format_args!("\nwhy, and what would make it pass: onesec explain {}", field(&alert, &["/id"])))?;
    Ok(Ended::Well)
}

/// An alert in full, for people.
pub(super) fn describe(alert: &Value, out: &mut Out) -> Result<(), CliError> {
    let get = |pointer| field(alert, &[pointer]);
    let severity = get("/severity");
    out.line(format_args!(
        "{} {}  {}",
        Ink::of_severity(&severity).on(&severity),
        Ink::Bold.on(get("/detector")),
        get("/title")
    ))?;
    let text = alert.pointer("/description").and_then(Value::as_str).unwrap_or_default();
    out.line(format_args!("  {}", clean(text, 600)))?;
    for (label, pointer) in [
        ("agent", "/agent_id"),
        ("user", "/user_id"),
        ("connection", "/connection"),
        ("first seen", "/first_seen"),
        ("last seen", "/last_seen"),
        ("occurrences", "/occurrences"),
        ("on whose word", "/attribution"),
        ("status", "/status"),
        ("note", "/note"),
        ("OWASP", "/owasp"),
        ("part of", "/chain"),
        ("evidence", "/evidence"),
    ] {
        let value = get(pointer);
        if !value.is_empty() {
            out.line(format_args!("  {label:<14}{value}"))?;
        }
    }
    Ok(())
}

async fn set(change: AlertChange, status: &str, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let body = json!({"status": status, "note": change.note});
    let path = format!("/api/v1/alerts/{}", segment(&change.id));
    let alert = client.call(Method::PATCH, &path, Some(&body)).await?;
    if out.json() {
        out.document(&alert)?;
    } else {
        out.line(format_args!("{}: {}", clean(&change.id, 80), status.replace('_', " ")))?;
    }
    Ok(Ended::Well)
}

/// Prints alerts as the server tells of them, until it or we stop.
async fn follow(args: &AlertsArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let mut stream = client.stream("/api/v1/alerts/stream", &Query::default()).await?;
    let mut waiting = Vec::new();
    while let Some(frame) = stream.frame().await {
        let Ok(frame) = frame else { break };
        let Some(data) = frame.data_ref() else { continue };
        waiting.extend_from_slice(data);
        while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = waiting.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let news = line.strip_prefix("data:").and_then(|data| serde_json::from_str::<Value>(data.trim()).ok());
            if let Some(alert) = news.filter(|alert| wanted(args, alert)) {
                told(&alert, out)?;
            }
        }
        if waiting.len() > MAX_LINE_BYTES {
            return Err(CliError::refused("the server's stream makes no sense"));
        }
    }
    Err(CliError::refused("the server ended the stream"))
}

/// The stream has everything; the filters are ours.
fn wanted(args: &AlertsArgs, alert: &Value) -> bool {
    let same = |wanted: &Option<String>, name: &str| {
        wanted.as_ref().is_none_or(|wanted| alert.get(name).and_then(Value::as_str) == Some(wanted))
    };
    let severity = |name: &str| Severity::from_name(name).map_or(0, Severity::rank);
    let found = severity(alert.get("severity").and_then(Value::as_str).unwrap_or_default());
    // What is no alert says that some were missed: everybody wants to know.
    alert.get("detector").is_none()
        || same(&args.detector, "detector")
            && same(&args.narrow.agent, "agent_id")
            && same(&args.narrow.user, "user_id")
            && same(&args.narrow.connection, "connection")
            && same(&args.status, "status")
            && args.severity.as_ref().is_none_or(|wanted| severity(wanted) == found)
            && args.min_severity.as_ref().is_none_or(|least| severity(least) <= found)
}

fn told(alert: &Value, out: &mut Out) -> Result<(), CliError> {
    if out.json() {
        out.line(alert)?;
        return Ok(());
    }
    let get = |pointer| field(alert, &[pointer]);
    let missed = get("/missed");
    if !missed.is_empty() {
        out.line(Ink::Yellow.on(format_args!("({missed} alerts came faster than they could be sent: onesec alerts)")))?;
        return Ok(());
    }
    let severity = get("/severity");
    out.line(format_args!(
        "{}  {} {}  {}  {}",
        get("/last_seen"),
        Ink::of_severity(&severity).on(format_args!("{severity:<8}")),
        format_args!("{:<20}", get("/detector")),
        get("/agent_id"),
        get("/description"),
    ))?;
    Ok(())
}

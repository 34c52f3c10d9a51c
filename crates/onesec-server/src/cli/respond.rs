//! Receipts and approvals.

use std::io::{BufRead as _, Write as _};

use hyper::Method;
use onesec_enforcement::Preset;
use onesec_telemetry::suggest::did_you_mean;
use serde_json::{Value, json};

use super::args::{ApprovalAct, ApprovalsArgs, Decide, PresetAct, ResponsesArgs};
use super::client::{Client, Query, segment};
use super::error::{CliError, Ended};
use super::lists::write_members;
use super::out::{Out, clean, complain};
use super::table::{self, Column, field};

const RESPONSES: &[Column] = &[
    ("REQUESTED", &["/requested_at"]),
    ("POLICY", &["/policy"]),
    ("ACTION", &["/action"]),
    ("TARGET", &["/target"]),
    ("STATUS", &["/status"]),
    ("HOW OR WHY", &["/verification", "/reason"]),
    ("ID", &["/id"]),
];

const APPROVALS: &[Column] = &[
    ("ASKED", &["/requested_at"]),
    ("UNTIL", &["/expires_at"]),
    ("POLICY", &["/policy"]),
    ("TARGET", &["/target"]),
    ("ACTION", &["/action"]),
    ("ID", &["/id"]),
];

pub(super) async fn responses(args: ResponsesArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    if let Some(id) = args.id {
        let path = format!("/api/v1/responses/{}", segment(&id));
        if args.undo || args.retry || args.complete {
            let (act, body) = match (args.undo, args.complete) {
                (true, _) => ("undo", None),
                (_, true) => ("complete", Some(json!({"my_account_token": handed_in()?}))),
                _ => ("retry", None),
            };
            let answer = client.call(Method::POST, &format!("{path}/{act}"), body.as_ref()).await?;
            if out.json() {
                out.document(&answer)?;
            } else {
                write_members(&answer, "", out)?;
            }
            return Ok(Ended::Well);
        }
        let answer = client.get(&path, &Query::default()).await?;
        if out.json() {
            out.document(&answer)?;
        } else {
            write_members(&answer, "", out)?;
        }
        return Ok(Ended::Well);
    }
    let query = Query::default().with("alert_id", args.alert).with("action", args.action).with("status", args.status);
    table::list(out, &client.get("/api/v1/responses", &query).await?, "responses", RESPONSES)?;
    Ok(Ended::Well)
}

/// A token on standard input: on the command line, every process of the machine could read it.
fn handed_in() -> Result<String, CliError> {
    let mut text = String::new();
    std::io::stdin().lock().read_line(&mut text).map_err(|error| CliError::usage(error.to_string()))?;
    let token = text.trim();
    if token.is_empty() { Err(CliError::usage("there is no token on standard input")) } else { Ok(token.to_owned()) }
}

pub(super) async fn approvals(args: ApprovalsArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    match args.act.unwrap_or(ApprovalAct::List) {
        ApprovalAct::List => {
            let answer = client.get("/api/v1/approvals", &Query::default()).await?;
            table::list(out, &answer, "approvals", APPROVALS)?;
            Ok(Ended::Well)
        }
        ApprovalAct::Approve(decide) => say(client, out, (decide, "approve")).await,
        ApprovalAct::Reject(decide) => say(client, out, (decide, "reject")).await,
    }
}

/// What is said counts for what was seen: the digest of it goes along.
async fn say(client: &Client, out: &mut Out, (decide, word): (Decide, &str)) -> Result<Ended, CliError> {
    let path = format!("/api/v1/approvals/{}", segment(&decide.id));
    let digest = match decide.digest {
        Some(digest) => digest,
        None => seen(client, out, (&path, word)).await?,
    };
    let mut body = json!({"action_digest": digest, "note": decide.note});
    if let (true, Some(members)) = (decide.accept_scopes, body.as_object_mut()) {
        members.insert("accept_scopes".to_owned(), Value::Bool(true));
    }
    let answer = client.call(Method::POST, &format!("{path}/{word}"), Some(&body)).await?;
    if out.json() {
        out.document(&answer)?;
    } else {
        out.line(format_args!("{}: {}", clean(&decide.id, 80), field(&answer, &["/decision"])))?;
    }
    Ok(Ended::Well)
}

/// Shows what waits and asks; its digest.
async fn seen(client: &Client, out: &mut Out, (path, word): (&str, &str)) -> Result<String, CliError> {
    if !out.is_terminal() {
        return Err(CliError::usage("give the --digest of what you saw: nobody is there to be asked".to_owned()));
    }
    let waiting = client.get(path, &Query::default()).await?;
    write_members(&waiting, "", out)?;
    out.line(format_args!("{word} this? Type yes:"))?;
    if !answered_yes()? {
        return Err(CliError::refused("nothing was decided".to_owned()));
    }
    Ok(waiting.get("action_digest").and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// Nobody goes live without having seen whom that would have cut off. The digest of what was seen.
pub(super) async fn going_live(
    client: &Client,
    out: &mut Out,
    (days, confirm): (u8, Option<&str>),
) -> Result<String, CliError> {
    let query = Query::default().with("days", Some(days.to_string()));
    let report = client.get("/api/v1/enforcement/would", &query).await?;
    let digest = report.get("digest").and_then(Value::as_str).unwrap_or_default().to_owned();
    if confirm == Some(&digest) {
        return Ok(digest);
    }
    show_report(&report, days);
    if confirm.is_some() {
        return Err(CliError::refused(format!("that is not the digest of this report: it is {digest}")));
    }
    if !out.is_terminal() {
        return Err(CliError::refused(format!("still dry run: to go live, repeat it with --confirm {digest}")));
    }
    out.line(format_args!("go live? Type yes:"))?;
    if answered_yes()? { Ok(digest) } else { Err(CliError::refused("still dry run".to_owned())) }
}

/// To standard error: standard output is for the answer.
fn show_report(report: &Value, days: u8) {
    let count = |name: &str| field(report, &[name]);
    complain(format_args!(
        "in the last {days} days live mode would have refused {} of {} requests",
        count("/would_refuse"),
        count("/requests")
    ));
    for row in report.get("cut_off").and_then(Value::as_array).into_iter().flatten() {
        let get = |name: &str| field(row, &[name]);
        complain(format_args!("  {} × {}: {}", get("/requests"), get("/detector"), get("/agent_id")));
    }
    for (action, count) in report.get("actions").and_then(Value::as_object).into_iter().flatten() {
        complain(format_args!("  {count} × {}", clean(action, 200)));
    }
}

fn answered_yes() -> Result<bool, CliError> {
    let failed = |error: std::io::Error| CliError::usage(error.to_string());
    std::io::stdout().flush().map_err(failed)?;
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed).map_err(failed)?;
    Ok(typed.trim() == "yes")
}

/// `onesec enforce presets`: needs no server.
pub(super) fn presets(act: Option<PresetAct>, out: &mut Out) -> Result<Ended, CliError> {
    let Some(PresetAct::Show { name }) = act else {
        for preset in Preset::ALL {
            out.line(preset.as_str())?;
        }
        return Ok(Ended::Well);
    };
    let Some(preset) = Preset::from_name(&name) else {
        let meant = did_you_mean(&name, Preset::ALL.map(Preset::as_str));
        let hint = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
        return Err(CliError::usage(format!("there is no preset `{}`{hint}", clean(&name, 40))));
    };
    let document = json!({"enforcement": {"preset": preset.as_str(), "policies": preset.policies()}});
    if out.json() {
        out.document(&document)?;
    } else {
        let yaml = serde_saphyr::to_string(&document).map_err(|error| CliError::refused(error.to_string()))?;
        out.line(yaml.trim_end())?;
    }
    Ok(Ended::Well)
}

//! `onesec exchange` and `onesec can`: what an agent gets, and what it would get.

use std::io::Read as _;
use std::path::Path;

use hyper::Method;
use onesec_telemetry::Secret;
use serde_json::{Value, json};

use super::args::{CanArgs, ExchangeArgs};
use super::client::{Client, Query, segment};
use super::error::{CliError, Ended};
use super::identity::text_of;
use super::out::{Ink, Out, clean};
use super::table::field;

/// No token is longer.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

pub(crate) async fn exchange(args: ExchangeArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let subject = token_from(&args.subject_token_file)?;
    let mut body = json!({
        "subject_token": subject.expose_to_wire(),
        "subject_token_type": args.token_type.urn(),
        "connection": args.connection,
    });
    let delegation = args.delegation.as_deref().map(text_of).transpose()?;
    let optional = [
        ("delegation", delegation.map(|text| Value::from(text.trim()))),
        ("login_hint", args.login_hint.map(Value::from)),
        ("scopes", (!args.scopes.is_empty()).then(|| json!(args.scopes))),
        ("task_id", args.task.map(Value::from)),
    ];
    for (name, value) in optional {
        if let (Some(value), Some(members)) = (value, body.as_object_mut()) {
            members.insert(name.to_owned(), value);
        }
    }
    let mut answer = client.send(Method::POST, "/api/v1/token-vault/exchange", Some(&body)).await?;
    if !args.show_token
        && let Some(members) = answer.body.as_object_mut()
    {
        members.remove("access_token");
    }
    // What is no verdict on the exchange is a failure: no key, no server behind it.
    if !answer.is_success() && answer.text("onesec_reason").is_empty() && answer.text("approval_id").is_empty() {
        return Err(answer.refusal());
    }
    if answer.status == 503 {
        return Err(answer.refusal());
    }
    let ended = if answer.is_success() { Ended::Well } else { Ended::Negative };
    if out.json() {
        out.document(&answer.body)?;
        return Ok(ended);
    }
    let get = |pointer| field(&answer.body, &[pointer]);
    if ended == Ended::Negative {
        out.line(format_args!("{} {}: {}", Ink::Red.on("refused"), get("/onesec_reason"), get("/error_description")))?;
        if let Some(seconds) = answer.retry_after {
            out.line(format_args!("  try again in {seconds} s"))?;
        }
    } else {
        out.line(format_args!(
            "{} for {} s, scopes: {}",
            Ink::Green.on("released"),
            get("/expires_in"),
            get("/scope")
        ))?;
        match answer.body.get("access_token").and_then(Value::as_str) {
            Some(token) => out.line(token)?,
            None => out.line(Ink::Dim.on("  the token was dropped unseen; --show-token prints it"))?,
        }
    }
    out.line(format_args!("  exchange {}; why: onesec explain {0}", get("/exchange_id")))?;
    Ok(ended)
}

fn token_from(file: &Path) -> Result<Secret, CliError> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX_TOKEN_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MAX_TOKEN_BYTES).read_to_string(&mut text))
    };
    read.map_err(|error| CliError::usage(format!("cannot read the token from `{}`: {error}", file.display())))?;
    let token = Secret::new(text.trim().to_owned());
    if token.is_empty() { Err(CliError::usage("the token's file is empty")) } else { Ok(token) }
}

pub(super) async fn can(args: CanArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let scopes = (!args.scopes.is_empty()).then(|| args.scopes.join(" "));
    let query = Query::default()
        .with("agent_id", Some(&args.agent))
        .with("connection", Some(&args.connection))
        .with("scopes", scopes);
    let answer = client.get(&format!("/api/v1/users/{}/can", segment(&args.user)), &query).await?;
    let ended = if permitted(&answer) { Ended::Well } else { Ended::Negative };
    if out.json() {
        out.document(&answer)?;
        return Ok(ended);
    }
    let [agent, user, connection] = [&args.agent, &args.user, &args.connection].map(|text| clean(text, 80));
    let verdict = match ended {
        Ended::Well => Ink::Green.on("yes"),
        Ended::Negative | Ended::Like(_) => Ink::Red.on("no"),
    };
    out.line(format_args!("{verdict}  {agent} for {user} at {connection}"))?;
    for finding in answer.get("findings").and_then(Value::as_array).into_iter().flatten() {
        let get = |pointer| field(finding, &[pointer]);
        out.line(format_args!("  {} {}: {}", get("/severity"), get("/detector"), get("/reason")))?;
    }
    if ended == Ended::Negative && field(&answer, &["/verdict"]) == "allow" {
        out.line("  in dry run it passes all the same; live mode would refuse it")?;
    }
    Ok(ended)
}

/// Whether live mode would let it pass.
fn permitted(answer: &Value) -> bool {
    field(answer, &["/would"]) == "allow"
}

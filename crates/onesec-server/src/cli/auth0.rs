//! Auth0's log, asked for by hand; accounts imported, compared and set right.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::args::{AccountAct, Auth0Act, ImportArgs};
use super::client::{Client, segment};
use super::error::{CliError, Ended};
use super::out::{Out, clean, complain};
use super::table::{self, Column, field};

const DRIFT: &[Column] = &[
    ("WHAT", &["/what"]),
    ("USER", &["/user_id"]),
    ("CONNECTION", &["/connection"]),
    ("ACCOUNT", &["/account_id"]),
    ("HERE", &["/here"]),
    ("AT AUTH0", &["/there"]),
    ("APPLIED", &["/applied"]),
];

pub(super) async fn auth0(act: Auth0Act, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let Auth0Act::Pull { follow, every, .. } = act;
    loop {
        let wait = match pull(client, out).await {
            Ok(more) if more => Duration::ZERO,
            Ok(_) => every,
            Err(error) if follow => {
                complain(format_args!("onesec: {}", clean(&error.to_string(), 300)));
                every
            }
            Err(error) => return Err(error),
        };
        if !follow && !wait.is_zero() {
            return Ok(Ended::Well);
        }
        tokio::time::sleep(wait).await;
    }
}

/// Whether there is more.
async fn pull(client: &Client, out: &mut Out) -> Result<bool, CliError> {
    let answer = client.call(Method::POST, "/api/v1/auth0/logs/pull", Some(&json!({}))).await?;
    if out.json() {
        out.document(&answer)?;
    } else {
        let count = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
        out.line(format_args!(
            "{} entries: {} taken, {} known, {} of no interest, {} rejected; up to {}",
            count("entries"),
            count("accepted"),
            count("duplicates"),
            count("ignored"),
            count("rejected"),
            field(&answer, &["/checkpoint"]),
        ))?;
    }
    Ok(answer.get("more") == Some(&Value::Bool(true)))
}

pub(super) async fn accounts(act: AccountAct, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    match act {
        AccountAct::Import(args) => import(args, client, out).await,
        AccountAct::Drift => {
            let found = compare(client, "none").await?;
            found.show(out, "differ")?;
            Ok(if found.drift.is_empty() { Ended::Well } else { Ended::Negative })
        }
        AccountAct::Reconcile => {
            let found = compare(client, "all").await?;
            found.show(out, "differed")?;
            Ok(Ended::Well)
        }
    }
}

async fn import(args: ImportArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let (ended, connections) = match &args.file {
        Some(file) => from_file(file, client, out).await?,
        None => {
            let found = compare(client, "links").await?;
            found.show(out, "differed")?;
            (Ended::Well, found.connections)
        }
    };
    let Some(named) = args.complete else { return Ok(ended) };
    if matches!(ended, Ended::Negative) {
        return Err(CliError::refused("not everything was imported: no connection was marked as complete"));
    }
    let marked: Vec<String> = if named.is_empty() { connections.into_iter().collect() } else { named };
    for name in marked {
        let path = format!("/api/v1/connections/{}/complete", segment(&name));
        client.call(Method::POST, &path, Some(&json!({}))).await?;
        complain(format_args!("every link at {} is known from now on", clean(&name, 80)));
    }
    Ok(ended)
}

/// What a whole comparison came to.
#[derive(Default)]
struct Compared {
    users: u64,
    accounts: u64,
    applied: u64,
    drift: Vec<Value>,
    connections: BTreeSet<String>,
}

impl Compared {
    fn show(&self, out: &mut Out, verb: &str) -> Result<(), CliError> {
        if out.json() {
            out.document(
                &json!({"users": self.users, "accounts": self.accounts, "applied": self.applied, "drift": self.drift}),
            )?;
            return Ok(());
        }
        if !self.drift.is_empty() {
            table::list(out, &json!({"drift": self.drift}), "drift", DRIFT)?;
        }
        let (users, accounts, applied) = (self.users, self.accounts, self.applied);
        let count = self.drift.len();
        out.line(format_args!("{accounts} accounts of {users} users at Auth0; {count} {verb}, {applied} set right"))?;
        Ok(())
    }
}

/// Step by step, so that no request takes long.
async fn compare(client: &Client, apply: &str) -> Result<Compared, CliError> {
    let mut all = Compared::default();
    let mut cursor = Value::Null;
    loop {
        let asked = json!({"apply": apply, "cursor": cursor});
        let answer = client.send(Method::POST, "/api/v1/accounts/reconcile", Some(&asked)).await?;
        if let (502, Some(after)) = (answer.status, answer.retry_after) {
            tokio::time::sleep(Duration::from_secs(after.clamp(1, 60))).await;
            continue;
        }
        let step = answer.success()?;
        let count = |name: &str| step.get(name).and_then(Value::as_u64).unwrap_or_default();
        all.users += count("users");
        all.accounts += count("accounts");
        all.applied += count("applied");
        let list = |name: &str| step.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        all.drift.extend(list("drift"));
        all.connections.extend(list("connections").iter().filter_map(|name| name.as_str().map(str::to_owned)));
        cursor = step.get("next").cloned().unwrap_or_default();
        if cursor.is_null() {
            return Ok(all);
        }
    }
}

/// Every account of the file becomes a link.
async fn from_file(path: &Path, client: &Client, out: &mut Out) -> Result<(Ended, BTreeSet<String>), CliError> {
    let accounts = read(path)?;
    let (mut taken, mut rejected, mut connections) = (0_u64, Vec::new(), BTreeSet::new());
    for (number, chunk) in accounts.chunks(AT_ONCE).enumerate() {
        let events: Vec<Value> =
            chunk.iter().map(|account| json!({"type": "connected_account_link", "details": account})).collect();
        let answer = client.send(Method::POST, "/api/v1/events", Some(&Value::Array(events))).await?;
        // 422 tells what was wrong with each of them, like 207.
        let body = if answer.status == 422 { answer.body } else { answer.success()? };
        taken += body.get("accepted").and_then(Value::as_u64).unwrap_or_default();
        let wrong = body.get("rejected").and_then(Value::as_array).cloned().unwrap_or_default();
        let index = |why: &Value| why.get("index").and_then(Value::as_u64).unwrap_or_default();
        rejected.extend(wrong.iter().map(|why| {
            let place = number as u64 * AT_ONCE as u64 + index(why) + 1;
            json!({"account": place, "code": why.get("code"), "message": why.get("message")})
        }));
        connections.extend(chunk.iter().filter_map(|account| account.get("connection")?.as_str().map(str::to_owned)));
    }
    if out.json() {
        out.document(&json!({"imported": taken, "rejected": rejected}))?;
    } else {
        for why in &rejected {
            let (code, message) = (field(why, &["/code"]), field(why, &["/message"]));
            out.line(format_args!("account {}: {code}: {message}", field(why, &["/account"])))?;
        }
        out.line(format_args!("{taken} of {} accounts imported", accounts.len()))?;
    }
    Ok((if rejected.is_empty() { Ended::Well } else { Ended::Negative }, connections))
}

fn read(path: &Path) -> Result<Vec<Value>, CliError> {
    let shown = clean(&path.display().to_string(), 200);
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| CliError::usage(format!("cannot read `{shown}`: {error}")))?;
    let values: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&text).into_iter().collect();
    let values = values.map_err(|error| {
        CliError::usage(format!("`{shown}` is no JSON (line {}, column {})", error.line(), error.column()))
    })?;
    let listed = |value: Value| match value {
        Value::Array(items) => items,
        Value::Object(mut members) => match members.remove("accounts") {
            Some(Value::Array(items)) => items,
            _ => vec![Value::Object(members)],
        },
        other => vec![other],
    };
    Ok(values.into_iter().flat_map(listed).collect())
}

/// Links in one request.
const AT_ONCE: usize = 1_000;

//! `onesec enforce policies`: single policies, listed, shown, set from a file, removed.

use std::io::Read as _;
use std::path::Path;

use hyper::Method;
use serde_json::{Value, json};

use super::args::PolicyAct;
use super::client::{Client, Query, segment};
use super::error::{CliError, Ended};
use super::out::{Out, clean};
use super::table::{self, Column, field};

const POLICIES: &[Column] = &[
    ("NAME", &["/name"]),
    ("FROM", &["/source"]),
    ("DETECTORS", &["/match/detectors"]),
    ("AT LEAST", &["/match/min_severity"]),
    ("REQUEST", &["/request"]),
    ("ACTIONS", &["/actions"]),
];
const PATH: &str = "/api/v1/enforcement/policies";

pub(super) async fn policies(act: PolicyAct, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    match act {
        PolicyAct::List => {
            table::list(out, &client.get(PATH, &Query::default()).await?, "policies", POLICIES)?;
        }
        PolicyAct::Show { name } => {
            let mut policy = client.get(&format!("{PATH}/{}", segment(&name)), &Query::default()).await?;
            if out.json() {
                out.document(&policy)?;
            } else {
                // As it can be set again.
                drop(policy.as_object_mut().map(|members| members.remove("source")));
                let yaml = serde_saphyr::to_string(&policy).map_err(|error| CliError::refused(error.to_string()))?;
                out.line(yaml.trim_end())?;
            }
        }
        PolicyAct::Set { file } => {
            let mut set = Vec::new();
            for policy in read(&file)? {
                let name = policy.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                if name.is_empty() {
                    return Err(CliError::usage("a policy needs a `name`"));
                }
                let answer = client.call(Method::PUT, &format!("{PATH}/{}", segment(&name)), Some(&policy)).await?;
                if !out.json() {
                    out.line(format_args!("{} is in force", clean(&name, 80)))?;
                }
                set.push(answer);
            }
            if out.json() {
                out.document(&json!({"policies": set}))?;
            }
        }
        PolicyAct::Remove { name } => {
            let answer = client.call(Method::DELETE, &format!("{PATH}/{}", segment(&name)), None).await?;
            if out.json() {
                out.document(&answer)?;
            } else if answer.get("instead").is_some_and(Value::is_object) {
                let source = field(&answer, &["/instead/source"]);
                out.line(format_args!("{} is the {source}'s again", clean(&name, 80)))?;
            } else {
                out.line(format_args!("{} is removed", clean(&name, 80)))?;
            }
        }
    }
    Ok(Ended::Well)
}

/// One policy, a list of them, or a section `enforcement` with `policies`, as YAML or JSON. All are read before any is set.
fn read(file: &Path) -> Result<Vec<Value>, CliError> {
    let failed = |error: std::io::Error| CliError::usage(format!("cannot read `{}`: {error}", file.display()));
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(MOST_BYTES).read_to_string(&mut text).map_err(failed)?;
    } else {
        text = std::fs::read_to_string(file).map_err(failed)?;
    }
    let value: Value = serde_saphyr::from_str(&text).map_err(|error| {
        let line = error.location().map_or(0, |place| place.line());
        CliError::usage(format!("`{}` is no YAML, line {line}", file.display()))
    })?;
    let inner = ["/enforcement/policies", "/policies"].iter().find_map(|place| value.pointer(place)).unwrap_or(&value);
    let mut policies: Vec<Value> = match inner {
        Value::Array(many) => many.clone(),
        one => vec![one.clone()],
    };
    for policy in &mut policies {
        // What the server adds to say who brings it.
        drop(policy.as_object_mut().map(|members| members.remove("source")));
    }
    Ok(policies)
}

const MOST_BYTES: u64 = 1024 * 1024;

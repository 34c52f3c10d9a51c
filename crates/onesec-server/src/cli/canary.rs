//! Decoys, and connections whose links are all known.

use hyper::Method;
use serde_json::{Value, json};

use super::args::{CanaryAct, ConnectionAct};
use super::client::{Client, Query, segment};
use super::error::{CliError, Ended};
use super::out::{Out, clean};
use super::table::{self, Column, field};

const CANARIES: &[Column] = &[("ID", &["/id"]), ("WHAT", &["/what"]), ("VALUE", &["/value"]), ("NOTE", &["/note"])];

pub(super) async fn canary(act: CanaryAct, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    match act {
        CanaryAct::List => {
            let answer = client.get("/api/v1/canaries", &Query::default()).await?;
            table::list(out, &answer, "canaries", CANARIES)?;
            Ok(Ended::Well)
        }
        CanaryAct::Add { what, value, note } => {
            let mut body = json!({"what": what.as_str(), "value": value});
            if let (Some(note), Some(members)) = (note, body.as_object_mut()) {
                members.insert("note".to_owned(), note.into());
            }
            let answer = client.call(Method::POST, "/api/v1/canaries", Some(&body)).await?;
            let id = field(&answer, &["/id"]);
            done(out, &answer, format_args!("canary {id}: whoever touches it raises a CRITICAL alert"))
        }
        CanaryAct::Remove { id } => {
            let answer = client.call(Method::DELETE, &format!("/api/v1/canaries/{}", segment(&id)), None).await?;
            done(out, &answer, format_args!("canary {} is gone", clean(&id, 80)))
        }
    }
}

pub(super) async fn connections(act: ConnectionAct, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let path = |name: &str| format!("/api/v1/connections/{}/complete", segment(name));
    match act {
        ConnectionAct::Complete { name } => {
            let answer = client.call(Method::POST, &path(&name), Some(&json!({}))).await?;
            let name = clean(&name, 80);
            done(out, &answer, format_args!("every link at {name} is known: an exchange without one is suspicious"))
        }
        ConnectionAct::Incomplete { name } => {
            let answer = client.call(Method::DELETE, &path(&name), None).await?;
            done(out, &answer, format_args!("links at {} may be unknown", clean(&name, 80)))
        }
    }
}

fn done(out: &mut Out, answer: &Value, words: std::fmt::Arguments<'_>) -> Result<Ended, CliError> {
    if out.json() {
        out.document(answer)?;
    } else {
        out.line(words)?;
    }
    Ok(Ended::Well)
}

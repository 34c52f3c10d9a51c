//! What changes something at the server: agents, delegations, keys, the mode.

use hyper::Method;
use serde_json::{Value, json};

use super::args::{
    AgentAct, AgentsArgs, DelegationAct, DelegationAdd, EnforceAct, EnforceArgs, KeyAct, KeyCreate, ModeArg, Narrow,
};
use super::client::{Client, Query, segment};
use super::error::{CliError, Ended};
use super::identity;
use super::lists::write_members;
use super::out::{Ink, Out, clean};
use super::policies;
use super::respond;
use super::table::{self, Column, field};

const AGENTS: &[Column] = &[
    ("AGENT", &["/agent_id"]),
    ("STATE", &["/state"]),
    ("CONNECTIONS", &["/connections"]),
    ("FIRST SEEN", &["/first_seen"]),
    ("LAST SEEN", &["/last_seen"]),
];

const DELEGATIONS: &[Column] = &[
    ("AGENT", &["/agent_id"]),
    ("USER", &["/user_id"]),
    ("CONNECTION", &["/connection"]),
    ("SCOPES", &["/scopes"]),
    ("STATE", &["/state"]),
    ("EXPIRES", &["/expires_at"]),
    ("ID", &["/id"]),
];

const KEYS: &[Column] = &[
    ("ID", &["/id"]),
    ("NAME", &["/name"]),
    ("SCOPES", &["/scopes"]),
    ("AGENT", &["/agent_id"]),
    ("OWNER", &["/owner"]),
    ("EXPIRES", &["/expires_at"]),
];

pub(super) async fn agents(args: AgentsArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let path = |id: &str, act: &str| format!("/api/v1/agents/{}{act}", segment(id));
    match (args.act, args.id) {
        (Some(AgentAct::Suspend { id }), _) => {
            let answer = client.call(Method::POST, &path(&id, "/suspend"), Some(&json!({}))).await?;
            done(out, &answer, format_args!("{} is suspended: nothing of it passes, in any mode", clean(&id, 80)))
        }
        (Some(AgentAct::Resume { id }), _) => {
            let answer = client.call(Method::POST, &path(&id, "/resume"), Some(&json!({}))).await?;
            done(out, &answer, format_args!("{} is active again", clean(&id, 80)))
        }
        (Some(AgentAct::Register(wanted)), _) => identity::register(wanted, client, out).await,
        (Some(AgentAct::Keygen(wanted)), _) => identity::keygen(&wanted, out),
        (Some(AgentAct::Unregister { id }), _) => {
            let answer = client.call(Method::DELETE, &path(&id, ""), None).await?;
            done(out, &answer, format_args!("{} is registered no more; what was delegated to it stays", clean(&id, 80)))
        }
        (None, Some(id)) => {
            let answer = client.get(&path(&id, ""), &Query::default()).await?;
            if out.json() {
                out.document(&answer)?;
            } else {
                write_members(&answer, "", out)?;
            }
            Ok(Ended::Well)
        }
        (None, None) => {
            let answer = client.get("/api/v1/agents", &Query::default()).await?;
            table::list(out, &answer, "agents", AGENTS)?;
            Ok(Ended::Well)
        }
    }
}

pub(super) async fn delegations(act: Option<DelegationAct>, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    match act.unwrap_or_else(|| DelegationAct::List(Narrow::default())) {
        DelegationAct::List(narrow) => {
            let query = Query::default()
                .with("agent_id", narrow.agent)
                .with("user_id", narrow.user)
                .with("connection", narrow.connection)
                .with("limit", narrow.limit.map(|limit| limit.to_string()));
            let answer = client.get("/api/v1/delegations", &query).await?;
            table::list(out, &answer, "delegations", DELEGATIONS)?;
            Ok(Ended::Well)
        }
        DelegationAct::Add(add) => delegate(add, client, out).await,
        DelegationAct::Link { id, kid } => {
            let path = format!("/api/v1/delegations/{}/link", segment(&id));
            let answer = client.get(&path, &Query::default().with("kid", kid)).await?;
            let link = answer.get("link").and_then(Value::as_str).unwrap_or_default();
            done(out, &answer, format_args!("{}", clean(link, 64 * 1024)))
        }
        DelegationAct::Revoke { id } => {
            let answer = client.call(Method::DELETE, &format!("/api/v1/delegations/{}", segment(&id)), None).await?;
            done(out, &answer, format_args!("{} is revoked, with all that hung below it", clean(&id, 80)))
        }
    }
}

async fn delegate(add: DelegationAdd, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let mut body = json!({"user_id": add.user, "agent_id": add.agent, "connection": add.connection});
    for (name, value) in [
        ("scopes", (!add.scopes.is_empty()).then(|| json!(add.scopes))),
        ("expires_at", add.expires_at.map(Value::from)),
        ("parent_id", add.parent.map(Value::from)),
    ] {
        if let (Some(value), Some(members)) = (value, body.as_object_mut()) {
            members.insert(name.to_owned(), value);
        }
    }
    let answer = client.call(Method::POST, "/api/v1/delegations", Some(&body)).await?;
    let [agent, user, connection] = [&add.agent, &add.user, &add.connection].map(|text| clean(text, 80));
    let id = field(&answer, &["/id"]);
    done(out, &answer, format_args!("{agent} may act for {user} at {connection}: delegation {id}"))
}

pub(super) async fn keys(act: Option<KeyAct>, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    match act.unwrap_or(KeyAct::List) {
        KeyAct::List => {
            let answer = client.get("/api/v1/keys", &Query::default()).await?;
            table::list(out, &answer, "keys", KEYS)?;
            Ok(Ended::Well)
        }
        KeyAct::Create(create) => {
            let answer = client.call(Method::POST, "/api/v1/keys", Some(&new_key(create))).await?;
            if out.json() {
                out.document(&answer)?;
                return Ok(Ended::Well);
            }
            out.line(field(&answer, &["/key"]))?;
            let id = field(&answer, &["/id"]);
            out.line(Ink::Dim.on(format_args!("key {id}; it is not shown again, keep it where secrets are kept")))?;
            Ok(Ended::Well)
        }
        KeyAct::RotateSigning => {
            let answer = client.call(Method::POST, "/api/v1/signing-keys/rotate", Some(&json!({}))).await?;
            done(
                out,
                &answer,
                format_args!("delegations are signed with key {} from now on", field(&answer, &["/kid"])),
            )
        }
        KeyAct::Revoke { id } => {
            let answer = client.call(Method::DELETE, &format!("/api/v1/keys/{}", segment(&id)), None).await?;
            done(out, &answer, format_args!("key {} is revoked", clean(&id, 80)))
        }
    }
}

fn new_key(create: KeyCreate) -> Value {
    let mut body = json!({"name": create.name, "scopes": create.scopes, "trusted_time": create.trusted_time});
    let optional = [("agent_id", create.agent), ("owner", create.owner), ("expires_at", create.expires_at)];
    for (name, value) in optional {
        if let (Some(value), Some(members)) = (value, body.as_object_mut()) {
            members.insert(name.to_owned(), value.into());
        }
    }
    body
}

pub(super) async fn enforce(args: EnforceArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    if let Some(EnforceAct::Policies { act }) = args.act {
        return policies::policies(act, client, out).await;
    }
    if let Some(preset) = args.preset {
        let body = json!({"preset": preset});
        client.call(Method::PUT, "/api/v1/enforcement/preset", Some(&body)).await?;
    }
    if let Some(mode) = args.mode {
        let mut body = json!({"mode": mode.as_str()});
        if let (ModeArg::Live, Value::Object(members)) = (mode, &mut body) {
            // What was seen goes along: should it have changed meanwhile, nothing is switched.
            let seen = respond::going_live(client, out, (args.days, args.confirm.as_deref())).await?;
            members.extend([("confirm".to_owned(), seen.into()), ("days".to_owned(), args.days.into())]);
        }
        client.call(Method::PUT, "/api/v1/enforcement/mode", Some(&body)).await?;
    }
    let answer = client.get("/api/v1/enforcement", &Query::default()).await?;
    let (mode, preset) = (field(&answer, &["/mode"]), field(&answer, &["/preset"]));
    done(out, &answer, format_args!("mode {mode}, preset {preset}"))
}

fn done(out: &mut Out, answer: &Value, words: std::fmt::Arguments<'_>) -> Result<Ended, CliError> {
    if out.json() {
        out.document(answer)?;
    } else {
        out.line(words)?;
    }
    Ok(Ended::Well)
}

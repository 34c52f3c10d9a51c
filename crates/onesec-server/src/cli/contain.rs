//! `onesec contain`: one command when something is going on. Each step is done, then looked at.

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::{Value, json};

use super::args::ContainArgs;
use super::client::{Client, Query, segment};
use super::error::{CliError, Ended};
use super::out::{Ink, Out, clean};

pub(super) async fn contain(args: ContainArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let mut steps = Vec::new();
    match (&args.agent, &args.user, args.all) {
        (Some(agent), None, false) => steps.extend(agent_steps(client, agent, &args).await),
        (None, Some(user), false) if args.undo => {
            return Err(CliError::usage(format!(
                "what {} lent was taken back, and only that user can lend it again: `onesec delegations add`",
                clean(user, 80)
            )));
        }
        (None, Some(user), false) => steps.extend(user_steps(client, user).await?),
        (None, None, true) => {
            for agent in everybody(client).await? {
                steps.extend(agent_steps(client, &agent, &args).await);
            }
        }
        _ => return Err(CliError::usage("name an agent, or give --user or --all".to_owned())),
    }
    tell(&steps, out)
}

/// What was done, and whether it was seen to be so; neither where there was nothing to do.
struct Step {
    what: String,
    verified: Option<bool>,
    why: Option<String>,
}

async fn agent_steps(client: &Client, agent: &str, args: &ContainArgs) -> Vec<Step> {
    let path = format!("/api/v1/agents/{}", segment(agent));
    let done = if args.undo {
        client.call(Method::POST, &format!("{path}/release"), Some(&json!({}))).await
    } else {
        let body = json!({"reason": "contained by hand", "kill": !args.no_kill, "block": !args.no_block});
        client.call(Method::POST, &format!("{path}/contain"), Some(&body)).await
    };
    let answer = match done {
        Ok(answer) => answer,
        Err(error) => {
            let what = format!("agent {agent} {}", if args.undo { "active" } else { "suspended" });
            return vec![Step { what, verified: Some(false), why: Some(error.to_string()) }];
        }
    };
    let of = |step: &Value| {
        let text = |name: &str| step.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let what = format!("agent {agent} {}", text("step"));
        Step { what, verified: step.get("verified").and_then(Value::as_bool), why: Some(text("detail")) }
    };
    answer.get("steps").and_then(Value::as_array).into_iter().flatten().map(of).collect()
}

/// Every delegation of the user, one by one, until none is left that counts, now or once an account is linked again.
async fn user_steps(client: &Client, user: &str) -> Result<Vec<Step>, CliError> {
    let mut steps = Vec::new();
    for _ in 0..MOST_PAGES {
        let before = steps.len();
        for id in in_force(client, user).await? {
            let path = format!("/api/v1/delegations/{}", segment(&id));
            let done = client.call(Method::DELETE, &path, None).await;
            // One above it may have taken it along.
            let why = done.err().map(|error| error.to_string()).filter(|why| !why.contains("404"));
            let verified = Some(why.is_none());
            steps.push(Step { what: format!("delegation {id} revoked"), verified, why });
        }
        if steps.iter().skip(before).all(|step| step.verified != Some(true)) {
            break;
        }
    }
    let left = in_force(client, user).await?;
    let what = format!("nothing that {user} lent counts any more");
    steps.push(Step { what, verified: Some(left.is_empty()), why: None });
    Ok(steps)
}

async fn in_force(client: &Client, user: &str) -> Result<Vec<String>, CliError> {
    let mut ids = Vec::new();
    for state in ["live", "dormant"] {
        let query = Query::default().with("user_id", Some(user.to_owned())).with("state", Some(state.to_owned()));
        ids.extend(members(&client.get("/api/v1/delegations", &query).await?, "delegations", "id"));
    }
    Ok(ids)
}

/// Every agent that was ever seen, or is merely registered.
async fn everybody(client: &Client) -> Result<Vec<String>, CliError> {
    let mut agents = BTreeSet::new();
    for (path, list) in [("/api/v1/agents", "agents"), ("/api/v1/registrations", "registrations")] {
        let mut cursor: Option<String> = None;
        loop {
            let query = Query::default().with("limit", Some("1000".to_owned())).with("cursor", cursor.clone());
            let page = client.get(path, &query).await?;
            agents.extend(members(&page, list, "agent_id"));
            cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok(agents.into_iter().collect())
}

fn members(page: &Value, list: &str, member: &str) -> Vec<String> {
    let items = page.get(list).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.get(member).and_then(Value::as_str)).map(str::to_owned).collect()
}

fn tell(steps: &[Step], out: &mut Out) -> Result<Ended, CliError> {
    let ended = if steps.iter().all(|step| step.verified != Some(false)) { Ended::Well } else { Ended::Negative };
    if out.json() {
        let shown: Vec<Value> = steps
            .iter()
            .map(|step| json!({"step": step.what, "verified": step.verified, "reason": step.why}))
            .collect();
        out.document(&json!({"steps": shown}))?;
        return Ok(ended);
    }
    for step in steps {
        let mark = match step.verified {
            Some(true) => Ink::Green.on("verified"),
            Some(false) => Ink::Red.on("NOT verified"),
            None => Ink::Green.on("nothing to do"),
        };
        let why = step.why.as_deref().map(|why| format!(": {}", clean(why, 200))).unwrap_or_default();
        out.line(format_args!("{mark}  {}{why}", clean(&step.what, 200)))?;
    }
    Ok(ended)
}

const MOST_PAGES: usize = 1_000;

//! `onesec contain`: one command when something is going on. Each step is done, then looked at.

use hyper::Method;
use serde_json::{Value, json};

use super::args::ContainArgs;
use super::client::{Client, Query, segment};
use super::error::{CliError, Ended};
use super::out::{Ink, Out, clean};

pub(super) async fn contain(args: ContainArgs, client: &Client, out: &mut Out) -> Result<Ended, CliError> {
    let mut steps = Vec::new();
    match (&args.agent, &args.user, args.all) {
        (Some(agent), None, false) => steps.push(agent_step(client, agent, args.undo).await),
        (None, Some(user), false) if args.undo => {
            return Err(CliError::usage(format!(
                "what {} lent was taken back, and only that user can lend it again: `onesec delegations add`",
                clean(user, 80)
            )));
        }
        (None, Some(user), false) => steps.extend(user_steps(client, user).await?),
        (None, None, true) => {
            for agent in everybody(client).await? {
                steps.push(agent_step(client, &agent, args.undo).await);
            }
        }
        _ => return Err(CliError::usage("name an agent, or give --user or --all".to_owned())),
    }
    tell(&steps, out)
}

/// What was done, and whether it was seen to be so.
struct Step {
    what: String,
    verified: bool,
    why: Option<String>,
}

async fn agent_step(client: &Client, agent: &str, undo: bool) -> Step {
    let (act, state) = if undo { ("resume", "active") } else { ("suspend", "suspended") };
    let path = format!("/api/v1/agents/{}", segment(agent));
    let body = json!({"reason": "contained by hand"});
    let body = if undo { json!({}) } else { body };
    let done = client.call(Method::POST, &format!("{path}/{act}"), Some(&body)).await;
    let seen = match done {
        Ok(_) => client.get(&path, &Query::default()).await,
        Err(error) => Err(error),
    };
    let what = format!("agent {agent} {state}");
    match seen {
        Ok(row) => Step { what, verified: row.get("state").and_then(Value::as_str) == Some(state), why: None },
        Err(error) => Step { what, verified: false, why: Some(error.to_string()) },
    }
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
            steps.push(Step { what: format!("delegation {id} revoked"), verified: why.is_none(), why });
        }
        if steps.iter().skip(before).all(|step| !step.verified) {
            break;
        }
    }
    let left = in_force(client, user).await?;
    let what = format!("nothing that {user} lent counts any more");
    steps.push(Step { what, verified: left.is_empty(), why: None });
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

async fn everybody(client: &Client) -> Result<Vec<String>, CliError> {
    let mut agents = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let query = Query::default().with("limit", Some("1000".to_owned())).with("cursor", cursor.clone());
        let page = client.get("/api/v1/agents", &query).await?;
        agents.extend(members(&page, "agents", "agent_id"));
        cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return Ok(agents);
        }
    }
}

fn members(page: &Value, list: &str, member: &str) -> Vec<String> {
    let items = page.get(list).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.get(member).and_then(Value::as_str)).map(str::to_owned).collect()
}

fn tell(steps: &[Step], out: &mut Out) -> Result<Ended, CliError> {
    let ended = if steps.iter().all(|step| step.verified) { Ended::Well } else { Ended::Negative };
    if out.json() {
        let shown: Vec<Value> = steps
            .iter()
            .map(|step| json!({"step": step.what, "verified": step.verified, "reason": step.why}))
            .collect();
        out.document(&json!({"steps": shown}))?;
        return Ok(ended);
    }
    for step in steps {
        let mark = if step.verified { Ink::Green.on("verified") } else { Ink::Red.on("NOT verified") };
        let why = step.why.as_deref().map(|why| format!(": {}", clean(why, 200))).unwrap_or_default();
        out.line(format_args!("{mark}  {}{why}", clean(&step.what, 200)))?;
    }
    Ok(ended)
}

const MOST_PAGES: usize = 1_000;

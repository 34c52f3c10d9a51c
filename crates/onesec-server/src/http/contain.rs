//! Containing an agent by hand: it is suspended, its processes are ended, the address it last came from is refused. Each
//! step is looked at, and a person answers for it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use onesec_enforcement::{ActionSpec, Outcome, Target};
use onesec_journal::{Cursor, JournalError, LedgerTable, Reader, RecordFilter};
use onesec_telemetry::{AgentId, Body, Channel, Command, Record, TenantId, Text};
use serde::Deserialize;
use serde_json::{Value, json};

use super::agents::{agent, order};
use super::alerts::note;
use super::answer::{self, Answer};
use super::exchange::origin;
use super::params::Params;
use super::problem::Problem;
use super::{App, body};
use crate::core::{decode_record, index_keys};
use crate::keys::Caller;

/// `GET /api/v1/registrations`: agents that are registered, met or not.
pub(super) async fn registrations(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    answer::ledger_page(&app, (LedgerTable::Registrations, caller.tenant), &params, "registrations").await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    reason: Option<String>,
    /// Ends the agent's registered processes.
    #[serde(default = "yes")]
    kill: bool,
    /// Refuses the address that the agent last proved itself from.
    #[serde(default = "yes")]
    block: bool,
}

const fn yes() -> bool {
    true
}

/// One step, and what is known of it. Nothing to do is neither a success nor a failure.
struct Step {
    step: &'static str,
    verified: Option<bool>,
    detail: String,
}

/// `POST /api/v1/agents/{id}/contain`
pub(super) async fn contain(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Answer {
    let agent = agent(&id)?;
    let own = origin(&app, &request);
    let wanted: Wanted = body::json(request).await?;
    let mut steps = vec![suspend(&app, &caller, (&agent, note(wanted.reason)?)).await?];
    if wanted.kill {
        steps.push(kill(&app, &caller, &agent).await);
    }
    if wanted.block {
        steps.push(block(&app, &caller, (&agent, own)).await?);
    }
    answer::ok(&shown(&agent, &steps))
}

/// `POST /api/v1/agents/{id}/release`: what can be taken back of it. Processes stay ended.
pub(super) async fn release(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let agent = agent(&id)?;
    order(&app, &caller, Command::ResumeAgent { agent: agent.clone() }).await?;
    let mut steps = vec![Step {
        step: "active",
        verified: Some(state(&app, &caller.tenant, &agent).await? == "active"),
        detail: "the agent passes again".to_owned(),
    }];
    for address in blocked_for(&app, &caller.tenant, &agent).await? {
        let outcome = app.executors.undo_by_hand((&caller.tenant, &agent), block_ip(), Target::Address(address)).await;
        steps.push(of("unblocked", outcome));
    }
    answer::ok(&shown(&agent, &steps))
}

fn shown(agent: &AgentId, steps: &[Step]) -> Value {
    let shown = |step: &Step| json!({"step": step.step, "verified": step.verified, "detail": step.detail});
    json!({"agent_id": agent, "steps": steps.iter().map(shown).collect::<Vec<_>>()})
}

async fn suspend(app: &App, caller: &Caller, (agent, reason): (&AgentId, Option<Text>)) -> Result<Step, Problem> {
    let reason = reason.or_else(|| Some(Text::redacted("contained by hand")));
    order(app, caller, Command::SuspendAgent { agent: agent.clone(), reason }).await?;
    let verified = state(app, &caller.tenant, agent).await? == "suspended";
    Ok(Step { step: "suspended", verified: Some(verified), detail: "nothing of the agent passes".to_owned() })
}

async fn state(app: &App, tenant: &TenantId, agent: &AgentId) -> Result<String, Problem> {
    let row = answer::ledger_row(app, (LedgerTable::Agents, tenant.clone()), agent.to_string()).await?;
    Ok(row.map(|row| row.state).unwrap_or_default())
}

async fn kill(app: &App, caller: &Caller, agent: &AgentId) -> Step {
    let view = app.core.view(&caller.tenant);
    if view.is_none_or(|view| view.processes.of(agent).is_empty()) {
        return Step { step: "killed", verified: None, detail: "no process of the agent is registered".to_owned() };
    }
    let spec = ActionSpec::KillProcess { grace: GRACE };
    let outcome = app.executors.by_hand((&caller.tenant, agent), spec, Target::Agent(agent.clone())).await;
    of("killed", outcome)
}

async fn block(app: &App, caller: &Caller, (agent, own): (&AgentId, Option<IpAddr>)) -> Result<Step, Problem> {
    let nothing = |why: &str| Step { step: "blocked", verified: None, detail: why.to_owned() };
    let Some(address) = last_proved(app, &caller.tenant, agent).await? else {
        return Ok(nothing("the agent never proved itself from anywhere"));
    };
    if let Some(why) = spared(app, &caller.tenant, (address, own)) {
        return Ok(nothing(&format!("{address} {why}")));
    }
    let until = app.core.now() + BLOCKED_FOR;
    // By the person first: the record says who answers for it, and whom it was about.
    order(app, caller, Command::BlockAddress { address, until, reason: Some(because(agent)) }).await?;
    let outcome = app.executors.by_hand((&caller.tenant, agent), block_ip(), Target::Address(address)).await;
    let step = of("blocked", outcome);
    Ok(Step { detail: format!("{address}: {}", step.detail), ..step })
}

const fn block_ip() -> ActionSpec {
    ActionSpec::BlockIp { lasts: BLOCKED_FOR }
}

fn because(agent: &AgentId) -> Text {
    Text::redacted(&format!("contained {agent}"))
}

/// Why an address is left alone, if it is.
fn spared(app: &App, tenant: &TenantId, (address, own): (IpAddr, Option<IpAddr>)) -> Option<&'static str> {
    let local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    if local || address.is_loopback() || address.is_unspecified() || address.is_multicast() {
        return Some("is this machine's or its network's own");
    }
    if app.trusted_proxies.iter().any(|network| network.contains(address)) {
        return Some("is a trusted proxy's: everybody comes from there");
    }
    if own.is_some_and(|own| own.to_canonical() == address) {
        return Some("is where you are calling from");
    }
    let view = app.core.view(tenant)?;
    let mut never = view.policies.iter().flat_map(|policy| &policy.never.networks);
    never.any(|network| network.contains(address)).then_some("is never to be blocked, as a policy says")
}

/// The newest address from which our own gateway saw the agent with a credential that it verified; nobody's word.
async fn last_proved(app: &App, tenant: &TenantId, agent: &AgentId) -> Result<Option<IpAddr>, Problem> {
    let filter = RecordFilter { agent: Some(agent.clone()), ..RecordFilter::default() };
    let (tenant, agent) = (tenant.clone(), agent.clone());
    let proves = move |record: &Record| {
        let seen = matches!(record.sender.channel, Channel::Gateway | Channel::Decide);
        record.network.filter(|_| seen && record.sender.agent.as_ref() == Some(&agent))
    };
    app.read(move |reader| search(reader, (&tenant, &filter), proves))
        .await
        .map(|found| found.map(|a| a.to_canonical()))
}

/// The first that `look` finds among records that match, newest first.
fn search<T>(
    reader: &Reader,
    wanted: (&TenantId, &RecordFilter),
    mut look: impl FnMut(&Record) -> Option<T>,
) -> Result<Option<T>, JournalError> {
    let mut after: Option<Cursor> = None;
    for _ in 0..MOST_PAGES {
        let page = reader.query_records(wanted, &index_keys, (after.as_ref(), 1_000))?;
        let found =
            page.items.iter().filter_map(|stored| decode_record(&stored.bytes)).find_map(|record| look(&record));
        after = page.next;
        if found.is_some() || after.is_none() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Addresses that are refused because a person contained this agent.
async fn blocked_for(app: &App, tenant: &TenantId, agent: &AgentId) -> Result<Vec<IpAddr>, Problem> {
    let Some(view) = app.core.view(tenant) else { return Ok(Vec::new()) };
    let blocked: Vec<IpAddr> = view.restraints.addresses().map(|(address, _)| address).collect();
    let (tenant, reason) = (tenant.clone(), because(agent));
    let filter = RecordFilter { kind: Some("command".to_owned()), ..RecordFilter::default() };
    let mut found = Vec::new();
    let collect = move |reader: &Reader| {
        search(reader, (&tenant, &filter), |record| {
            if let Body::Command(Command::BlockAddress { address, reason: Some(why), .. }) = &record.body
                && *why == reason
                && !found.contains(address)
            {
                found.push(*address);
            }
            None::<()>
        })?;
        Ok(found)
    };
    let found = app.read(collect).await?;
    Ok(found.into_iter().filter(|address| blocked.contains(&address.to_canonical())).collect())
}

fn of(step: &'static str, outcome: Outcome) -> Step {
    match outcome {
        Outcome::Verified { how, .. } => Step { step, verified: Some(true), detail: how },
        Outcome::Succeeded { how } => Step { step, verified: Some(false), detail: how },
        Outcome::Unneeded { why } => Step { step, verified: None, detail: why },
        Outcome::Failed { why } | Outcome::Retry { why, .. } | Outcome::Waits { why, .. } => {
            Step { step, verified: Some(false), detail: why }
        }
    }
}

/// How long processes have to end by themselves.
const GRACE: Duration = Duration::from_secs(5);
/// How long an address is refused.
const BLOCKED_FOR: Duration = Duration::from_secs(3_600);
/// Of a thousand records each.
const MOST_PAGES: usize = 20;

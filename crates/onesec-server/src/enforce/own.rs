//! What onesec does to those who ask it: each is a record of its own, and looked at once it is durable.

use std::sync::Arc;
use std::time::Duration;

use onesec_actions::{Firewall, Log};
use onesec_enforcement::{Action, ActionSpec, Job, Outcome, Target, Working};
use onesec_journal::{LedgerFilter, LedgerTable};
use onesec_telemetry::network::Network;
use onesec_telemetry::{AgentId, Command, DelegationId, Sender, Text, Timestamp};

use super::Actions;
use crate::core::{Core, CoreError, Order};

/// The actions that need nothing but ourselves.
pub(crate) fn own_actions(core: &Core, trusted_proxies: &[Network], with_firewall: bool) -> Actions {
    let block = BlockIp {
        core: core.clone(),
        firewall: with_firewall.then(|| firewall(trusted_proxies)).flatten(),
        proxies: trusted_proxies.to_vec(),
    };
    let actions: [Arc<dyn Action>; 5] = [
        Arc::new(Log),
        Arc::new(Suspend(core.clone())),
        Arc::new(RateLimit(core.clone())),
        Arc::new(RevokeDelegation(core.clone())),
        Arc::new(block),
    ];
    actions.into_iter().map(|action| (action.kind().to_owned(), action)).collect()
}

/// `suspend_agent`: nothing of the agent passes, until a person ends it or the time is over.
struct Suspend(Core);

impl Action for Suspend {
    fn kind(&self) -> &'static str {
        "suspend_agent"
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let (Target::Agent(agent), ActionSpec::SuspendAgent { lasts }) = (&job.target, &job.spec) else {
                return misdirected();
            };
            let (agent, reason) = (agent.clone(), Some(because(job)));
            match lasts {
                None => {
                    let done = order(&self.0, job, Command::SuspendAgent { agent: agent.clone(), reason }).await;
                    let seen = || self.0.reader().ledger_row(LedgerTable::Agents, &job.tenant, agent.as_str());
                    let suspended = || seen().ok().flatten().is_some_and(|row| row.state == "suspended");
                    looked(done, suspended, "the agent is suspended", None)
                }
                Some(lasts) => {
                    let until = self.0.now() + *lasts;
                    let per = Duration::from_secs(60);
                    let command = Command::RestrainAgent { agent: agent.clone(), limit: 0, per, until, reason };
                    let done = order(&self.0, job, command).await;
                    let held = || restrained(&self.0, job, &|name, limit| *name == agent && limit == 0);
                    looked(done, held, "nothing of the agent passes", Some(until))
                }
            }
        })
    }

    fn undo<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let Target::Agent(agent) = &job.target else { return misdirected() };
            release(&self.0, job, agent).await
        })
    }
}

/// `rate_limit_agent`.
struct RateLimit(Core);

impl Action for RateLimit {
    fn kind(&self) -> &'static str {
        "rate_limit_agent"
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let (Target::Agent(agent), ActionSpec::RateLimitAgent { limit, per, lasts }) = (&job.target, &job.spec)
            else {
                return misdirected();
            };
            let (until, agent) = (self.0.now() + *lasts, agent.clone());
            let reason = Some(because(job));
            let command = Command::RestrainAgent { agent: agent.clone(), limit: *limit, per: *per, until, reason };
            let done = order(&self.0, job, command).await;
            if restrained(&self.0, job, &|name, at| *name == agent && at == 0 && *limit > 0) {
                return Outcome::Unneeded { why: "nothing of the agent passes as it is".to_owned() };
            }
            let held = || restrained(&self.0, job, &|name, at| *name == agent && at <= *limit);
            looked(done, held, "the agent is held to its rate", Some(until))
        })
    }

    fn undo<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let Target::Agent(agent) = &job.target else { return misdirected() };
            release(&self.0, job, agent).await
        })
    }
}

/// `revoke_delegation`: what the user lets the agent do at the connection is taken back, and all that hangs below.
struct RevokeDelegation(Core);

impl Action for RevokeDelegation {
    fn kind(&self) -> &'static str {
        "revoke_delegation"
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let Ok(active) = self.active(job).await else { return later("the ledger cannot be read") };
            if active.is_empty() && job.attempt > 1 {
                // A crash came between an attempt and its receipt: what it wanted is so.
                return Outcome::Verified { how: "none is active".to_owned(), undo_until: None };
            }
            if active.is_empty() {
                return Outcome::Unneeded { why: "no delegation of that kind is active".to_owned() };
            }
            let count = active.len();
            for delegation in active {
                let command = Command::RevokeDelegation { delegation, reason: Some(because(job)) };
                if let Err(error) = order(&self.0, job, command).await {
                    return later(&error.to_string());
                }
            }
            match self.active(job).await {
                Ok(left) if left.is_empty() => {
                    Outcome::Verified { how: format!("revoked: {count}; none is active"), undo_until: None }
                }
                Ok(_) | Err(_) => later("some are active still"),
            }
        })
    }
}

impl RevokeDelegation {
    async fn active(&self, job: &Job) -> Result<Vec<DelegationId>, ()> {
        let Target::Delegation { agent, user, connection } = &job.target else { return Ok(Vec::new()) };
        // A dormant one would come to life with the account.
        let filters = ["live", "dormant"].map(|state| LedgerFilter {
            agent_id: Some(agent.clone()),
            user_id: Some(user.clone()),
            connection: connection.clone(),
            state: Some(state.to_owned()),
        });
        let (reader, tenant) = (self.0.reader().clone(), job.tenant.clone());
        let rows = move || {
            let page = |filter| reader.ledger((LedgerTable::Delegations, &tenant), filter, (None, 500));
            filters.iter().map(page).collect::<Result<Vec<_>, _>>()
        };
        let pages = tokio::task::spawn_blocking(rows).await.map_err(|_| ())?.map_err(|_| ())?;
        Ok(pages.iter().flat_map(|page| &page.items).filter_map(|row| DelegationId::new(&row.id).ok()).collect())
    }
}

/// `block_ip`: at our own gateway, and in the firewall where we may.
struct BlockIp {
    core: Core,
    firewall: Option<Firewall>,
    proxies: Vec<Network>,
}

/// The firewall, where there is one and we have the privilege.
fn firewall(trusted_proxies: &[Network]) -> Option<Firewall> {
    match Firewall::detect() {
        Ok(firewall) => Some(firewall.sparing(trusted_proxies.iter().copied())),
        Err(why) => {
            tracing::debug!(why, "`block_ip` works at the gateway only");
            None
        }
    }
}

impl Action for BlockIp {
    fn kind(&self) -> &'static str {
        "block_ip"
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let (Target::Address(address), ActionSpec::BlockIp { lasts }) = (&job.target, &job.spec) else {
                return misdirected();
            };
            if self.proxies.iter().any(|network| network.contains(*address)) {
                return Outcome::Failed {
                    why: "the address is a trusted proxy's: everybody comes from there".to_owned(),
                };
            }
            let (address, until) = (*address, self.core.now() + *lasts);
            let command = Command::BlockAddress { address, until, reason: Some(because(job)) };
            let done = order(&self.core, job, command).await;
            let blocked = || {
                let view = self.core.view(&job.tenant);
                view.is_some_and(|view| view.restraints.addresses().any(|(other, _)| other == address))
            };
            let how = match &self.firewall {
                None => "the gateway refuses the address".to_owned(),
                Some(firewall) => match firewall.block(address, *lasts).await {
                    Ok(()) => "gateway and firewall refuse the address".to_owned(),
                    Err(why) => format!("the gateway refuses the address; the firewall does not: {why}"),
                },
            };
            looked(done, blocked, &how, Some(until))
        })
    }

    fn undo<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let Target::Address(address) = job.target else { return misdirected() };
            if let Err(error) = order(&self.core, job, Command::UnblockAddress { address }).await {
                return Outcome::Failed { why: error.to_string() };
            }
            match &self.firewall {
                None => Outcome::Verified { how: "the address is refused no more".to_owned(), undo_until: None },
                Some(firewall) => match firewall.unblock(address).await {
                    Ok(()) => Outcome::Verified { how: "the address is refused no more".to_owned(), undo_until: None },
                    Err(why) => Outcome::Failed { why },
                },
            }
        })
    }
}

async fn order(core: &Core, job: &Job, command: Command) -> Result<(), CoreError> {
    let order = Order { tenant: job.tenant.clone(), sender: Sender::system(), command, then: None, ledger: Vec::new() };
    core.order(order).await.map(drop)
}

async fn release(core: &Core, job: &Job, agent: &AgentId) -> Outcome {
    if let Err(error) = order(core, job, Command::ReleaseAgent { agent: agent.clone() }).await {
        return Outcome::Failed { why: error.to_string() };
    }
    let held = restrained(core, job, &|name, _| name == agent);
    if held {
        return Outcome::Failed { why: "the agent is still held back".to_owned() };
    }
    Outcome::Verified { how: "the agent is held back no more".to_owned(), undo_until: None }
}

/// What was done, once it was seen to have effect.
fn looked(done: Result<(), CoreError>, seen: impl Fn() -> bool, how: &str, undo_until: Option<Timestamp>) -> Outcome {
    match done {
        Err(error) => later(&error.to_string()),
        Ok(()) if seen() => Outcome::Verified { how: how.to_owned(), undo_until },
        Ok(()) => Outcome::Failed { why: "it was done and has no effect".to_owned() },
    }
}

fn restrained(core: &Core, job: &Job, is: &dyn Fn(&AgentId, u32) -> bool) -> bool {
    let view = core.view(&job.tenant);
    view.is_some_and(|view| view.restraints.agents().any(|(agent, restraint)| is(agent, restraint.limit)))
}

fn because(job: &Job) -> Text {
    Text::redacted(&format!("policy {} on alert {}", job.policy, job.alert.id))
}

fn later(why: &str) -> Outcome {
    Outcome::Retry { after: Duration::from_secs(2), why: why.to_owned() }
}

fn misdirected() -> Outcome {
    Outcome::Failed { why: "the action has another kind of target".to_owned() }
}

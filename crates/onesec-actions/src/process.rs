//! `kill_process`: the agent's registered processes are ended, and seen to be gone.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use onesec_enforcement::{Action, ActionSpec, Job, Outcome, Working};
use onesec_telemetry::{AgentId, TenantId};
use rustix::process::Signal;
use tokio::time::{Instant, sleep, timeout_at};

use held::{Held, Standing};
use stat::{Stat, members};

pub use stat::identify;

mod held;
mod stat;

/// One process, so that another with its number is not mistaken for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it began, in clock ticks since boot: field 22 of `/proc/PID/stat`.
    pub start_ticks: u64,
    /// Since which boot: `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
}

/// Who knows which processes an agent has: those that `onesec run` or an administrator registered, never telemetry.
pub trait Processes: Send + Sync {
    /// Those of `agent` in `tenant`: in another it is another agent.
    fn of(&self, tenant: &TenantId, agent: &AgentId) -> Vec<Process>;
}

/// Ends processes: asks, waits, forces, and looks whether they are gone.
///
/// A process that leads its process group is ended with the whole group.
#[derive(Debug)]
pub struct KillProcess<P> {
    processes: P,
}

impl<P: Processes> KillProcess<P> {
    /// Ends what `processes` knows.
    pub const fn new(processes: P) -> Self {
        Self { processes }
    }

    async fn end(&self, (tenant, agent): (&TenantId, &AgentId), grace: Duration) -> Result<Ended, Refusal> {
        let known = self.processes.of(tenant, agent);
        if known.is_empty() {
            return Err(Refusal::NoneKnown);
        }
        let mut prey = Prey::default();
        // One that must not be ended protects none of the others.
        let spared = known.iter().fold(None, |spared, process| prey.add(process).err().or(spared));
        let ended = if prey.alive() == 0 { Ok(Ended::Before) } else { prey.end(grace).await };
        match spared {
            None => ended,
            Some(why) => Err(why),
        }
    }
}

impl<P: Processes> Action for KillProcess<P> {
    fn kind(&self) -> &'static str {
        "kill_process"
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let failed = |why: String| Outcome::Failed { why };
            let ActionSpec::KillProcess { grace } = job.spec else { return failed("this ends no process".to_owned()) };
            let Some(agent) = job.target.agent() else {
                return failed("there is no agent to whom it is done".to_owned());
            };
            match self.end((&job.tenant, agent), grace).await {
                // A crash came between an attempt and its receipt: what it wanted is so.
                Ok(Ended::Before) | Err(Refusal::NoneKnown) if job.attempt > 1 => {
                    Outcome::Verified { how: "none of its processes is left".to_owned(), undo_until: None }
                }
                Ok(Ended::Before) => Outcome::Unneeded { why: "its processes had ended already".to_owned() },
                Ok(Ended::Now { count, forced }) => {
                    Outcome::Verified { how: format!("{count} ended, {forced} of them by force"), undo_until: None }
                }
                Err(why @ Refusal::Alive(_)) if job.attempt < MOST_ATTEMPTS => {
                    Outcome::Retry { after: FORCED, why: why.to_string() }
                }
                Err(why) => failed(why.to_string()),
            }
        })
    }
}

enum Ended {
    Before,
    Now { count: usize, forced: usize },
}

/// Why processes live on.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("no process of this agent is registered")]
    NoneKnown,
    #[error("process {0} is onesec itself, or one that it lives by")]
    Protected(u32),
    #[error("process {0} cannot be signalled: {1}")]
    Signal(u32, io::Error),
    #[error("the processes of this machine cannot be looked at: {0}")]
    Look(#[from] io::Error),
    #[error("{0} did not end, not even by force")]
    Alive(usize),
    #[error("{0} in its process group began when nobody was left to tell them from strangers by, and were left alone")]
    Strays(usize),
}

/// What is to be ended. Everything in it is held: its number cannot come to mean another process.
#[derive(Default)]
struct Prey {
    /// By number and start.
    held: BTreeMap<(u32, u64), Held>,
    /// Groups whose leader was recognised.
    groups: Vec<Stat>,
}

impl Prey {
    /// Asks, waits, forces, and looks. Whom we may not signal does not keep us from the others.
    async fn end(&mut self, grace: Duration) -> Result<Ended, Refusal> {
        let _not_allowed = self.signal(Signal::TERM);
        self.wait(grace).await;
        let forced = self.grow_stopped().await?;
        let refused = self.signal(Signal::KILL);
        self.wait(FORCED).await;
        match (self.alive(), refused) {
            (0, _) => self.leave_none().map(|()| Ended::Now { count: self.held.len(), forced }),
            (_, Err(refused)) => Err(refused),
            (left, Ok(())) => Err(Refusal::Alive(left)),
        }
    }

    /// Takes hold of a process, and of its group where it leads one. Nothing happens where it is gone.
    fn add(&mut self, process: &Process) -> Result<(), Refusal> {
        if is_protected(process.pid) {
            return Err(Refusal::Protected(process.pid));
        }
        if process.boot_id != stat::boot_id()? {
            return Ok(());
        }
        let Some((held, stat)) = hold((process.pid, process.start_ticks))? else { return Ok(()) };
        if stat.group == own_group() {
            return Err(Refusal::Protected(process.pid));
        }
        self.held.insert((stat.pid, stat.start_ticks), held);
        if stat.group == stat.pid {
            self.groups.push(stat);
            self.grow()?;
        }
        Ok(())
    }

    /// Takes hold of members of the groups that are not held yet. How many.
    fn grow(&mut self) -> Result<usize, Refusal> {
        let before = self.held.len();
        for group in &self.groups {
            let found = members(group)?;
            // A group's number cannot be given away while one that we know is in it: then, what was found is of this group.
            let anchored = self.held.values().any(|held| held.stat().is_some_and(|stat| stat.group == group.pid));
            if !anchored {
                continue;
            }
            for member in found {
                let key = (member.pid, member.start_ticks);
                if is_protected(member.pid) || self.held.contains_key(&key) {
                    continue;
                }
                if let Some((held, _)) = hold(key)? {
                    self.held.insert(key, held);
                }
            }
        }
        Ok(self.held.len() - before)
    }

    /// Stops what is left, until nothing is left that could still start another: only a look at the group that begins when
    /// all in it stand still misses nobody. How many are left.
    async fn grow_stopped(&mut self) -> Result<usize, Refusal> {
        for _ in 0..MOST_ROUNDS {
            let _not_allowed = self.signal(Signal::STOP);
            let still = self.held.values().all(|held| held.standing() != Standing::Running);
            let new = self.grow()?;
            if still && new == 0 {
                break;
            }
            if !still {
                sleep(STEP).await;
            }
        }
        Ok(self.alive())
    }

    fn signal(&self, signal: Signal) -> Result<(), Refusal> {
        let mut refused = None;
        for ((pid, _), held) in &self.held {
            if held.standing() != Standing::Gone
                && let Err(error) = held.signal(signal)
            {
                refused = refused.or(Some(Refusal::Signal(*pid, error)));
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Waits until all are gone, but not longer than `limit`.
    async fn wait(&self, limit: Duration) {
        let end = Instant::now() + limit;
        for held in self.held.values() {
            if timeout_at(end, held.gone()).await.is_err() {
                return;
            }
        }
    }

    /// Looks whether anybody is in the groups that could not be told from strangers.
    fn leave_none(&self) -> Result<(), Refusal> {
        let mut strays = 0;
        for group in &self.groups {
            strays += members(group)?.len();
        }
        if strays == 0 { Ok(()) } else { Err(Refusal::Strays(strays)) }
    }

    fn alive(&self) -> usize {
        self.held.values().filter(|held| held.standing() != Standing::Gone).count()
    }
}

/// Takes hold of the process with this number and start; absent where it is gone or its number is another's.
fn hold((pid, start_ticks): (u32, u64)) -> Result<Option<(Held, Stat)>, Refusal> {
    Held::open(pid, start_ticks).map_err(|error| Refusal::Signal(pid, error))
}

/// Whether nobody may end it: ourselves, our parent, and the first process of all.
#[must_use]
pub fn is_protected(pid: u32) -> bool {
    matches!(pid, 0 | 1) || pid == std::process::id() || pid == std::os::unix::process::parent_id()
}

fn own_group() -> u32 {
    rustix::process::getpgrp().as_raw_pid().unsigned_abs()
}

/// How long the kernel has to carry a kill out.
const FORCED: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(10);
const MOST_ROUNDS: usize = 50;
const MOST_ATTEMPTS: u64 = 5;

#[cfg(test)]
mod tests;

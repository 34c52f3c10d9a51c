//! Carries out what is in the outbox: claims, acts, and writes the receipt. Beside the path of events, so that nothing
//! slow here delays a verdict.
//!
//! What is urgent, what is a message and what is somebody's program have workers of their own: neither a flood of small
//! things nor a receiver or a program that hangs keeps the one thing that matters waiting.

mod by_hand;
mod check;
mod complete;
mod outside;
mod own;
mod receipt;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use onesec_enforcement::{Action, ActionSpec, Interrupted, Job, Outcome, Policy};
use onesec_journal::{JournalError, Lane, Outbox, OutboxOutcome, OutboxTask, OutboxUpdate, fail_points};
use onesec_telemetry::{Mode, Response, ResponseStatus, Seq, Text, Timestamp};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::causes::with_causes;
use crate::core::{Core, CoreError, Errand};

pub(crate) use check::Able;
pub(crate) use complete::NotCompleted;
pub(crate) use outside::{AtAuth0, know, outside_actions};
pub(crate) use own::own_actions;

/// Actions by their kinds.
pub(crate) type Actions = BTreeMap<String, Arc<dyn Action>>;

/// Everything that carries actions out.
pub(crate) struct Executors {
    core: Core,
    actions: Arc<Actions>,
    /// The way to the outbox for what is carried out when somebody asks; none before and after the lanes run.
    hand: Arc<Mutex<Option<Outbox>>>,
}

/// Attempts under way at a time, in each lane.
const AT_ONCE: usize = 16;
/// How often a lane looks for what has become due, where nothing wakes it.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a stop waits for what is under way.
const FAREWELL: Duration = Duration::from_secs(3);
const INTERRUPTED: &str = "a stop of the server interrupted it";
/// Between an attempt that found something wrong with ourselves and the next.
const TROUBLE: Duration = Duration::from_secs(1);

impl Executors {
    pub(crate) fn new(core: Core, actions: Arc<Actions>) -> Self {
        Self { core, actions, hand: Arc::default() }
    }

    /// Works until told to stop; what is under way is finished, what is not begun stays in the outbox.
    pub(crate) async fn run(self: Arc<Self>, stopping: watch::Receiver<bool>) {
        let Some(outbox) = self.core.take_outbox().map(Mutex::new) else { return };
        let this = self;
        let mut workers = Vec::new();
        for lane in Lane::ALL {
            // What a lane does not carry out nobody does.
            let Some(own) = insist(&stopping, || outbox.lock().another()).await else { return };
            workers.push(LaneWorker { executors: this.clone(), lane, outbox: Arc::new(Mutex::new(own)) });
        }
        let Some(tasks) = insist(&stopping, || outbox.lock().claimed(10_000)).await else { return };
        this.after_a_crash(tasks).await;
        *this.hand.lock() = Some(outbox.into_inner());
        let mut lanes = JoinSet::new();
        for worker in workers {
            lanes.spawn(worker.run(stopping.clone()));
        }
        lanes.join_all().await;
        // The journal must not stay open for it.
        drop(this.hand.lock().take());
    }

    /// What was claimed and has no receipt was interrupted.
    async fn after_a_crash(&self, tasks: Vec<OutboxTask>) {
        for task in tasks {
            let action = self.actions.get(&task.row.action);
            let Some(errand) = errand(&task) else { continue };
            let now = self.core.now();
            if action.is_some_and(|action| action.interrupted() == Interrupted::Again) {
                drop(self.note(&task, errand, Ended::Again(now, INTERRUPTED)).await);
            } else {
                let why = "a crash interrupted it: nobody knows whether it happened, and it is not repeated";
                drop(self.note(&task, errand, Ended::Unknown(why)).await);
            }
        }
    }

    async fn attempt(&self, task: OutboxTask) {
        let Some(errand) = errand(&task) else {
            tracing::error!(id = task.row.id, "an action in the outbox cannot be read");
            return;
        };
        let ended = match self.prepared(&task, &errand) {
            Err(ended) => ended,
            Ok((action, job)) => Ended::With(action.run(&job).await),
        };
        drop(self.note(&task, errand, ended).await);
    }

    /// What was planned is looked at again: it must still be wanted, and possible.
    fn prepared(&self, task: &OutboxTask, errand: &Errand) -> Result<(Arc<dyn Action>, Job), Ended> {
        let failed = |why: &str| Ended::With(Outcome::Failed { why: why.to_owned() });
        let unneeded = |why: &str| Ended::With(Outcome::Unneeded { why: why.to_owned() });
        let view = self.core.view(&task.row.tenant);
        if view.as_ref().map(|view| view.mode) != Some(Mode::Live) && errand.response.approved_by.is_none() {
            return Err(unneeded("it is dry run by now"));
        }
        let wanted = |policy: &Policy| {
            policy.name == errand.response.policy && policy.actions.iter().any(|a| a.shown() == errand.queued.action)
        };
        if !view.is_some_and(|view| view.policies.iter().any(wanted)) {
            return Err(unneeded("its policy is no longer in force"));
        }
        let spec = ActionSpec::read(&errand.queued.action, "action", None);
        let spec = spec.map_err(|_| failed("this version does not know the action"))?;
        let action = self.actions.get(spec.kind()).ok_or_else(|| failed("nothing here carries such an action out"))?;
        let names = (errand.response.id.clone(), errand.response.policy.clone());
        let mut job = Job::new(names, spec, errand.queued.target.clone(), errand.queued.alert.clone());
        job.attempt = task.attempts + 1;
        job.requested_at = errand.response.requested_at;
        Ok((action.clone(), job))
    }

    /// Takes an action back, where that can be done; the receipt says so.
    ///
    /// # Errors
    /// [`NotUndone`].
    pub(crate) async fn undo(&self, task: &OutboxTask, mut response: Response) -> Result<Response, NotUndone> {
        let now = self.core.now();
        let in_time = response.undo_until.is_some_and(|until| now < until);
        if response.status != ResponseStatus::Verified || !in_time {
            return Err(NotUndone::Over);
        }
        let errand = errand(task).ok_or(NotUndone::Over)?;
        let spec = ActionSpec::read(&errand.queued.action, "action", None).map_err(|_| NotUndone::Over)?;
        let action = self.actions.get(spec.kind()).ok_or(NotUndone::Over)?;
        let names = (response.id.clone(), response.policy.clone());
        let job = Job::new(names, spec, errand.queued.target.clone(), errand.queued.alert.clone());
        match action.undo(&job).await {
            Outcome::Verified { how, .. } | Outcome::Succeeded { how } => {
                (response.status, response.finished_at) = (ResponseStatus::Undone, Some(now));
                (response.verification, response.undo_until) = (Some(Text::redacted(&how)), None);
                let row = crate::core::response_row((&task.row.tenant, errand.seq), &response, now);
                self.core.receipt(row, None).await?;
                Ok(response)
            }
            Outcome::Unneeded { why }
            | Outcome::Failed { why }
            | Outcome::Waits { why, .. }
            | Outcome::Retry { why, .. } => Err(NotUndone::Failed(why)),
        }
    }

    /// Tries an action once more that was given up.
    ///
    /// # Errors
    /// [`CoreError`]; nothing has happened then.
    pub(crate) async fn again(&self, task: &OutboxTask, mut response: Response) -> Result<Response, CoreError> {
        let now = self.core.now();
        (response.status, response.finished_at) = (ResponseStatus::Executing, None);
        response.reason = Some(Text::redacted("a person wants it to be tried again"));
        let seq = errand(task).map_or(Seq(0), |errand| errand.seq);
        let row = crate::core::response_row((&task.row.tenant, seq), &response, now);
        let outcome = OutboxOutcome::Again(now);
        let update = OutboxUpdate { id: task.row.id.clone(), outcome, at: now, result: None };
        self.core.receipt(row, Some(update)).await?;
        Ok(response)
    }

    /// Writes the receipt, for as long as it takes: an action without one would look as if it had not happened.
    async fn note(&self, task: &OutboxTask, errand: Errand, ended: Ended) -> Response {
        let now = self.core.now();
        let (response, outcome) = receipt::of(errand.response, &ended, now);
        let result = response.reason.as_ref().or(response.verification.as_ref()).map(|text| text.as_str().to_owned());
        let row = crate::core::response_row((&task.row.tenant, errand.seq), &response, now);
        let update = OutboxUpdate { id: task.row.id.clone(), outcome, at: now, result };
        if response.status == ResponseStatus::Failed {
            tracing::warn!(action = task.row.action, id = task.row.id, reason = update.result, "an action failed");
        }
        fail_points::pass("receipt.before");
        for _ in 0..60 {
            match self.core.receipt(row.clone(), Some(update.clone())).await {
                Ok(()) => {
                    fail_points::pass("receipt.after");
                    return response;
                }
                Err(CoreError::Stopping) => break,
                Err(_) => tokio::time::sleep(TROUBLE).await,
            }
        }
        // It stays claimed: the next start finds it so.
        tracing::error!(id = task.row.id, "the receipt of an action cannot be written");
        response
    }
}

/// Tries until it works; `None` where we stop before.
async fn insist<T>(stopping: &watch::Receiver<bool>, attempt: impl Fn() -> Result<T, JournalError>) -> Option<T> {
    loop {
        match attempt() {
            Ok(done) => return Some(done),
            Err(_) if *stopping.borrow() => return None,
            Err(error) => tracing::error!(error = with_causes(&error), "the outbox cannot be used: actions wait"),
        }
        tokio::time::sleep(TROUBLE).await;
    }
}

fn errand(task: &OutboxTask) -> Option<Errand> {
    serde_json::from_str(&task.row.doc).ok()
}

/// Why an action was not taken back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotUndone {
    /// It was never done, was undone, or ended by itself.
    #[error("there is nothing to take back, or its time is over")]
    Over,
    /// It did not work.
    #[error("{0}")]
    Failed(String),
    /// The receipt cannot be written.
    #[error(transparent)]
    Core(#[from] CoreError),
}

/// How an attempt ended.
enum Ended {
    With(Outcome),
    /// It is tried again at this time.
    Again(Timestamp, &'static str),
    /// Nobody knows.
    Unknown(&'static str),
}

struct LaneWorker {
    executors: Arc<Executors>,
    lane: Lane,
    outbox: Arc<Mutex<Outbox>>,
}

impl LaneWorker {
    async fn run(self, mut stopping: watch::Receiver<bool>) {
        let mut woken = self.executors.core.errands();
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut under_way = JoinSet::new();
        loop {
            while under_way.try_join_next().is_some() {}
            let taken = self.take(room.available_permits()).await;
            let idle = taken.is_empty();
            for task in taken {
                let Ok(permit) = room.clone().acquire_owned().await else { return };
                let executors = self.executors.clone();
                under_way.spawn(async move {
                    executors.attempt(task).await;
                    drop(permit);
                });
            }
            if *stopping.borrow() {
                break;
            }
            if idle {
                tokio::select! {
                    _ = woken.changed() => {}
                    Some(_) = under_way.join_next() => {}
                    () = tokio::time::sleep(PATIENCE) => {}
                    _ = stopping.wait_for(|stopping| *stopping) => break,
                }
            }
        }
        // What takes longer stays claimed, and the next start sees to it.
        drop(tokio::time::timeout(FAREWELL, under_way.join_all()).await);
    }

    /// Claims what is due, as far as there is room; durable before anything is done.
    async fn take(&self, room: usize) -> Vec<OutboxTask> {
        let Some(limit) = u32::try_from(room).ok().filter(|room| *room > 0) else { return Vec::new() };
        let (outbox, lane, now) = (self.outbox.clone(), self.lane, self.executors.core.now());
        let claim = move || -> Result<Vec<OutboxTask>, JournalError> {
            let mut outbox = outbox.lock();
            let taken = outbox.due(lane, now, limit)?;
            let mut claimed = Vec::with_capacity(taken.len());
            for task in taken {
                if outbox.claim(&task.row.id, now)? {
                    claimed.push(task);
                }
            }
            Ok(claimed)
        };
        match tokio::task::spawn_blocking(claim).await {
            Ok(Ok(taken)) => taken,
            Ok(Err(error)) => {
                tracing::error!(%error, "the outbox cannot be used");
                tokio::time::sleep(TROUBLE).await;
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_way_to_the_outbox_is_sought_until_it_is_there_or_we_stop() {
        let (stop, stopping) = watch::channel(false);
        let tries = AtomicU32::new(0);
        let second = || match tries.fetch_add(1, Ordering::Relaxed) {
            0 => Err(JournalError::CannotOpen),
            tries => Ok(tries),
        };
        assert_eq!(insist(&stopping, second).await, Some(1));
        stop.send_replace(true);
        assert_eq!(insist::<u32>(&stopping, || Err(JournalError::CannotOpen)).await, None);
    }
}

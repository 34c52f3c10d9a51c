//! The way into a shard: requests ahead of ingest, both bounded.

use std::collections::VecDeque;
use std::time::Duration;

use onesec_engine::{Answer, Reported};
use onesec_telemetry::TenantId;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::api::{CoreError, Draft, Obeyed, Order, Ruling, Submission, Taken};

/// Where an answer goes. Nobody may be waiting any more: that is no error.
pub(super) type Reply<T> = oneshot::Sender<Result<T, CoreError>>;

/// One thing to do.
#[derive(Debug)]
pub(super) enum Work {
    /// `early` hears of a ruling that lets the request pass before it is durable.
    Request {
        tenant: TenantId,
        draft: Box<Draft>,
        early: Option<oneshot::Sender<Ruling>>,
        reply: Reply<Ruling>,
    },
    Preview {
        tenant: TenantId,
        draft: Box<Draft>,
        reply: oneshot::Sender<Result<(Answer, Vec<Reported>), CoreError>>,
    },
    Order {
        order: Box<Order>,
        reply: Reply<Obeyed>,
    },
    Ingest {
        submission: Submission,
        reply: Reply<Vec<Taken>>,
    },
}

impl Work {
    pub(super) fn refuse(self, error: CoreError) {
        match self {
            Self::Request { reply, .. } => drop(reply.send(Err(error))),
            Self::Preview { reply, .. } => drop(reply.send(Err(error))),
            Self::Order { reply, .. } => drop(reply.send(Err(error))),
            Self::Ingest { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

/// Both lanes of one shard.
#[derive(Debug)]
pub(super) struct Queue {
    lanes: Mutex<Lanes>,
    arrived: Condvar,
    max_requests: usize,
    max_events: usize,
}

#[derive(Debug, Default)]
struct Lanes {
    requests: VecDeque<Work>,
    ingest: VecDeque<Work>,
    events: usize,
    stopping: bool,
}

/// What a shard finds when it looks.
#[derive(Debug)]
pub(super) struct Found {
    /// All requests that were waiting.
    pub(super) requests: Vec<Work>,
    /// At most one submission.
    pub(super) ingest: Option<Work>,
    /// Nothing more will come, and nothing is left.
    pub(super) finished: bool,
}

impl Queue {
    pub(super) fn new(max_requests: usize, max_events: usize) -> Self {
        Self { lanes: Mutex::default(), arrived: Condvar::new(), max_requests, max_events }
    }

    /// Takes `work` in, or hands it back with the reason.
    pub(super) fn push(&self, work: Work) -> Result<(), (Work, CoreError)> {
        let mut lanes = self.lanes.lock();
        if lanes.stopping {
            return Err((work, CoreError::Stopping));
        }
        if let Work::Ingest { submission, .. } = &work {
            let events = submission.drafts.len().max(1);
            // A single large batch is taken when nothing waits, whatever the bound.
            if lanes.events > 0 && lanes.events + events > self.max_events {
                return Err((work, CoreError::Busy));
            }
            lanes.events += events;
            lanes.ingest.push_back(work);
        } else {
            if lanes.requests.len() >= self.max_requests {
                return Err((work, CoreError::Busy));
            }
            lanes.requests.push_back(work);
        }
        drop(lanes);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for something to do, at most `patience`; takes no submission where `ingest` is false.
    pub(super) fn find(&self, ingest: bool, patience: Duration) -> Found {
        let mut lanes = self.lanes.lock();
        let idle = |lanes: &Lanes| lanes.requests.is_empty() && (!ingest || lanes.ingest.is_empty());
        if idle(&lanes) && !lanes.stopping && !patience.is_zero() {
            self.arrived.wait_for(&mut lanes, patience);
        }
        let requests: Vec<Work> = lanes.requests.drain(..).collect();
        let next = if ingest { lanes.ingest.pop_front() } else { None };
        if let Some(Work::Ingest { submission, .. }) = &next {
            lanes.events -= submission.drafts.len().max(1);
        }
        let finished = lanes.stopping && requests.is_empty() && next.is_none() && lanes.ingest.is_empty();
        Found { requests, ingest: next, finished }
    }

    /// Takes nothing new; what is there is still worked off.
    pub(super) fn stop(&self) {
        self.lanes.lock().stopping = true;
        self.arrived.notify_all();
    }

    /// Events that wait.
    pub(super) fn waiting(&self) -> usize {
        let lanes = self.lanes.lock();
        lanes.events + lanes.requests.len()
    }
}

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
    /// How much room it takes among submissions.
    fn events(&self) -> usize {
        match self {
            Self::Ingest { submission, .. } => submission.drafts.len().max(1),
            Self::Request { .. } | Self::Preview { .. } | Self::Order { .. } => 0,
        }
    }

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

impl Lanes {
    fn take_ingest(&mut self, room: usize) -> Vec<Work> {
        let (mut taken, mut left) = (Vec::new(), room);
        while left > 0
            && let Some(next) = self.ingest.front()
        {
            let events = next.events();
            if events > left && !taken.is_empty() {
                break;
            }
            left = left.saturating_sub(events);
            self.events -= events;
            taken.extend(self.ingest.pop_front());
        }
        taken
    }
}

/// What a shard finds when it looks.
#[derive(Debug)]
pub(super) struct Found {
    /// All requests that were waiting.
    pub(super) requests: Vec<Work>,
    /// Submissions, in order: the first that waited, and those after it as far as there is room.
    pub(super) ingest: Vec<Work>,
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
        if matches!(work, Work::Ingest { .. }) {
            let events = work.events();
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

    /// Waits for something to do, at most `patience`; takes submissions of so many events together, and the first that
    /// waits however large it is. None where there is no room.
    pub(super) fn find(&self, room: usize, patience: Duration) -> Found {
        let mut lanes = self.lanes.lock();
        let idle = |lanes: &Lanes| lanes.requests.is_empty() && (room == 0 || lanes.ingest.is_empty());
        if idle(&lanes) && !lanes.stopping && !patience.is_zero() {
            self.arrived.wait_for(&mut lanes, patience);
        }
        let requests: Vec<Work> = lanes.requests.drain(..).collect();
        let ingest = lanes.take_ingest(room);
        let finished = lanes.stopping && requests.is_empty() && ingest.is_empty() && lanes.ingest.is_empty();
        Found { requests, ingest, finished }
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

#[cfg(test)]
mod tests {
    use onesec_telemetry::{AgentId, Common, Details, Event, EventId, Sender, event::TaskEnd};

    use super::*;

    fn push(queue: &Queue, events: usize) -> bool {
        let details = Details::TaskEnd(TaskEnd { status: None });
        let event = Event::new(EventId::new("e").expect("an id"), Common::default(), details);
        let agent = AgentId::new("bot").expect("an id");
        let drafts = vec![Draft::new(event, Sender::gateway(agent, None, None)); events];
        let submission = Submission { tenant: TenantId::default_tenant(), drafts, dead_letters: Vec::new() };
        queue.push(Work::Ingest { submission, reply: oneshot::channel().0 }).is_ok()
    }

    fn found(queue: &Queue, room: usize) -> Vec<usize> {
        queue.find(room, Duration::ZERO).ingest.iter().map(Work::events).collect()
    }

    #[test]
    fn small_submissions_are_taken_together_and_a_large_one_alone() {
        let queue = Queue::new(4, 1_000);
        for events in [1, 2, 0, 300, 1, 256, 1] {
            assert!(push(&queue, events));
        }
        assert_eq!(queue.waiting(), 562, "one without events takes the room of one");
        assert!(found(&queue, 0).is_empty(), "no room");
        assert_eq!(found(&queue, 256), [1, 2, 1]);
        assert_eq!(found(&queue, 256), [300]);
        assert_eq!(found(&queue, 256), [1]);
        assert_eq!(found(&queue, 256), [256]);
        assert_eq!(found(&queue, 256), [1]);
        assert_eq!(queue.waiting(), 0);
        assert!(push(&queue, 2_000) && !push(&queue, 1), "whatever the bound, the first is taken, and then it holds");
    }
}

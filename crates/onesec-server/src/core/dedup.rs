//! Recognising repetitions: in memory, for 24 hours or four million ids; trust-changing kinds for 30 days.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use onesec_journal::DedupEntry;
use onesec_telemetry::Timestamp;

/// How long an id is remembered.
pub(super) const HORIZON: Duration = Duration::from_secs(24 * 3600);
/// How long the id of an event that changes trust is remembered.
pub(super) const LONG_HORIZON: Duration = Duration::from_secs(30 * 24 * 3600);
/// Most ids remembered per tenant and horizon.
const MAX_IDS: usize = 4_000_000;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Dedup {
    short: Seen,
    long: Seen,
}

#[derive(Debug, Default)]
struct Seen {
    content: HashMap<u128, u64>,
    order: VecDeque<(Timestamp, u128)>,
}

/// What an event is compared with what came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Novelty {
    New,
    Duplicate,
    Conflict,
}

impl Dedup {
    pub(super) fn look(&self, entry: &DedupEntry) -> Novelty {
        if cfg!(feature = "mutant-no-dedup") {
            return Novelty::New;
        }
        let before = self.short.content.get(&entry.key).or_else(|| self.long.content.get(&entry.key));
        match before {
            None => Novelty::New,
            Some(content) if *content == entry.content => Novelty::Duplicate,
            Some(_) => Novelty::Conflict,
        }
    }

    pub(super) fn remember(&mut self, entry: DedupEntry, at: Timestamp) {
        let (seen, horizon) = if entry.long { (&mut self.long, LONG_HORIZON) } else { (&mut self.short, HORIZON) };
        seen.forget_before(at.before(horizon));
        seen.content.insert(entry.key, entry.content);
        seen.order.push_back((at, entry.key));
    }
}

impl Seen {
    fn forget_before(&mut self, horizon: Timestamp) {
        while let Some((at, key)) = self.order.front() {
            if *at >= horizon && self.order.len() < MAX_IDS {
                break;
            }
            self.content.remove(key);
            self.order.pop_front();
        }
    }
}

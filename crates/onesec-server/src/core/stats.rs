//! Counts of exchanges through the gateway: rebuilt from records, so that a restart forgets none.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use onesec_enforcement::Verdict;
use onesec_engine::Answer;
use onesec_telemetry::{Channel, ConnectionName, Details, Record, Timestamp};
use serde::{Deserialize, Serialize};

/// Failures within this are recent.
const RECENT: Duration = Duration::from_secs(300);
/// Failures remembered as recent, at most.
const MAX_RECENT: usize = 10_000;
/// Connections counted by name; the rest is `other`.
const MAX_CONNECTIONS: usize = 200;

/// Exchanges through the gateway since the journal began.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ExchangeStats {
    /// Asked for.
    pub total_exchanges: u64,
    /// Released.
    pub success_count: u64,
    /// Refused or not answered by upstream, or not proven.
    pub failure_count: u64,
    /// Refused or withheld by a verdict.
    pub denied_count: u64,
    /// Waiting for a person.
    pub held_count: u64,
    /// Asked for, by connection.
    pub by_connection: BTreeMap<String, u64>,
    failures: VecDeque<Timestamp>,
}

impl ExchangeStats {
    /// Counts one record and the answer to it.
    pub(super) fn count(&mut self, record: &Record, answer: Option<&Answer>, linked: impl Fn(&ConnectionName) -> bool) {
        let Some(event) = record.event().filter(|_| record.sender.channel == Channel::Gateway) else { return };
        match &event.details {
            Details::TokenExchange(_) => {
                self.total_exchanges += 1;
                self.count_connection(event.common.connection.as_ref(), linked);
                self.count_verdict(answer);
            }
            Details::TokenExchangeResponse(d) if d.success => match answer.map(|a| a.applies) {
                None | Some(Verdict::Allow) => self.success_count += 1,
                Some(_) => self.denied_count += 1,
            },
            Details::TokenExchangeResponse(_) => {
                self.failure_count += 1;
                self.failures.push_back(record.observed_at);
                if self.failures.len() > MAX_RECENT {
                    self.failures.pop_front();
                }
            }
            _ => {}
        }
    }

    fn count_verdict(&mut self, answer: Option<&Answer>) {
        match answer.map(|a| a.applies) {
            Some(Verdict::Hold) => self.held_count += 1,
            Some(Verdict::Deny | Verdict::RateLimit { .. } | Verdict::Withhold) => self.denied_count += 1,
            None | Some(Verdict::Allow) => {}
        }
    }

    fn count_connection(&mut self, name: Option<&ConnectionName>, linked: impl Fn(&ConnectionName) -> bool) {
        let Some(name) = name else { return };
        let known = linked(name)
            && (self.by_connection.len() < MAX_CONNECTIONS || self.by_connection.contains_key(name.as_str()));
        let label = if known { name.as_str() } else { "other" };
        *self.by_connection.entry(label.to_owned()).or_default() += 1;
    }

    /// Failures within the last five minutes.
    #[must_use]
    pub fn recent_failures(&self, now: Timestamp) -> usize {
        self.failures.iter().filter(|at| now.since(**at) <= RECENT).count()
    }
}

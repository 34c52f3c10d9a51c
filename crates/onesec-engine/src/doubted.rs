//! Alerts whose user was merely named when they opened: what is to be done to that user waits for a person, or for a record
//! that makes the user known.

use std::collections::{BTreeSet, VecDeque};

use onesec_telemetry::{Alert, AlertId, Record, Subject};
use serde::{Deserialize, Serialize};

/// Alerts about users whom nobody has proved, oldest first; the oldest make room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Doubted {
    alerts: BTreeSet<AlertId>,
    order: VecDeque<AlertId>,
}

impl Doubted {
    /// Notes how an alert stands after it opened or got worse.
    pub(crate) fn note(&mut self, alert: &Alert, user_is_known: bool) {
        if user_is_known {
            self.settle(&alert.id);
        } else if alert.user_id.is_some() && self.alerts.insert(alert.id.clone()) {
            self.order.push_back(alert.id.clone());
            while self.alerts.len() > MOST || self.order.len() > 2 * MOST {
                // Those that were settled meanwhile are in the order only.
                let Some(oldest) = self.order.pop_front() else { break };
                self.alerts.remove(&oldest);
            }
        }
    }

    /// The user is known by now; `false` where that is no news.
    pub(crate) fn settle(&mut self, alert: &AlertId) -> bool {
        self.alerts.remove(alert)
    }
}

/// Whether the record itself makes known that it was this user: by a verified credential, or by its sender's authority.
pub(crate) fn knows_user(record: &Record, alert: &Alert) -> bool {
    let named = alert.user_id.is_some() && record.user() == alert.user_id.as_ref();
    let known = match &record.subject {
        Subject::Verified { .. } => true,
        // A worker names users as it likes; so does whoever sends telemetry, without authority.
        _ => record.has_authority(),
    };
    named && known
}

const MOST: usize = 10_000;

//! Exceptions: silence with a reason, an owner and an end.

use onesec_detector::Finding;
use onesec_enforcement::never_waivable;
use onesec_telemetry::{Exception, Timestamp};
use serde::{Deserialize, Serialize};

/// At most so many at a time: they are checked one by one for every finding.
pub(crate) const MAX_EXCEPTIONS: usize = 1_000;

/// The exceptions in force.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Exceptions(Vec<Exception>);

impl Exceptions {
    /// Adds or replaces one; beyond the bound it is not taken.
    pub(crate) fn add(&mut self, exception: &Exception) {
        self.remove(exception.id.as_str());
        if self.0.len() < MAX_EXCEPTIONS {
            self.0.push(exception.clone());
        }
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.0.retain(|e| e.id.as_str() != id);
    }

    /// Whether a finding is to be silent. Some never are, and no person's decision is.
    pub(crate) fn silence(&self, detector: &str, finding: &Finding, now: Timestamp) -> bool {
        if finding.binding || never_waivable(detector) {
            return false;
        }
        self.0.iter().any(|e| {
            e.detector.as_str() == detector
                && now < e.expires_at
                && matches(e.agent_id.as_ref(), finding.entity.agent.as_ref())
                && matches(e.user_id.as_ref(), finding.entity.user.as_ref())
                && matches(e.connection.as_ref(), finding.entity.connection.as_ref())
        })
    }
}

/// An exception that names nothing covers everything; one that names somebody covers him alone.
fn matches<T: PartialEq>(named: Option<&T>, found: Option<&T>) -> bool {
    named.is_none() || named == found
}

//! Policies: which alerts, what becomes of the request in flight, which actions. Data, checked when it is read.

mod read;
mod section;
#[cfg(test)]
mod tests;

use std::time::Duration;

use onesec_telemetry::network::Network;
use onesec_telemetry::{Alert, Name, Severity};

pub use read::PolicyError;
pub(crate) use section::Section;

use crate::spec::ActionSpec;
use crate::verdict::Verdict;

/// What is to happen when an alert of some kind opens or gets worse.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Unique among those in force.
    pub name: Name,
    /// Which alerts.
    pub when: Matching,
    /// What becomes of the request in flight; the preset decides where absent.
    pub request: Option<RequestRule>,
    /// What is done, in this order.
    pub actions: Vec<ActionSpec>,
    /// A person is asked first, and this long.
    pub approval: Option<Duration>,
    /// How long the same protected thing is left alone after an action.
    pub cooldown: Duration,
    /// Actions a minute at most; alerts that are CRITICAL, and those that rest on what others report, have as many again
    /// of their own. A third is kept for agents that have caused none.
    pub max_per_minute: u32,
    /// Whom it never touches.
    pub never: Never,
}

/// Which alerts a policy is about. An empty list is any.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Matching {
    /// Codes of detectors.
    pub detectors: Vec<String>,
    /// This bad at least.
    pub min_severity: Severity,
    /// Agents.
    pub agents: Vec<String>,
    /// Users.
    pub users: Vec<String>,
    /// Connections.
    pub connections: Vec<String>,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestRule {
    /// It passes.
    Allow,
    /// It is refused.
    Deny,
    /// It waits for a person.
    Hold,
    /// What was issued is not released.
    Withhold,
}

impl RequestRule {
    /// The wire form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Hold => "hold",
            Self::Withhold => "withhold",
        }
    }

    /// As a verdict.
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Allow => Verdict::Allow,
            Self::Deny => Verdict::Deny,
            Self::Hold => Verdict::Hold,
            Self::Withhold => Verdict::Withhold,
        }
    }
}

/// Whom a policy's actions never touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Never {
    /// Agents.
    pub agents: Vec<String>,
    /// Users.
    pub users: Vec<String>,
    /// Networks.
    pub networks: Vec<Network>,
}

impl Policy {
    /// How long the same protected thing is left alone where nothing else is said.
    pub const COOLDOWN: Duration = Duration::from_secs(300);
    /// How long a person is asked where nothing else is said.
    pub const PATIENCE: Duration = Duration::from_secs(600);
    /// Actions a minute where nothing else is said.
    pub const PER_MINUTE: u32 = 10;

    /// Whether the policy is about this alert.
    #[must_use]
    pub fn is_about(&self, alert: &Alert) -> bool {
        let user = alert.user_id.as_ref().map(AsRef::as_ref);
        let connection = alert.connection.as_ref().map(AsRef::as_ref);
        let agent = alert.agent_id.as_ref().map(AsRef::as_ref);
        self.when.fits(alert.detector.as_str(), alert.severity, [agent, user, connection])
    }
}

impl Matching {
    /// Whether a finding of this detector about these (agent, user, connection) is meant.
    #[must_use]
    pub fn fits(&self, detector: &str, severity: Severity, whom: [Option<&str>; 3]) -> bool {
        let any = |list: &[String], value: Option<&str>| {
            list.is_empty() || value.is_some_and(|value| list.iter().any(|known| known == value))
        };
        let [agent, user, connection] = whom;
        severity >= self.min_severity
            && any(&self.detectors, Some(detector))
            && any(&self.agents, agent)
            && any(&self.users, user)
            && any(&self.connections, connection)
    }
}

/// What policies say about a finding of a request in flight: the first that names a verdict.
#[must_use]
pub fn ruled(policies: &[Policy], (detector, severity): (&str, Severity), whom: [Option<&str>; 3]) -> Option<Verdict> {
    let mut about = policies.iter().filter(|policy| policy.request.is_some());
    about.find(|policy| policy.when.fits(detector, severity, whom)).and_then(|p| p.request).map(RequestRule::verdict)
}

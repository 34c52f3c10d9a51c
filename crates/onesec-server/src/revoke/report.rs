//! What a revocation is: what was asked for, how far each step got, and what lives on. Kept in the ledger as it is shown.

use std::time::Duration;

use onesec_actions::Answered;
use onesec_journal::{LedgerRow, LedgerTable, LedgerWrite};
use onesec_telemetry::event::Text;
use onesec_telemetry::{AgentId, ConnectionName, Name, TenantId, Thumbprint, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// A station beyond ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    /// Refresh tokens at Auth0.
    RefreshTokens,
    /// Sessions at Auth0.
    Sessions,
    /// Consents at Auth0.
    Grants,
    /// Access tokens at the providers.
    Provider,
}

impl Part {
    pub(crate) const ALL: [Self; 4] = [Self::RefreshTokens, Self::Sessions, Self::Grants, Self::Provider];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::RefreshTokens => "refresh_tokens",
            Self::Sessions => "sessions",
            Self::Grants => "grants",
            Self::Provider => "provider",
        }
    }
}

/// Whose access is taken back. A user, an agent, or both are named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) user_id: Option<UserId>,
    pub(crate) connection: Option<ConnectionName>,
    pub(crate) agent_id: Option<AgentId>,
}

/// One revocation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Revocation {
    pub(crate) id: Name,
    pub(crate) state: State,
    #[serde(flatten)]
    pub(crate) target: Target,
    /// What was lent counts no more here.
    pub(crate) own: bool,
    /// Somebody told us; whoever is told by us knows already.
    #[serde(default)]
    pub(crate) told: bool,
    pub(crate) parts: Vec<Part>,
    /// Refresh tokens of these clients only.
    #[serde(default)]
    pub(crate) clients: Vec<String>,
    pub(crate) reason: Option<Text>,
    pub(crate) requested_by: Option<Name>,
    pub(crate) requested_at: Timestamp,
    pub(crate) finished_at: Option<Timestamp>,
    pub(crate) steps: Vec<Step>,
    pub(crate) remaining: Vec<Remaining>,
    /// Provider tokens that were seen to end.
    #[serde(default)]
    pub(crate) ended: Vec<Thumbprint>,
    /// Of what was asked for: the same request id with something else is a mistake.
    pub(crate) digest: Thumbprint,
}

/// How far it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Some step is still to be taken.
    Running,
    /// No step was refused or failed.
    Done,
    /// Some step was refused, or failed for good.
    Incomplete,
}

impl State {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Incomplete => "incomplete",
        }
    }
}

/// One step of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// `onesec`, a [`Part`], and for providers the connection.
    pub(crate) step: Name,
    pub(crate) connection: Option<ConnectionName>,
    /// `pending`, or [`Answered::state`].
    pub(crate) state: Name,
    pub(crate) detail: Text,
    pub(crate) attempts: u32,
    pub(crate) at: Timestamp,
    /// When it is tried again, where it is.
    pub(crate) next_at: Option<Timestamp>,
}

/// What lives on, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remaining {
    pub(crate) what: Text,
    pub(crate) connection: Option<ConnectionName>,
    pub(crate) agent_id: Option<AgentId>,
    /// Unknown where absent.
    pub(crate) until: Option<Timestamp>,
}

impl Step {
    pub(crate) fn pending(step: &'static str, connection: Option<ConnectionName>, at: Timestamp) -> Self {
        let detail = Text::redacted("not begun");
        Self { step: word(step), connection, state: word(PENDING), detail, attempts: 0, at, next_at: Some(at) }
    }

    /// Whether it is to be taken now.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.next_at.is_some_and(|next| next <= now)
    }

    /// Notes what came of an attempt, and whether there will be another one.
    pub(crate) fn note(&mut self, answered: &Answered, now: Timestamp) {
        (self.state, self.detail) = (word(answered.state()), Text::redacted(answered.detail()));
        (self.at, self.attempts, self.next_at) = (now, self.attempts + 1, None);
        let Answered::Failed { after, .. } = answered else { return };
        if self.attempts < MOST_ATTEMPTS {
            let doubled = FIRST_PAUSE.saturating_mul(1 << (self.attempts - 1).min(16));
            self.next_at = Some(now + doubled.max(after.unwrap_or_default()).min(LONGEST_PAUSE));
        }
    }

    /// Whether it went wrong, and will not be tried again by itself.
    fn went_wrong(&self) -> bool {
        self.next_at.is_none() && matches!(self.state.as_str(), "refused" | "failed")
    }
}

impl Revocation {
    /// When there is something to do for it; `None` where it is over.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.steps.iter().filter_map(|step| step.next_at).min()
    }

    /// Looks at the steps and says how far it got.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        self.state = if self.next_at().is_some() {
            State::Running
        } else if self.steps.iter().any(Step::went_wrong) {
            State::Incomplete
        } else {
            State::Done
        };
        self.finished_at = (self.state != State::Running).then_some(now);
    }

    /// Has what was refused, failed or was not possible tried once more. `false` where there is no such step.
    pub(crate) fn again(&mut self, now: Timestamp) -> bool {
        let mut any = false;
        for step in self.steps.iter_mut().filter(|step| step.went_wrong() || step.state.as_str() == "not_possible") {
            (step.attempts, step.next_at, any) = (0, Some(now), true);
        }
        if any {
            (self.state, self.finished_at) = (State::Running, None);
        }
        any
    }

    pub(crate) fn step_mut(&mut self, name: &str, connection: Option<&ConnectionName>) -> Option<&mut Step> {
        self.steps.iter_mut().find(|step| step.step.as_str() == name && step.connection.as_ref() == connection)
    }

    /// As it is kept. What is over goes after a year.
    pub(crate) fn put(&self, tenant: &TenantId) -> LedgerWrite {
        let row = LedgerRow {
            tenant: tenant.clone(),
            id: self.id.to_string(),
            agent_id: self.target.agent_id.clone(),
            user_id: self.target.user_id.clone(),
            connection: self.target.connection.clone(),
            state: self.state.as_str().to_owned(),
            updated_seq: 0,
            expires_at: self.finished_at.map(|at| at + KEPT),
            doc: serde_json::to_string(self).unwrap_or_default(),
        };
        LedgerWrite::Put { table: LedgerTable::Revocations, row }
    }

    pub(crate) fn read(row: &LedgerRow) -> Option<Self> {
        serde_json::from_str(&row.doc).ok()
    }
}

#[expect(clippy::expect_used, reason = "words of our own are identifiers")]
pub(super) fn word(text: &'static str) -> Name {
    Name::new(text).expect("a word")
}

/// The step that is our own.
pub(crate) const OWN: &str = "onesec";
const PENDING: &str = "pending";
/// About four minutes of an outage; a person may have it tried again.
const MOST_ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// As long as receipts.
const KEPT: Duration = Duration::from_secs(365 * 86_400);

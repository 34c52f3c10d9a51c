//! Findings: what a detector reports, with the evidence it cannot do without.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use onesec_telemetry::{AgentId, AppId, Attribution, ConnectionName, EventId, Record, ScopeSet, Severity, UserId};
use serde::{Deserialize, Serialize};

/// Ids of the events that prove a finding. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    first: EventId,
    more: Vec<EventId>,
}

impl From<&EventId> for Evidence {
    fn from(first: &EventId) -> Self {
        Self { first: first.clone(), more: Vec::new() }
    }
}

impl Evidence {
    /// Adds another event.
    #[must_use]
    pub fn and(mut self, id: &EventId) -> Self {
        if self.first != *id && !self.more.contains(id) {
            self.more.push(id.clone());
        }
        self
    }

    /// All of it, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &EventId> {
        std::iter::once(&self.first).chain(&self.more)
    }
}

/// Whom a finding is about. Findings about the same entity become one alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Entity {
    /// The agent.
    pub agent: Option<AgentId>,
    /// The user.
    pub user: Option<UserId>,
    /// The connection.
    pub connection: Option<ConnectionName>,
    /// The application.
    pub app: Option<AppId>,
}

impl Entity {
    /// Agent, user and connection of a record, as far as it names them.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self {
            agent: record.agent().cloned(),
            user: record.user().cloned(),
            connection: record.connection().cloned(),
            app: None,
        }
    }

    /// The agent of a record alone.
    #[must_use]
    pub fn agent_of(record: &Record) -> Self {
        Self { agent: record.agent().cloned(), ..Self::default() }
    }
}

/// A number or name behind a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum AttributeValue {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    List(Vec<String>),
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for AttributeValue {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<i64> for AttributeValue {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for AttributeValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<&ScopeSet> for AttributeValue {
    fn from(scopes: &ScopeSet) -> Self {
        Self::List(scopes.iter().map(ToString::to_string).collect())
    }
}

impl From<Vec<String>> for AttributeValue {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}

/// Something wrong with one record.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// About whom.
    pub entity: Entity,
    /// What proves it.
    pub evidence: Evidence,
    /// What is wrong, in a sentence with the names and numbers of the case.
    pub reason: String,
    /// Whose word it rests on; the record's own where absent.
    pub attribution: Option<Attribution>,
    /// Names and numbers behind it.
    pub attributes: BTreeMap<&'static str, AttributeValue>,
    /// Labels whose first appearance makes an alert be raised again, such as a class of scope.
    pub aspects: BTreeSet<Cow<'static, str>>,
    /// For a property of the set-up: one alert until this value changes, instead of one an hour.
    pub standing: Option<u64>,
    /// Rests on a person's decision (suspend, revoke, unlink): applies in dry run, too.
    pub binding: bool,
    /// When a retry makes sense, for rates.
    pub retry_after: Option<Duration>,
}

impl Finding {
    /// A finding about the agent, user and connection of `record`, proved by it.
    ///
    /// Records that are no events have no id; what is found on them is proved by the tick or command itself.
    #[must_use]
    pub fn about(record: &Record, severity: Severity, reason: impl Into<String>) -> Self {
        Self::new(Entity::of(record), evidence_of(record), severity, reason)
    }

    /// A finding about `entity`.
    #[must_use]
    pub fn new(entity: Entity, evidence: Evidence, severity: Severity, reason: impl Into<String>) -> Self {
        Self {
            severity,
            entity,
            evidence,
            reason: reason.into(),
            attribution: None,
            attributes: BTreeMap::new(),
            aspects: BTreeSet::new(),
            standing: None,
            binding: false,
            retry_after: None,
        }
    }

    /// Says it of another entity.
    #[must_use]
    pub fn of(mut self, entity: Entity) -> Self {
        self.entity = entity;
        self
    }

    /// Adds a name or number.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<AttributeValue>) -> Self {
        self.attributes.insert(name, value.into());
        self
    }

    /// Adds a label whose first appearance raises the alert again.
    #[must_use]
    pub fn aspect(mut self, label: impl Into<Cow<'static, str>>) -> Self {
        self.aspects.insert(label.into());
        self
    }

    /// Marks it as resting on a person's decision.
    #[must_use]
    pub const fn binding(mut self) -> Self {
        self.binding = true;
        self
    }
}

fn evidence_of(record: &Record) -> Evidence {
    match record.event() {
        Some(event) => Evidence::from(&event.id),
        None => {
            let id = format!("record-{}", record.seq);
            // A short ASCII text is always an id; the empty fallback cannot be reached.
            Evidence { first: EventId::new(&id).unwrap_or_else(|_| record_id()), more: Vec::new() }
        }
    }
}

#[expect(clippy::expect_used, reason = "a constant that is a valid id")]
fn record_id() -> EventId {
    EventId::new("record").expect("valid")
}

/// Where a detector puts its findings.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Reports one.
    pub fn report(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// What was reported, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Finding] {
        &self.0
    }

    /// Takes what was reported.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Finding> {
        self.0.drain(..)
    }

    /// Whether nothing was reported.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

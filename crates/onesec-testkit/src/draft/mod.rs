//! Builders: a line of a story becomes a record as the edge would have made it.

mod happens;

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{
    AgentId, Attestation, Attested, Authority, Body, Channel, DecodeOptions, EventId, KeyId, KnownConnections, Name,
    Record, Rejection, Sender, Seq, Subject, TenantId, TextScore, Timestamp, TokenParties, decode_event,
};
use onesec_text::{Scorer, score_event};
use serde_json::{Map, Value, json};

use crate::offset::Offset;

/// When every story begins: 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp::from_secs(1_767_225_600);

/// How far the time of a sender with trusted time may be from ours before the record is late.
const NEAR: Duration = Duration::from_secs(120);

/// Who says it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum From {
    /// The gateway saw it, with this agent's credential and the user's token: `observed`.
    Gateway(String),
    /// A question before the act, by this agent's own key.
    Decide(String),
    /// Telemetry by a key bound to this agent: `self` where it speaks of that agent.
    OwnKey(String),
    /// Telemetry by a key with `events:write`: `reported`.
    Reporter,
    /// Telemetry by a key with `events:trust` and trusted time: `reported`, and its word changes trust.
    Trusted,
    /// Read back from Auth0: `observed`.
    Auth0,
    /// A line of a file that is replayed: `observed`.
    Replay,
    /// A person at the API: commands, and mutations that count.
    Person,
}

/// Why a draft is no record.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// The contract rejects the event.
    #[error("the contract rejects `{kind}`: {why}")]
    Rejected {
        /// Which kind.
        kind: String,
        /// Why.
        why: Rejection,
    },
    /// A name is no identifier.
    #[error("`{0}` is no identifier")]
    Name(String),
    /// A time is no time.
    #[error(transparent)]
    Offset(#[from] crate::offset::OffsetError),
    /// Nothing happens in it.
    #[error("nothing happens: name a kind, a command or a tick")]
    Empty,
}

/// A record to be. Every method takes it and gives it back changed.
#[derive(Debug, Clone)]
#[must_use]
pub struct Draft {
    at: String,
    from: From,
    id: Option<String>,
    kind: Option<String>,
    details: Map<String, Value>,
    timestamp: Option<String>,
    network: Option<IpAddr>,
    attestation: Attestation,
    parties: Option<Box<TokenParties>>,
    unverified: bool,
    body: Option<Body>,
}

/// Something that happens at `offset`: `9s` after the beginning, or `+9s` after what stands before.
pub fn at(offset: &str) -> Draft {
    Draft {
        at: offset.to_owned(),
        from: From::Reporter,
        id: None,
        kind: None,
        details: Map::new(),
        timestamp: None,
        network: None,
        attestation: Attestation::Absent,
        parties: None,
        unverified: false,
        body: None,
    }
}

/// Who says it.
impl Draft {
    /// Says who says it.
    pub fn from(mut self, from: From) -> Self {
        self.from = from;
        self
    }

    /// The gateway saw it, with `agent`'s credential.
    pub fn gateway(self, agent: &str) -> Self {
        self.from(From::Gateway(agent.to_owned()))
    }

    /// A question before the act, by `agent`'s own key.
    pub fn decide(self, agent: &str) -> Self {
        self.from(From::Decide(agent.to_owned()))
    }

    /// By the key that is bound to `agent`.
    pub fn own_key(self, agent: &str) -> Self {
        self.from(From::OwnKey(agent.to_owned()))
    }

    /// By a key with `events:write` alone. The default.
    pub fn reported(self) -> Self {
        self.from(From::Reporter)
    }

    /// By a key with `events:trust` and trusted time.
    pub fn trusted(self) -> Self {
        self.from(From::Trusted)
    }

    /// From a file that is replayed.
    pub fn replay(self) -> Self {
        self.from(From::Replay)
    }

    /// By a person at the API.
    pub fn person(self) -> Self {
        self.from(From::Person)
    }

    /// When it happened by the sender's own account, as an offset: counts where the sender has trusted time, and makes
    /// the record late where it is more than 120 s off.
    pub fn happened_at(mut self, offset: &str) -> Self {
        self.timestamp = Some(offset.to_owned());
        self
    }

    /// The address it came from.
    pub const fn network(mut self, address: IpAddr) -> Self {
        self.network = Some(address);
        self
    }

    /// The user is claimed, not proved by a token, even at the gateway.
    pub const fn unverified(mut self) -> Self {
        self.unverified = true;
        self
    }

    /// A signature came along and verifies.
    pub fn attested(mut self, attested: Attested) -> Self {
        self.attestation = Attestation::Verified(Box::new(attested));
        self
    }

    /// At the gateway: whom else the user's token names.
    pub fn parties(mut self, parties: TokenParties) -> Self {
        self.parties = Some(Box::new(parties));
        self
    }

    /// A signature came along and is worth nothing.
    pub fn badly_attested(mut self) -> Self {
        if let Ok(reason) = Name::new("signature_invalid") {
            self.attestation = Attestation::Refused(reason);
        }
        self
    }

    /// The event's id; made from its place in the story where none is given.
    pub fn id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }
}

/// The records of a story, numbered in the order given. No record is observed before the one that stands before it.
///
/// # Panics
/// Where a draft is no record: that is a mistake in the test.
#[must_use]
#[expect(clippy::panic, reason = "a draft that is no record is a mistake in the test that wrote it")]
pub fn records(drafts: impl IntoIterator<Item = Draft>) -> Vec<Record> {
    let mut place = Place::default();
    let make = |draft: Draft| match draft.record(&mut place) {
        Ok(record) => record,
        Err(why) => panic!("{why}"),
    };
    drafts.into_iter().map(make).collect()
}

/// How far a story has come.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    pub(crate) seq: Seq,
    pub(crate) elapsed: Duration,
}

impl Draft {
    /// The record at the next place of a story.
    ///
    /// # Errors
    /// [`DraftError`] where the contract rejects it.
    pub(crate) fn record(&self, place: &mut Place) -> Result<Record, DraftError> {
        let offset: Offset = self.at.parse()?;
        place.elapsed = offset.resolve(place.elapsed).max(place.elapsed);
        place.seq = place.seq.next();
        let observed_at = START + place.elapsed;
        let body = match (&self.body, &self.kind) {
            (Some(body), _) => body.clone(),
            (None, Some(kind)) => self.decode(kind, place.seq)?,
            (None, None) => return Err(DraftError::Empty),
        };
        let mut record = Record {
            tenant: TenantId::default_tenant(),
            seq: place.seq,
            observed_at,
            at: observed_at,
            late: false,
            sender: self.sender()?,
            subject: Subject::Unknown,
            attestation: self.attestation.clone(),
            network: self.network,
            text: texts(&body),
            body,
        };
        record.subject = self.subject(&record)?;
        if let Some(said) = &self.timestamp {
            self.take_time(&mut record, START + said.parse::<Offset>()?.resolve(Duration::ZERO));
        }
        Ok(record)
    }

    /// Whether the credential names the agent.
    pub(crate) const fn names_agent(&self) -> bool {
        matches!(self.from, From::Gateway(_) | From::Decide(_) | From::OwnKey(_))
    }

    /// The same at another time, with an id of its own.
    pub(crate) fn moved(&self, offset: &str) -> Self {
        Self { at: offset.to_owned(), id: None, ..self.clone() }
    }

    fn decode(&self, kind: &str, seq: Seq) -> Result<Body, DraftError> {
        let id = self.id.clone().unwrap_or_else(|| format!("e-{}", seq.0));
        let id = EventId::new(&id).map_err(|_| DraftError::Name(id))?;
        let bound = self.bound()?;
        let connections = KnownConnections::default();
        let options =
            DecodeOptions { connections: &connections, catalogue: Catalogue::builtin(), bound_agent: bound.as_ref() };
        let text = json!({"type": kind, "details": self.details}).to_string();
        let decoded = decode_event(&text, options, &id);
        let (event, _) = decoded.map_err(|why| DraftError::Rejected { kind: kind.to_owned(), why })?;
        Ok(Body::Event(event.into()))
    }

    fn bound(&self) -> Result<Option<AgentId>, DraftError> {
        match &self.from {
            From::Gateway(agent) | From::Decide(agent) | From::OwnKey(agent) => {
                AgentId::new(agent).map(Some).map_err(|_| DraftError::Name(agent.clone()))
            }
            _ => Ok(None),
        }
    }

    fn sender(&self) -> Result<Sender, DraftError> {
        let agent = self.bound()?;
        let key = |id: String| KeyId::new(&id).map(Some).map_err(|_| DraftError::Name(id));
        let (channel, key, authority) = match &self.from {
            From::Gateway(agent) => (Channel::Gateway, key(format!("key-{agent}"))?, Authority::Trust),
            From::Decide(agent) => (Channel::Decide, key(format!("key-{agent}"))?, Authority::Claim),
            From::OwnKey(agent) => (Channel::Ingest, key(format!("key-{agent}"))?, Authority::Claim),
            From::Reporter => (Channel::Ingest, key("key-reporter".to_owned())?, Authority::Claim),
            From::Trusted => (Channel::Ingest, key("key-trusted".to_owned())?, Authority::Trust),
            From::Auth0 => (Channel::Auth0, None, Authority::Trust),
            From::Replay => (Channel::Replay, None, Authority::Trust),
            From::Person => (Channel::Api, key("key-person".to_owned())?, Authority::Trust),
        };
        Ok(Sender { channel, key, owner: None, agent, authority })
    }

    /// At the gateway a token proved the user; elsewhere somebody says so.
    fn subject(&self, record: &Record) -> Result<Subject, DraftError> {
        let Some(user) = record.event().and_then(|e| e.common.user_id.clone()) else {
            return Ok(Subject::Unknown);
        };
        if !matches!(self.from, From::Gateway(_)) || self.unverified {
            return Ok(Subject::Claimed(user));
        }
        let issuer = "https://tenant.example/";
        let issuer = Name::new(issuer).map_err(|_| DraftError::Name(issuer.to_owned()))?;
        Ok(Subject::Verified { user, issuer, parties: self.parties.clone() })
    }

    /// What the edge makes of the sender's own time.
    fn take_time(&self, record: &mut Record, said: Timestamp) {
        if let Body::Event(event) = &mut record.body {
            event.timestamp = Some(said);
        }
        if matches!(self.from, From::Replay) {
            record.at = said;
        }
        if !matches!(self.from, From::Trusted | From::Auth0) {
            return;
        }
        let near = said <= record.observed_at + NEAR;
        if near {
            record.at = said;
            record.late = record.observed_at.since(said) > NEAR;
        }
    }
}

/// What is found in the texts of an event, as the edge would find it.
fn texts(body: &Body) -> Option<Box<TextScore>> {
    static SCORER: OnceLock<Scorer> = OnceLock::new();
    let Body::Event(event) = body else { return None };
    score_event(SCORER.get_or_init(Scorer::new), event)
}

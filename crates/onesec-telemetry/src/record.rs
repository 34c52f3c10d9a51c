//! Records: what the journal keeps and the engine reads. An event plus what the edge decided about it.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::command::{Command, Decided};
use crate::event::{Details, Event};
use crate::id::{AgentId, AppId, ConnectionName, DelegationId, KeyId, Name, TenantId, UserId};
use crate::scope::ScopeSet;
use crate::secret::Thumbprint;
use crate::severity::Attribution;
use crate::text::TextScore;
use crate::time::Timestamp;

/// Position in a tenant's journal; the first record is 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Whatever can change a finding, with its place in the order of things.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Whose.
    pub tenant: TenantId,
    /// Where in the journal.
    pub seq: Seq,
    /// When it reached us; never decreases.
    pub observed_at: Timestamp,
    /// The time that counts: the sender's where its key has `trusted_time` and it is near, ours otherwise.
    pub at: Timestamp,
    /// Trusted but too old to join a window: changes the ledger only.
    pub late: bool,
    /// Who sent it, and what that sender may change.
    pub sender: Sender,
    /// The user, and how we know.
    pub subject: Subject,
    /// What became of an attestation that came along.
    pub attestation: Attestation,
    /// The address it came from: the socket's, unless a listed proxy forwarded it.
    pub network: Option<IpAddr>,
    /// What was found in its texts; absent where nothing was, or nobody looked.
    pub text: Option<Box<TextScore>>,
    /// What happened.
    pub body: Body,
}

/// Who sent a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// By which door it came.
    pub channel: Channel,
    /// The key, where one was used.
    pub key: Option<KeyId>,
    /// The key's owner.
    pub owner: Option<Name>,
    /// The agent that the key is bound to.
    pub agent: Option<AgentId>,
    /// What the sender may change.
    pub authority: Authority,
}

/// By which door a record came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Channel {
    /// Our own gateway saw it happen.
    Gateway,
    /// A question about an act that has not happened yet.
    Decide,
    /// Telemetry.
    Ingest,
    /// A mutation through our API.
    Api,
    /// Auth0's own word: from its log, which informs and ends, or read back.
    Auth0,
    /// A file being replayed: every event has authority.
    Replay,
    /// onesec itself: ticks, configuration.
    System,
}

/// Whether a sender's word can change trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Authority {
    /// Suspicion only.
    Claim,
    /// Links, delegations and the like count.
    Trust,
}

impl Sender {
    /// onesec itself.
    #[must_use]
    pub const fn system() -> Self {
        Self { channel: Channel::System, key: None, owner: None, agent: None, authority: Authority::Trust }
    }

    /// The gateway, speaking of the agent whose credential it checked.
    #[must_use]
    pub const fn gateway(agent: AgentId, key: Option<KeyId>, owner: Option<Name>) -> Self {
        Self { channel: Channel::Gateway, key, owner, agent: Some(agent), authority: Authority::Trust }
    }

    /// Auth0's log, whose word informs; with authority where it ends something, or was read back.
    #[must_use]
    pub const fn auth0(authority: Authority) -> Self {
        Self { channel: Channel::Auth0, key: None, owner: None, agent: None, authority }
    }

    /// A line of a file that is replayed.
    #[must_use]
    pub const fn replay() -> Self {
        Self { channel: Channel::Replay, key: None, owner: None, agent: None, authority: Authority::Trust }
    }
}

/// The user that a record concerns, and how we know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Subject {
    /// No user is named.
    Unknown,
    /// The sender says so.
    Claimed(UserId),
    /// A credential of the user was verified.
    Verified {
        /// `sub` of the verified token.
        user: UserId,
        /// Its issuer.
        issuer: Name,
        /// Who else the token names, where it names anybody.
        parties: Option<Box<TokenParties>>,
    },
    /// A registered worker names the user in a request signed with its own key: only a delegation makes that good.
    Vouched(UserId),
}

/// Whom a user's token names besides the user, and whom the request names beside the token.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenParties {
    /// The client that the token was issued to: `client_id`, else `azp`.
    pub client: Option<AppId>,
    /// `act` (RFC 8693, section 4.1): who acts now, then history.
    pub actors: Vec<Party>,
    /// `may_act` (RFC 8693, section 4.4): who alone may act.
    pub may_act: Option<Party>,
    /// The user at the root of a delegation that came with the request, where it is another one.
    pub claimed: Option<UserId>,
}

/// Somebody whom a token names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// `sub`.
    pub sub: Option<Name>,
    /// `client_id`.
    pub client: Option<AppId>,
}

impl TokenParties {
    /// Whether nobody is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Subject {
    /// The user, however known.
    #[must_use]
    pub const fn user(&self) -> Option<&UserId> {
        match self {
            Self::Unknown => None,
            Self::Claimed(user) | Self::Verified { user, .. } | Self::Vouched(user) => Some(user),
        }
    }

    /// Notes that the request names another user than the verified token does.
    pub fn claim(&mut self, claimed: UserId) {
        if let Self::Verified { parties, .. } = self {
            parties.get_or_insert_default().claimed = Some(claimed);
        }
    }

    /// Whom the user's verified token names besides the user.
    #[must_use]
    pub fn parties(&self) -> Option<&TokenParties> {
        match self {
            Self::Verified { parties, .. } => parties.as_deref(),
            Self::Unknown | Self::Claimed(_) | Self::Vouched(_) => None,
        }
    }
}

/// What the edge found out about a signed statement that came with an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Attestation {
    /// None came.
    Absent,
    /// One came and is worth nothing, for this reason.
    Refused(Name),
    /// It verifies: this is what it says.
    Verified(Box<Attested>),
}

/// A link whose whole chain was verified at the edge, and its place among the delegations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attested {
    /// What the link says.
    pub link: VerifiedLink,
    /// The delegation that it states: the same for every spelling of the same link.
    pub id: DelegationId,
    /// The delegation above it.
    pub parent: Option<DelegationId>,
    /// The person at the root of its chain.
    pub user: UserId,
}

impl Attested {
    /// The id of the delegation that a link states: of the delegator and its `jti`, which are signed. The link's text will
    /// not do: of an ES256 signature anybody can make a second spelling.
    #[must_use]
    pub fn id_of(delegator: &Name, jti: &Name) -> DelegationId {
        let text = format!("{}\u{1f}{}", delegator.as_str(), jti.as_str());
        let digest = Thumbprint::of(text.as_bytes()).to_string();
        let short = digest.get(..26).unwrap_or_default();
        #[expect(clippy::expect_used, reason = "thirty printable ASCII characters are an identifier")]
        DelegationId::new(&format!("lnk_{short}")).expect("an identifier")
    }
}

/// A delegation link whose signature was verified at the edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedLink {
    /// The delegator: `iss`.
    pub delegator: Name,
    /// The delegate: `sub`.
    pub delegate: AgentId,
    /// The connection it is for.
    pub connection: Option<ConnectionName>,
    /// Bound on scopes, where stated.
    pub scopes: Option<ScopeSet>,
    /// `iat`.
    pub issued_at: Timestamp,
    /// `exp`.
    pub expires_at: Timestamp,
    /// `jti`.
    pub jti: Name,
    /// SHA-256 of the link it hangs below.
    pub parent: Option<Thumbprint>,
    /// SHA-256 of itself.
    pub thumbprint: Thumbprint,
}

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Body {
    /// Something that happened, or is about to.
    Event(Box<Event>),
    /// A decision of a person or of the configuration.
    Command(Command),
    /// What the engine decided on an earlier record; read by people and by verification, changes nothing.
    Decided(Decided),
    /// Time passes: rules about absence look at the clock.
    Tick,
    /// A detector panicked on an earlier record and was taken out of it.
    Skipped {
        /// Code of the detector.
        detector: Name,
        /// The record.
        seq: Seq,
    },
}

impl Record {
    /// The event, where the record is one.
    #[must_use]
    pub const fn event(&self) -> Option<&Event> {
        match &self.body {
            Body::Event(event) => Some(event),
            _ => None,
        }
    }

    /// The agent that the record is about: the one whose credential was checked where there is one.
    #[must_use]
    pub fn agent(&self) -> Option<&AgentId> {
        self.event().and_then(|e| e.common.agent_id.as_ref())
    }

    /// The user that the record is about: verified before claimed.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        match &self.subject {
            Subject::Verified { user, .. } => Some(user),
            subject => subject.user().or_else(|| self.event().and_then(|e| e.common.user_id.as_ref())),
        }
    }

    /// The connection that the record is about.
    #[must_use]
    pub fn connection(&self) -> Option<&ConnectionName> {
        self.event().and_then(|e| e.common.connection.as_ref())
    }

    /// How far the record's word about its agent goes (DESIGN: authority).
    #[must_use]
    pub fn attribution(&self) -> Attribution {
        match self.sender.channel {
            // What Auth0's log tells and nobody read back: whoever knows what the stream shows could have written it.
            Channel::Auth0 if self.sender.authority == Authority::Claim => Attribution::Reported,
            Channel::Gateway | Channel::Auth0 | Channel::Replay | Channel::System | Channel::Api => {
                Attribution::Observed
            }
            Channel::Ingest | Channel::Decide => match (&self.sender.agent, self.agent()) {
                (Some(bound), Some(named)) if bound == named => Attribution::OwnWord,
                _ => Attribution::Reported,
            },
        }
    }

    /// Whether what the record says about trust (links, delegations, thumbprints…) counts.
    #[must_use]
    pub fn has_authority(&self) -> bool {
        self.sender.authority == Authority::Trust && !self.speaks_for_another()
    }

    /// Whether a key bound to one agent speaks of another: stored, changes nothing.
    #[must_use]
    pub fn speaks_for_another(&self) -> bool {
        match (&self.sender.agent, self.event().map(|e| (&e.common.agent_id, &e.details))) {
            // Whom an agent spawns it may name.
            (Some(bound), Some((_, Details::AgentSpawn(spawn)))) if spawn.parent_id.as_ref() == Some(bound) => false,
            (Some(bound), Some((Some(named), _))) => bound != named,
            _ => false,
        }
    }

    /// The delegation's verified link or the sender's authority: one of them must back a delegation.
    #[must_use]
    pub fn backs_delegation(&self) -> bool {
        self.has_authority() || matches!(self.attestation, Attestation::Verified(_))
    }

    /// What in this record would change trust if its sender had authority: the claims that are read at
    /// their least trusted value.
    #[must_use]
    pub fn untrusted_claims(&self) -> Vec<&'static str> {
        let Some(event) = self.event() else { return Vec::new() };
        // What stands in Auth0's log is no claim of anybody: without read-back it changes nothing, and is nobody's fault.
        if self.has_authority() || self.sender.channel == Channel::Auth0 {
            return Vec::new();
        }
        let spec = event.kind().spec();
        if spec.changes_trust {
            let delegation = matches!(event.details, Details::AgentIdentityDelegation(_));
            let proved = delegation && matches!(self.attestation, Attestation::Verified(_));
            return if proved { Vec::new() } else { vec![event.kind().as_str()] };
        }
        event.details.trust_claims()
    }
}

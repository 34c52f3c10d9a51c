//! Registered agents: who answers for them, what they may reach, and by which keys they are known.

use serde::{Deserialize, Serialize};

use crate::id::{AgentId, AppId, ConnectionName, Name};
use crate::mandate::Mandate;
use crate::secret::Thumbprint;

/// What a person said about an agent. It narrows what the agent may do and names the keys that prove it; who may act for
/// whom is said by delegations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRegistration {
    /// Who.
    pub agent_id: AgentId,
    /// Who answers for it.
    #[serde(default)]
    pub owner: Option<Name>,
    /// Whom it serves.
    #[serde(default)]
    pub class: AgentClass,
    /// The only connections it may reach; absent: any that is delegated to it.
    #[serde(default)]
    pub connections: Option<Vec<ConnectionName>>,
    /// Client ids, and subjects of `act`, under which it is known at issuers. Where some are listed, a user's token that
    /// was issued to another client is not this agent's to use.
    #[serde(default)]
    pub clients: Vec<AppId>,
    /// Its public keys: for assertions, proofs of possession and delegations further down.
    #[serde(default)]
    pub keys: Vec<RegisteredKey>,
    /// SHA-256 of the client certificates by which it is known (RFC 8705, section 2.2).
    #[serde(default)]
    pub certificates: Vec<Thumbprint>,
    /// Names in certificates of the configured authority by which it is known (RFC 8705, section 2.1): DNS names or URIs.
    #[serde(default)]
    pub certificate_names: Vec<Name>,
    /// May exchange for a user whose token it does not hold, with a request signed by its own key.
    #[serde(default)]
    pub worker: bool,
    /// What every exchange must prove besides the credential.
    #[serde(default)]
    pub possession: Possession,
    /// What it may do in tasks that state nothing themselves.
    #[serde(default)]
    pub mandate: Option<Mandate>,
}

/// A public key of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredKey {
    /// How tokens name it.
    pub kid: Name,
    /// Its thumbprint (RFC 7638).
    pub thumbprint: Thumbprint,
    /// The key (RFC 7517): JSON text of its public members.
    pub jwk: String,
}

/// Whom an agent serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentClass {
    /// One person, or a few.
    #[default]
    Personal,
    /// Many people.
    Service,
}

/// What an exchange must prove besides the credential, which can be stolen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Possession {
    /// Nothing more: a credential is enough.
    #[default]
    None,
    /// A DPoP proof (RFC 9449) by one of the agent's registered keys.
    Dpop,
    /// A TLS connection with one of the agent's certificates (RFC 8705).
    Mtls,
}

impl AgentRegistration {
    /// An agent about which nothing is said but its name.
    #[must_use]
    pub const fn new(agent_id: AgentId) -> Self {
        Self {
            agent_id,
            owner: None,
            class: AgentClass::Personal,
            connections: None,
            clients: Vec::new(),
            keys: Vec::new(),
            certificates: Vec::new(),
            certificate_names: Vec::new(),
            worker: false,
            possession: Possession::None,
            mandate: None,
        }
    }

    /// Whether the agent is known by this name: its own, or one at an issuer.
    #[must_use]
    pub fn is_known_as(&self, name: &str) -> bool {
        self.agent_id.as_str() == name || self.clients.iter().any(|client| client.as_str() == name)
    }

    /// Whether the agent may reach this connection at all.
    #[must_use]
    pub fn may_reach(&self, connection: &str) -> bool {
        self.connections.as_ref().is_none_or(|list| list.iter().any(|known| known.as_str() == connection))
    }
}

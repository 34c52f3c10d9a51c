//! Whom an action is done to: taken from the alert and from what the edge saw, never from a sender's word.

use std::fmt;
use std::net::IpAddr;

use onesec_telemetry::{AgentId, Alert, ConnectionName, UserId};
use serde::{Deserialize, Serialize};

use crate::policy::Never;
use crate::spec::Aim;

/// What an action is done to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Target {
    /// Nobody in particular: a message, a program.
    Nothing,
    /// An agent.
    Agent(AgentId),
    /// A user.
    User(UserId),
    /// What a user lets an agent do at a connection.
    Delegation {
        /// The agent.
        agent: AgentId,
        /// The user.
        user: UserId,
        /// Where; everywhere where absent.
        connection: Option<ConnectionName>,
    },
    /// What a user has linked at a connection.
    Account {
        /// The user.
        user: UserId,
        /// Where.
        connection: ConnectionName,
    },
    /// An address.
    Address(IpAddr),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("-"),
            Self::Agent(agent) => write!(f, "agent {agent}"),
            Self::User(user) => write!(f, "user {user}"),
            Self::Delegation { agent, user, connection: None } => write!(f, "delegation of {user} to {agent}"),
            Self::Delegation { agent, user, connection: Some(connection) } => {
                write!(f, "delegation of {user} to {agent} at {connection}")
            }
            Self::Account { user, connection } => write!(f, "account of {user} at {connection}"),
            Self::Address(address) => write!(f, "address {address}"),
        }
    }
}

impl Target {
    /// Whom `aim` means here. `source` is the address of the socket that the agent itself used, where we saw it.
    ///
    /// # Errors
    /// Why there is nobody.
    pub(crate) fn of(aim: Aim, alert: &Alert, source: Option<IpAddr>) -> Result<Self, &'static str> {
        let agent = || alert.agent_id.clone().ok_or("the alert names no agent");
        let user = || alert.user_id.clone().ok_or("the alert names no user");
        match aim {
            Aim::Nothing => Ok(Self::Nothing),
            Aim::Agent => agent().map(Self::Agent),
            Aim::User => user().map(Self::User),
            Aim::Account => {
                let connection = alert.connection.clone().ok_or("the alert names no connection")?;
                Ok(Self::Account { user: user()?, connection })
            }
            Aim::Delegation => {
                Ok(Self::Delegation { agent: agent()?, user: user()?, connection: alert.connection.clone() })
            }
            Aim::Address => {
                let address = source.ok_or("nobody saw the address that the agent came from")?.to_canonical();
                if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
                    return Err("the address is this machine's own");
                }
                Ok(Self::Address(address))
            }
        }
    }

    /// Whether `never` protects it.
    pub(crate) fn is_spared(&self, never: &Never) -> bool {
        let agent = |agent: &AgentId| never.agents.iter().any(|a| a == agent.as_str());
        let user = |user: &UserId| never.users.iter().any(|u| u == user.as_str());
        match self {
            Self::Nothing => false,
            Self::Agent(id) => agent(id),
            Self::User(id) | Self::Account { user: id, .. } => user(id),
            Self::Delegation { agent: of, user: by, .. } => agent(of) || user(by),
            Self::Address(address) => never.networks.iter().any(|network| network.contains(*address)),
        }
    }

    /// The agent among it.
    #[must_use]
    pub const fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::Agent(agent) | Self::Delegation { agent, .. } => Some(agent),
            Self::Nothing | Self::User(_) | Self::Account { .. } | Self::Address(_) => None,
        }
    }
}

//! What was learnt about a set-up. Nothing here holds a secret.

use super::{Api, ClientGrant, ClientSettings, ClientSummary, CustomDomain, LogStream, NetworkAcl, VaultAccount};
use crate::error::ExchangeError;
use crate::rest::ApiError;
use onesec_telemetry::Timestamp;

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "told, denied, or not known: there is no fourth")]
pub enum Seen<T> {
    /// The tenant says so.
    Is(T),
    /// There is no such thing.
    Missing,
    /// Nobody could tell.
    Untold(Untold),
}

impl<T> Seen<T> {
    /// What a call came to.
    #[must_use]
    pub fn of(answer: Result<T, ApiError>) -> Self {
        match answer {
            Ok(it) => Self::Is(it),
            Err(ApiError::NotFound) => Self::Missing,
            Err(error) => Self::Untold(Untold::Error(error)),
        }
    }

    /// What is known; nothing otherwise.
    #[must_use]
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Is(it) => Some(it),
            Self::Missing | Self::Untold(_) => None,
        }
    }
}

/// Why nobody could tell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Untold {
    /// We have no client of the Management API.
    NoManagement,
    /// What this question needs was not to be had.
    Unasked(&'static str),
    /// The call failed.
    Error(ApiError),
}

impl Untold {
    /// What happened, and what to do about it.
    pub(super) fn explain(&self, scopes: &[&str]) -> (String, String) {
        let list: Vec<String> = scopes.iter().map(|scope| format!("`{scope}`")).collect();
        let list = list.join(" and ");
        match self {
            // The same for all checks, so that people read it once.
            Self::NoManagement => (
                "not asked: there is no client of the Management API".to_owned(),
                "Give onesec a machine-to-machine application that is granted the Management API with the scopes that \
                 `onesec doctor --scopes` prints, as `enforcement.auth0`."
                    .to_owned(),
            ),
            Self::Unasked(why) => (format!("not asked: {why}"), "Mend what failed before, then ask again.".to_owned()),
            Self::Error(ApiError::Refused { status: 403, code }) => (
                format!("the tenant does not tell us: 403 `{code}`"),
                format!("Grant our client of the Management API the scope {list}."),
            ),
            Self::Error(ApiError::NoToken(error)) => (
                format!("not asked: our client of the Management API got no token ({error})"),
                "See the check `management-token`.".to_owned(),
            ),
            Self::Error(error) => (format!("no answer: {error}"), "Ask again later.".to_owned()),
        }
    }
}

/// Everything that was learnt.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct Facts {
    /// The tenant's domain, as configured.
    pub domain: String,
    /// When it was asked.
    pub now: Timestamp,
    /// What discovery said.
    pub discovery: Discovery,
    /// Whether our client of the Management API gets a token; nothing where we have none.
    pub management: Option<Result<(), ExchangeError>>,
    /// `GET /guardian/policies`.
    pub mfa: Seen<Vec<String>>,
    /// Our clients.
    pub clients: Vec<ClientFacts>,
    /// The APIs whose access tokens prove a user.
    pub apis: Vec<(String, Seen<Api>)>,
    /// The My Account API.
    pub my_account: Seen<Api>,
    /// Connections for Token Vault, and those that were named.
    pub connections: Vec<(String, Seen<ConnectionFacts>)>,
    /// Why there are no others.
    pub all_connections: Seen<()>,
    /// A user to look at.
    pub user: Option<UserFacts>,
    /// `GET /log-streams`.
    pub streams: Seen<Vec<LogStream>>,
    /// What our own server is told to expect, and what it has seen.
    pub server: Server,
    /// Every client of the tenant.
    pub all_clients: Seen<Vec<ClientSummary>>,
    /// The custom domain that we stand in front of.
    pub proxy: Option<String>,
    /// `GET /custom-domains`.
    pub custom_domains: Seen<Vec<CustomDomain>>,
    /// `GET /network-acls`.
    pub acls: Seen<Vec<NetworkAcl>>,
}

/// What discovery came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Discovery {
    /// The document names this issuer.
    Issuer(String),
    /// The name of the host means no address.
    Unresolved,
    /// Nobody answers, or not in time.
    Unreachable,
    /// Another status than 200.
    Status(u16),
    /// No discovery document.
    Undecodable,
}

/// What one of our clients is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the exchanges of Token Vault")]
pub enum ClientUse {
    /// Users log in with it, and it exchanges their refresh tokens.
    Refresh,
    /// It exchanges access tokens.
    Access,
    /// It asks without the user.
    Worker,
}

/// One of our clients.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct ClientFacts {
    /// Its id.
    pub id: String,
    /// What for.
    pub uses: ClientUse,
    /// The APIs whose access tokens it exchanges.
    pub audiences: Vec<String>,
    /// Whether the tenant knows our credentials for it.
    pub credentials: Probe,
    /// What an exchange of nonsense said, where its settings could not be read.
    pub exchange: Option<Probe>,
    /// `GET /clients/{id}`.
    pub settings: Seen<ClientSettings>,
    /// Its grants for the My Account API.
    pub my_account: Seen<Vec<ClientGrant>>,
}

/// What asking for a token with something that is none says about the client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Probe {
    /// The tenant got as far as the token: it knows the client.
    Known,
    /// It knows the client, and does not allow it this grant.
    NotGranted,
    /// It does not take the credentials.
    Rejected(ExchangeError),
    /// Nobody could tell.
    Failed(ExchangeError),
    /// Not asked.
    Unasked,
}

/// A connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct ConnectionFacts {
    /// Its id (`con_…`).
    pub id: String,
    /// The provider.
    pub strategy: String,
    /// Whether it is there for Token Vault.
    pub for_token_vault: Option<bool>,
    /// Whether it asks the provider for refresh tokens; nothing where its options are not shown to us.
    pub offline: Option<bool>,
    /// Our application at the provider.
    pub provider_client_id: Option<String>,
    /// For which clients it is switched on.
    pub enabled: Enabled,
}

/// For which clients a connection is switched on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "known or not")]
pub enum Enabled {
    /// These.
    For(Vec<String>),
    /// Not known.
    Untold(Untold),
}

impl Default for Enabled {
    fn default() -> Self {
        Self::For(Vec::new())
    }
}

/// A user at the tenant.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct UserFacts {
    /// The id.
    pub id: String,
    /// The connection that matters.
    pub connection: String,
    /// Connections that the user logged in with.
    pub identities: Seen<Vec<String>>,
    /// Accounts in Token Vault.
    pub accounts: Seen<Vec<VaultAccount>>,
}

/// Our own server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct Server {
    /// Where log streams should lead; nothing where no public address is configured.
    pub receiver: Option<String>,
    /// Whether it takes log streams: `token_vault.log_stream_authorization`.
    pub takes_logs: bool,
    /// Whether it was there to be asked.
    pub asked: bool,
    /// When it last saw a log.
    pub last_log: Option<Timestamp>,
}

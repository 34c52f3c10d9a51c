//! What the administration of the tenant is given.

use std::time::Duration;

use onesec_telemetry::{ScopeSet, Secret};
use serde_json::{Map, Value};

use crate::config::SimError;

/// The grants that the simulator knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantType {
    /// `refresh_token`.
    RefreshToken,
    /// `client_credentials`.
    ClientCredentials,
    /// The Token Vault exchange.
    TokenVault,
    /// The standard token exchange (RFC 8693): on behalf of a user, or for an identity assertion.
    TokenExchange,
    /// The JWT bearer grant (RFC 7523, section 2.1), with an identity assertion.
    JwtBearer,
}

impl GrantType {
    /// As it stands in `grant_type`.
    #[must_use]
    pub const fn urn(self) -> &'static str {
        match self {
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::TokenVault => "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
        }
    }

    pub(crate) fn from_urn(urn: &str) -> Option<Self> {
        let known =
            [Self::RefreshToken, Self::ClientCredentials, Self::TokenVault, Self::TokenExchange, Self::JwtBearer];
        known.into_iter().find(|grant| grant.urn() == urn)
    }
}

/// A confidential client.
#[derive(Debug, Clone)]
pub struct ClientSpec {
    pub(crate) id: String,
    pub(crate) secret: Secret,
    pub(crate) grants: Vec<GrantType>,
    pub(crate) api: Option<String>,
    /// Public keys; a client that has some authenticates by assertion only.
    pub(crate) keys: Vec<Value>,
    /// Connections and scopes that it may ask for without the user.
    pub(crate) worker: Vec<(String, ScopeSet)>,
    /// Scopes of the Management API; all where absent.
    pub(crate) management: Option<Vec<String>>,
}

/// The most connections a worker may be granted.
const MAX_WORKER_CONNECTIONS: usize = 5;
/// The most scopes, over all of them.
const MAX_WORKER_SCOPES: usize = 20;

impl ClientSpec {
    /// A regular web application with every grant of Auth0's own, but not the governed ones: those take
    /// [`ClientSpec::with_grants`].
    #[must_use]
    pub fn regular(id: &str, secret: &str) -> Self {
        let grants = vec![GrantType::RefreshToken, GrantType::ClientCredentials, GrantType::TokenVault];
        let secret = Secret::new(secret.to_owned());
        Self { id: id.to_owned(), secret, grants, api: None, keys: Vec::new(), worker: Vec::new(), management: None }
    }

    /// A Custom API Client (`app_type: resource_server`), linked to the API `identifier`: the only kind that may
    /// exchange access tokens.
    #[must_use]
    pub fn custom_api(id: &str, secret: &str, identifier: &str) -> Self {
        Self { api: Some(identifier.to_owned()), ..Self::regular(id, secret) }
    }

    /// A worker with privileged access, known by its public key. It may do nothing until it is granted something.
    #[must_use]
    pub fn worker(id: &str, jwk: Value) -> Self {
        Self::regular(id, "").with_grants(&[GrantType::TokenVault]).with_public_key(jwk)
    }

    /// Registers a public key (RFC 7517). From then on the client authenticates by assertion only.
    #[must_use]
    pub fn with_public_key(mut self, mut jwk: Value) -> Self {
        let name = format!("client-key-{}", self.keys.len() + 1);
        if let Value::Object(members) = &mut jwk {
            members.entry("kid").or_insert_with(|| name.into());
        }
        self.keys.push(jwk);
        self
    }

    /// Lets a worker ask for these scopes of a connection, for any user who has connected it.
    ///
    /// # Errors
    /// [`SimError::Scopes`]; [`SimError::WorkerGrants`] beyond 5 connections or 20 scopes in all.
    pub fn with_worker_grants(mut self, connection: &str, scopes: &str) -> Result<Self, SimError> {
        self.worker.push((connection.to_owned(), ScopeSet::parse(scopes)?));
        let scopes: usize = self.worker.iter().map(|(_, scopes)| scopes.len()).sum();
        let fits = self.worker.len() <= MAX_WORKER_CONNECTIONS && scopes <= MAX_WORKER_SCOPES;
        if fits { Ok(self) } else { Err(SimError::WorkerGrants) }
    }

    /// At the Management API, only what these scopes allow.
    #[must_use]
    pub fn with_management_scopes(mut self, scopes: &[&str]) -> Self {
        self.management = Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
        self
    }

    /// Only these grants.
    #[must_use]
    pub fn with_grants(mut self, grants: &[GrantType]) -> Self {
        self.grants = grants.to_vec();
        self
    }
}

/// An account of a user at a connection.
#[derive(Debug, Clone)]
pub struct AccountSpec {
    pub(crate) user: String,
    pub(crate) connection: String,
    pub(crate) scopes: String,
    pub(crate) login_hint: Option<String>,
    pub(crate) id: Option<String>,
}

impl AccountSpec {
    /// `scopes` separated by spaces: what the user granted at the provider.
    #[must_use]
    pub fn new(user: &str, connection: &str, scopes: &str) -> Self {
        let [user, connection, scopes] = [user, connection, scopes].map(str::to_owned);
        Self { user, connection, scopes, login_hint: None, id: None }
    }

    /// The `login_hint` that picks this account among several.
    #[must_use]
    pub fn with_login_hint(mut self, hint: &str) -> Self {
        self.login_hint = Some(hint.to_owned());
        self
    }

    /// Its id (`cac_…`); made up when left out.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }
}

/// An access token to be minted, in Auth0's own profile unless told otherwise.
#[derive(Debug, Clone)]
pub struct AccessTokenSpec {
    pub(crate) user: String,
    pub(crate) audience: String,
    pub(crate) client: String,
    pub(crate) scopes: String,
    pub(crate) lifetime: Duration,
    pub(crate) typ: String,
    pub(crate) claims: Map<String, Value>,
}

impl AccessTokenSpec {
    /// Valid for a day, without scopes.
    #[must_use]
    pub fn new(user: &str, audience: &str, client: &str) -> Self {
        let [user, audience, client] = [user, audience, client].map(str::to_owned);
        let lifetime = Duration::from_secs(86_400);
        Self { user, audience, client, scopes: String::new(), lifetime, typ: "JWT".into(), claims: Map::new() }
    }

    /// `scope`.
    #[must_use]
    pub fn with_scopes(mut self, scopes: &str) -> Self {
        self.scopes = scopes.to_owned();
        self
    }

    /// How long it lives.
    #[must_use]
    pub const fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// RFC 9068 instead of Auth0's own profile.
    #[must_use]
    pub fn rfc9068(mut self) -> Self {
        self.typ = "at+jwt".into();
        self
    }

    /// Another `typ`.
    #[must_use]
    pub fn with_typ(mut self, typ: &str) -> Self {
        self.typ = typ.to_owned();
        self
    }

    /// Sets or replaces a claim; `null` removes it.
    #[must_use]
    pub fn with_claim(mut self, name: &str, value: Value) -> Self {
        self.claims.insert(name.to_owned(), value);
        self
    }
}

//! The privileged worker exchange: our client's signature instead of a user's token.

use onesec_telemetry::{ConnectionName, ScopeSet, Secret, UserId};
use serde_json::json;

use crate::credentials::{ClientKey, Credentials, SIGNED_LIFE, uuid_v4};
use crate::endpoint::{TokenEndpoint, TokenSource};
use crate::error::ExchangeError;
use crate::vault::{GRANT, IssuedToken, IssuedTokenKind, TokenVault};

/// `typ` of what the worker signs.
const REQUEST_TYPE: &str = "token-vault-req+jwt";
const MAX_CONTEXT_CHARS: usize = 256;

/// One exchange for a user who is not there. Auth0 allows it for the connections and scopes that the client was
/// granted, and from the addresses that it was granted.
#[derive(Debug, Clone)]
pub struct WorkerExchange {
    /// Whose account.
    pub user: UserId,
    /// At which connection.
    pub connection: ConnectionName,
    /// What is wanted; `None` is all that the client was granted. Where the provider cannot narrow a token, Auth0
    /// refuses.
    pub scopes: Option<ScopeSet>,
    /// Why, in 1 to 256 characters. Stands in the tenant's log: nothing about a person.
    pub audit_context: String,
}

impl TokenVault {
    /// Asks for a provider's token with nothing but our client's own signature.
    ///
    /// # Errors
    /// [`ExchangeError::NoClientKey`] where the endpoint's client has a secret; [`ExchangeError::Unsendable`] where
    /// the audit context is empty or too long, or the scopes are stated and empty; else as [`TokenVault::exchange`].
    pub async fn worker_exchange(&self, request: &WorkerExchange) -> Result<IssuedToken, ExchangeError> {
        let endpoint = self.endpoint();
        let Credentials::Key(key) = endpoint.config().credentials() else {
            return Err(ExchangeError::NoClientKey);
        };
        let explained = (1..=MAX_CONTEXT_CHARS).contains(&request.audit_context.chars().count());
        // An empty `scope` is as good as none to many a server, and none means all.
        if !explained || request.scopes.as_ref().is_some_and(ScopeSet::is_empty) {
            return Err(ExchangeError::Unsendable);
        }
        let scope = request.scopes.as_ref().map(ScopeSet::to_string);
        let mut params = vec![
            ("grant_type", GRANT),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("requested_token_type", IssuedTokenKind::TokenVaultAccessToken.uri()),
            ("connection", request.connection.as_str()),
        ];
        params.extend(scope.as_deref().map(|scope| ("scope", scope)));
        self.issue(&params, TokenSource::Signed(&|| sign(request, endpoint, key))).await
    }
}

fn sign(request: &WorkerExchange, endpoint: &TokenEndpoint, key: &ClientKey) -> Result<Secret, ExchangeError> {
    let (config, now) = (endpoint.config(), endpoint.now());
    let claims = json!({"iss": config.client_id(), "sub": request.user.as_str(), "aud": config.issuer(),
        "iat": now.as_secs(), "exp": (now + SIGNED_LIFE).as_secs(), "jti": uuid_v4()?,
        "audit_context": request.audit_context});
    key.sign(&claims, REQUEST_TYPE)
}

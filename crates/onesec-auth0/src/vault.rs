//! Token Vault: an Auth0 token in, a provider's access token out.

use std::sync::Arc;
use std::time::Duration;

use oauth2::basic::BasicTokenType;
use oauth2::{ExtraTokenFields, StandardTokenResponse, TokenResponse as _};
use onesec_telemetry::{ConnectionName, ScopeSet, Secret};
use serde::{Deserialize, Serialize};

use crate::endpoint::{Answer, Grant, TokenEndpoint, TokenSource};
use crate::error::ExchangeError;

pub(crate) const GRANT: &str = "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token";
const REQUESTED: &str = "http://auth0.com/oauth/token-type/federated-connection-access-token";

/// What kind of Auth0 token is traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubjectKind {
    /// Opaque; issued to our own client.
    RefreshToken,
    /// A JWT for the API that our client is linked to.
    AccessToken,
}

impl SubjectKind {
    /// As `subject_token_type` has it (RFC 8693, section 3).
    #[must_use]
    pub const fn urn(self) -> &'static str {
        match self {
            Self::RefreshToken => "urn:ietf:params:oauth:token-type:refresh_token",
            Self::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
        }
    }
}

/// One exchange.
#[derive(Debug, Clone)]
pub struct ExchangeRequest {
    /// The user's Auth0 token.
    pub subject_token: Secret,
    /// What it is.
    pub subject: SubjectKind,
    /// Whose token is wanted, such as `google-oauth2`.
    pub connection: ConnectionName,
    /// Picks one of several accounts of the connection.
    pub login_hint: Option<String>,
}

/// How the token is to be presented to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Whoever has it may use it (RFC 6750).
    Bearer,
    /// Bound to a key (RFC 9449).
    Dpop,
}

/// What Auth0 says it issued. Both are access tokens of the provider; a provider's *refresh* token is never accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuedTokenKind {
    /// `…/federated-connection-access-token`.
    FederatedConnectionAccessToken,
    /// `…/token-vault-access-token`.
    TokenVaultAccessToken,
}

impl IssuedTokenKind {
    /// As `issued_token_type` has it.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::FederatedConnectionAccessToken => REQUESTED,
            Self::TokenVaultAccessToken => "http://auth0.com/oauth/token-type/token-vault-access-token",
        }
    }

    fn from_uri(uri: &str) -> Option<Self> {
        let known = [Self::FederatedConnectionAccessToken, Self::TokenVaultAccessToken];
        known.into_iter().find(|kind| kind.uri() == uri)
    }
}

/// A provider's access token. Not stored, not logged: it passes through.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The token.
    pub access_token: Secret,
    /// How to present it.
    pub token_type: TokenKind,
    /// Remaining life; Auth0 hands out cached tokens, so it is often odd.
    pub expires_in: Option<Duration>,
    /// What the token may do, where Auth0 says so: every scope of the account.
    pub scopes: Option<ScopeSet>,
    /// What Auth0 says it is.
    pub issued_token_type: Option<IssuedTokenKind>,
}

/// The Token Vault of one tenant.
#[derive(Debug, Clone)]
pub struct TokenVault {
    endpoint: Arc<TokenEndpoint>,
}

impl TokenVault {
    /// Over a shared endpoint.
    #[must_use]
    pub const fn new(endpoint: Arc<TokenEndpoint>) -> Self {
        Self { endpoint }
    }

    /// Trades the user's Auth0 token for the provider's.
    ///
    /// # Errors
    /// [`ExchangeError`]; a 200 that is no proper token answer is one as well.
    pub async fn exchange(&self, request: &ExchangeRequest) -> Result<IssuedToken, ExchangeError> {
        let mut params = vec![
            ("grant_type", GRANT),
            ("subject_token_type", request.subject.urn()),
            ("requested_token_type", REQUESTED),
            ("connection", request.connection.as_str()),
        ];
        params.extend(request.login_hint.as_deref().map(|hint| ("login_hint", hint)));
        self.issue(&params, TokenSource::Given(&request.subject_token)).await
    }

    pub(crate) fn endpoint(&self) -> &TokenEndpoint {
        &self.endpoint
    }

    pub(crate) async fn issue(
        &self,
        params: &[(&str, &str)],
        token: TokenSource<'_>,
    ) -> Result<IssuedToken, ExchangeError> {
        let answer = self.endpoint.grant(&Grant { params, token_name: "subject_token", token }).await?;
        issued(&answer).ok_or_else(|| answer.undecodable())
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct VaultFields {
    issued_token_type: Option<String>,
}

impl ExtraTokenFields for VaultFields {}

fn issued(answer: &Answer) -> Option<IssuedToken> {
    token_of(answer.decode().ok()?)
}

/// A token answer, as far as it is one of Token Vault.
pub(crate) fn issued_in(body: &[u8]) -> Option<IssuedToken> {
    token_of(serde_json::from_slice(body).ok()?)
}

fn token_of(body: StandardTokenResponse<VaultFields, BasicTokenType>) -> Option<IssuedToken> {
    let token_type = match body.token_type() {
        BasicTokenType::Bearer => TokenKind::Bearer,
        BasicTokenType::Extension(name) if name.eq_ignore_ascii_case("dpop") => TokenKind::Dpop,
        _ => return None,
    };
    let scopes = body.scopes().map(|scopes| ScopeSet::parse_all(scopes.iter().map(|s| s.as_str())));
    let issued_token_type = match &body.extra_fields().issued_token_type {
        Some(uri) => Some(IssuedTokenKind::from_uri(uri)?),
        None => None,
    };
    let access_token = Secret::new(body.access_token().secret().clone());
    if access_token.is_empty() {
        return None;
    }
    Some(IssuedToken {
        access_token,
        token_type,
        expires_in: body.expires_in(),
        scopes: scopes.transpose().ok()?,
        issued_token_type,
    })
}

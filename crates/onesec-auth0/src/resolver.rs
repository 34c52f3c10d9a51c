//! Whose token is it? Never what a request says, always what a signature proves.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use onesec_identity::{
    AccessTokenPolicy, IdTokenPolicy, KeySet, Presented, TokenRefused, VerifiedDpop, VerifiedIdToken, VerifiedSubject,
    verify_access_token_bound, verify_id_token,
};
use onesec_telemetry::{Secret, SessionId, Thumbprint, Timestamp, UserId};
use quick_cache::sync::Cache;
use serde::Deserialize;

use crate::checked::CheckedTokens;
use crate::endpoint::{Grant, TokenEndpoint, TokenSource};
use crate::error::ExchangeError;
use crate::jwks::{Jwks, JwksError, VerifyError};
use crate::vault::SubjectKind;

/// How many refresh tokens are remembered by default.
const CAPACITY: usize = 100_000;
/// How many verified access tokens are remembered.
const CHECKED_CAPACITY: usize = 50_000;
/// How long a refresh token is, at most: within a day a revoked session must show.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// Longer texts are no refresh tokens.
const MAX_REFRESH_TOKEN_BYTES: usize = 4096;

/// A token that is said to be a user's.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The token.
    pub token: Secret,
    /// What it is said to be.
    pub kind: SubjectKind,
    /// The proof of possession that came with it, verified: what an access token that is bound to a key needs.
    pub proof: Option<VerifiedDpop>,
    /// SHA-256 of the certificate that the client showed in its TLS connection: what an access token that is bound to
    /// one needs (RFC 8705, section 3.1).
    pub certificate: Option<Thumbprint>,
}

impl Subject {
    /// A token without any proof of possession.
    #[must_use]
    pub const fn new(token: Secret, kind: SubjectKind) -> Self {
        Self { token, kind, proof: None, certificate: None }
    }
}

/// How a user was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofKind {
    /// By the signature of the access token itself.
    AccessToken(Box<VerifiedSubject>),
    /// By an ID token that Auth0 gave for the refresh token just now.
    RefreshToken,
    /// By an ID token that Auth0 gave for the same refresh token within the last 24 hours.
    RememberedRefreshToken,
}

/// Proof of who the user is. Only [`SubjectResolver::resolve`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedUser {
    user: UserId,
    session: Option<SessionId>,
    how: ProofKind,
}

impl ResolvedUser {
    /// The verified `sub`.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// `sid`, where an ID token told it.
    #[must_use]
    pub const fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }

    /// How it was proven.
    #[must_use]
    pub const fn how(&self) -> &ProofKind {
        &self.how
    }
}

/// Why nobody is proven. Variants name who must act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The user's access token proves nothing.
    #[error("the access token was refused: {0}")]
    AccessToken(TokenRefused),
    /// The text cannot be a refresh token.
    #[error("the subject token is empty or too long")]
    Malformed,
    /// Auth0 refused the user's refresh token.
    #[error("the refresh token was refused: {0}")]
    RefreshToken(ExchangeError),
    /// Auth0 refused our own client: an operator must act.
    #[error("our client was refused: {0}")]
    OurClient(ExchangeError),
    /// The refresh token is good but was issued without `openid`: nothing names the user.
    #[error("no id token was issued for the refresh token")]
    NoIdToken,
    /// An ID token came, but it proves nothing: wrong tenant, clock or client.
    #[error("the id token was refused: {0}")]
    IdToken(TokenRefused),
    /// Auth0 is down or overloaded.
    #[error("the user cannot be proven now: {0}")]
    Upstream(ExchangeError),
    /// The tenant's keys cannot be had.
    #[error("the user cannot be proven now: {0}")]
    Keys(JwksError),
}

impl ProofError {
    /// Whether trying later may help, with the same credential.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::Upstream(_) | Self::Keys(_) => true,
            Self::AccessToken(_)
            | Self::Malformed
            | Self::RefreshToken(_)
            | Self::OurClient(_)
            | Self::NoIdToken
            | Self::IdToken(_) => false,
        }
    }

    fn from_grant(error: ExchangeError) -> Self {
        if error.is_outage() {
            Self::Upstream(error)
        } else if error.is_client_rejected() {
            Self::OurClient(error)
        } else {
            Self::RefreshToken(error)
        }
    }
}

#[derive(Clone)]
struct Known {
    user: UserId,
    session: Option<SessionId>,
    at: Timestamp,
}

/// Resolves subject tokens of one tenant to users.
pub struct SubjectResolver {
    endpoint: Arc<TokenEndpoint>,
    jwks: Arc<Jwks>,
    access: AccessTokenPolicy,
    id: IdTokenPolicy,
    known: Cache<Thumbprint, Known>,
    checked: CheckedTokens,
    /// Counts forgettings: what was resolved across one is not remembered.
    forgettings: AtomicU64,
}

impl SubjectResolver {
    /// `audiences` are the APIs whose access tokens prove a user here; none means refresh tokens only.
    #[must_use]
    pub fn new(endpoint: Arc<TokenEndpoint>, jwks: Arc<Jwks>, audiences: &[String]) -> Self {
        let (issuer, client_id) = (endpoint.config().issuer(), endpoint.config().client_id().to_owned());
        let access = AccessTokenPolicy::new(&issuer, audiences.iter().cloned());
        let id = IdTokenPolicy { issuer, client_id };
        let (known, checked) = (Cache::new(CAPACITY), CheckedTokens::new(CHECKED_CAPACITY));
        Self { endpoint, jwks, access, id, known, checked, forgettings: AtomicU64::new(0) }
    }

    /// Remembers at most so many refresh tokens.
    #[must_use]
    pub fn with_capacity(mut self, refresh_tokens: usize) -> Self {
        self.known = Cache::new(refresh_tokens);
        self
    }

    /// Proves whose token it is.
    ///
    /// # Errors
    /// [`ProofError`].
    pub async fn resolve(&self, subject: &Subject, now: Timestamp) -> Result<ResolvedUser, ProofError> {
        match subject.kind {
            SubjectKind::AccessToken => self.by_access_token(subject, now).await,
            SubjectKind::RefreshToken => self.by_refresh_token(&subject.token, now).await,
        }
    }

    /// How many access tokens were proven without verifying their signature once more.
    #[must_use]
    pub fn cached_hits(&self) -> u64 {
        self.checked.hits()
    }

    /// Remembers whose refresh token it is: another client's own grant for it just told, and was verified.
    pub fn remember(&self, token: &Thumbprint, proof: &VerifiedIdToken, now: Timestamp) {
        let known = Known { user: proof.user().clone(), session: proof.session().cloned(), at: now };
        self.known.insert(*token, known);
    }

    /// Whether it is remembered whose refresh token it is: nobody need be asked.
    #[must_use]
    pub fn remembers(&self, token: &Thumbprint, now: Timestamp) -> bool {
        self.known.get(token).is_some_and(|known| now.since(known.at) < MAX_AGE)
    }

    /// Forgets whose refresh token it was, say because an exchange with it was refused.
    pub fn forget(&self, token: &Thumbprint) {
        self.forgettings.fetch_add(1, Ordering::SeqCst);
        self.known.remove(token);
    }

    /// Forgets every refresh token of a user.
    pub fn forget_user(&self, user: &UserId) {
        self.forgettings.fetch_add(1, Ordering::SeqCst);
        self.known.retain(|_, known| known.user != *user);
    }

    async fn by_access_token(&self, subject: &Subject, now: Timestamp) -> Result<ResolvedUser, ProofError> {
        let print = subject.token.thumbprint();
        let in_force = self.jwks.keys().await.map_err(ProofError::Keys)?;
        if let Some(proof) = self.checked.get(&print, &in_force, now) {
            return Ok(by_signature(proof));
        }
        let (proof, certificate) = (subject.proof.as_ref(), subject.certificate);
        let presented = Presented { token: &subject.token, proof, certificate };
        let check = |keys: &KeySet| verify_access_token_bound(presented, keys, &self.access, now);
        let (proof, keys) = self.jwks.verify_keyed(check).await.map_err(|error| match error {
            VerifyError::Token(refused) => ProofError::AccessToken(refused),
            VerifyError::Keys(error) => ProofError::Keys(error),
        })?;
        self.checked.remember(print, (&proof, keys), now);
        Ok(by_signature(proof))
    }

    async fn by_refresh_token(&self, token: &Secret, now: Timestamp) -> Result<ResolvedUser, ProofError> {
        if token.is_empty() || token.len() > MAX_REFRESH_TOKEN_BYTES {
            return Err(ProofError::Malformed);
        }
        let print = token.thumbprint();
        let aged = |known: &Known| now.since(known.at) >= MAX_AGE;
        self.known.remove_if(&print, aged);
        // The guard makes others wait who ask for the same token: one grant for all of them.
        let guard = match self.known.get_value_or_guard_async(&print).await {
            Ok(known) => return Ok(known.into_user(ProofKind::RememberedRefreshToken)),
            Err(guard) => guard,
        };
        let before = self.forgettings.load(Ordering::SeqCst);
        let proof = self.ask(token, now).await?;
        let known = Known { user: proof.user().clone(), session: proof.session().cloned(), at: now };
        if self.forgettings.load(Ordering::SeqCst) == before {
            let _replaced = guard.insert(known.clone());
        }
        Ok(known.into_user(ProofKind::RefreshToken))
    }

    /// One `refresh_token` grant. All its tokens are dropped here; only the verified name gets out.
    async fn ask(&self, token: &Secret, now: Timestamp) -> Result<VerifiedIdToken, ProofError> {
        let params = [("grant_type", "refresh_token"), ("scope", "openid")];
        let grant = Grant { params: &params, token_name: "refresh_token", token: TokenSource::Given(token) };
        let answer = self.endpoint.grant(&grant).await.map_err(ProofError::from_grant)?;
        let tokens: Tokens = answer.decode().map_err(ProofError::Upstream)?;
        if tokens.refresh_token.is_some_and(|new| new.thumbprint() != token.thumbprint()) {
            tracing::warn!(
                client_id = self.endpoint.config().client_id(),
                "refresh token rotation is on for this client: Token Vault needs it off"
            );
        }
        let id_token = tokens.id_token.ok_or(ProofError::NoIdToken)?;
        let proof = self.jwks.verify(|keys| verify_id_token(&id_token, keys, &self.id, now)).await;
        proof.map_err(|error| match error {
            VerifyError::Token(refused) => ProofError::IdToken(refused),
            VerifyError::Keys(error) => ProofError::Keys(error),
        })
    }
}

impl fmt::Debug for SubjectResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubjectResolver").field("remembered", &self.known.len()).finish_non_exhaustive()
    }
}

fn by_signature(proof: VerifiedSubject) -> ResolvedUser {
    ResolvedUser { user: proof.user().clone(), session: None, how: ProofKind::AccessToken(Box::new(proof)) }
}

impl Known {
    fn into_user(self, how: ProofKind) -> ResolvedUser {
        ResolvedUser { user: self.user, session: self.session, how }
    }
}

/// Only what is needed is read; the access token is not even copied out of the body.
#[derive(Deserialize)]
struct Tokens {
    id_token: Option<Secret>,
    refresh_token: Option<Secret>,
}

//! Privileged workers: a client asks for a user's token in its own name, with a JWT of its own (Auth0's
//! privileged-worker token exchange).

use std::time::Duration;

use onesec_telemetry::{Secret, Timestamp, UserId};
use serde_json::json;

use crate::claims::{Claims, is_jti};
use crate::compact::Compact;
use crate::keys::KeySet;
use crate::refused::TokenRefused;
use crate::signing::{SignError, SigningKey};

/// `typ` of a worker's request.
pub const WORKER_REQUEST_TYPE: &str = "token-vault-req+jwt";
/// How old a request may be by its `iat`. Auth0 holds the same bound.
pub const MAX_WORKER_REQUEST_AGE: Duration = Duration::from_secs(60);
/// How far the worker's clock may be ahead.
const MAX_AHEAD: Duration = Duration::from_secs(30);
const MAX_AUDIT_CONTEXT_CHARS: usize = 256;

/// Who must have signed a request, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct WorkerExpect<'a> {
    /// The names under which the agent whose keys are given is known: `iss` must be one of them. Without any, an
    /// agent could sign in another one's name.
    pub issuers: &'a [&'a str],
    /// Our own names. The request must name exactly one of them and nothing else.
    pub audiences: &'a [&'a str],
}

/// Why a request was refused, with a stable [`WorkerRefused::code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerRefused {
    /// The request is no acceptable JWT; the reason is that of any token.
    #[error(transparent)]
    Jwt(#[from] TokenRefused),
    /// `iss` is none of the names of the agent whose keys were given.
    #[error("the request speaks of another agent")]
    WrongIssuer,
    /// `iat` lies [`MAX_WORKER_REQUEST_AGE`] back, whatever `exp` says.
    #[error("the request is too old")]
    TooOld,
}

impl WorkerRefused {
    /// The reason as a stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Jwt(reason) => reason.code(),
            Self::WrongIssuer => "wrong_issuer",
            Self::TooOld => "too_old",
        }
    }
}

/// Proof that an agent asked, with its own key, for a token of a user. The user took no part in it: whether the agent
/// may ask is for a delegation to say. Only [`verify_worker_request`] makes one.
///
/// Whether it was used before is the caller's to check: give [`VerifiedWorkerRequest::jti`] and
/// [`VerifiedWorkerRequest::replayable_until`] to a [`crate::ReplayCache`], under the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedWorkerRequest {
    issuer: String,
    user: UserId,
    jti: String,
    audit_context: Option<String>,
    replayable_until: Timestamp,
}

impl VerifiedWorkerRequest {
    /// The name that the agent signed under: `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whose token the agent asks for: `sub`.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// `jti`: unique per agent.
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// Why the agent asks, in its own words, for the tenant's log.
    #[must_use]
    pub fn audit_context(&self) -> Option<&str> {
        self.audit_context.as_deref()
    }

    /// From when on it is refused as too old or expired, so that nobody needs to remember it.
    #[must_use]
    pub const fn replayable_until(&self) -> Timestamp {
        self.replayable_until
    }
}

/// Verifies the request of a privileged worker with the keys of that very agent.
///
/// A request without `kid` is taken where only one of the keys is made for its algorithm. Auth0 demands
/// `audit_context`; here it may be left out.
///
/// # Errors
/// [`WorkerRefused`] with the first reason found.
pub fn verify_worker_request(
    token: &Secret,
    keys: &KeySet,
    expect: &WorkerExpect<'_>,
    now: Timestamp,
) -> Result<VerifiedWorkerRequest, WorkerRefused> {
    let compact = Compact::parse(token.expose_to_wire())?;
    if !compact.typ().is_some_and(|typ| typ.eq_ignore_ascii_case(WORKER_REQUEST_TYPE)) {
        return Err(TokenRefused::WrongType.into());
    }
    let claims = Claims(compact.verify_of_agent(keys)?);
    let issuer = claims.required_text("iss")?;
    if !expect.issuers.contains(&issuer) {
        return Err(WorkerRefused::WrongIssuer);
    }
    claims.check_only_audience(expect.audiences)?;
    let replayable_until = check_age(&claims, now)?;
    let user = claims.subject()?;
    // Whoever asks for its own token is no privileged worker, and a machine has no account to ask for.
    if user.as_str() == issuer || user.as_str().ends_with("@clients") {
        return Err(TokenRefused::NotAPerson.into());
    }
    let (jti, audit_context) = (claims.required_jti()?.to_owned(), audit_context(&claims)?);
    Ok(VerifiedWorkerRequest { issuer: issuer.to_owned(), user, jti, audit_context, replayable_until })
}

/// Gives when the request will be refused.
fn check_age(claims: &Claims, now: Timestamp) -> Result<Timestamp, WorkerRefused> {
    let issued_at = claims.required_time("iat")?;
    let ahead = now + MAX_AHEAD;
    if issued_at > ahead {
        return Err(TokenRefused::IssuedInFuture.into());
    }
    if claims.time("nbf")?.is_some_and(|nbf| nbf > ahead) {
        return Err(TokenRefused::NotYetValid.into());
    }
    let too_old = issued_at + MAX_WORKER_REQUEST_AGE;
    if too_old <= now {
        return Err(WorkerRefused::TooOld);
    }
    let until = claims.time("exp")?.map_or(too_old, |exp| exp.min(too_old));
    if until <= now { Err(TokenRefused::Expired.into()) } else { Ok(until) }
}

fn audit_context(claims: &Claims) -> Result<Option<String>, TokenRefused> {
    match claims.text("audit_context")? {
        Some(text) if !is_audit_context(text) => Err(TokenRefused::BadClaim("audit_context")),
        stated => Ok(stated.map(str::to_owned)),
    }
}

/// It ends up as one line in a log.
fn is_audit_context(text: &str) -> bool {
    (1..=MAX_AUDIT_CONTEXT_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// What a privileged worker asks for. Times are cut to whole seconds when signed.
#[derive(Debug, Clone, Copy)]
pub struct WorkerRequest<'a> {
    /// `iss`: the client id.
    pub client: &'a str,
    /// `sub`: whose token.
    pub user: &'a UserId,
    /// `aud`: the tenant, with its trailing slash.
    pub audience: &'a str,
    /// `jti`: fresh for every request, at most 256 bytes.
    pub jti: &'a str,
    /// Why, in 1 to 256 characters. It goes into the tenant's log: nothing personal.
    pub audit_context: &'a str,
    /// `iat`.
    pub issued_at: Timestamp,
}

impl WorkerRequest<'_> {
    /// Signs the request. It is good for [`MAX_WORKER_REQUEST_AGE`] and says nothing of an end of its own.
    ///
    /// # Errors
    /// [`SignError::Claim`] where every verifier would refuse it, [`SignError::Sign`].
    pub fn sign(&self, key: &SigningKey, kid: &str) -> Result<Secret, SignError> {
        if !is_jti(self.jti) {
            return Err(SignError::Claim("jti"));
        }
        if !is_audit_context(self.audit_context) {
            return Err(SignError::Claim("audit_context"));
        }
        let claims = json!({"iss": self.client, "sub": self.user.as_str(), "aud": self.audience, "jti": self.jti,
            "iat": self.issued_at.as_secs(), "audit_context": self.audit_context});
        key.sign(&claims, WORKER_REQUEST_TYPE, kid)
    }
}

#[cfg(test)]
mod tests;

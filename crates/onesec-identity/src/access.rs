//! Access tokens: Auth0's own profile (`typ: JWT`) and RFC 9068 (`typ: at+jwt`).

use std::time::Duration;

use onesec_telemetry::{AppId, Name, ScopeSet, Secret, Timestamp, UserId};

use crate::actor::{Actor, MayAct};
use crate::issued::{Accepted, Issued, TokenId};
use crate::keys::KeySet;
use crate::possession::{Binding, Presented};
use crate::refused::TokenRefused;

/// What an access token must be to prove anything here.
#[derive(Debug, Clone)]
pub struct AccessTokenPolicy(Accepted);

impl AccessTokenPolicy {
    /// `issuer` exactly as `iss` has it (Auth0: with a trailing slash), and the APIs whose tokens count.
    /// No audience at all accepts nothing.
    #[must_use]
    pub fn new(issuer: &str, audiences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(Accepted::new(issuer, audiences))
    }

    /// How far clocks may differ, at most five minutes.
    #[must_use]
    pub fn with_leeway(self, leeway: Duration) -> Self {
        Self(self.0.with_leeway(leeway))
    }

    /// The expected issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }
}

/// Proof that an access token speaks for a person. Only [`verify_access_token`] and [`verify_access_token_bound`]
/// make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSubject {
    issuer: String,
    user: UserId,
    client: AppId,
    audience: String,
    scopes: ScopeSet,
    token_id: TokenId,
    actors: Vec<Actor>,
    may_act: Option<MayAct>,
    organization: Option<Name>,
    bound_to: Option<Binding>,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

impl VerifiedSubject {
    /// Who issued the token.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The person: `sub`.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// The application that got the token: `client_id`, else `azp`.
    #[must_use]
    pub const fn client(&self) -> &AppId {
        &self.client
    }

    /// The accepted audience that the token names.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// `scope`.
    #[must_use]
    pub const fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// Names the token for replay checks.
    #[must_use]
    pub const fn token_id(&self) -> &TokenId {
        &self.token_id
    }

    /// `act`: the current actor first, then history (RFC 8693, section 4.1). Empty where the person acts. Nobody
    /// stands there twice: one that exchanged its own token again is named once.
    #[must_use]
    pub fn actors(&self) -> &[Actor] {
        &self.actors
    }

    /// `may_act`: the only party that may act for the person (RFC 8693, section 4.4). `None` names nobody, and leaves
    /// open who may.
    #[must_use]
    pub const fn may_act(&self) -> Option<&MayAct> {
        self.may_act.as_ref()
    }

    /// `org_id`.
    #[must_use]
    pub const fn organization(&self) -> Option<&Name> {
        self.organization.as_ref()
    }

    /// What the token is bound to, where it is; that was then shown.
    #[must_use]
    pub const fn bound_to(&self) -> Option<Binding> {
        self.bound_to
    }

    /// `iat`.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// `exp`.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// Verifies a JWT access token of a person that comes without a proof of possession: one that is bound to anything is
/// refused.
///
/// # Errors
/// As [`verify_access_token_bound`].
pub fn verify_access_token(
    token: &Secret,
    keys: &KeySet,
    policy: &AccessTokenPolicy,
    now: Timestamp,
) -> Result<VerifiedSubject, TokenRefused> {
    verify_access_token_bound(Presented::bearer(token), keys, policy, now)
}

/// Verifies a JWT access token of a person. One that is bound by `cnf` to a key (RFC 9449, section 6), to a client's
/// certificate (RFC 8705, section 3.1) or to both needs all of them shown. A proof that was verified with an access
/// token must be for this one; a proof without, as sent to a token endpoint, need only show the key. A token that is
/// not bound is a bearer token, proof or not: who wants bound ones only looks at [`VerifiedSubject::bound_to`].
///
/// # Errors
/// [`TokenRefused`] with the first reason found. Claims are looked at only once the signature has verified, so a
/// reason about a claim is a reason about a genuine token.
pub fn verify_access_token_bound(
    presented: Presented<'_>,
    keys: &KeySet,
    policy: &AccessTokenPolicy,
    now: Timestamp,
) -> Result<VerifiedSubject, TokenRefused> {
    let issued = Issued::verify(presented, keys, &policy.0, now)?;
    let user = issued.claims.subject()?;
    check_is_person(&issued)?;
    Ok(VerifiedSubject {
        issuer: policy.0.issuer.clone(),
        user,
        may_act: MayAct::read(&issued.claims)?,
        organization: issued.claims.text("org_id")?.map(Name::new).transpose().map_err(|_| BAD_ORGANIZATION)?,
        client: issued.client,
        audience: issued.audience,
        scopes: issued.scopes,
        token_id: issued.token_id,
        actors: issued.actors,
        bound_to: issued.bound_to,
        issued_at: issued.issued_at,
        expires_at: issued.expires_at,
    })
}

const BAD_ORGANIZATION: TokenRefused = TokenRefused::BadClaim("org_id");

/// A machine's own token must not pass for a user's.
fn check_is_person(issued: &Issued) -> Result<(), TokenRefused> {
    let other_profile = issued.claims.text("sub_profile")?.is_some_and(|profile| profile != "user");
    if issued.is_clients_own()? || other_profile { Err(TokenRefused::NotAPerson) } else { Ok(()) }
}

#[cfg(test)]
mod tests;

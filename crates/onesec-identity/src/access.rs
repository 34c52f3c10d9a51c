//! Access tokens: Auth0's own profile (`typ: JWT`) and RFC 9068 (`typ: at+jwt`).

use std::time::Duration;

use onesec_telemetry::{AgentId, AppId, Name, ScopeSet, Secret, Thumbprint, Timestamp, UserId};

use serde_json::Value;

use crate::claims::Claims;
use crate::compact::Compact;
use crate::dpop::VerifiedDpop;
use crate::keys::{Algorithm, KeySet};
use crate::public_key::from_base64url;
use crate::refused::TokenRefused;

/// How many nested `act` claims are followed. Auth0 issues at most five.
pub const MAX_ACTORS: usize = 5;
const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);
const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// What an access token must be to prove anything here.
#[derive(Debug, Clone)]
pub struct AccessTokenPolicy {
    issuer: String,
    audiences: Vec<String>,
    leeway: Duration,
}

impl AccessTokenPolicy {
    /// `issuer` exactly as `iss` has it (Auth0: with a trailing slash), and the APIs whose tokens count.
    /// No audience at all accepts nothing.
    #[must_use]
    pub fn new(issuer: &str, audiences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let audiences = audiences.into_iter().map(Into::into).collect();
        Self { issuer: issuer.to_owned(), audiences, leeway: DEFAULT_LEEWAY }
    }

    /// How far clocks may differ, at most five minutes.
    #[must_use]
    pub fn with_leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway.min(MAX_LEEWAY);
        self
    }

    /// The expected issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

/// What names one token for replay checks: its `jti`, else the hash of the whole token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TokenId {
    /// Unique per issuer (RFC 7519, section 4.1.7).
    Jti(String),
    /// Auth0's own profile has no `jti`.
    Hash(Thumbprint),
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
    actors: Vec<AgentId>,
    organization: Option<Name>,
    bound_to: Option<Thumbprint>,
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

    /// `act`: the current actor first, then history (RFC 8693, section 4.1). Empty where the person acts.
    #[must_use]
    pub fn actors(&self) -> &[AgentId] {
        &self.actors
    }

    /// `org_id`.
    #[must_use]
    pub const fn organization(&self) -> Option<&Name> {
        self.organization.as_ref()
    }

    /// Thumbprint of the key that the token is bound to, where it is; its possession was then proven.
    #[must_use]
    pub const fn bound_to(&self) -> Option<Thumbprint> {
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

/// Verifies a JWT access token of a person that comes without a proof of possession: one that is bound to a key is
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
    verify_access_token_bound(Presented { token, proof: None }, keys, policy, now)
}

/// An access token as it was presented: with a proof of possession, or without.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The token.
    pub token: &'a Secret,
    /// The DPoP proof of the same request, already verified.
    pub proof: Option<&'a VerifiedDpop>,
}

/// Verifies a JWT access token of a person. One that is bound to a key by `cnf.jkt` (RFC 9449, section 6) needs a
/// proof of that key. A proof that was verified with an access token must be for this one; a proof without, as sent
/// to a token endpoint, need only show the key. A token that is not bound is a bearer token, proof or not: who
/// wants bound ones only looks at [`VerifiedSubject::bound_to`].
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
    let token = presented.token;
    let compact = Compact::parse(token.expose_to_wire())?;
    let profile = Profile::of(compact.typ())?;
    let claims = Claims(compact.verify(keys, Algorithm::OF_TENANTS)?);
    claims.check_issuer(&policy.issuer)?;
    let (issued_at, expires_at) = claims.check_times(now, policy.leeway)?;
    let audience = accepted_audience(&claims, policy)?;
    let user = claims.subject()?;
    let client = claims.client()?;
    profile.check(&claims)?;
    check_is_person(&claims, &user, &client)?;
    let bound_to = check_possession(&claims, presented)?;
    let token_id = match claims.text("jti")? {
        Some(jti) => TokenId::Jti(jti.to_owned()),
        None => TokenId::Hash(token.thumbprint()),
    };
    let organization = claims.text("org_id")?.map(Name::new).transpose();
    Ok(VerifiedSubject {
        issuer: policy.issuer.clone(),
        user,
        client,
        audience,
        scopes: claims.scopes()?,
        token_id,
        actors: claims.actors(MAX_ACTORS)?,
        organization: organization.map_err(|_| TokenRefused::BadClaim("org_id"))?,
        bound_to,
        issued_at,
        expires_at,
    })
}

/// Only `cnf` with `jkt` alone can be proven here: whoever binds to a certificate, or to two things, means it.
fn check_possession(claims: &Claims, presented: Presented<'_>) -> Result<Option<Thumbprint>, TokenRefused> {
    let Some(cnf) = claims.0.get("cnf") else {
        return Ok(None);
    };
    let proof = presented.proof.ok_or(TokenRefused::ProofRequired)?;
    let jkt = match cnf.as_object().filter(|cnf| cnf.len() == 1).and_then(|cnf| cnf.get("jkt")) {
        Some(Value::String(jkt)) => from_base64url(jkt).ok_or(TokenRefused::BadClaim("cnf"))?,
        _ => return Err(TokenRefused::ProofRequired),
    };
    let for_this_token = proof.access_token().is_none_or(|print| print == presented.token.thumbprint());
    if jkt == proof.jkt() && for_this_token { Ok(Some(jkt)) } else { Err(TokenRefused::ProofMismatch) }
}

enum Profile {
    Auth0,
    Rfc9068,
}

impl Profile {
    fn of(typ: Option<&str>) -> Result<Self, TokenRefused> {
        let typ = typ.unwrap_or_default().to_ascii_lowercase(); // media types know no case: RFC 7515, section 4.1.9
        match typ.as_str() {
            "jwt" => Ok(Self::Auth0),
            "at+jwt" | "application/at+jwt" => Ok(Self::Rfc9068),
            _ => Err(TokenRefused::WrongType),
        }
    }

    /// RFC 9068, section 2.2: claims beyond those that every profile needs.
    fn check(&self, claims: &Claims) -> Result<(), TokenRefused> {
        match self {
            Self::Auth0 => Ok(()),
            Self::Rfc9068 => {
                claims.required_text("client_id")?;
                claims.required_text("jti").map(|_| ())
            }
        }
    }
}

/// Claims that OpenID Connect puts into ID tokens and nobody into access tokens.
const ID_TOKEN_CLAIMS: [&str; 3] = ["nonce", "at_hash", "c_hash"];

fn accepted_audience(claims: &Claims, policy: &AccessTokenPolicy) -> Result<String, TokenRefused> {
    if ID_TOKEN_CLAIMS.iter().any(|name| claims.has(name)) {
        return Err(TokenRefused::IdToken);
    }
    let audiences = claims.audiences()?;
    let client = claims.text("client_id")?.or(claims.text("azp")?);
    // OpenID Connect Core, section 2: the audience of an ID token is the client itself.
    if let [only] = audiences.as_slice()
        && Some(*only) == client
    {
        return Err(TokenRefused::IdToken);
    }
    let accepted = audiences.into_iter().find(|aud| policy.audiences.iter().any(|want| want == aud));
    accepted.map(str::to_owned).ok_or(TokenRefused::WrongAudience)
}

/// A machine's own token must not pass for a user's.
fn check_is_person(claims: &Claims, user: &UserId, client: &AppId) -> Result<(), TokenRefused> {
    let machine = claims.text("gty")? == Some("client-credentials")
        || user.as_str().ends_with("@clients")
        || user.as_str() == client.as_str()
        || claims.text("sub_profile")?.is_some_and(|profile| profile != "user");
    if machine { Err(TokenRefused::NotAPerson) } else { Ok(()) }
}

#[cfg(test)]
mod tests;

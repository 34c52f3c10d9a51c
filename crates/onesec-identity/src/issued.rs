//! What access tokens of people and of machines share: Auth0's own profile (`typ: JWT`) and RFC 9068 (`typ: at+jwt`).

use std::time::Duration;

use onesec_telemetry::{AppId, ScopeSet, Thumbprint, Timestamp};

use crate::actor::Actor;
use crate::claims::Claims;
use crate::compact::Compact;
use crate::keys::{Algorithm, KeySet};
use crate::possession::{Binding, Presented};
use crate::refused::TokenRefused;

const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);
const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// What names one token for replay checks: its `jti`, else the hash of the whole token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TokenId {
    /// Unique per issuer (RFC 7519, section 4.1.7).
    Jti(String),
    /// Auth0's own profile has no `jti`.
    Hash(Thumbprint),
}

/// Whose tokens are looked at, and for whom they must be made.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) issuer: String,
    audiences: Vec<String>,
    leeway: Duration,
}

impl Accepted {
    pub(crate) fn new(issuer: &str, audiences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let audiences = audiences.into_iter().map(Into::into).collect();
        Self { issuer: issuer.to_owned(), audiences, leeway: DEFAULT_LEEWAY }
    }

    pub(crate) fn with_leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway.min(MAX_LEEWAY);
        self
    }
}

/// A genuine access token for us, shown by whom it is bound to. Whose it is, a person's or a machine's, is still open.
pub(crate) struct Issued {
    pub(crate) claims: Claims,
    pub(crate) client: AppId,
    pub(crate) audience: String,
    pub(crate) scopes: ScopeSet,
    pub(crate) token_id: TokenId,
    pub(crate) actors: Vec<Actor>,
    pub(crate) bound_to: Option<Binding>,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

impl Issued {
    pub(crate) fn verify(
        presented: Presented<'_>,
        keys: &KeySet,
        accepted: &Accepted,
        now: Timestamp,
    ) -> Result<Self, TokenRefused> {
        let compact = Compact::parse(presented.token.expose_to_wire())?;
        let profile = Profile::of(compact.typ())?;
        let claims = Claims(compact.verify(keys, Algorithm::OF_TENANTS)?);
        claims.check_issuer(&accepted.issuer)?;
        let (issued_at, expires_at) = claims.check_times(now, accepted.leeway)?;
        let audience = accepted_audience(&claims, &accepted.audiences)?;
        let client = claims.client()?;
        profile.check(&claims)?;
        let bound_to = Binding::check(&claims, presented)?;
        let token_id = match claims.text("jti")? {
            Some(jti) => TokenId::Jti(jti.to_owned()),
            None => TokenId::Hash(presented.token.thumbprint()),
        };
        let (scopes, actors) = (claims.scopes()?, Actor::all(&claims)?);
        Ok(Self { claims, client, audience, scopes, token_id, actors, bound_to, issued_at, expires_at })
    }

    /// Whether the client asked for itself: by the grant, or because it is the subject.
    pub(crate) fn is_clients_own(&self) -> Result<bool, TokenRefused> {
        let subject = self.claims.required_text("sub")?;
        let by_grant = self.claims.text("gty")? == Some("client-credentials");
        Ok(by_grant || subject.ends_with("@clients") || subject == self.client.as_str())
    }
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

fn accepted_audience(claims: &Claims, accepted: &[String]) -> Result<String, TokenRefused> {
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
    let named = audiences.into_iter().find(|aud| accepted.iter().any(|want| want == aud));
    named.map(str::to_owned).ok_or(TokenRefused::WrongAudience)
}

//! Typed access to verified claims (RFC 7519, section 4.1).

use std::str::FromStr;
use std::time::Duration;

use onesec_telemetry::{AppId, ScopeSet, Timestamp, UserId};
use serde_json::{Map, Value};

use crate::refused::TokenRefused;

const MAX_JTI_BYTES: usize = 256;

type Refused<T> = Result<T, TokenRefused>;

/// Claims whose signature has been verified.
pub(crate) struct Claims(pub(crate) Map<String, Value>);

impl Claims {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A string, if the claim is there.
    pub(crate) fn text(&self, name: &'static str) -> Refused<Option<&str>> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(TokenRefused::BadClaim(name)),
        }
    }

    pub(crate) fn required_text(&self, name: &'static str) -> Refused<&str> {
        self.text(name)?.ok_or(TokenRefused::MissingClaim(name))
    }

    /// `jti`, of a length that can be remembered.
    pub(crate) fn required_jti(&self) -> Refused<&str> {
        let jti = self.required_text("jti")?;
        if is_jti(jti) { Ok(jti) } else { Err(TokenRefused::BadClaim("jti")) }
    }

    /// A NumericDate, if the claim is there.
    pub(crate) fn time(&self, name: &'static str) -> Refused<Option<Timestamp>> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        let secs = value.as_f64().ok_or(TokenRefused::BadClaim(name))?;
        Timestamp::from_secs_f64(secs).map(Some).map_err(|_| TokenRefused::BadClaim(name))
    }

    pub(crate) fn required_time(&self, name: &'static str) -> Refused<Timestamp> {
        self.time(name)?.ok_or(TokenRefused::MissingClaim(name))
    }

    /// `iss` must be exactly the expected one: a missing trailing slash is another issuer.
    pub(crate) fn check_issuer(&self, issuer: &str) -> Refused<()> {
        if self.required_text("iss")? == issuer { Ok(()) } else { Err(TokenRefused::WrongIssuer) }
    }

    /// `exp`, `iat` (both required) and `nbf` against `now`. Gives (`iat`, `exp`).
    pub(crate) fn check_times(&self, now: Timestamp, leeway: Duration) -> Refused<(Timestamp, Timestamp)> {
        let (expires_at, issued_at) = (self.required_time("exp")?, self.required_time("iat")?);
        self.check_window(now, leeway)?;
        Ok((issued_at, expires_at))
    }

    /// `exp` (required), `nbf` and `iat` against `now`. Gives `exp`.
    pub(crate) fn check_window(&self, now: Timestamp, leeway: Duration) -> Refused<Timestamp> {
        let expires_at = self.required_time("exp")?;
        if expires_at + leeway <= now {
            return Err(TokenRefused::Expired);
        }
        if self.time("nbf")?.is_some_and(|nbf| nbf > now + leeway) {
            return Err(TokenRefused::NotYetValid);
        }
        if self.time("iat")?.is_some_and(|iat| iat > now + leeway) {
            return Err(TokenRefused::IssuedInFuture);
        }
        Ok(expires_at)
    }

    /// An identifier, if the claim is there. It must already be canonical, as in [`Claims::subject`].
    pub(crate) fn id<T: FromStr + AsRef<str>>(&self, name: &'static str) -> Refused<Option<T>> {
        let Some(raw) = self.text(name)? else {
            return Ok(None);
        };
        let id = raw.parse().ok().filter(|id: &T| id.as_ref() == raw);
        id.map(Some).ok_or(TokenRefused::BadClaim(name))
    }

    pub(crate) fn required_id<T: FromStr + AsRef<str>>(&self, name: &'static str) -> Refused<T> {
        self.id(name)?.ok_or(TokenRefused::MissingClaim(name))
    }

    /// `aud`: a string or an array of them.
    pub(crate) fn audiences(&self) -> Refused<Vec<&str>> {
        let bad = TokenRefused::BadClaim("aud");
        match self.0.get("aud") {
            None => Err(TokenRefused::MissingClaim("aud")),
            Some(Value::String(one)) => Ok(vec![one]),
            Some(Value::Array(many)) if !many.is_empty() => many.iter().map(|one| one.as_str().ok_or(bad)).collect(),
            Some(_) => Err(bad),
        }
    }

    /// `aud` must be one of these, and nothing else: with several audiences, one of them could replay the token at
    /// the others.
    pub(crate) fn check_only_audience(&self, accepted: &[&str]) -> Refused<()> {
        match self.audiences()?.as_slice() {
            [only] if accepted.contains(only) => Ok(()),
            _ => Err(TokenRefused::WrongAudience),
        }
    }

    /// `sub` as the id of a person. It must already be canonical: were it brought into canonical form here,
    /// two subjects of the issuer could become one user of ours.
    pub(crate) fn subject(&self) -> Refused<UserId> {
        let raw = self.required_text("sub")?;
        UserId::new(raw).ok().filter(|id| id.as_str() == raw).ok_or(TokenRefused::BadClaim("sub"))
    }

    /// The client that got the token: `client_id` (RFC 9068), else `azp` (Auth0's own profile).
    pub(crate) fn client(&self) -> Refused<AppId> {
        let (name, raw) = match self.text("client_id")? {
            Some(raw) => ("client_id", raw),
            None => ("azp", self.required_text("azp")?),
        };
        AppId::new(raw).ok().filter(|id| id.as_str() == raw).ok_or(TokenRefused::BadClaim(name))
    }

    pub(crate) fn scopes(&self) -> Refused<ScopeSet> {
        let text = self.text("scope")?.unwrap_or_default();
        ScopeSet::parse(text).map_err(|_| TokenRefused::BadClaim("scope"))
    }
}

/// Whether it can name a token, and be remembered.
pub(crate) fn is_jti(text: &str) -> bool {
    (1..=MAX_JTI_BYTES).contains(&text.len())
}

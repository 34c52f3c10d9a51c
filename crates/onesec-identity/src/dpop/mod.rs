//! DPoP proofs (RFC 9449): the sender holds the private key, now, for this very request.

mod refused;
#[cfg(test)]
mod tests;
mod url;

pub use refused::DpopRefused;

use std::time::Duration;

use onesec_telemetry::{Secret, Thumbprint, Timestamp};

use crate::claims::Claims;
use crate::compact::Compact;
use crate::keys::Algorithm;
use crate::public_key::PublicKey;
use crate::refused::TokenRefused;

/// `typ` of a proof.
const TYPE: &str = "dpop+jwt";
/// How far a client's clock may be ahead.
const MAX_AHEAD: Duration = Duration::from_secs(30);

/// The request that a proof must be made for.
#[derive(Debug, Clone, Copy)]
pub struct DpopExpect<'a> {
    /// The method, in capitals as on the wire.
    pub method: &'a str,
    /// The URL as clients see it: behind a proxy, the public one. Query and fragment are ignored.
    pub url: &'a str,
    /// The access token that came with the proof, where one did: `ath` must be its hash.
    pub access_token: Option<&'a Secret>,
    /// The only key that will do, such as [`crate::VerifiedChain::leaf_key`].
    pub jkt: Option<Thumbprint>,
    /// The nonce that we handed out, where we do.
    pub nonce: Option<&'a str>,
    /// How old a proof may be.
    pub max_age: Duration,
}

/// Proof of possession of a key. Only [`verify_dpop`] makes one.
///
/// Whether it was used before is the caller's to check: give [`VerifiedDpop::jti`] and
/// [`VerifiedDpop::replayable_until`] to a [`crate::ReplayCache`], under the thumbprint of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedDpop {
    jkt: Thumbprint,
    jti: String,
    issued_at: Timestamp,
    replayable_until: Timestamp,
    access_token: Option<Thumbprint>,
}

impl VerifiedDpop {
    /// Thumbprint of the key (RFC 7638).
    #[must_use]
    pub const fn jkt(&self) -> Thumbprint {
        self.jkt
    }

    /// `jti`: unique per key.
    #[must_use]
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// `iat`.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// From when on the proof is too old, so that nobody needs to remember it.
    #[must_use]
    pub const fn replayable_until(&self) -> Timestamp {
        self.replayable_until
    }

    /// Hash of the access token that the proof was made for, where one was expected.
    #[must_use]
    pub const fn access_token(&self) -> Option<Thumbprint> {
        self.access_token
    }
}

/// Verifies one DPoP proof for one request (RFC 9449, section 4.3).
///
/// # Errors
/// [`DpopRefused`] with the first reason found. A request with several `DPoP` fields is the caller's to refuse.
pub fn verify_dpop(proof: &Secret, expect: &DpopExpect<'_>, now: Timestamp) -> Result<VerifiedDpop, DpopRefused> {
    let compact = Compact::with_own_key(proof.expose_to_wire())?;
    if !compact.typ().is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE)) {
        return Err(TokenRefused::WrongType.into());
    }
    let alg = compact.algorithm(Algorithm::ALL)?;
    let key = PublicKey::from_jwk(compact.embedded_jwk().ok_or(DpopRefused::NoKey)?)?;
    let claims = Claims(compact.verify_with(&key, alg)?);
    if expect.jkt.is_some_and(|jkt| jkt != key.thumbprint()) {
        return Err(DpopRefused::WrongKey);
    }
    check_request(&claims, expect)?;
    let issued_at = check_age(&claims, expect.max_age, now)?;
    let access_token = check_access_token(&claims, expect.access_token)?;
    if expect.nonce.is_some() && claims.text("nonce")? != expect.nonce {
        return Err(DpopRefused::NonceRequired);
    }
    let jti = claims.required_jti()?.to_owned();
    let replayable_until = issued_at + expect.max_age;
    Ok(VerifiedDpop { jkt: key.thumbprint(), jti, issued_at, replayable_until, access_token })
}

fn check_request(claims: &Claims, expect: &DpopExpect<'_>) -> Result<(), DpopRefused> {
    // Methods know case: RFC 9110, section 9.1.
    if claims.required_text("htm")? != expect.method {
        return Err(DpopRefused::WrongMethod);
    }
    let said = url::normal(claims.required_text("htu")?).ok_or(TokenRefused::BadClaim("htu"))?;
    let same = url::normal(expect.url).is_some_and(|ours| ours == said);
    if same { Ok(()) } else { Err(DpopRefused::WrongUrl) }
}

fn check_age(claims: &Claims, max_age: Duration, now: Timestamp) -> Result<Timestamp, DpopRefused> {
    let issued_at = claims.required_time("iat")?;
    if issued_at > now + MAX_AHEAD {
        return Err(TokenRefused::IssuedInFuture.into());
    }
    if issued_at + max_age <= now {
        return Err(DpopRefused::TooOld);
    }
    // No member of a proof, but whoever states them means them.
    if claims.has("exp") {
        claims.check_window(now, MAX_AHEAD)?;
    }
    if claims.time("nbf")?.is_some_and(|nbf| nbf > now + MAX_AHEAD) {
        return Err(TokenRefused::NotYetValid.into());
    }
    Ok(issued_at)
}

fn check_access_token(claims: &Claims, token: Option<&Secret>) -> Result<Option<Thumbprint>, DpopRefused> {
    let Some(token) = token else {
        return Ok(None);
    };
    let print = token.thumbprint();
    if claims.required_text("ath")? == print.to_base64url() {
        Ok(Some(print))
    } else {
        Err(DpopRefused::WrongAccessToken)
    }
}

//! Why a DPoP proof proves nothing.

use crate::keys::KeyUnusable;
use crate::refused::TokenRefused;

/// Why a proof was refused, with a stable [`DpopRefused::code`]. On the wire all of them are `invalid_dpop_proof`
/// but [`DpopRefused::NonceRequired`], which is `use_dpop_nonce` (RFC 9449, sections 5 and 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DpopRefused {
    /// The proof is no acceptable JWT; the reason is that of any token.
    #[error(transparent)]
    Jwt(#[from] TokenRefused),
    /// No `jwk` in the header.
    #[error("the proof brings no key")]
    NoKey,
    /// The `jwk` gives a private key away.
    #[error("the proof carries private key material")]
    PrivateKey,
    /// The `jwk` must not verify signatures.
    #[error("the key of the proof is not usable: {0}")]
    UnusableKey(KeyUnusable),
    /// A genuine proof, of another key than the one that is bound.
    #[error("the proof is of another key")]
    WrongKey,
    /// `htm` is another method.
    #[error("the proof is for another method")]
    WrongMethod,
    /// `htu` is another URL.
    #[error("the proof is for another url")]
    WrongUrl,
    /// `iat` lies too far back.
    #[error("the proof is too old")]
    TooOld,
    /// `ath` is the hash of another access token.
    #[error("the proof is for another access token")]
    WrongAccessToken,
    /// No `nonce`, or not the one that was handed out.
    #[error("the proof does not have the nonce that was handed out")]
    NonceRequired,
}

impl DpopRefused {
    /// The reason as a stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Jwt(reason) => reason.code(),
            Self::NoKey => "no_key",
            Self::PrivateKey => "private_key",
            Self::UnusableKey(_) => "unusable_key",
            Self::WrongKey => "wrong_key",
            Self::WrongMethod => "wrong_method",
            Self::WrongUrl => "wrong_url",
            Self::TooOld => "proof_too_old",
            Self::WrongAccessToken => "wrong_access_token",
            Self::NonceRequired => "use_dpop_nonce",
        }
    }
}

impl From<KeyUnusable> for DpopRefused {
    fn from(reason: KeyUnusable) -> Self {
        if reason == KeyUnusable::Private { Self::PrivateKey } else { Self::UnusableKey(reason) }
    }
}

//! The public keys of an issuer (RFC 7517), cleared of everything that must not verify a token.

use std::fmt;

use onesec_telemetry::Thumbprint;
use serde_json::Value;

use crate::public_key::PublicKey;
use crate::strict_json;

/// The largest key set that is read.
pub const MAX_JWKS_BYTES: usize = 256 * 1024;
/// The most keys a set may have, usable or not.
pub const MAX_JWKS_KEYS: usize = 64;
/// RSA keys below are refused.
pub const MIN_RSA_BITS: usize = 2048;
pub(crate) const MAX_RSA_BITS: usize = 8192;
const MAX_KID_BYTES: usize = 256;

/// The signature algorithms that are ever tried. No shared secrets: a verifier must not be able to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSA, PKCS#1 v1.5, SHA-256.
    Rs256,
    /// RSA, PSS, SHA-256.
    Ps256,
    /// ECDSA on P-256, SHA-256.
    Es256,
    /// Ed25519 (RFC 8037). No issuer of access tokens uses it here: delegation links and DPoP proofs do.
    EdDsa,
}

impl Algorithm {
    /// What tenants sign access and ID tokens with.
    pub(crate) const OF_TENANTS: &'static [Self] = &[Self::Rs256, Self::Ps256, Self::Es256];
    /// What is accepted where agents bring keys of their own.
    pub(crate) const ALL: &'static [Self] = &[Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    /// The name in JOSE headers (RFC 7518, section 3.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|alg| alg.name() == name)
    }
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(alg: Algorithm) -> Self {
        match alg {
            Algorithm::Rs256 => Self::RS256,
            Algorithm::Ps256 => Self::PS256,
            Algorithm::Es256 => Self::ES256,
            Algorithm::EdDsa => Self::EdDSA,
        }
    }
}

/// Why a text is no key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// Larger than [`MAX_JWKS_BYTES`].
    #[error("the key set is too large")]
    TooLarge,
    /// No JSON object with an array `keys`, or a member twice.
    #[error("the key set is not a JSON object with an array `keys`")]
    NotAKeySet,
    /// More than [`MAX_JWKS_KEYS`].
    #[error("the key set has too many keys")]
    TooManyKeys,
}

/// Why a key of a set is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyUnusable {
    /// No `kid`, or an absurdly long one: no token could name it.
    #[error("the key has no usable `kid`")]
    NoKeyId,
    /// Another key before it has the same `kid`.
    #[error("the `kid` is already taken")]
    DuplicateKeyId,
    /// `use` or `key_ops` say it is not for verifying.
    #[error("the key is not for signatures")]
    OtherUse,
    /// `kty`, `crv` or `alg` is none that is accepted.
    #[error("the type or algorithm of the key is not accepted")]
    Algorithm,
    /// A private member: the key is no secret any more.
    #[error("the key carries private members")]
    Private,
    /// Fewer than [`MIN_RSA_BITS`], or absurdly many.
    #[error("the RSA key has {bits} bits")]
    Size {
        /// Length of the modulus.
        bits: usize,
    },
    /// The numbers are missing, not base64url, or no key.
    #[error("the key is malformed")]
    Malformed,
    /// A point of small order: a signature that verifies under it needs no private key.
    #[error("the key is a point of small order")]
    Weak,
}

/// A key that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableKey {
    /// Its `kid`, where it has one.
    pub kid: Option<String>,
    /// Why it is not used.
    pub reason: KeyUnusable,
}

/// The usable keys of an issuer, and the reasons why others are not.
#[derive(Default)]
pub struct KeySet {
    keys: Vec<(String, PublicKey)>,
    unusable: Vec<UnusableKey>,
}

impl KeySet {
    /// Reads a JWK set. Unusable keys are left out and remembered; they do not spoil the others.
    ///
    /// # Errors
    /// [`KeySetError`] where the text as a whole is no key set.
    pub fn from_jwks_json(text: &str) -> Result<Self, KeySetError> {
        if text.len() > MAX_JWKS_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let set = strict_json::object(text.as_bytes()).map_err(|_| KeySetError::NotAKeySet)?;
        let Some(Value::Array(jwks)) = set.get("keys") else {
            return Err(KeySetError::NotAKeySet);
        };
        if jwks.len() > MAX_JWKS_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut found = Self::default();
        for jwk in jwks {
            found.admit(jwk);
        }
        Ok(found)
    }

    fn admit(&mut self, jwk: &Value) {
        let kid = jwk.get("kid").and_then(Value::as_str).filter(|k| !k.is_empty() && k.len() <= MAX_KID_BYTES);
        let admitted = match kid {
            None => Err(KeyUnusable::NoKeyId),
            Some(kid) if self.find(kid).is_some() => Err(KeyUnusable::DuplicateKeyId),
            Some(_) => PublicKey::from_jwk(jwk),
        };
        match admitted {
            Ok(key) => self.keys.push((kid.unwrap_or_default().to_owned(), key)),
            Err(reason) => self.unusable.push(UnusableKey { kid: kid.map(str::to_owned), reason }),
        }
    }

    pub(crate) fn find(&self, kid: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|(name, _)| name == kid).map(|(_, key)| key)
    }

    /// The key with this thumbprint (RFC 7638), whatever its `kid`.
    pub(crate) fn by_thumbprint(&self, jkt: Thumbprint) -> Option<&PublicKey> {
        self.keys.iter().map(|(_, key)| key).find(|key| key.thumbprint() == jkt)
    }

    /// The key for `alg`, where there is no doubt which.
    pub(crate) fn only_one_for(&self, alg: Algorithm) -> Option<&PublicKey> {
        let mut serving = self.keys.iter().map(|(_, key)| key).filter(|key| key.serves(alg));
        serving.next().filter(|_| serving.next().is_none())
    }

    /// Whether a usable key has this `kid`.
    #[must_use]
    pub fn contains(&self, kid: &str) -> bool {
        self.find(kid).is_some()
    }

    /// The ids of the usable keys, in the order of the set.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(kid, _)| kid.as_str())
    }

    /// The keys that are not used, and why.
    #[must_use]
    pub fn unusable(&self) -> &[UnusableKey] {
        &self.unusable
    }

    /// How many keys are usable.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key is usable.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids: Vec<&str> = self.kids().collect();
        f.debug_struct("KeySet").field("kids", &kids).field("unusable", &self.unusable).finish()
    }
}

#[cfg(test)]
mod tests;

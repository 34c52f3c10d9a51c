//! The public keys of an issuer (RFC 7517), cleared of everything that must not verify a token.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use crate::strict_json;

/// The largest key set that is read.
pub const MAX_JWKS_BYTES: usize = 256 * 1024;
/// The most keys a set may have, usable or not.
pub const MAX_JWKS_KEYS: usize = 64;
/// RSA keys below are refused.
pub const MIN_RSA_BITS: usize = 2048;
const MAX_RSA_BITS: usize = 8192;
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
}

impl Algorithm {
    /// The name in JOSE headers (RFC 7518, section 3.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Rs256, Self::Ps256, Self::Es256].into_iter().find(|alg| alg.name() == name)
    }
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(alg: Algorithm) -> Self {
        match alg {
            Algorithm::Rs256 => Self::RS256,
            Algorithm::Ps256 => Self::PS256,
            Algorithm::Es256 => Self::ES256,
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
}

/// A key that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableKey {
    /// Its `kid`, where it has one.
    pub kid: Option<String>,
    /// Why it is not used.
    pub reason: KeyUnusable,
}

/// One key that may verify.
pub(crate) struct Key {
    kid: String,
    algorithms: &'static [Algorithm],
    decoding: DecodingKey,
}

impl Key {
    pub(crate) fn serves(&self, alg: Algorithm) -> bool {
        self.algorithms.contains(&alg)
    }

    pub(crate) const fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

/// The usable keys of an issuer, and the reasons why others are not.
#[derive(Default)]
pub struct KeySet {
    keys: Vec<Key>,
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
            Some(kid) => usable(jwk, kid),
        };
        match admitted {
            Ok(key) => self.keys.push(key),
            Err(reason) => self.unusable.push(UnusableKey { kid: kid.map(str::to_owned), reason }),
        }
    }

    pub(crate) fn find(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// Whether a usable key has this `kid`.
    #[must_use]
    pub fn contains(&self, kid: &str) -> bool {
        self.find(kid).is_some()
    }

    /// The ids of the usable keys, in the order of the set.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.kid.as_str())
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

fn usable(jwk: &Value, kid: &str) -> Result<Key, KeyUnusable> {
    let Value::Object(jwk) = jwk else {
        return Err(KeyUnusable::Malformed);
    };
    if !for_signatures(jwk) {
        return Err(KeyUnusable::OtherUse);
    }
    if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| jwk.contains_key(*name)) {
        return Err(KeyUnusable::Private);
    }
    let algorithms = algorithms_of(jwk)?;
    let decoding = if algorithms == [Algorithm::Es256] { ec_key(jwk)? } else { rsa_key(jwk)? };
    Ok(Key { kid: kid.to_owned(), algorithms, decoding })
}

fn for_signatures(jwk: &Map<String, Value>) -> bool {
    let used = jwk.get("use").is_none_or(|u| u.as_str() == Some("sig"));
    let verifies = |ops: &Value| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op.as_str() == Some("verify")));
    used && jwk.get("key_ops").is_none_or(verifies)
}

/// A key without `alg` serves whatever its type allows.
fn algorithms_of(jwk: &Map<String, Value>) -> Result<&'static [Algorithm], KeyUnusable> {
    let text = |name| jwk.get(name).map(|value| value.as_str().unwrap_or_default());
    match (text("kty"), text("alg"), text("crv")) {
        (Some("RSA"), None, _) => Ok(&[Algorithm::Rs256, Algorithm::Ps256]),
        (Some("RSA"), Some("RS256"), _) => Ok(&[Algorithm::Rs256]),
        (Some("RSA"), Some("PS256"), _) => Ok(&[Algorithm::Ps256]),
        (Some("EC"), None | Some("ES256"), Some("P-256")) => Ok(&[Algorithm::Es256]),
        _ => Err(KeyUnusable::Algorithm),
    }
}

fn rsa_key(jwk: &Map<String, Value>) -> Result<DecodingKey, KeyUnusable> {
    let (modulus, exponent) = (number(jwk, "n")?, number(jwk, "e")?);
    let bits = modulus.first().map_or(0, |&top| modulus.len() * 8 - top.leading_zeros() as usize);
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        return Err(KeyUnusable::Size { bits });
    }
    // An exponent of one makes every message its own signature; even ones are no RSA.
    let small = exponent.len() <= 4 && exponent != [1];
    if !small || exponent.last().is_none_or(|low| low % 2 == 0) {
        return Err(KeyUnusable::Malformed);
    }
    Ok(DecodingKey::from_rsa_raw_components(&modulus, &exponent))
}

fn ec_key(jwk: &Map<String, Value>) -> Result<DecodingKey, KeyUnusable> {
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != 32 || y.len() != 32 {
        return Err(KeyUnusable::Malformed);
    }
    let point = [&[4], x.as_slice(), &y].concat();
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).map_err(|_| KeyUnusable::Malformed)?;
    Ok(DecodingKey::from_ec_der(&point))
}

/// An unsigned number, big endian, without leading zeros.
fn number(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, KeyUnusable> {
    let bytes = bytes(jwk, name)?;
    Ok(bytes.into_iter().skip_while(|b| *b == 0).collect())
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, KeyUnusable> {
    let text = jwk.get(name).and_then(Value::as_str).ok_or(KeyUnusable::Malformed)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyUnusable::Malformed)
}

#[cfg(test)]
mod tests;

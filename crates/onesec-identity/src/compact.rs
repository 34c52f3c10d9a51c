//! The compact form of a signed JWT (RFC 7515, section 7.1), taken apart with suspicion.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::keys::{Algorithm, KeySet};
use crate::public_key::PublicKey;
use crate::refused::TokenRefused;
use crate::strict_json;

/// The longest token that is looked at. Auth0's are 1 to 3 KiB.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A token in its parts. Nothing in it is proven yet.
pub(crate) struct Compact<'a> {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    signed: &'a str,
    signature: &'a str,
}

impl<'a> Compact<'a> {
    /// Splits and decodes; every part must be non-empty canonical base64url. The token must not bring a key.
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenRefused> {
        let compact = Self::with_own_key(token)?;
        if compact.has("jwk") { Err(TokenRefused::EmbeddedKey) } else { Ok(compact) }
    }

    /// As [`Compact::parse`], for the one kind of token whose key stands in its header: a DPoP proof.
    pub(crate) fn with_own_key(token: &'a str) -> Result<Self, TokenRefused> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenRefused::TooLong);
        }
        let (header, payload, signature) = three_parts(token)?;
        // The engine refuses padding and stray trailing bits, so no two texts decode to one token.
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRefused::NotBase64Url);
        let (header, claims) = (decode(header)?, decode(payload)?);
        decode(signature)?;
        let header = strict_json::object(&header)?;
        check_header(&header)?;
        let signed = token.rsplit_once('.').map_or("", |(signed, _)| signed);
        Ok(Self { header, claims: strict_json::object(&claims)?, signed, signature })
    }

    /// `typ`, as it stands.
    pub(crate) fn typ(&self) -> Option<&str> {
        self.header.get("typ").and_then(Value::as_str)
    }

    /// `jwk`, as it stands.
    pub(crate) fn embedded_jwk(&self) -> Option<&Value> {
        self.header.get("jwk")
    }

    /// A claim before anything is proven: only to find the keys that could prove it.
    pub(crate) fn unproven_claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// All claims before anything is proven: for one who holds the token as his own.
    pub(crate) fn into_unproven_claims(self) -> Map<String, Value> {
        self.claims
    }

    /// `alg`, if it is one that is accepted here.
    pub(crate) fn algorithm(&self, accepted: &[Algorithm]) -> Result<Algorithm, TokenRefused> {
        let alg = self.header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name);
        alg.filter(|alg| accepted.contains(alg)).ok_or(TokenRefused::Algorithm)
    }

    /// `kid`.
    pub(crate) fn kid(&self) -> Result<&str, TokenRefused> {
        self.header.get("kid").and_then(Value::as_str).ok_or(TokenRefused::NoKeyId)
    }

    /// Whether the header has this member, whatever its value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.header.contains_key(name)
    }

    /// Checks the signature with the key of `keys` that `kid` names, and only then gives the claims away.
    pub(crate) fn verify(self, keys: &KeySet, accepted: &[Algorithm]) -> Result<Map<String, Value>, TokenRefused> {
        let alg = self.algorithm(accepted)?;
        let key = keys.find(self.kid()?).ok_or(TokenRefused::UnknownKey)?;
        self.verify_with(key, alg)
    }

    /// As [`Compact::verify`], for what an agent signs with a key of its own. Without `kid` only one of its keys may
    /// be made for the algorithm.
    pub(crate) fn verify_of_agent(self, keys: &KeySet) -> Result<Map<String, Value>, TokenRefused> {
        if self.has("kid") {
            return self.verify(keys, Algorithm::ALL);
        }
        let alg = self.algorithm(Algorithm::ALL)?;
        let key = keys.only_one_for(alg).ok_or(TokenRefused::NoKeyId)?;
        self.verify_with(key, alg)
    }

    /// Checks the signature with exactly this key.
    pub(crate) fn verify_with(self, key: &PublicKey, alg: Algorithm) -> Result<Map<String, Value>, TokenRefused> {
        if !key.serves(alg) {
            return Err(TokenRefused::KeyMismatch);
        }
        match jsonwebtoken::crypto::verify(self.signature, self.signed.as_bytes(), key.decoding(), alg.into()) {
            Ok(true) => Ok(self.claims),
            Ok(false) | Err(_) => Err(TokenRefused::Signature),
        }
    }
}

fn three_parts(token: &str) -> Result<(&str, &str, &str), TokenRefused> {
    let mut parts = token.split('.');
    let three = (parts.next(), parts.next(), parts.next());
    match (three, parts.count()) {
        ((Some(h), Some(p), Some(s)), 0) if !h.is_empty() && !p.is_empty() && !s.is_empty() => Ok((h, p, s)),
        (_, 2) => Err(TokenRefused::Encrypted), // RFC 7516, section 3.1: a JWE has five parts
        _ => Err(TokenRefused::NotThreeParts),
    }
}

fn check_header(header: &Map<String, Value>) -> Result<(), TokenRefused> {
    let has = |names: &[&str]| names.iter().any(|name| header.contains_key(*name));
    if has(&["enc"]) {
        return Err(TokenRefused::Encrypted);
    }
    if has(&["crit", "b64"]) {
        return Err(TokenRefused::CriticalExtension);
    }
    // They would be ignored anyway; no honest issuer of ours sends them, so whoever does is trying something.
    if has(&["jku", "x5u"]) {
        return Err(TokenRefused::EmbeddedKey);
    }
    Ok(())
}

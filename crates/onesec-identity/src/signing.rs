//! Signing JWTs: for the simulated tenant, and for what onesec signs itself.

use std::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onesec_telemetry::Secret;
use serde_json::{Value, json};

use crate::keys::{Algorithm, MIN_RSA_BITS};
use crate::pem;
use crate::public_key::PublicKey;

/// The label of a PKCS#8 key that is not encrypted (RFC 7468, section 10).
const PRIVATE_KEY: &str = "PRIVATE KEY";

/// Why nothing was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The key could not be made.
    #[error("the key could not be generated")]
    Generate,
    /// The bytes are no PKCS#8 key for the algorithm, or it is too short.
    #[error("not a PKCS#8 key for this algorithm")]
    NotAKey,
    /// A claim has a value that every verifier refuses.
    #[error("claim `{0}` would be refused")]
    Claim(&'static str),
    /// The library refused to sign.
    #[error("signing failed")]
    Sign,
}

/// A private key that signs JWTs. Not `Clone`, and mute.
pub struct SigningKey {
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
    Ed(Box<Ed25519KeyPair>),
}

impl SigningKey {
    /// Makes a key; RSA with 2048 bits.
    ///
    /// # Errors
    /// [`SignError::Generate`].
    pub fn generate(algorithm: Algorithm) -> Result<Self, SignError> {
        let pair = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => {
                Pair::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| SignError::Generate)?))
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
                Pair::Ec(Box::new(pair.map_err(|_| SignError::Generate)?))
            }
            Algorithm::EdDsa => Pair::Ed(Box::new(Ed25519KeyPair::generate().map_err(|_| SignError::Generate)?)),
        };
        Ok(Self { algorithm, pair })
    }

    /// Reads a PKCS#8 key in DER.
    ///
    /// # Errors
    /// [`SignError::NotAKey`].
    pub fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, SignError> {
        let pair = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| SignError::NotAKey)?;
                if pair.public_modulus_len() * 8 < MIN_RSA_BITS {
                    return Err(SignError::NotAKey);
                }
                Pair::Rsa(Box::new(pair))
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
                Pair::Ec(Box::new(pair.map_err(|_| SignError::NotAKey)?))
            }
            Algorithm::EdDsa => Pair::Ed(Box::new(Ed25519KeyPair::from_pkcs8(der).map_err(|_| SignError::NotAKey)?)),
        };
        Ok(Self { algorithm, pair })
    }

    /// Reads a PKCS#8 key in PEM (RFC 7468, section 10), whatever its type: RSA signs RS256 unless
    /// [`SigningKey::with_algorithm`] says otherwise, P-256 ES256, Ed25519 EdDSA.
    ///
    /// # Errors
    /// [`SignError::NotAKey`], also for encrypted keys and for texts with more than one.
    pub fn from_pem(text: &str) -> Result<Self, SignError> {
        let der = pem::decode(text, PRIVATE_KEY).ok_or(SignError::NotAKey)?;
        let by_type = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];
        by_type.into_iter().find_map(|algorithm| Self::from_pkcs8(algorithm, &der).ok()).ok_or(SignError::NotAKey)
    }

    /// The same key for another algorithm of its type: an RSA key signs RS256 or PS256.
    ///
    /// # Errors
    /// [`SignError::NotAKey`] where the key is of another type.
    pub fn with_algorithm(self, algorithm: Algorithm) -> Result<Self, SignError> {
        let fits = match &self.pair {
            Pair::Rsa(_) => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
            Pair::Ec(_) => algorithm == Algorithm::Es256,
            Pair::Ed(_) => algorithm == Algorithm::EdDsa,
        };
        if fits { Ok(Self { algorithm, ..self }) } else { Err(SignError::NotAKey) }
    }

    /// The key in PKCS#8 as PEM, to be stored with mode 0600. Its algorithm does not stand in it.
    ///
    /// # Errors
    /// [`SignError::NotAKey`] where the library cannot write it.
    pub fn to_pem(&self) -> Result<Secret, SignError> {
        self.with_der(|der| pem::encode(der, PRIVATE_KEY))
    }

    /// The key in PKCS#8, to be stored with mode 0600. Base64url, so that it can travel as a [`Secret`].
    ///
    /// # Errors
    /// [`SignError::NotAKey`] where the library cannot write it.
    pub fn to_pkcs8(&self) -> Result<Secret, SignError> {
        self.with_der(|der| URL_SAFE_NO_PAD.encode(der))
    }

    /// Writes the key down; the library wipes its own copy.
    fn with_der(&self, write: impl FnOnce(&[u8]) -> String) -> Result<Secret, SignError> {
        let text = match &self.pair {
            Pair::Rsa(pair) => write(pair.as_der().map_err(|_| SignError::NotAKey)?.as_ref()),
            Pair::Ec(pair) => write(pair.to_pkcs8v1().map_err(|_| SignError::NotAKey)?.as_ref()),
            Pair::Ed(pair) => write(pair.to_pkcs8v1().map_err(|_| SignError::NotAKey)?.as_ref()),
        };
        Ok(Secret::new(text))
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Signs `claims` with a header of `alg`, `typ` and `kid`.
    ///
    /// # Errors
    /// [`SignError::Sign`].
    pub fn sign(&self, claims: &Value, typ: &str, kid: &str) -> Result<Secret, SignError> {
        let header = json!({"alg": self.algorithm.name(), "typ": typ, "kid": kid});
        self.sign_raw(&header.to_string(), &claims.to_string())
    }

    /// Signs any header and claims as they stand, well-formed or not: how simulators and tests make tokens
    /// that a verifier must refuse.
    ///
    /// # Errors
    /// [`SignError::Sign`].
    pub fn sign_raw(&self, header_json: &str, claims_json: &str) -> Result<Secret, SignError> {
        let mut token = format!("{}.{}", URL_SAFE_NO_PAD.encode(header_json), URL_SAFE_NO_PAD.encode(claims_json));
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(Secret::new(token))
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = match self.algorithm {
                    Algorithm::Ps256 => pair.sign(&RSA_PSS_SHA256, &random, message, &mut signature),
                    Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa => {
                        pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    }
                };
                signed.map(|()| signature).map_err(|_| SignError::Sign)
            }
            Pair::Ec(pair) => pair.sign(&random, message).map(|s| s.as_ref().to_vec()).map_err(|_| SignError::Sign),
            Pair::Ed(pair) => pair.try_sign(message).map(|s| s.as_ref().to_vec()).map_err(|_| SignError::Sign),
        }
    }

    /// The public half, to name it in a `cnf` or to learn its thumbprint.
    ///
    /// # Errors
    /// [`SignError::NotAKey`] where a verifier would refuse it, as with an RSA key of absurd length.
    pub fn public_key(&self) -> Result<PublicKey, SignError> {
        PublicKey::from_jwk(&self.public_jwk("")).map_err(|_| SignError::NotAKey)
    }

    /// The public half as a JWK (RFC 7517), as it stands in a key set.
    #[must_use]
    pub fn public_jwk(&self, kid: &str) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
                    "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero())})
            }
            Pair::Ec(pair) => {
                // An uncompressed point: 4, then x and y with 32 bytes each.
                let mut point = pair.public_key().as_ref().iter().skip(1).copied();
                let x: Vec<u8> = point.by_ref().take(32).collect();
                let y: Vec<u8> = point.collect();
                json!({"kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)})
            }
            Pair::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.public_key().as_ref())})
            }
        };
        if let Value::Object(members) = &mut jwk {
            members.insert("alg".into(), self.algorithm.name().into());
            members.insert("use".into(), "sig".into());
            members.insert("kid".into(), kid.into());
        }
        jwk
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, …)", self.algorithm.name())
    }
}

#[cfg(test)]
mod tests;

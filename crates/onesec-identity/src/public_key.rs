//! One public key (RFC 7517), cleared of everything that must not verify, and its thumbprint (RFC 7638).

use std::fmt;

use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use onesec_telemetry::Thumbprint;
use serde_json::{Map, Value, json};

use crate::keys::{Algorithm, KeyUnusable, MAX_RSA_BITS, MIN_RSA_BITS};
use crate::pem;

/// A public key that may verify signatures.
#[derive(Clone)]
pub struct PublicKey {
    algorithms: &'static [Algorithm],
    decoding: DecodingKey,
    /// Only the members that make the key, in canonical encoding.
    jwk: Value,
    thumbprint: Thumbprint,
}

impl PublicKey {
    /// Reads a JWK. Its `kid` plays no part.
    ///
    /// # Errors
    /// [`KeyUnusable`] where it must not verify signatures; private members are one reason.
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyUnusable> {
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
        let (decoding, jwk) = match algorithms {
            [Algorithm::Es256] => ec_key(jwk)?,
            [Algorithm::EdDsa] => ed_key(jwk)?,
            _ => rsa_key(jwk)?,
        };
        // RFC 7638, section 3: the required members alone, written in lexicographic order.
        let thumbprint = Thumbprint::of(jwk.to_string().as_bytes());
        Ok(Self { algorithms, decoding, jwk, thumbprint })
    }

    /// Reads a key in PEM as `openssl pkey -pubout` writes it (RFC 7468, section 13): RSA, P-256 (uncompressed) or
    /// Ed25519. An RSA key serves RS256 and PS256.
    ///
    /// # Errors
    /// [`KeyUnusable`] where it must not verify signatures, or is of no such type.
    pub fn from_pem(text: &str) -> Result<Self, KeyUnusable> {
        let der = pem::decode(text, "PUBLIC KEY").ok_or(KeyUnusable::Malformed)?;
        Self::from_jwk(&jwk_of_spki(&der)?)
    }

    /// SHA-256 of the key's canonical JWK (RFC 7638): what `jkt` holds.
    #[must_use]
    pub const fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// The members that make the key, without `kid`, `alg` or `use`.
    #[must_use]
    pub const fn jwk(&self) -> &Value {
        &self.jwk
    }

    pub(crate) fn serves(&self, alg: Algorithm) -> bool {
        self.algorithms.contains(&alg)
    }

    pub(crate) const fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.thumbprint)
    }
}

/// `SubjectPublicKeyInfo` of an Ed25519 key (RFC 8410, section 4) up to the 32 bytes of the key.
const ED25519_SPKI: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// `SubjectPublicKeyInfo` of a P-256 key (RFC 5480, section 2) up to x and y of an uncompressed point.
const P256_SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
/// `AlgorithmIdentifier` of an RSA key (RFC 3279, section 2.3.1). A key that is for PSS only has another one.
const RSA_ALGORITHM: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// A JWK of the same numbers, so that one set of checks serves both forms. In DER a key of a named type and size
/// begins always alike; RSA alone has lengths.
fn jwk_of_spki(der: &[u8]) -> Result<Value, KeyUnusable> {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    if let Some(x) = der.strip_prefix(ED25519_SPKI) {
        return Ok(json!({"kty": "OKP", "crv": "Ed25519", "x": text(x)}));
    }
    if let Some((x, y)) = der.strip_prefix(P256_SPKI).and_then(|point| point.split_at_checked(32)) {
        return Ok(json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)}));
    }
    // What stands before it, tag and length of the whole, takes three or four bytes.
    let is_rsa = |at: usize| der.get(at..).is_some_and(|rest| rest.starts_with(RSA_ALGORITHM));
    if !is_rsa(3) && !is_rsa(4) {
        return Err(KeyUnusable::Malformed);
    }
    let key = rsa::PublicKey::from_der(der).map_err(|_| KeyUnusable::Malformed)?;
    let (n, e) = (key.modulus(), key.exponent());
    let (n, e) = (n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero());
    Ok(json!({"kty": "RSA", "n": text(n), "e": text(e)}))
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
        (Some("OKP"), None | Some("EdDSA"), Some("Ed25519")) => Ok(&[Algorithm::EdDsa]),
        _ => Err(KeyUnusable::Algorithm),
    }
}

fn rsa_key(jwk: &Map<String, Value>) -> Result<(DecodingKey, Value), KeyUnusable> {
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
    let (n, e) = (URL_SAFE_NO_PAD.encode(&modulus), URL_SAFE_NO_PAD.encode(&exponent));
    Ok((DecodingKey::from_rsa_raw_components(&modulus, &exponent), json!({"e": e, "kty": "RSA", "n": n})))
}

fn ec_key(jwk: &Map<String, Value>) -> Result<(DecodingKey, Value), KeyUnusable> {
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != 32 || y.len() != 32 {
        return Err(KeyUnusable::Malformed);
    }
    let point = [&[4], x.as_slice(), &y].concat();
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).map_err(|_| KeyUnusable::Malformed)?;
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    Ok((DecodingKey::from_ec_der(&point), json!({"crv": "P-256", "kty": "EC", "x": x, "y": y})))
}

fn ed_key(jwk: &Map<String, Value>) -> Result<(DecodingKey, Value), KeyUnusable> {
    let x: [u8; 32] = bytes(jwk, "x")?.try_into().map_err(|_| KeyUnusable::Malformed)?;
    let mut y = x;
    if let Some(top) = y.last_mut() {
        *top &= 0x7f; // the sign of the other coordinate
    }
    if is_not_reduced(&y) {
        return Err(KeyUnusable::Malformed); // two spellings of one point would be two thumbprints
    }
    if SMALL_ORDER.contains(&y) {
        return Err(KeyUnusable::Weak);
    }
    let x_text = URL_SAFE_NO_PAD.encode(x);
    Ok((DecodingKey::from_ed_der(&x), json!({"crv": "Ed25519", "kty": "OKP", "x": x_text})))
}

/// Whether a little-endian 255-bit number is 2^255 - 19 or more.
fn is_not_reduced(y: &[u8; 32]) -> bool {
    let [low, middle @ .., top] = y;
    *low >= 0xed && *top == 0x7f && middle.iter().all(|byte| *byte == 0xff)
}

/// The points whose order divides the cofactor of edwards25519 (RFC 8032, section 5.1), by their y, little endian:
/// orders 1, 2, 4, 8 and 8.
const SMALL_ORDER: [[u8; 32]; 5] = [
    number_of(1),
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
    number_of(0),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

const fn number_of(low: u8) -> [u8; 32] {
    let mut number = [0; 32];
    if let Some(first) = number.first_mut() {
        *first = low;
    }
    number
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
mod tests {
    use super::*;

    /// RFC 7638, section 3.1.
    const RFC7638_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    #[test]
    fn thumbprints_are_those_of_the_standards() {
        let rsa = json!({"kty": "RSA", "n": RFC7638_N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"});
        let rsa = PublicKey::from_jwk(&rsa).expect("usable");
        assert_eq!(rsa.thumbprint().to_base64url(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        // RFC 8037, appendices A.2 and A.3.
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let ed = PublicKey::from_jwk(&ed).expect("usable");
        assert_eq!(ed.thumbprint().to_base64url(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn an_edwards_point_that_needs_no_private_key_is_no_key() {
        let check = |x: [u8; 32]| {
            let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(x)});
            PublicKey::from_jwk(&jwk).err()
        };
        for point in SMALL_ORDER {
            let mut mirrored = point;
            mirrored[31] |= 0x80;
            assert_eq!((check(point), check(mirrored)), (Some(KeyUnusable::Weak), Some(KeyUnusable::Weak)));
        }
        let mut one_again = [0xff; 32]; // 2^255 - 18, which is one
        (one_again[0], one_again[31]) = (0xee, 0x7f);
        assert_eq!(check(one_again), Some(KeyUnusable::Malformed));
        let short = json!({"kty": "OKP", "crv": "Ed25519", "x": "AQ"});
        assert_eq!(PublicKey::from_jwk(&short).err(), Some(KeyUnusable::Malformed));
        let agreement = json!({"kty": "OKP", "crv": "X25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        assert_eq!(PublicKey::from_jwk(&agreement).err(), Some(KeyUnusable::Algorithm));
    }

    #[test]
    fn leading_zeros_make_no_second_thumbprint() {
        let plain = json!({"kty": "RSA", "n": RFC7638_N, "e": "AQAB"});
        let padded = json!({"kty": "RSA", "n": format!("AAAA{RFC7638_N}"), "e": "AAEAAQ"});
        let print = |jwk| PublicKey::from_jwk(jwk).map(|key| key.thumbprint());
        assert_eq!(print(&plain), print(&padded));
    }
}

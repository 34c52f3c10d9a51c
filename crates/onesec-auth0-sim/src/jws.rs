//! Signed JWTs of types that the verifier does not know: privileged worker requests and identity assertions.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onesec_telemetry::Secret;
use rustls_pki_types::{AlgorithmIdentifier, alg_id};
use serde_json::{Map, Value};

/// The claims of a token of type `typ` that one of `jwks` signed.
pub(crate) fn claims(token: &Secret, jwks: &[Value], typ: &str) -> Option<Map<String, Value>> {
    let token = token.expose_to_wire();
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let header = object(header)?;
    if header.get("typ").and_then(Value::as_str) != Some(typ) {
        return None;
    }
    let alg = header.get("alg").and_then(Value::as_str)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let kid = header.get("kid");
    let named = |jwk: &&Value| kid.is_none() || jwk.get("kid") == kid;
    let verified = jwks.iter().filter(named).any(|jwk| verifies(jwk, alg, (signed.as_bytes(), &signature)));
    verified.then(|| object(payload)).flatten()
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// With the TLS library's own algorithms: RS256 and PS256, as Auth0 takes, and Ed25519.
fn verifies(jwk: &Value, alg: &str, (message, signature): (&[u8], &[u8])) -> bool {
    if jwk.get("alg").is_some_and(|made_for| made_for != alg) {
        return false;
    }
    let member = |name| URL_SAFE_NO_PAD.decode(jwk.get(name).and_then(Value::as_str).unwrap_or_default());
    let (key, ids): (Vec<u8>, (AlgorithmIdentifier, AlgorithmIdentifier)) = match (alg, member("n"), member("e")) {
        ("RS256", Ok(n), Ok(e)) => (rsa_public_key(&n, &e), (alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA256)),
        ("PS256", Ok(n), Ok(e)) => (rsa_public_key(&n, &e), (alg_id::RSA_ENCRYPTION, alg_id::RSA_PSS_SHA256)),
        ("EdDSA", ..) => (member("x").unwrap_or_default(), (alg_id::ED25519, alg_id::ED25519)),
        _ => return false,
    };
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let mut known = provider.signature_verification_algorithms.all.iter();
    let algorithm = known.find(|known| (known.public_key_alg_id(), known.signature_alg_id()) == ids);
    algorithm.is_some_and(|algorithm| algorithm.verify_signature(&key, message, signature).is_ok())
}

/// `RSAPublicKey` in DER (RFC 8017, appendix A.1.1).
fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    der(0x30, &[integer(modulus), integer(exponent)].concat())
}

/// An unsigned number: a leading zero keeps it from being read as negative.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if bytes.first().is_some_and(|top| *top >= 0x80) { &[0] } else { &[] };
    der(2, &[sign, bytes].concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let long = significant.len() > 1 || content.len() >= 0x80;
    let count = u8::try_from(significant.len()).unwrap_or_default();
    let head = if long {
        [&[tag, 0x80 | count], significant.as_slice()].concat()
    } else {
        [&[tag], significant.as_slice()].concat()
    };
    [head.as_slice(), content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use onesec_identity::{Algorithm, SigningKey};
    use serde_json::json;

    #[test]
    fn only_the_right_key_type_and_text_verify() {
        for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa] {
            let (mine, yours) = (SigningKey::generate(algorithm), SigningKey::generate(algorithm));
            let (mine, yours) = (mine.expect("key"), yours.expect("key"));
            let token = mine.sign(&json!({"sub": "ana"}), "x+jwt", "k").expect("signed");
            let found = claims(&token, &[mine.public_jwk("k")], "x+jwt").expect("verified");
            assert_eq!(found.get("sub"), Some(&json!("ana")));
            assert!(claims(&token, &[mine.public_jwk("k")], "y+jwt").is_none(), "another type");
            assert!(claims(&token, &[mine.public_jwk("other")], "x+jwt").is_none(), "another name");
            assert!(claims(&token, &[yours.public_jwk("k")], "x+jwt").is_none(), "another key");
            let altered = Secret::new(token.expose_to_wire().replacen(".ey", ".eY", 1));
            assert!(claims(&altered, &[mine.public_jwk("k")], "x+jwt").is_none(), "another text");
        }
    }
}

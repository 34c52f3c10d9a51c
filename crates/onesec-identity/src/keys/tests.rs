//! Which keys of a set are used.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::SigningKey;

fn check(jwk: Value, want: KeyUnusable) {
    let set = KeySet::from_jwks_json(&json!({"keys": [jwk]}).to_string()).expect("a set");
    assert!(set.is_empty(), "{want:?}");
    assert_eq!(set.unusable().first().map(|u| u.reason), Some(want));
}

fn changed(jwk: &Value, changes: Value) -> Value {
    let mut jwk = jwk.clone();
    for (name, value) in changes.as_object().expect("object") {
        jwk[name] = value.clone();
    }
    jwk
}

#[test]
fn unusable_keys_are_left_out_with_a_reason_and_spoil_nothing() {
    let ec = SigningKey::generate(Algorithm::Es256).expect("key").public_jwk("ec");
    let rsa = SigningKey::generate(Algorithm::Rs256).expect("key").public_jwk("rsa");
    check(changed(&ec, json!({"kid": null})), KeyUnusable::NoKeyId);
    check(changed(&ec, json!({"kid": "x".repeat(257)})), KeyUnusable::NoKeyId);
    check(changed(&ec, json!({"use": "enc"})), KeyUnusable::OtherUse);
    check(changed(&ec, json!({"key_ops": ["sign"]})), KeyUnusable::OtherUse);
    check(changed(&ec, json!({"alg": "ES384"})), KeyUnusable::Algorithm);
    check(changed(&ec, json!({"crv": "P-384"})), KeyUnusable::Algorithm);
    check(changed(&ec, json!({"alg": "RS256"})), KeyUnusable::Algorithm);
    check(changed(&rsa, json!({"alg": "RSA-OAEP"})), KeyUnusable::Algorithm);
    check(json!({"kty": "oct", "kid": "k", "alg": "HS256"}), KeyUnusable::Algorithm);
    check(json!({"kty": "oct", "kid": "k", "k": "c2VjcmV0"}), KeyUnusable::Private);
    check(changed(&rsa, json!({"d": "AQAB"})), KeyUnusable::Private);
    check(changed(&rsa, json!({"n": URL_SAFE_NO_PAD.encode([0xff; 128])})), KeyUnusable::Size { bits: 1024 });
    let zeros = [[0_u8; 128], [0xff; 128]].concat(); // leading zeros do not make a key longer
    check(changed(&rsa, json!({"n": URL_SAFE_NO_PAD.encode(zeros)})), KeyUnusable::Size { bits: 1024 });
    check(changed(&rsa, json!({"n": URL_SAFE_NO_PAD.encode([0xff; 2048])})), KeyUnusable::Size { bits: 16_384 });
    check(changed(&rsa, json!({"e": "AQ"})), KeyUnusable::Malformed); // exponent 1
    check(changed(&rsa, json!({"e": "BA"})), KeyUnusable::Malformed); // exponent 4
    check(changed(&rsa, json!({"n": "not base64!"})), KeyUnusable::Malformed);
    check(changed(&ec, json!({"x": URL_SAFE_NO_PAD.encode([1; 32])})), KeyUnusable::Malformed); // not on the curve
    check(changed(&ec, json!({"y": "AQ"})), KeyUnusable::Malformed);

    let set = json!({"keys": [7, {"kty": "RSA"}, ec, changed(&rsa, json!({"kid": "ec"})), rsa]}).to_string();
    let set = KeySet::from_jwks_json(&set).expect("a set");
    assert_eq!(set.kids().collect::<Vec<_>>(), ["ec", "rsa"]);
    assert_eq!(set.unusable().len(), 3);
    assert_eq!(set.unusable().last().map(|u| u.reason), Some(KeyUnusable::DuplicateKeyId));
}

#[test]
fn what_is_no_set_or_too_much_is_refused_whole() {
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
        assert_eq!(KeySet::from_jwks_json(text).err(), Some(KeySetError::NotAKeySet), "{text}");
    }
    let many = json!({"keys": vec![json!({}); MAX_JWKS_KEYS + 1]}).to_string();
    assert_eq!(KeySet::from_jwks_json(&many).err(), Some(KeySetError::TooManyKeys));
    let large = " ".repeat(MAX_JWKS_BYTES + 1);
    assert_eq!(KeySet::from_jwks_json(&large).err(), Some(KeySetError::TooLarge));
}

#[test]
fn a_stored_key_signs_like_the_original() {
    for alg in [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa] {
        let key = SigningKey::generate(alg).expect("key");
        let stored = key.to_pkcs8().expect("pkcs8");
        let der = URL_SAFE_NO_PAD.decode(stored.expose_to_wire()).expect("base64");
        let again = SigningKey::from_pkcs8(alg, &der).expect("read back");
        assert_eq!(again.public_jwk("k"), key.public_jwk("k"));
        assert!(!format!("{key:?}").contains(stored.expose_to_wire()));
    }
    assert!(SigningKey::from_pkcs8(Algorithm::Rs256, b"no key").is_err());
}

//! One issuer, its keys, and the pieces that tokens are made of, for the tests of every verifier.

use std::sync::OnceLock;
use std::time::Duration;

use onesec_telemetry::{Secret, Timestamp};
use serde_json::{Value, json};

use crate::{Algorithm, DpopExpect, KeySet, SigningKey, VerifiedDpop, verify_dpop};

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(crate) const ISSUER: &str = "https://tenant.eu.auth0.test/";
pub(crate) const API: &str = "https://api.example/";

/// Modulus of a real 1024-bit key whose private half is gone.
const SMALL_MODULUS: &str = "uOzzVJGIqYOpET1tUg32Wi-7rQ1wa7mz4U5ksCoix-luqP56JhipaIoK0_4cq7ziq0SKUTz188mGfgwmSLplORbJMJk-oUF7JfztSfjJldiCt94pxiZ07U3EGDZbig9ZH12ljDe2D5mg97VkHlCWhoPYEe1CuYveQM86fn14AIc";

pub(crate) struct Issuer {
    pub(crate) rs: SigningKey,
    pub(crate) ps: SigningKey,
    pub(crate) es: SigningKey,
    pub(crate) stranger: SigningKey,
    pub(crate) keys: KeySet,
}

/// Making RSA keys is slow: one issuer serves all tests.
pub(crate) fn issuer() -> &'static Issuer {
    static ISSUER: OnceLock<Issuer> = OnceLock::new();
    ISSUER.get_or_init(|| {
        let make = |alg| SigningKey::generate(alg).expect("key");
        let (rs, ps, es) = (make(Algorithm::Rs256), make(Algorithm::Ps256), make(Algorithm::Es256));
        let mut free = rs.public_jwk("rs-free");
        free.as_object_mut().expect("object").remove("alg");
        let small = json!({"kty": "RSA", "kid": "small", "n": SMALL_MODULUS, "e": "AQAB"});
        let jwks = json!({"keys": [rs.public_jwk("rs"), ps.public_jwk("ps"), es.public_jwk("es"), free, small]});
        let keys = KeySet::from_jwks_json(&jwks.to_string()).expect("key set");
        Issuer { rs, ps, es, stranger: make(Algorithm::Es256), keys }
    })
}

/// Puts `changes` into an object; `null` removes a member.
pub(crate) fn merge(into: &mut Value, changes: Value) {
    let Value::Object(changes) = changes else { panic!("an object") };
    let into = into.as_object_mut().expect("an object");
    for (name, value) in changes {
        if value.is_null() {
            into.remove(&name)
        } else {
            into.insert(name, value)
        };
    }
}

pub(crate) fn header(changes: Value) -> String {
    let mut header = json!({"alg": "ES256", "typ": "JWT", "kid": "es"});
    merge(&mut header, changes);
    header.to_string()
}

pub(crate) fn signed(header: &str, claims: &str) -> String {
    issuer().es.sign_raw(header, claims).expect("signed").expose_to_wire().to_owned()
}

/// A verified proof by `key`, made for `token` where one is given.
pub(crate) fn shown(key: &SigningKey, token: Option<&Secret>) -> VerifiedDpop {
    let url = "https://onesec.example/";
    let mut claims = json!({"jti": "p", "htm": "POST", "htu": url, "iat": NOW.as_secs()});
    if let Some(token) = token {
        claims["ath"] = token.thumbprint().to_base64url().into();
    }
    let header = json!({"typ": "dpop+jwt", "alg": key.algorithm().name(), "jwk": key.public_jwk("k")});
    let proof = key.sign_raw(&header.to_string(), &claims.to_string()).expect("signed");
    let max_age = Duration::from_secs(60);
    let expect = DpopExpect { method: "POST", url, access_token: token, jkt: None, nonce: None, max_age };
    verify_dpop(&proof, &expect, NOW).expect("a proof")
}

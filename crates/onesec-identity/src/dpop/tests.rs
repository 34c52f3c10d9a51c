//! What a DPoP proof must and must not be.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::SigningKey;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const URL: &str = "https://onesec.example/api/v1/token-vault/exchange";

fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate(Algorithm::Es256).expect("key"))
}

fn expect() -> DpopExpect<'static> {
    let max_age = Duration::from_secs(60);
    DpopExpect { method: "POST", url: URL, access_token: None, jkt: None, nonce: None, max_age }
}

fn merge(into: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().expect("object") {
        let members = into.as_object_mut().expect("object");
        if value.is_null() {
            members.remove(name)
        } else {
            members.insert(name.clone(), value.clone())
        };
    }
}

fn proof_by(key: &SigningKey, header: &Value, changes: &Value) -> Secret {
    let mut head = json!({"typ": "dpop+jwt", "alg": key.algorithm().name(), "jwk": key.public_jwk("k")});
    merge(&mut head, header);
    let mut claims = json!({"jti": "p-1", "htm": "POST", "htu": URL, "iat": NOW.as_secs()});
    merge(&mut claims, changes);
    key.sign_raw(&head.to_string(), &claims.to_string()).expect("signed")
}

fn proof(changes: Value) -> Secret {
    proof_by(key(), &json!({}), &changes)
}

fn print_of(key: &SigningKey) -> Thumbprint {
    key.public_key().expect("public").thumbprint()
}

fn refused(proof: &Secret, expect: &DpopExpect<'_>) -> Option<&'static str> {
    verify_dpop(proof, expect, NOW).err().map(DpopRefused::code)
}

#[test]
fn a_proof_shows_its_key() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256] {
        let key = SigningKey::generate(algorithm).expect("key");
        let expect = DpopExpect { jkt: Some(print_of(&key)), ..expect() };
        let shown = verify_dpop(&proof_by(&key, &json!({}), &json!({})), &expect, NOW).expect("verified");
        assert_eq!((shown.jkt(), shown.jti(), shown.issued_at()), (print_of(&key), "p-1", NOW));
        assert_eq!(shown.replayable_until(), NOW + Duration::from_secs(60));
        assert_eq!(shown.access_token(), None);
    }
}

#[test]
fn a_proof_as_the_standard_prints_it_verifies() {
    // RFC 9449, section 4.1, figure 2, and the thumbprint of section 6.1.
    let proof = Secret::new(
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
            .into(),
    );
    let expect = DpopExpect { url: "https://server.example.com/token", ..expect() };
    let shown = verify_dpop(&proof, &expect, Timestamp::from_secs(1_562_262_620)).expect("verified");
    assert_eq!(shown.jkt().to_base64url(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

#[test]
fn query_fragment_and_spelling_of_the_url_do_not_matter_but_the_url_does() {
    let with = |url| refused(&proof(json!({"htu": url})), &expect());
    assert_eq!(with("HTTPS://ONESEC.example:443/api/v1/token-vault/%65xchange?x=1#y"), None);
    assert_eq!(with("https://onesec.example/api/v1/token-vault/exchange/"), Some("wrong_url"));
    assert_eq!(with("https://evil.example/api/v1/token-vault/exchange"), Some("wrong_url"));
    assert_eq!(with("/api/v1/token-vault/exchange"), Some("bad_claim"));
    let broken = DpopExpect { url: "onesec", ..expect() };
    assert_eq!(refused(&proof(json!({})), &broken), Some("wrong_url"));
}

#[test]
fn with_an_access_token_its_hash_must_be_in_the_proof() {
    let (mine, yours) = (Secret::new("at-mine".into()), Secret::new("at-yours".into()));
    let expect = DpopExpect { access_token: Some(&mine), ..expect() };
    let ath = |token: &Secret| proof(json!({"ath": token.thumbprint().to_base64url()}));
    let shown = verify_dpop(&ath(&mine), &expect, NOW).expect("verified");
    assert_eq!(shown.access_token(), Some(mine.thumbprint()));
    assert_eq!(refused(&ath(&yours), &expect), Some("wrong_access_token"));
    assert_eq!(refused(&proof(json!({})), &expect), Some("missing_claim"));
    let hex = proof(json!({"ath": mine.thumbprint().to_string()}));
    assert_eq!(refused(&hex, &expect), Some("wrong_access_token"));
}

#[test]
fn with_a_nonce_only_that_one_will_do() {
    let expect = DpopExpect { nonce: Some("n-1"), ..expect() };
    assert_eq!(refused(&proof(json!({"nonce": "n-1"})), &expect), None);
    assert_eq!(refused(&proof(json!({"nonce": "n-0"})), &expect), Some("use_dpop_nonce"));
    assert_eq!(refused(&proof(json!({})), &expect), Some("use_dpop_nonce"));
    assert_eq!(refused(&proof(json!({"nonce": 1})), &expect), Some("bad_claim"));
}

#[test]
fn forged_or_misplaced_proofs_are_refused_with_their_reason() {
    let now = NOW.as_secs();
    let ed = SigningKey::generate(Algorithm::EdDsa).expect("key");
    let changed = |changes: Value| {
        let mut jwk = key().public_jwk("k");
        merge(&mut jwk, &changes);
        json!({"jwk": jwk})
    };
    let none = json!({});
    let table: Vec<(&str, Value, Value, &str)> = vec![
        ("no typ", json!({"typ": null}), none.clone(), "wrong_type"),
        ("access token", json!({"typ": "at+jwt"}), none.clone(), "wrong_type"),
        ("none", json!({"alg": "none"}), none.clone(), "algorithm"),
        ("HS256", json!({"alg": "HS256"}), none.clone(), "algorithm"),
        ("no alg", json!({"alg": null}), none.clone(), "algorithm"),
        ("no key", json!({"jwk": null}), none.clone(), "no_key"),
        ("no key but kid", json!({"jwk": null, "kid": "k"}), none.clone(), "no_key"),
        ("key by address", json!({"jku": "https://evil.example/"}), none.clone(), "embedded_key"),
        ("crit", json!({"crit": ["x"]}), none.clone(), "critical_extension"),
        ("private key", changed(json!({"d": "AQ"})), none.clone(), "private_key"),
        ("shared secret", json!({"jwk": {"kty": "oct", "k": "AQ"}}), none.clone(), "private_key"),
        ("wrong curve", changed(json!({"crv": "P-521"})), none.clone(), "unusable_key"),
        ("not on the curve", changed(json!({"x": URL_SAFE_NO_PAD.encode([1; 32])})), none.clone(), "unusable_key"),
        ("key is a text", json!({"jwk": "k"}), none.clone(), "unusable_key"),
        ("key of another type", json!({"jwk": ed.public_jwk("k")}), none.clone(), "key_mismatch"),
        ("alg of another key", json!({"alg": "RS256"}), none.clone(), "key_mismatch"),
        ("other method", none.clone(), json!({"htm": "GET"}), "wrong_method"),
        ("method in small letters", none.clone(), json!({"htm": "post"}), "wrong_method"),
        ("no method", none.clone(), json!({"htm": null}), "missing_claim"),
        ("no url", none.clone(), json!({"htu": null}), "missing_claim"),
        ("url is a list", none.clone(), json!({"htu": [URL]}), "bad_claim"),
        ("no iat", none.clone(), json!({"iat": null}), "missing_claim"),
        ("too old", none.clone(), json!({"iat": now - 60}), "proof_too_old"),
        ("from the future", none.clone(), json!({"iat": now + 31}), "issued_in_future"),
        ("expired by its own word", none.clone(), json!({"exp": now - 30}), "expired"),
        ("not yet valid by its own word", none.clone(), json!({"nbf": now + 31}), "not_yet_valid"),
        ("no jti", none.clone(), json!({"jti": null}), "missing_claim"),
        ("empty jti", none.clone(), json!({"jti": ""}), "bad_claim"),
        ("endless jti", none, json!({"jti": "x".repeat(257)}), "bad_claim"),
    ];
    for (name, header, claims, want) in table {
        assert_eq!(refused(&proof_by(key(), &header, &claims), &expect()), Some(want), "{name}");
    }
    assert_eq!(refused(&proof(json!({"iat": now - 59})), &expect()), None);
}

#[test]
fn a_proof_of_another_key_is_none() {
    let other = SigningKey::generate(Algorithm::Es256).expect("key");
    let bound = DpopExpect { jkt: Some(print_of(&other)), ..expect() };
    assert_eq!(refused(&proof(json!({})), &bound), Some("wrong_key"));
    let claimed = proof_by(key(), &json!({"jwk": other.public_jwk("k")}), &json!({}));
    assert_eq!(refused(&claimed, &bound), Some("signature"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_changed_byte_never_verifies(at in 0_usize..2_000, flip in 1_u8..=255) {
        let mut bytes = proof(json!({})).expose_to_wire().as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert!(refused(&Secret::new(text), &expect()).is_some());
        }
    }

    #[test]
    fn no_url_panics(url in "\\PC{0,60}", web in "https?://[a-zA-Z0-9:.@\\[\\]%-]{0,20}[/a-z.%?#0-9]{0,30}") {
        for url in [url, web] {
            let changed = DpopExpect { url: &url, ..expect() };
            let reason = refused(&proof(json!({})), &changed);
            prop_assert_eq!(reason, Some("wrong_url"));
        }
    }
}

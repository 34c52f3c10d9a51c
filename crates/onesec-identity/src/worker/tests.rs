//! What a privileged worker's request must and must not be.

use serde_json::Value;

use super::*;
use crate::testkit::{ISSUER, NOW, merge};
use crate::{Algorithm, ReplayCache, ReplayRefused};

const NAMES: &[&str] = &["worker-app", "agent-1"];

fn request(user: &UserId) -> WorkerRequest<'_> {
    let audit_context = "nightly calendar sync";
    WorkerRequest { client: "worker-app", user, audience: ISSUER, jti: "j", audit_context, issued_at: NOW }
}

fn ana() -> UserId {
    UserId::new("auth0|ana").expect("id")
}

fn set(keys: &[&SigningKey]) -> KeySet {
    let jwks: Vec<Value> = keys.iter().enumerate().map(|(n, key)| key.public_jwk(&format!("k{n}"))).collect();
    KeySet::from_jwks_json(&json!({"keys": jwks}).to_string()).expect("set")
}

fn verify(token: &Secret, keys: &KeySet, now: Timestamp) -> Result<VerifiedWorkerRequest, WorkerRefused> {
    verify_worker_request(token, keys, &WorkerExpect { issuers: NAMES, audiences: &[ISSUER] }, now)
}

/// Signs with the first of the keys that are known.
fn check_with(keys: &[&SigningKey], header: Value, changes: Value) -> Result<VerifiedWorkerRequest, WorkerRefused> {
    let mut head = json!({"alg": keys[0].algorithm().name(), "typ": WORKER_REQUEST_TYPE, "kid": "k0"});
    merge(&mut head, header);
    let mut claims = json!({"iss": "worker-app", "sub": "auth0|ana", "aud": ISSUER, "jti": "j",
        "iat": NOW.as_secs(), "audit_context": "why"});
    merge(&mut claims, changes);
    verify(&keys[0].sign_raw(&head.to_string(), &claims.to_string()).expect("signed"), &set(keys), NOW)
}

fn check(header: Value, changes: Value) -> Result<VerifiedWorkerRequest, &'static str> {
    let key = SigningKey::generate(Algorithm::EdDsa).expect("key");
    check_with(&[&key], header, changes).map_err(WorkerRefused::code)
}

#[test]
fn a_request_that_was_signed_verifies_with_every_algorithm() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256] {
        let key = SigningKey::generate(algorithm).expect("key");
        let token = request(&ana()).sign(&key, "k0").expect("signed");
        let proof = verify(&token, &set(&[&key]), NOW).expect("verified");
        assert_eq!((proof.issuer(), proof.user(), proof.jti()), ("worker-app", &ana(), "j"));
        assert_eq!(proof.audit_context(), Some("nightly calendar sync"));
        assert_eq!(proof.replayable_until(), NOW + MAX_WORKER_REQUEST_AGE);
    }
}

#[test]
fn it_is_good_for_a_minute_whatever_it_says_itself() {
    let now = NOW.as_secs();
    let until = |changes| check(json!({}), changes).map(|proof| proof.replayable_until());
    let after = |secs| Ok(NOW + Duration::from_secs(secs));
    assert_eq!(until(json!({"iat": now - 59, "exp": now + 3600})), after(1));
    assert_eq!(until(json!({"iat": now - 60, "exp": now + 3600})), Err("too_old"));
    assert_eq!(until(json!({"iat": now - 60})), Err("too_old"));
    assert_eq!(until(json!({"exp": now + 5})), after(5));
    assert_eq!(until(json!({"exp": now})), Err("expired"));
    assert_eq!(until(json!({"iat": now + 30})), after(90));
    assert_eq!(until(json!({"iat": now + 31})), Err("issued_in_future"));
    assert_eq!(until(json!({"iat": 1e300})), Err("bad_claim"));
}

#[test]
fn it_cannot_be_replayed_while_it_verifies() {
    let key = SigningKey::generate(Algorithm::EdDsa).expect("key");
    let token = request(&ana()).sign(&key, "k0").expect("signed");
    let mut cache = ReplayCache::new(4);
    let mut used = |at: Timestamp| {
        let proof = verify(&token, &set(&[&key]), at).expect("verified");
        cache.admit(("agent-1", proof.jti()), proof.replayable_until(), at)
    };
    assert_eq!(used(NOW), Ok(()));
    assert_eq!(used(NOW + Duration::from_millis(59_999)), Err(ReplayRefused::Replayed));
    assert_eq!(verify(&token, &set(&[&key]), NOW + MAX_WORKER_REQUEST_AGE), Err(WorkerRefused::TooOld));
}

#[test]
fn whatever_is_wrong_has_its_reason() {
    let now = NOW.as_secs();
    let table = [
        (json!({"alg": "none"}), json!({}), "algorithm"),
        (json!({"alg": "HS256"}), json!({}), "algorithm"),
        (json!({"alg": "ES256"}), json!({}), "key_mismatch"),
        (json!({"typ": "JWT"}), json!({}), "wrong_type"),
        (json!({"typ": "client-authentication+jwt"}), json!({}), "wrong_type"),
        (json!({"typ": null}), json!({}), "wrong_type"),
        (json!({"crit": ["exp"]}), json!({}), "critical_extension"),
        (json!({"jwk": {"kty": "oct"}}), json!({}), "embedded_key"),
        (json!({"x5u": "https://evil.example/"}), json!({}), "embedded_key"),
        (json!({"kid": "k9"}), json!({}), "unknown_key"),
        (json!({"kid": 1}), json!({}), "no_key_id"),
        (json!({}), json!({"iss": "other-app"}), "wrong_issuer"),
        (json!({}), json!({"iss": null}), "missing_claim"),
        (json!({}), json!({"aud": "https://other.eu.auth0.test/"}), "wrong_audience"),
        (json!({}), json!({"aud": [ISSUER, "https://other.example/"]}), "wrong_audience"),
        (json!({}), json!({"aud": null}), "missing_claim"),
        (json!({}), json!({"iat": null}), "missing_claim"),
        (json!({}), json!({"iat": "now"}), "bad_claim"),
        (json!({}), json!({"exp": "soon"}), "bad_claim"),
        (json!({}), json!({"nbf": now + 31}), "not_yet_valid"),
        (json!({}), json!({"sub": null}), "missing_claim"),
        (json!({}), json!({"sub": "auth0|ana "}), "bad_claim"),
        (json!({}), json!({"sub": "worker-app"}), "not_a_person"),
        (json!({}), json!({"sub": "other@clients"}), "not_a_person"),
        (json!({}), json!({"jti": null}), "missing_claim"),
        (json!({}), json!({"jti": ""}), "bad_claim"),
        (json!({}), json!({"jti": "x".repeat(257)}), "bad_claim"),
        (json!({}), json!({"audit_context": ""}), "bad_claim"),
        (json!({}), json!({"audit_context": 1}), "bad_claim"),
        (json!({}), json!({"audit_context": "é".repeat(257)}), "bad_claim"),
        (json!({}), json!({"audit_context": "two\nlines"}), "bad_claim"),
    ];
    for (header, claims, want) in table {
        assert_eq!(check(header.clone(), claims.clone()).err(), Some(want), "{header} {claims}");
    }
    assert!(check(json!({}), json!({"audit_context": "é".repeat(256), "aud": [ISSUER], "iss": "agent-1"})).is_ok());
    assert_eq!(check(json!({}), json!({"audit_context": null})).map(|p| p.audit_context().is_none()), Ok(true));
}

#[test]
fn only_the_agents_own_key_signs_and_there_must_be_no_doubt_which() {
    let make = |alg| SigningKey::generate(alg).expect("key");
    let (mine, same, other) = (make(Algorithm::Es256), make(Algorithm::Es256), make(Algorithm::EdDsa));
    assert!(check_with(&[&mine, &other], json!({"kid": null}), json!({})).is_ok());
    assert_eq!(check_with(&[&mine, &same], json!({"kid": null}), json!({})), Err(TokenRefused::NoKeyId.into()));
    assert_eq!(check_with(&[&mine, &same], json!({"kid": "k1"}), json!({})), Err(TokenRefused::Signature.into()));
    let twice = r#"{"iss":"worker-app","sub":"auth0|bob","sub":"auth0|ana"}"#;
    let header = json!({"alg": "ES256", "typ": WORKER_REQUEST_TYPE, "kid": "k0"}).to_string();
    let twice = mine.sign_raw(&header, twice).expect("signed");
    assert_eq!(verify(&twice, &set(&[&mine]), NOW), Err(TokenRefused::DuplicateMember.into()));
}

#[test]
fn nothing_is_signed_that_would_be_refused() {
    let (key, user) = (SigningKey::generate(Algorithm::EdDsa).expect("key"), ana());
    let sign = |request: WorkerRequest<'_>| request.sign(&key, "k").map(|_| ());
    let long = "x".repeat(257);
    assert_eq!(sign(WorkerRequest { jti: "", ..request(&user) }), Err(SignError::Claim("jti")));
    assert_eq!(sign(WorkerRequest { jti: &long, ..request(&user) }), Err(SignError::Claim("jti")));
    for audit_context in ["", "two\nlines", &long] {
        assert_eq!(
            sign(WorkerRequest { audit_context, ..request(&user) }),
            Err(SignError::Claim("audit_context")),
            "{audit_context:?}"
        );
    }
}

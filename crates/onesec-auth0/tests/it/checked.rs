//! Verified access tokens are remembered while that is safe; bound ones need their proof each time.

use onesec_auth0::{ProofError, ProofKind, Subject};
use onesec_auth0_sim::RequestKind;
use onesec_identity::{Algorithm, DpopExpect, SigningKey, TokenRefused, VerifiedDpop, verify_dpop};
use serde_json::json;

use super::*;

impl World {
    async fn proves(&self, subject: &Subject) -> Result<(), ProofError> {
        self.resolver.resolve(subject, self.now()).await.map(|_| ())
    }
}

fn access(token: Secret) -> Subject {
    Subject::new(token, SubjectKind::AccessToken)
}

#[tokio::test]
async fn a_token_is_verified_once_and_gives_the_same_proof() {
    let world = world().await;
    let token = access(world.access_token(ANA));
    let first = world.resolver.resolve(&token, world.now()).await.expect("proven");
    assert_eq!(world.resolver.cached_hits(), 0);
    let second = world.resolver.resolve(&token, world.now()).await.expect("proven");
    assert_eq!((first, world.resolver.cached_hits()), (second, 1));
    world.proves(&access(world.access_token(BOB))).await.expect("proven");
    assert_eq!(world.resolver.cached_hits(), 1, "another token");
    let altered = Secret::new(format!("{}x", token.token.expose_to_wire()));
    world.proves(&access(altered)).await.expect_err("nobody's");
}

#[tokio::test]
async fn nothing_outlives_its_token() {
    let world = world().await;
    let spec = AccessTokenSpec::new(ANA, API, "web-app").with_lifetime(Duration::from_secs(100));
    let token = access(world.sim.mint_access_token(&spec).expect("minted"));
    world.proves(&token).await.expect("proven");
    world.clock.advance(Duration::from_secs(99));
    world.proves(&token).await.expect("remembered");
    assert_eq!(world.resolver.cached_hits(), 1);
    world.clock.advance(Duration::from_secs(1));
    world.proves(&token).await.expect("within the verifier's leeway");
    assert_eq!(world.resolver.cached_hits(), 1, "but verified");
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(world.proves(&token).await, Err(ProofError::AccessToken(TokenRefused::Expired)));
}

#[tokio::test]
async fn what_is_remembered_says_nothing_of_earlier() {
    let world = world().await;
    let token = access(world.access_token(ANA));
    world.proves(&token).await.expect("proven");
    let earlier = world.resolver.resolve(&token, world.now().before(Duration::from_secs(60))).await;
    assert_eq!(earlier, Err(ProofError::AccessToken(TokenRefused::IssuedInFuture)));
}

#[tokio::test]
async fn nothing_outlives_its_keys() {
    let world = world().await;
    let token = access(world.access_token(ANA));
    world.proves(&token).await.expect("proven");
    world.sim.rotate_signing_key().expect("rotated");
    world.sim.drop_previous_keys();
    world.proves(&token).await.expect("the keys are still in force here");
    assert_eq!(world.resolver.cached_hits(), 1);
    world.proves(&access(world.access_token(BOB))).await.expect("proven, with the new keys");
    assert_eq!(world.sim.requests(RequestKind::Jwks), 2);
    assert_eq!(world.proves(&token).await, Err(ProofError::AccessToken(TokenRefused::UnknownKey)));
    assert_eq!(world.resolver.cached_hits(), 1);
}

fn proof(key: &SigningKey, token: &Secret, now: Timestamp) -> VerifiedDpop {
    let ath = base64url(token.thumbprint().as_bytes());
    let claims =
        json!({"htm": "POST", "htu": "https://onesec.example/x", "iat": now.as_secs(), "jti": "j", "ath": ath});
    let header = json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": public(key)});
    let proof = key.sign_raw(&header.to_string(), &claims.to_string()).expect("signed");
    let (url, max_age) = ("https://onesec.example/x", Duration::from_secs(60));
    let expect = DpopExpect { method: "POST", url, access_token: Some(token), jkt: None, nonce: None, max_age };
    verify_dpop(&proof, &expect, now).expect("a good proof")
}

fn public(key: &SigningKey) -> serde_json::Value {
    key.public_key().expect("public").jwk().clone()
}

#[tokio::test]
async fn a_bound_token_needs_its_proof_every_time() {
    let world = world().await;
    let key = SigningKey::generate(Algorithm::EdDsa).expect("a key");
    let jkt = base64url(key.public_key().expect("public").thumbprint().as_bytes());
    let spec = AccessTokenSpec::new(ANA, API, "web-app").with_claim("cnf", json!({"jkt": jkt}));
    let token = world.sim.mint_access_token(&spec).expect("minted");
    let with = |proof| Subject { proof, ..access(token.clone()) };
    let right = with(Some(proof(&key, &token, world.now())));
    for _ in 0..2 {
        let who = world.resolver.resolve(&right, world.now()).await.expect("proven");
        let ProofKind::AccessToken(subject) = who.how() else { panic!("by its signature") };
        assert_eq!((who.user().as_str(), subject.bound_to().is_some()), (ANA, true));
    }
    assert_eq!(world.resolver.cached_hits(), 0);
    assert_eq!(world.proves(&with(None)).await, Err(ProofError::AccessToken(TokenRefused::ProofRequired)));
    let other = SigningKey::generate(Algorithm::EdDsa).expect("a key");
    let wrong = [proof(&other, &token, world.now()), proof(&key, &world.access_token(ANA), world.now())];
    for wrong in wrong {
        let refused = world.proves(&with(Some(wrong))).await;
        assert_eq!(refused, Err(ProofError::AccessToken(TokenRefused::ProofMismatch)));
    }
}

/// Without padding (RFC 4648, section 5).
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |chunk: &[u8], n: usize| {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or_default()));
        char::from(*DIGITS.get((bits >> (18 - 6 * n) & 63) as usize).expect("six bits"))
    };
    bytes.chunks(3).flat_map(|chunk| (0..=chunk.len()).map(move |n| digit(chunk, n))).collect()
}

//! What verifying one proof costs: an access token, a chain of delegations, a DPoP proof.
#![expect(clippy::expect_used, reason = "a benchmark that cannot run must stop")]

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use onesec_identity::{
    AccessTokenPolicy, Algorithm, DelegateKey, DpopExpect, KeySet, LinkPolicy, LinkSpec, SigningKey, sign_link,
    verify_access_token, verify_chain, verify_dpop,
};
use onesec_telemetry::{AgentId, ConnectionName, Name, ScopeSet, Secret, Timestamp};
use serde_json::json;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const USER: &str = "auth0|0123456789abcdef01234567";

fn access_token(c: &mut Criterion) {
    let policy = tenant();
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let (token, keys) = persons_token(&policy, algorithm);
        c.bench_function(&format!("verify/{}", algorithm.name()), |b| {
            b.iter(|| verify_access_token(&token, &keys, &policy, NOW).expect("verified"));
        });
    }
}

fn chain_of_three(c: &mut Criterion) {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let (links, roots) = three_links(algorithm);
        c.bench_function(&format!("verify/chain-of-3/{}", algorithm.name()), |b| {
            b.iter(|| verify_chain(&links, &LinkPolicy::new(&roots), NOW).expect("verified"));
        });
    }
}

/// What one delegated exchange has to prove: who the user is, and who lent what to whom.
fn token_and_chain(c: &mut Criterion) {
    let policy = tenant();
    let (token, keys) = persons_token(&policy, Algorithm::Rs256);
    let (links, roots) = three_links(Algorithm::EdDsa);
    c.bench_function("verify/jwt+chain-of-3", |b| {
        b.iter(|| {
            let subject = verify_access_token(&token, &keys, &policy, NOW).expect("verified");
            let chain = LinkPolicy::new(&roots).with_root_issuer(subject.user().as_str());
            verify_chain(&links, &chain, NOW).expect("verified")
        });
    });
}

fn tenant() -> AccessTokenPolicy {
    AccessTokenPolicy::new("https://tenant.eu.auth0.test/", ["https://api.example/"])
}

fn persons_token(policy: &AccessTokenPolicy, algorithm: Algorithm) -> (Secret, KeySet) {
    let claims = json!({"iss": policy.issuer(), "sub": USER, "azp": "app",
        "aud": ["https://api.example/", "https://tenant.eu.auth0.test/userinfo"],
        "scope": "openid profile read:mail", "iat": NOW.as_secs(), "exp": NOW.as_secs() + 3600});
    let key = SigningKey::generate(algorithm).expect("key");
    (key.sign(&claims, "JWT", "k").expect("signed"), key_set(&key))
}

fn three_links(algorithm: Algorithm) -> (Vec<Secret>, KeySet) {
    let keys: Vec<SigningKey> = (0..4).map(|_| SigningKey::generate(algorithm).expect("key")).collect();
    let mut links: Vec<Secret> = Vec::new();
    let hops = [(USER, "agent-a"), ("agent-a", "agent-b"), ("agent-b", "agent-c")];
    for ((from, to), (signer, delegate)) in hops.into_iter().zip(keys.iter().zip(keys.iter().skip(1))) {
        let spec = link(from, to, (delegate, links.last()));
        links.push(sign_link(signer, &spec, "k").expect("signed"));
    }
    (links, key_set(keys.first().expect("the root")))
}

fn link(from: &str, to: &str, (delegate, above): (&SigningKey, Option<&Secret>)) -> LinkSpec {
    LinkSpec {
        delegator: Name::new(from).expect("name"),
        delegate: AgentId::new(to).expect("agent"),
        connection: Some(ConnectionName::new("google-oauth2").expect("connection")),
        scopes: Some(ScopeSet::parse("calendar.read mail.read").expect("scopes")),
        audience: None,
        issued_at: NOW,
        expires_at: NOW + Duration::from_secs(3600),
        jti: Name::new(to).expect("name"),
        delegate_key: DelegateKey::Key(delegate.public_key().expect("public")),
        parent: above.map(Secret::thumbprint),
        max_depth: None,
    }
}

fn dpop(c: &mut Criterion) {
    let url = "https://onesec.example/api/v1/token-vault/exchange";
    let token = Secret::new("x".repeat(1024));
    let max_age = Duration::from_secs(60);
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let key = SigningKey::generate(algorithm).expect("key");
        let header = json!({"typ": "dpop+jwt", "alg": algorithm.name(), "jwk": key.public_jwk("k")});
        let claims = json!({"jti": "0123456789abcdef", "htm": "POST", "htu": url, "iat": NOW.as_secs()});
        let proof = key.sign_raw(&header.to_string(), &claims.to_string()).expect("signed");
        let expect = DpopExpect { method: "POST", url, access_token: None, jkt: None, nonce: None, max_age };
        c.bench_function(&format!("verify/dpop/{}", algorithm.name()), |b| {
            b.iter(|| verify_dpop(&proof, &expect, NOW).expect("verified"));
        });
    }
    c.bench_function("verify/dpop/hash-of-1-KiB-token", |b| b.iter(|| token.thumbprint()));
}

fn key_set(key: &SigningKey) -> KeySet {
    KeySet::from_jwks_json(&json!({"keys": [key.public_jwk("k")]}).to_string()).expect("key set")
}

criterion_group!(benches, access_token, chain_of_three, token_and_chain, dpop);
criterion_main!(benches);

//! What verifying one access token costs.
#![expect(clippy::expect_used, reason = "a benchmark that cannot run must stop")]

use criterion::{Criterion, criterion_group, criterion_main};
use onesec_identity::{AccessTokenPolicy, Algorithm, KeySet, SigningKey, verify_access_token};
use onesec_telemetry::Timestamp;
use serde_json::json;

fn verify(c: &mut Criterion) {
    let policy = AccessTokenPolicy::new("https://tenant.eu.auth0.test/", ["https://api.example/"]);
    let now = Timestamp::from_secs(1_800_000_000);
    let claims = json!({"iss": policy.issuer(), "sub": "auth0|0123456789abcdef01234567", "azp": "app",
        "aud": ["https://api.example/", "https://tenant.eu.auth0.test/userinfo"],
        "scope": "openid profile read:mail", "iat": now.as_secs(), "exp": now.as_secs() + 3600});
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let key = SigningKey::generate(algorithm).expect("key");
        let keys = KeySet::from_jwks_json(&json!({"keys": [key.public_jwk("k")]}).to_string()).expect("key set");
        let token = key.sign(&claims, "JWT", "k").expect("signed");
        c.bench_function(&format!("verify/{}", algorithm.name()), |b| {
            b.iter(|| verify_access_token(&token, &keys, &policy, now).expect("verified"));
        });
    }
}

criterion_group!(benches, verify);
criterion_main!(benches);

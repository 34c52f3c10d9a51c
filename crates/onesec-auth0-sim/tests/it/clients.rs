//! Clients that authenticate by assertion.

use onesec_identity::{Algorithm, SigningKey};

use super::*;

pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const API: &str = "https://api.example/";

/// A tenant whose clock stands still, with a user who has connected an account, and no client.
pub(super) async fn still_tenant() -> SimTenant {
    let config = SimConfig::new("demo-tenant.eu.auth0.test").with_clock(|| onesec_telemetry::Timestamp::from_secs(NOW));
    let sim = SimTenant::start(config).await.expect("a tenant");
    sim.create_user(ANA);
    sim.connect_account(AccountSpec::new(ANA, "google-oauth2", "a b c")).expect("connected");
    sim
}

pub(super) fn new_key() -> SigningKey {
    SigningKey::generate(Algorithm::EdDsa).expect("a key")
}

/// Signs with a header of `alg`, `typ` and no `kid`.
pub(super) fn sign(key: &SigningKey, typ: &str, claims: &Value) -> String {
    let header = json!({"alg": key.algorithm().name(), "typ": typ});
    key.sign_raw(&header.to_string(), &claims.to_string()).expect("signed").expose_to_wire().to_owned()
}

/// An assertion of `client` that can be used once.
pub(super) fn assertion(key: &SigningKey, client: &str, changes: Value) -> Vec<(&'static str, String)> {
    let mut claims = json!({"iss": client, "sub": client, "aud": "https://demo-tenant.eu.auth0.test/",
        "jti": fresh_id(), "iat": NOW, "exp": NOW + 60});
    change(&mut claims, changes);
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned();
    vec![("client_assertion_type", kind), ("client_assertion", sign(key, "JWT", &claims))]
}

pub(super) fn change(claims: &mut Value, changes: Value) {
    for (name, value) in changes.as_object().expect("an object") {
        claims.as_object_mut().expect("an object").insert(name.clone(), value.clone());
    }
}

pub(super) fn fresh_id() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static MADE: AtomicU64 = AtomicU64::new(0);
    format!("id-{}", MADE.fetch_add(1, Ordering::Relaxed))
}

fn own_token() -> Vec<(&'static str, String)> {
    vec![("grant_type", "client_credentials".to_owned()), ("audience", API.to_owned())]
}

#[tokio::test]
async fn an_assertion_is_for_this_tenant_by_this_client_and_used_once() {
    let (sim, key) = (still_tenant().await, new_key());
    sim.create_client(ClientSpec::regular("keyed", "s3cret").with_public_key(key.public_jwk("k1")));
    sim.create_client(ClientSpec::regular("plain", "s3cret"));
    let with = |mut more: Vec<(&'static str, String)>| {
        more.extend(own_token());
        form(&more)
    };
    for changes in [json!({}), json!({"aud": "https://demo-tenant.eu.auth0.test/oauth/token"})] {
        let body = with(assertion(&key, "keyed", changes));
        assert_eq!(post(&sim, &[FORM], &body).await.0, 200);
        assert_eq!(error_of(post(&sim, &[FORM], &body).await), (401, "invalid_client".into()), "used once");
    }
    let named = |name: &str| [assertion(&key, "keyed", json!({})), vec![("client_id", name.to_owned())]].concat();
    assert_eq!(post(&sim, &[FORM], &with(named("keyed"))).await.0, 200);

    let mut with_type = assertion(&key, "keyed", json!({}));
    with_type[0].1 = "urn:x".to_owned();
    let refused = [
        named("plain"),
        with_type,
        [assertion(&key, "keyed", json!({})), vec![("client_secret", "s3cret".to_owned())]].concat(),
        assertion(&key, "keyed", json!({"aud": "https://elsewhere.test/"})),
        assertion(&key, "keyed", json!({"exp": NOW - 31})),
        assertion(&key, "plain", json!({})),
        assertion(&key, "nobody", json!({})),
        assertion(&new_key(), "keyed", json!({})),
    ];
    for params in refused {
        assert_eq!(
            error_of(post(&sim, &[FORM], &with(params.clone())).await),
            (401, "invalid_client".into()),
            "{params:?}"
        );
    }
    let secret = vec![("client_id", "keyed".to_owned()), ("client_secret", "s3cret".to_owned())];
    assert_eq!(error_of(post(&sim, &[FORM], &with(secret)).await), (401, "access_denied".into()));
}

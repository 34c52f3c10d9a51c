//! Our client proves itself by a signature; and several clients live side by side.

use onesec_auth0::{ClientKey, ConfigError, Subject};
use onesec_identity::{Algorithm, AssertionExpect, KeySet, SigningKey, verify_client_assertion};
use onesec_telemetry::AppId;
use serde_json::json;

use super::stranger::{Stranger, answer};
use super::*;

pub(super) fn client_key(kid: Option<&str>) -> ClientKey {
    let key = SigningKey::generate(Algorithm::EdDsa).expect("a key");
    ClientKey { key: Arc::new(key), kid: kid.map(str::to_owned) }
}

impl World {
    /// An endpoint of the same tenant as another client.
    pub(super) fn endpoint_of(&self, tenant: Auth0Config) -> Arc<TokenEndpoint> {
        let tenant = tenant.with_base_url(self.sim.base_url()).expect("loopback");
        Arc::new(TokenEndpoint::new(tenant, http(), Arc::<ManualClock>::clone(&self.clock)))
    }

    pub(super) fn by_key(&self, client: &str, key: ClientKey) -> Arc<TokenEndpoint> {
        self.endpoint_of(Auth0Config::with_private_key(self.sim.domain(), client, key).expect("config"))
    }

    fn by_secret(&self, client: &str) -> Arc<TokenEndpoint> {
        let secret = Secret::new(CLIENT_SECRET.into());
        self.endpoint_of(Auth0Config::new(self.sim.domain(), client, secret).expect("config"))
    }
}

#[tokio::test]
async fn a_client_with_a_key_needs_no_secret_and_has_none() {
    let world = world().await;
    for kid in [Some("k1"), None] {
        let key = client_key(kid);
        let spec = ClientSpec::custom_api("keyed", CLIENT_SECRET, API).with_public_key(key.key.public_jwk("k1"));
        world.sim.create_client(spec);
        let token = world.sim.issue_refresh_token(ANA, "keyed").expect("issued");
        let request = google(&token, SubjectKind::RefreshToken);
        let vault = TokenVault::new(world.by_key("keyed", key));
        for _ in 0..2 {
            vault.exchange(&request).await.expect("each assertion is a new one");
        }
        let other = TokenVault::new(world.by_key("keyed", client_key(kid))).exchange(&request).await;
        let other = other.expect_err("another key");
        assert_eq!((code(&other), other.is_client_rejected()), ("invalid_client", true));
        let secret = TokenVault::new(world.by_secret("keyed")).exchange(&request).await;
        assert_eq!(code(&secret.expect_err("its secret counts no more")), "access_denied");
    }
}

#[tokio::test]
async fn each_attempt_has_an_assertion_of_its_own() {
    let token = r#"{"access_token":"ya29.x","token_type":"Bearer"}"#;
    let json = "content-type: application/json";
    let stranger = Stranger::start(move |number, _| match number {
        0 => answer("429 Slow Down", &[json, "retry-after: 0"], r#"{"error":"too_many_requests"}"#),
        _ => answer("200 OK", &[json], token),
    });
    let stranger = stranger.await;
    let key = client_key(Some("k1"));
    let keys = KeySet::from_jwks_json(&json!({"keys": [key.key.public_jwk("k1")]}).to_string()).expect("keys");
    let tenant = Auth0Config::with_private_key("tenant.test", "keyed", key).expect("config");
    let tenant = tenant.with_base_url(&stranger.base_url).expect("loopback");
    let now = Timestamp::from_secs(1_800_000_000);
    let vault = TokenVault::new(Arc::new(TokenEndpoint::new(tenant, http(), Arc::new(ManualClock::new(now)))));
    vault.exchange(&google(&Secret::new("v1.r".into()), SubjectKind::RefreshToken)).await.expect("issued");

    let client = AppId::new("keyed").expect("an id");
    let expect = AssertionExpect { client: &client, audiences: &["https://tenant.test/"] };
    let seen = stranger.seen();
    let proofs: Vec<_> = seen
        .iter()
        .map(|request| {
            assert_eq!(request.param("client_id").as_deref(), Some("keyed"));
            assert_eq!(request.param("client_secret"), None);
            let kind = request.param("client_assertion_type");
            assert_eq!(kind.as_deref(), Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
            let assertion = Secret::new(request.param("client_assertion").expect("an assertion"));
            verify_client_assertion(&assertion, &keys, &expect, now).expect("genuine")
        })
        .collect();
    assert_eq!((proofs.len(), proofs[0].jti().len()), (2, 32));
    assert_ne!(proofs[0].jti(), proofs[1].jti());
    assert!(proofs.iter().all(|proof| proof.expires_at() == now + Duration::from_secs(60)));
}

#[tokio::test]
async fn a_client_for_refresh_tokens_and_one_for_access_tokens() {
    let world = world().await;
    world.sim.create_client(ClientSpec::regular("a", CLIENT_SECRET));
    world.sim.create_client(ClientSpec::custom_api("b", CLIENT_SECRET, API));
    let (a, b) = (world.by_secret("a"), world.by_secret("b"));
    let audiences = [API.to_owned(), "https://other.example/".to_owned()];
    let resolver = SubjectResolver::new(Arc::clone(&a), Arc::clone(&world.jwks), &audiences);
    let (a, b) = (TokenVault::new(a), TokenVault::new(b));

    let refresh = world.sim.issue_refresh_token(ANA, "a").expect("issued");
    let who = resolver.resolve(&Subject::new(refresh.clone(), SubjectKind::RefreshToken), world.now()).await;
    assert_eq!(who.expect("proven").user().as_str(), ANA);
    a.exchange(&google(&refresh, SubjectKind::RefreshToken)).await.expect("A's own");
    let error = b.exchange(&google(&refresh, SubjectKind::RefreshToken)).await.expect_err("issued to A");
    assert_eq!(code(&error), "invalid_grant");

    for audience in &audiences {
        let spec = AccessTokenSpec::new(BOB, audience, "web-app");
        let access = world.sim.mint_access_token(&spec).expect("minted");
        let who = resolver.resolve(&Subject::new(access.clone(), SubjectKind::AccessToken), world.now()).await;
        assert_eq!(who.expect("proven").user().as_str(), BOB);
        let request = google(&access, SubjectKind::AccessToken);
        let error = a.exchange(&request).await.expect_err("A is linked to no API");
        assert_eq!(code(&error), "unauthorized_client");
        assert_eq!(b.exchange(&request).await.is_ok(), audience == API, "B is linked to one");
    }
}

#[test]
fn a_key_must_be_nameable() {
    let config = |client: &str, kid| Auth0Config::with_private_key("t.auth0.com", client, client_key(kid)).map(|_| ());
    assert_eq!((config("id", Some("k")), config("id", None)), (Ok(()), Ok(())));
    assert_eq!(
        (config("", None), config("id", Some(""))),
        (Err(ConfigError::Credentials), Err(ConfigError::Credentials))
    );
}

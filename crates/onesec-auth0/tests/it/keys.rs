//! The key set: cached, rotated, survived.

use onesec_auth0::{JwksError, Subject, VerifyError};
use onesec_auth0_sim::{Endpoint, Fault, RequestKind};
use onesec_identity::TokenRefused;

use super::*;

impl World {
    fn fetches(&self) -> usize {
        self.sim.requests(RequestKind::Jwks)
    }

    async fn unknown_kid(&self) -> Result<(), VerifyError> {
        self.jwks.verify(|_| Err::<(), _>(TokenRefused::UnknownKey)).await
    }
}

#[tokio::test]
async fn keys_are_fetched_once_per_ttl_however_many_ask() {
    let world = Arc::new(world().await);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let world = Arc::clone(&world);
        tasks.spawn(async move { world.jwks.keys().await.map(|keys| keys.len()) });
    }
    while let Some(done) = tasks.join_next().await {
        assert_eq!(done.expect("no panic"), Ok(1));
    }
    assert_eq!(world.fetches(), 1);
    world.clock.advance(Duration::from_secs(599));
    world.jwks.keys().await.expect("keys");
    assert_eq!(world.fetches(), 1);
    world.clock.advance(Duration::from_secs(1));
    world.jwks.keys().await.expect("keys");
    assert_eq!(world.fetches(), 2);
}

#[tokio::test]
async fn a_rotated_key_is_found_at_once() {
    let world = world().await;
    let old = world.access_token(ANA);
    let who = async |token: &Secret| {
        let subject = Subject::new(token.clone(), SubjectKind::AccessToken);
        world.resolver.resolve(&subject, world.now()).await
    };
    who(&old).await.expect("proven");
    world.sim.rotate_signing_key().expect("rotated");
    who(&world.access_token(ANA)).await.expect("proven by the new key");
    who(&old).await.expect("the old key is still published");
    assert_eq!(world.fetches(), 2);

    world.sim.drop_previous_keys();
    world.clock.advance(Duration::from_secs(600));
    who(&old).await.expect_err("its key is withdrawn");
}

#[tokio::test]
async fn made_up_key_ids_cause_one_fetch_in_thirty_seconds() {
    let world = world().await;
    for _ in 0..20 {
        assert_eq!(world.unknown_kid().await, Err(VerifyError::Token(TokenRefused::UnknownKey)));
    }
    assert_eq!(world.fetches(), 2, "the first, and one for all the made-up ids");
    world.clock.advance(Duration::from_secs(30));
    assert!(world.unknown_kid().await.is_err());
    assert_eq!(world.fetches(), 3);
}

#[tokio::test]
async fn stale_keys_serve_for_an_hour_while_the_tenant_is_down() {
    let world = world().await;
    world.jwks.keys().await.expect("keys");
    world.sim.set_fault_on(Endpoint::Jwks, Fault::Status(500));
    world.clock.advance(Duration::from_secs(3_599));
    for _ in 0..5 {
        world.jwks.keys().await.expect("stale keys");
    }
    assert_eq!(world.fetches(), 2, "a failing tenant is not hammered");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.jwks.keys().await.map(|_| ()), Err(JwksError::Status { status: 500 }));
    world.sim.clear_faults();
    world.jwks.keys().await.expect("back");
}

#[tokio::test]
async fn whatever_comes_instead_of_keys_is_an_error_in_time() {
    let none = r#"{"keys":[{"kty":"oct","kid":"k","k":"c2VjcmV0"}]}"#;
    let table = [
        (Fault::Status(404), JwksError::Status { status: 404 }),
        (Fault::Redirect, JwksError::Status { status: 307 }),
        (Fault::EmptyBody, JwksError::Undecodable),
        (Fault::Garbage, JwksError::Undecodable),
        (Fault::Truncated, JwksError::Undecodable),
        (Fault::HugeBody, JwksError::Undecodable),
        (Fault::Disconnect, JwksError::Unreachable),
        (Fault::Custom { status: 200, body: none.into() }, JwksError::NoUsableKey),
    ];
    let world = world().await;
    for (fault, want) in table {
        world.sim.set_fault_on(Endpoint::Jwks, fault.clone());
        assert_eq!(world.jwks.keys().await.map(|_| ()), Err(want), "{fault:?}");
    }
    world.sim.clear_faults();
    world.jwks.keys().await.expect("keys");
}

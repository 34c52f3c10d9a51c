//! Whose token is it?

use onesec_auth0::{ProofError, ProofKind, Subject};
use onesec_auth0_sim::{Endpoint, Fault, RequestKind};
use onesec_identity::TokenRefused;
use onesec_telemetry::UserId;

use super::*;

fn refresh(token: &Secret) -> Subject {
    Subject::new(token.clone(), SubjectKind::RefreshToken)
}

fn access(token: &Secret) -> Subject {
    Subject::new(token.clone(), SubjectKind::AccessToken)
}

impl World {
    async fn who(&self, subject: &Subject) -> Result<String, ProofError> {
        self.resolver.resolve(subject, self.now()).await.map(|user| user.user().as_str().to_owned())
    }

    fn grants(&self) -> usize {
        self.sim.requests(RequestKind::RefreshGrant)
    }
}

#[tokio::test]
async fn an_access_token_proves_its_user_without_asking_auth0_each_time() {
    let world = world().await;
    for user in [ANA, BOB, ANA] {
        assert_eq!(world.who(&access(&world.access_token(user))).await.as_deref(), Ok(user));
    }
    assert_eq!((world.sim.requests(RequestKind::Jwks), world.grants()), (1, 0));
    let other_api = world.sim.mint_access_token(&AccessTokenSpec::new(ANA, "https://other/", "app")).expect("minted");
    let refused = world.who(&access(&other_api)).await;
    assert_eq!(refused, Err(ProofError::AccessToken(TokenRefused::WrongAudience)));
}

#[tokio::test]
async fn a_refresh_token_is_resolved_with_one_grant_and_remembered() {
    let world = world().await;
    let first = world.resolver.resolve(&refresh(&world.ana), world.now()).await.expect("proven");
    let second = world.resolver.resolve(&refresh(&world.ana), world.now()).await.expect("proven");
    assert_eq!((first.user().as_str(), first.how()), (ANA, &ProofKind::RefreshToken));
    assert_eq!((second.user().as_str(), second.how()), (ANA, &ProofKind::RememberedRefreshToken));
    assert!(first.session().is_some());
    assert_eq!((first.session(), world.grants()), (second.session(), 1));

    world.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(world.who(&refresh(&world.ana)).await.as_deref(), Ok(ANA));
    assert_eq!(world.grants(), 2, "remembered for a day at most");
}

#[tokio::test]
async fn many_at_once_cause_one_grant_and_are_never_mixed_up() {
    let world = Arc::new(world().await);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..40 {
        let world = Arc::clone(&world);
        tasks.spawn(async move {
            let (token, want) = if n % 2 == 0 { (&world.ana, ANA) } else { (&world.bob, BOB) };
            (world.who(&refresh(token)).await, want)
        });
    }
    while let Some(done) = tasks.join_next().await {
        let (got, want) = done.expect("no panic");
        assert_eq!(got.as_deref(), Ok(want));
    }
    assert_eq!(world.grants(), 2, "one for each token");
}

#[tokio::test]
async fn forgetting_is_immediate_even_for_what_is_under_way() {
    let world = world().await;
    let ana = UserId::new(ANA).expect("an id");
    world.who(&refresh(&world.ana)).await.expect("proven");
    world.who(&refresh(&world.bob)).await.expect("proven");
    world.resolver.forget_user(&ana);
    world.who(&refresh(&world.ana)).await.expect("proven");
    world.who(&refresh(&world.bob)).await.expect("proven");
    assert_eq!(world.grants(), 3, "Bob is still remembered");
    world.resolver.forget(&world.bob.thumbprint());
    world.who(&refresh(&world.bob)).await.expect("proven");
    assert_eq!(world.grants(), 4);

    world.resolver.forget_user(&ana);
    world.sim.set_fault_on(Endpoint::RefreshGrant, Fault::Latency(Duration::from_millis(200)));
    let subject = refresh(&world.ana);
    let (proven, ()) = tokio::join!(world.who(&subject), async {
        while world.grants() < 5 {
            tokio::task::yield_now().await;
        }
        world.resolver.forget_user(&ana);
    });
    assert_eq!(proven.as_deref(), Ok(ANA));
    world.who(&subject).await.expect("proven");
    assert_eq!(world.grants(), 6, "what was resolved across a forgetting is not remembered");
}

#[tokio::test]
async fn without_a_genuine_id_token_nobody_is_proven() {
    let world = world().await;
    world.sim.set_fault_on(Endpoint::RefreshGrant, Fault::NoIdToken);
    assert_eq!(world.who(&refresh(&world.ana)).await, Err(ProofError::NoIdToken));
    world.sim.set_fault_on(Endpoint::RefreshGrant, Fault::WrongIdTokenIssuer);
    assert_eq!(world.who(&refresh(&world.ana)).await, Err(ProofError::IdToken(TokenRefused::WrongIssuer)));
    let forged = Fault::Custom { status: 200, body: r#"{"id_token":"a.b.c"}"#.into() };
    world.sim.set_fault_on(Endpoint::RefreshGrant, forged);
    assert!(matches!(world.who(&refresh(&world.ana)).await, Err(ProofError::IdToken(_))));
    world.sim.clear_faults();
    assert_eq!(world.who(&refresh(&world.ana)).await.as_deref(), Ok(ANA), "failures are not remembered");
}

#[tokio::test]
async fn who_must_act_is_told_apart() {
    let world = world().await;
    world.sim.revoke_refresh_token(&world.bob);
    let refused = world.who(&refresh(&world.bob)).await.expect_err("revoked");
    assert!(matches!(refused, ProofError::RefreshToken(_)) && !refused.is_outage(), "the user's");
    for text in [String::new(), "x".repeat(5_000)] {
        assert_eq!(world.who(&refresh(&Secret::new(text))).await, Err(ProofError::Malformed));
    }
    world.sim.set_fault_on(Endpoint::RefreshGrant, Fault::InvalidClient);
    let ours = world.who(&refresh(&world.ana)).await.expect_err("refused");
    assert!(matches!(ours, ProofError::OurClient(_)) && !ours.is_outage(), "ours");
    for fault in [Fault::Status(500), Fault::Garbage, Fault::RateLimited { retry_after_s: 60 }] {
        world.sim.set_fault_on(Endpoint::RefreshGrant, fault.clone());
        let down = world.who(&refresh(&world.ana)).await.expect_err("down");
        assert!(matches!(down, ProofError::Upstream(_)) && down.is_outage(), "Auth0's: {fault:?}");
    }
    world.sim.set_fault_on(Endpoint::Jwks, Fault::Status(500));
    let no_keys = world.who(&access(&world.access_token(ANA))).await.expect_err("no keys");
    assert!(matches!(no_keys, ProofError::Keys(_)) && no_keys.is_outage());
}

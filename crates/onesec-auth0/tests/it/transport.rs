//! What happens when the network or the tenant misbehaves: the right error, in bounded time.

use std::time::Instant;

use onesec_auth0_sim::{Endpoint, Fault, RequestKind};

use super::*;

#[tokio::test]
async fn a_200_without_a_token_is_never_success() {
    let world = world().await;
    let with_type = |json: &str| Fault::Custom { status: 200, body: json.to_owned() };
    let faults = [
        Fault::EmptyBody,
        Fault::Garbage,
        Fault::Truncated,
        Fault::HugeBody,
        Fault::WrongContentType,
        Fault::MissingAccessToken,
        with_type(r#"{"access_token":"","token_type":"Bearer"}"#),
        with_type(r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#),
        with_type(r#"{"access_token":"a","token_type":"mac"}"#),
        with_type(r#"{"access_token":"a","token_type":"Bearer","scope":"a \u0000"}"#),
        with_type(
            r#"{"access_token":"a","token_type":"Bearer","issued_token_type":"http://auth0.com/oauth/token-type/token-vault-refresh-token"}"#,
        ),
        with_type(r#"{"access_token":"a","token_type":"Bearer"} trailing"#),
        with_type("[]"),
    ];
    for fault in faults {
        world.sim.set_fault_for(Endpoint::TokenExchange, fault.clone(), 1);
        let error = world.exchange().await.expect_err("no token");
        let ExchangeError::Undecodable { status: 200, body_len } = error else { panic!("{fault:?}: {error:?}") };
        assert!(body_len <= 64 * 1024, "{fault:?}");
        world.exchange().await.expect("the next one works");
    }
}

#[tokio::test]
async fn what_never_ends_is_given_up_in_time() {
    for fault in [Fault::Hang, Fault::SlowBody, Fault::Latency(Duration::from_secs(60))] {
        let world = world_with(impatient()).await;
        world.sim.set_fault(fault.clone());
        let started = Instant::now();
        let error = world.exchange().await.expect_err("no answer");
        assert_eq!(error, ExchangeError::Unreachable { timed_out: true, maybe_sent: true }, "{fault:?}");
        assert!(started.elapsed() < Duration::from_secs(8), "{fault:?}");
        assert_eq!(world.sim.requests(RequestKind::TokenExchange), 1, "not sent twice: {fault:?}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let world = world().await;
    world.sim.set_fault(Fault::Redirect);
    let error = world.exchange().await.expect_err("redirected");
    assert_eq!(error, ExchangeError::Undecodable { status: 307, body_len: 0 });
    assert_eq!(world.sim.requests(RequestKind::Stolen), 0);
}

#[tokio::test]
async fn a_request_that_may_have_been_acted_on_is_not_sent_again() {
    let world = world().await;
    for (fault, sent) in
        [(Fault::Disconnect, 1), (Fault::Status(500), 1), (Fault::Status(503), 1), (Fault::Truncated, 1)]
    {
        let before = world.sim.requests(RequestKind::TokenExchange);
        world.sim.set_fault_for(Endpoint::TokenExchange, fault.clone(), 9);
        assert!(world.exchange().await.is_err_and(|error| error.is_outage()), "{fault:?}");
        assert_eq!(world.sim.requests(RequestKind::TokenExchange) - before, sent, "{fault:?}");
    }
}

#[tokio::test]
async fn a_turned_away_request_comes_back_when_asked_to() {
    let world = world().await;
    for fault in [Fault::RateLimited { retry_after_s: 0 }, Fault::Unavailable { retry_after_s: 0 }] {
        let before = world.sim.requests(RequestKind::TokenExchange);
        world.sim.set_fault_for(Endpoint::TokenExchange, fault, 2);
        world.exchange().await.expect("the third try works");
        assert_eq!(world.sim.requests(RequestKind::TokenExchange) - before, 3);
    }
    // Too long to wait for: the caller is told.
    world.sim.set_fault(Fault::RateLimited { retry_after_s: 30 });
    let before = world.sim.requests(RequestKind::TokenExchange);
    let error = world.exchange().await.expect_err("limited");
    assert!(matches!(error, ExchangeError::RateLimited { .. }));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
    assert_eq!((code(&error), world.sim.requests(RequestKind::TokenExchange) - before), ("too_many_requests", 1));
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let world = world().await;
    world.exchange().await.expect("works");
    world.sim.shutdown().await;
    let request = google(&world.ana, SubjectKind::RefreshToken);
    let errors = [world.vault.exchange(&request).await, world.vault.exchange(&request).await];
    // The first may still try the pooled connection; the second is certain to have sent nothing.
    assert!(matches!(errors[0], Err(ExchangeError::Unreachable { timed_out: false, .. })));
    assert!(matches!(errors[1], Err(ExchangeError::Unreachable { timed_out: false, maybe_sent: false })));
}

#[tokio::test]
async fn the_circuit_opens_probes_and_closes() {
    let world = world().await;
    world.sim.set_fault(Fault::Status(500));
    for _ in 0..5 {
        let error = world.exchange().await.expect_err("down");
        assert!(matches!(error, ExchangeError::Refused { status: 500, .. }), "{error:?}");
    }
    assert!(!world.endpoint.is_healthy());
    let open = ExchangeError::CircuitOpen { retry_after: Duration::from_secs(5) };
    assert_eq!(world.exchange().await.expect_err("open"), open);
    assert_eq!(world.sim.requests(RequestKind::TokenExchange), 5, "an open circuit asks nobody");

    world.clock.advance(Duration::from_secs(5));
    assert!(world.exchange().await.is_err(), "the probe fails");
    assert_eq!(world.sim.requests(RequestKind::TokenExchange), 6);
    let longer = ExchangeError::CircuitOpen { retry_after: Duration::from_secs(10) };
    assert_eq!(world.exchange().await.expect_err("open"), longer);

    world.sim.clear_faults();
    world.clock.advance(Duration::from_secs(10));
    world.exchange().await.expect("the probe works");
    assert!(world.endpoint.is_healthy());
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_block_the_probe() {
    let world = world().await;
    world.sim.set_fault_for(Endpoint::TokenExchange, Fault::Status(500), 5);
    for _ in 0..5 {
        assert!(world.exchange().await.is_err());
    }
    world.clock.advance(Duration::from_secs(5));
    world.sim.set_fault(Fault::Hang);
    let gave_up = tokio::time::timeout(Duration::from_millis(100), world.exchange()).await;
    assert!(gave_up.is_err());
    world.sim.clear_faults();
    world.exchange().await.expect("the next probe works");
}

#[tokio::test]
async fn https_needs_the_right_authority() {
    let sim = SimTenant::start(SimConfig::new("demo-tenant.eu.auth0.test").with_tls()).await.expect("a tenant");
    sim.create_client(ClientSpec::regular("onesec", CLIENT_SECRET));
    sim.create_user(ANA);
    sim.connect_account(AccountSpec::new(ANA, "google-oauth2", "a")).expect("connected");
    let token = sim.issue_refresh_token(ANA, "onesec").expect("issued");
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
    let exchange = async |roots| {
        let http = http_client(&HttpOptions { roots, ..HttpOptions::default() }).expect("client");
        let tenant = Auth0Config::new(sim.domain(), "onesec", Secret::new(CLIENT_SECRET.into())).expect("config");
        let tenant = tenant.with_base_url(sim.base_url()).expect("base");
        let endpoint = Arc::new(TokenEndpoint::new(tenant, http, Arc::<ManualClock>::clone(&clock)));
        TokenVault::new(endpoint).exchange(&google(&token, SubjectKind::RefreshToken)).await
    };
    let trusted = Roots::Pem(sim.ca_pem().expect("a CA").to_owned());
    exchange(trusted).await.expect("trusted");
    assert!(matches!(exchange(Roots::None).await, Err(ExchangeError::Unreachable { maybe_sent: false, .. })));
}

//! The privileged worker: a signature instead of a user's token, and no more than was granted.

use onesec_auth0::{ClientKey, IssuedTokenKind, WorkerExchange};
use onesec_auth0_sim::{Endpoint, Fault, RequestKind, SimError};
use onesec_telemetry::{ScopeSet, UserId};

use super::credentials::client_key;
use super::*;

fn worker_spec(key: &ClientKey) -> ClientSpec {
    let spec = ClientSpec::worker("worker", key.key.public_jwk("w1"));
    spec.with_worker_grants("google-oauth2", "calendar.read drive.read").expect("few enough")
}

fn request(user: &str, scopes: Option<&str>) -> WorkerExchange {
    WorkerExchange {
        user: UserId::new(user).expect("an id"),
        connection: ConnectionName::new("google-oauth2").expect("a name"),
        scopes: scopes.map(|scopes| ScopeSet::parse(scopes).expect("scopes")),
        audit_context: "nightly digest".to_owned(),
    }
}

async fn worker() -> (World, TokenVault) {
    let (world, key) = (world().await, client_key(Some("w1")));
    world.sim.create_client(worker_spec(&key));
    let vault = TokenVault::new(world.by_key("worker", key));
    (world, vault)
}

#[tokio::test]
async fn a_worker_gets_what_it_was_granted_and_no_more() {
    let (world, vault) = worker().await;
    let issued = vault.worker_exchange(&request(ANA, None)).await.expect("issued");
    assert_eq!(issued.scopes, ScopeSet::parse("calendar.read").ok(), "of the account, what the worker may have");
    assert_eq!(issued.issued_token_type, Some(IssuedTokenKind::TokenVaultAccessToken));
    assert!(world.sim.is_live(&issued.access_token));
    let full = world.exchange().await.expect("issued");
    assert_ne!(full.access_token.thumbprint(), issued.access_token.thumbprint(), "a narrower token is another one");
    let narrowed = vault.worker_exchange(&request(BOB, Some("calendar.read"))).await.expect("issued");
    assert_eq!(narrowed.scopes, ScopeSet::parse("calendar.read").ok());
    assert_eq!(world.sim.requests(RequestKind::TokenExchange), 3);

    let github = WorkerExchange { connection: ConnectionName::new("github").expect("a name"), ..request(ANA, None) };
    let table = [
        (request(ANA, Some("calendar.write")), "access_denied"),
        (request(ANA, Some("calendar.read drive.read")), "access_denied"),
        (github, "access_denied"),
        (request("auth0|nobody", None), "user_not_found"),
    ];
    for (request, want) in table {
        let error = vault.worker_exchange(&request).await.expect_err(want);
        assert_eq!((code(&error), error.is_client_rejected()), (want, false), "{request:?}");
    }
    assert_eq!(world.sim.requests(RequestKind::TokenExchange), 7);
}

#[tokio::test]
async fn only_a_client_with_its_own_key_is_a_worker() {
    let (world, vault) = worker().await;
    assert_eq!(world.vault.worker_exchange(&request(ANA, None)).await.err(), Some(ExchangeError::NoClientKey));
    assert_eq!(world.sim.requests(RequestKind::TokenExchange), 0);
    assert!(world.endpoint.is_healthy());

    world.sim.create_client(worker_spec(&client_key(Some("w1"))));
    let error = vault.worker_exchange(&request(ANA, None)).await.expect_err("another key");
    assert_eq!(code(&error), "invalid_client");

    let key = client_key(Some("w1"));
    world.sim.create_client(ClientSpec::custom_api("keyed", "", API).with_public_key(key.key.public_jwk("w1")));
    let vault = TokenVault::new(world.by_key("keyed", key));
    let error = vault.worker_exchange(&request(ANA, None)).await.expect_err("no privileged access");
    assert_eq!(code(&error), "access_denied");
}

#[tokio::test]
async fn what_must_not_be_asked_is_not() {
    let (world, vault) = worker().await;
    let said = |text: String| WorkerExchange { audit_context: text, ..request(ANA, None) };
    for bad in [request(ANA, Some("")), said(String::new()), said("x".repeat(257))] {
        assert_eq!(vault.worker_exchange(&bad).await.err(), Some(ExchangeError::Unsendable));
    }
    assert_eq!(world.sim.requests(RequestKind::TokenExchange), 0);
    vault.worker_exchange(&said("x".repeat(256))).await.expect("issued");
}

#[tokio::test]
async fn an_old_request_is_refused_and_faults_are_told() {
    let (world, vault) = worker().await;
    let slow = Arc::new(ManualClock::new(world.now()));
    let key = client_key(Some("w1"));
    world.sim.create_client(worker_spec(&key));
    let tenant = Auth0Config::with_private_key(world.sim.domain(), "worker", key).expect("config");
    let tenant = tenant.with_base_url(world.sim.base_url()).expect("loopback");
    let late = TokenVault::new(Arc::new(TokenEndpoint::new(tenant, http(), slow)));
    late.worker_exchange(&request(ANA, None)).await.expect("clocks agree");
    world.clock.advance(Duration::from_secs(61));
    let error = late.worker_exchange(&request(ANA, None)).await.expect_err("61 seconds old");
    assert_eq!(code(&error), "invalid_request");

    world.sim.set_fault_for(Endpoint::TokenExchange, Fault::RefreshFlowFailed, 1);
    let error = vault.worker_exchange(&request(ANA, None)).await.expect_err("refused");
    assert_eq!(code(&error), "federated_connection_refresh_token_flow_failed");
}

#[test]
fn auth0_limits_what_a_worker_is_granted() {
    let jwk = client_key(None).key.public_jwk("w1");
    let many = (0..20).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ");
    let full = ClientSpec::worker("w", jwk.clone()).with_worker_grants("google-oauth2", &many).expect("20 scopes");
    assert!(matches!(full.with_worker_grants("github", "one"), Err(SimError::WorkerGrants)));
    let mut spec = ClientSpec::worker("w", jwk);
    for name in ["a", "b", "c", "d", "e"] {
        spec = spec.with_worker_grants(name, "one").expect("five connections");
    }
    assert!(matches!(spec.with_worker_grants("f", "one"), Err(SimError::WorkerGrants)));
}

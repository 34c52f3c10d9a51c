//! What an exchange gives, and what each refusal looks like.

use onesec_auth0::{IssuedTokenKind, TokenKind};
use onesec_auth0_sim::{Fault, RequestKind};
use onesec_telemetry::ScopeSet;

use super::*;

#[tokio::test]
async fn a_refresh_token_becomes_a_provider_token() {
    let world = world().await;
    let issued = world.exchange().await.expect("issued");
    assert!(world.sim.is_live(&issued.access_token));
    assert_eq!(issued.token_type, TokenKind::Bearer);
    assert_eq!(issued.issued_token_type, Some(IssuedTokenKind::FederatedConnectionAccessToken));
    assert_eq!(issued.scopes, ScopeSet::parse("calendar.read calendar.write").ok());
    assert_eq!(issued.expires_in, Some(Duration::from_secs(3600)));

    world.clock.advance(Duration::from_secs(1_000));
    let again = world.exchange().await.expect("issued");
    assert_eq!(again.access_token.thumbprint(), issued.access_token.thumbprint(), "a cached token");
    assert_eq!(again.expires_in, Some(Duration::from_secs(2_600)), "with its remaining life");
    assert_eq!(world.sim.provider_tokens_issued(), [issued.access_token.thumbprint()]);

    world.clock.advance(Duration::from_secs(2_600));
    assert!(!world.sim.is_live(&issued.access_token));
    let renewed = world.exchange().await.expect("issued");
    assert_ne!(renewed.access_token.thumbprint(), issued.access_token.thumbprint());
}

#[tokio::test]
async fn an_access_token_becomes_a_provider_token_if_the_client_is_linked_to_its_api() {
    let world = world().await;
    let request = google(&world.access_token(BOB), SubjectKind::AccessToken);
    let issued = world.vault.exchange(&request).await.expect("issued");
    assert_eq!(issued.scopes, ScopeSet::parse("calendar.read").ok());

    world.sim.create_client(ClientSpec::regular("onesec", CLIENT_SECRET));
    let error = world.vault.exchange(&request).await.expect_err("not linked");
    assert_eq!(code(&error), "unauthorized_client");
}

#[tokio::test]
async fn the_login_hint_picks_the_account() {
    let world = world().await;
    let work = AccountSpec::new(ANA, "google-oauth2", "drive.read").with_login_hint("ana@work.example");
    world.sim.connect_account(work).expect("connected");
    let hinted = |hint: &str| {
        let login_hint = Some(hint.to_owned());
        ExchangeRequest { login_hint, ..google(&world.ana, SubjectKind::RefreshToken) }
    };
    let issued = world.vault.exchange(&hinted("ana@work.example")).await.expect("issued");
    assert_eq!(issued.scopes, ScopeSet::parse("drive.read").ok());
    let error = world.vault.exchange(&hinted("eve@work.example")).await.expect_err("no such account");
    assert_eq!(code(&error), "user_not_found");
}

#[tokio::test]
async fn what_auth0_refuses_keeps_its_code() {
    let world = world().await;
    let github = ConnectionName::new("github").expect("a name");
    let unlinked = ExchangeRequest { connection: github, ..google(&world.ana, SubjectKind::RefreshToken) };
    let error = world.vault.exchange(&unlinked).await.expect_err("not linked");
    let ExchangeError::Refused { status, error, error_description, .. } = &error else { panic!("{error:?}") };
    assert_eq!((*status, error.as_str()), (401, "federated_connection_refresh_token_not_found"));
    assert_eq!(error_description.as_deref(), Some("Federated connection Refresh Token not found."));

    let table = [
        (Fault::RefreshFlowFailed, 401, "federated_connection_refresh_token_flow_failed"),
        (Fault::UserNotFound, 401, "user_not_found"),
        (Fault::InvalidGrant, 403, "invalid_grant"),
        (Fault::UnauthorizedClient, 403, "unauthorized_client"),
        (Fault::AccessDenied, 403, "access_denied"),
        (Fault::MfaRequired, 403, "mfa_required"),
        (Fault::InvalidClient, 401, "invalid_client"),
        (Fault::Status(400), 400, "server_error"),
    ];
    for (fault, want_status, want_code) in table {
        world.sim.set_fault(fault);
        let before = world.sim.requests(RequestKind::TokenExchange);
        let error = world.exchange().await.expect_err(want_code);
        let ExchangeError::Refused { status, error, .. } = &error else { panic!("{want_code}: {error:?}") };
        assert_eq!((*status, error.as_str()), (want_status, want_code));
        assert_eq!(world.sim.requests(RequestKind::TokenExchange), before + 1, "a refusal is not retried");
    }
    assert!(world.endpoint.is_healthy(), "refusals are no outage");
}

#[tokio::test]
async fn revoked_tokens_and_wrong_secrets_are_told_apart() {
    let world = world().await;
    world.sim.revoke_refresh_token(&world.ana);
    let error = world.exchange().await.expect_err("revoked");
    assert_eq!((code(&error), error.is_client_rejected()), ("invalid_grant", false));
    world.sim.create_client(ClientSpec::regular("onesec", "rotated"));
    let error = world.exchange().await.expect_err("bad secret");
    assert_eq!((code(&error), error.is_client_rejected()), ("access_denied", true));
}

#[tokio::test]
async fn extra_scopes_are_reported_not_hidden() {
    let world = world().await;
    world.sim.set_fault(Fault::ScopeWiderThanAccount);
    let issued = world.exchange().await.expect("issued");
    assert_eq!(issued.scopes, ScopeSet::parse("calendar.read calendar.write simulated.extra").ok());
}

#[tokio::test]
async fn an_exchange_can_be_held_while_the_account_is_unlinked() {
    let world = world().await;
    let pause = world.sim.pause_exchanges();
    let (issued, ()) = tokio::join!(world.exchange(), async {
        pause.arrived(1).await;
        world.clock.advance(Duration::from_secs(1));
        pause.release();
    });
    assert!(world.sim.is_live(&issued.expect("issued before the release").access_token));
}

//! What an administrator, or the user, can take back: against a tenant that fails, lies or forgets.

use onesec_auth0::{ApiError, Management, MyAccount, RefreshTokenInfo, UserFlag};
use onesec_auth0_sim::{Endpoint, Fault, RequestKind};
use onesec_telemetry::UserId;
use serde_json::json;

use super::*;

fn user(id: &str) -> UserId {
    UserId::new(id).expect("an id")
}

/// The machine client of this world's tenant.
fn management(world: &World) -> Management {
    world.sim.create_client(ClientSpec::regular("admin", CLIENT_SECRET));
    let tenant = Auth0Config::new(world.sim.domain(), "admin", Secret::new(CLIENT_SECRET.into())).expect("config");
    let tenant = tenant.with_base_url(world.sim.base_url()).expect("loopback");
    Management::new(tenant, http(), Arc::<ManualClock>::clone(&world.clock))
}

fn my_account(world: &World) -> MyAccount {
    let tenant = Auth0Config::new(world.sim.domain(), "none", Secret::new("unused".into())).expect("config");
    let tenant = tenant.with_base_url(world.sim.base_url()).expect("loopback");
    MyAccount::new(tenant, http(), Arc::<ManualClock>::clone(&world.clock))
}

fn flag(alert: &str) -> UserFlag {
    UserFlag { flagged: true, reason: "because".into(), at: "2026-01-01T00:00:00Z".into(), alert: alert.into() }
}

#[tokio::test]
async fn refresh_tokens_go_page_by_page_or_one_client_at_a_time() {
    let world = world().await;
    let management = management(&world);
    world.sim.create_client(ClientSpec::regular("other", "another-secret"));
    for _ in 0..119 {
        world.sim.issue_refresh_token(ANA, "onesec").expect("issued");
    }
    world.sim.issue_refresh_token(ANA, "other").expect("issued");
    let tokens = management.refresh_tokens(&user(ANA)).await.expect("listed");
    assert_eq!(tokens.len(), 121, "all three pages");
    let theirs = |token: &&RefreshTokenInfo| token.client_id.as_deref() == Some("other");
    let other = tokens.iter().find(theirs).expect("listed").clone();
    management.revoke_refresh_token(&other).await.expect("revoked");
    management.revoke_refresh_token(&other).await.expect("what is gone is revoked");
    assert_eq!((world.sim.refresh_tokens_of(ANA, Some("other")), world.sim.refresh_tokens_of(ANA, None)), (0, 120));
    management.revoke_all_refresh_tokens(&user(ANA)).await.expect("revoked");
    assert_eq!((world.sim.refresh_tokens_of(ANA, None), world.sim.refresh_tokens_of(BOB, None)), (0, 1));
    assert_eq!(management.refresh_tokens(&user("auth0|nobody")).await, Err(ApiError::NotFound));
    assert_eq!(management.refresh_tokens(&user("..")).await, Err(ApiError::Unsendable));
}

#[tokio::test]
async fn a_flag_touches_nothing_else_of_the_user() {
    let world = world().await;
    let management = management(&world);
    world.sim.set_app_metadata(ANA, "plan", json!("gold"));
    assert_eq!(management.flag_of(&user(ANA)).await, Ok(None));
    management.set_flag(&user(ANA), Some(&flag("a-1"))).await.expect("set");
    assert_eq!(management.flag_of(&user(ANA)).await, Ok(Some(flag("a-1"))));
    management.set_flag(&user(ANA), None).await.expect("taken off");
    assert_eq!(management.flag_of(&user(ANA)).await, Ok(None));
    assert_eq!(world.sim.app_metadata(ANA), json!({"plan": "gold"}));
    // Somebody else's member of that name is no flag.
    world.sim.set_app_metadata(ANA, "onesec", json!("a word"));
    assert_eq!(management.flag_of(&user(ANA)).await, Ok(None));
}

#[tokio::test]
async fn one_token_serves_until_shortly_before_it_expires_or_the_tenant_forgets_it() {
    let world = world().await;
    let management = management(&world);
    let asked = |times: usize| assert_eq!(world.sim.requests(RequestKind::ClientCredentials), times);
    let ana = user(ANA);
    let all = tokio::join!(management.flag_of(&ana), management.flag_of(&ana), management.refresh_tokens(&ana));
    assert!(all.0.is_ok() && all.1.is_ok() && all.2.is_ok());
    asked(1);
    world.clock.advance(Duration::from_secs(86_400 - 61));
    management.flag_of(&user(ANA)).await.expect("it still counts");
    asked(1);
    world.clock.advance(Duration::from_secs(2));
    management.flag_of(&user(ANA)).await.expect("a new one");
    asked(2);
    world.sim.forget_management_tokens();
    management.flag_of(&user(ANA)).await.expect("a new one");
    asked(3);
    // One that is refused for ever is asked for once more, and not in a circle.
    world.sim.set_fault_on(Endpoint::Management, Fault::Status(401));
    let refused = management.flag_of(&user(ANA)).await.expect_err("refused");
    assert!(matches!(refused, ApiError::Refused { status: 401, .. }), "{refused:?}");
    asked(4);
}

#[tokio::test]
async fn what_the_tenant_answers_instead_is_told_apart() {
    let world = world().await;
    let management = management(&world);
    let ana = user(ANA);
    management.flag_of(&ana).await.expect("a token");
    let once = |fault: Fault| world.sim.set_fault_for(Endpoint::Management, fault, 1);
    for fault in [Fault::Status(500), Fault::RateLimited { retry_after_s: 0 }, Fault::Disconnect] {
        once(fault.clone());
        assert_eq!(management.flag_of(&ana).await, Ok(None), "tried again: {fault:?}");
    }
    let seen = world.sim.requests(RequestKind::Management);
    once(Fault::RateLimited { retry_after_s: 30 });
    let limited = ApiError::RateLimited { retry_after: Some(Duration::from_secs(30)) };
    assert_eq!(management.flag_of(&ana).await, Err(limited));
    assert_eq!(world.sim.requests(RequestKind::Management) - seen, 1, "and not hammered");
    once(Fault::InsufficientScope);
    let error = management.flag_of(&ana).await.expect_err("not allowed");
    assert_eq!(error.to_string(), "the tenant answered 403 with `insufficient_scope`");
    once(Fault::Redirect);
    assert!(matches!(management.flag_of(&ana).await, Err(ApiError::Refused { status: 307, .. })));
    assert_eq!(world.sim.requests(RequestKind::Stolen), 0);
    for fault in [Fault::Garbage, Fault::Truncated, Fault::HugeBody, Fault::EmptyBody] {
        once(fault.clone());
        let error = management.flag_of(&ana).await.expect_err("no answer");
        assert!(matches!(error, ApiError::Undecodable { status: 200, .. }), "{fault:?}: {error:?}");
    }
    world.sim.set_fault_on(Endpoint::Management, Fault::Status(503));
    assert_eq!(management.flag_of(&ana).await, Err(ApiError::Down { status: 503 }));
    // Who may not have a token calls nothing.
    world.sim.clear_faults();
    world.sim.forget_management_tokens();
    world.sim.set_fault_on(Endpoint::ClientCredentials, Fault::AccessDenied);
    let error = management.flag_of(&ana).await.expect_err("no token");
    assert!(matches!(error, ApiError::NoToken(_)) && !error.is_outage(), "{error:?}");
}

#[tokio::test]
async fn a_client_does_what_its_scopes_say() {
    let world = world().await;
    let management = management(&world);
    world.sim.create_client(ClientSpec::regular("admin", CLIENT_SECRET).with_management_scopes(&["read:users"]));
    management.flag_of(&user(ANA)).await.expect("it may read");
    let error = management.set_flag(&user(ANA), None).await.expect_err("and nothing else");
    assert!(matches!(error, ApiError::Refused { status: 403, .. }), "{error:?}");
}

#[tokio::test]
async fn an_account_goes_with_its_users_own_token_only() {
    let world = world().await;
    let (my_account, google) = (my_account(&world), ConnectionName::new("google-oauth2").expect("a name"));
    let audience = format!("{}me/", world.sim.issuer());
    let scopes = "read:me:connected_accounts delete:me:connected_accounts";
    let token = |user: &str, audience: &str| {
        let spec = AccessTokenSpec::new(user, audience, "web-app").with_scopes(scopes);
        world.sim.mint_access_token(&spec).expect("minted")
    };
    let (ana, bob, elsewhere) = (token(ANA, &audience), token(BOB, &audience), token(ANA, API));
    assert_eq!(my_account.proves(&ana, &user(ANA)).await, Ok(()));
    for wrong in [&bob, &elsewhere, &Secret::new("opaque".into())] {
        let refused = my_account.proves(wrong, &user(ANA)).await;
        assert!(matches!(refused, Err(ApiError::NotTheUsers(_))), "{refused:?}");
    }
    let accounts = my_account.accounts(&ana, &google).await.expect("listed");
    assert_eq!(accounts.len(), 1);
    my_account.remove(&ana, &accounts[0]).await.expect("removed");
    my_account.remove(&ana, &accounts[0]).await.expect("what is gone is removed");
    assert_eq!(my_account.accounts(&ana, &google).await, Ok(Vec::new()));
    assert_eq!(world.sim.accounts_of(BOB).len(), 1);
}

#[test]
fn nothing_shows_a_secret() {
    let tenant = Auth0Config::new("t.auth0.com", "admin", Secret::new(CLIENT_SECRET.into())).expect("config");
    let management = Management::new(tenant, http(), Arc::new(ManualClock::new(Timestamp::EPOCH)));
    assert!(!format!("{management:?}").contains(CLIENT_SECRET));
}

#[tokio::test]
async fn sessions_and_consents_go_for_one_user_and_each_needs_its_scope() {
    let world = world().await;
    let management = management(&world);
    for _ in 0..51 {
        world.sim.consent(ANA, "shop");
    }
    for who in [ANA, BOB] {
        world.sim.log_in(who);
        world.sim.consent(who, "shop");
    }
    assert_eq!(management.grants(&user(ANA)).await.expect("listed").len(), 52, "both pages");
    assert_eq!(management.sessions(&user(ANA)).await.expect("listed").len(), 1);
    management.withdraw_grants(&user(ANA)).await.expect("withdrawn");
    management.revoke_access(&user(ANA)).await.expect("revoked");
    assert_eq!((world.sim.sessions_and_grants_of(ANA), world.sim.sessions_and_grants_of(BOB)), ((0, 0), (1, 1)));
    assert_eq!((world.sim.refresh_tokens_of(ANA, None), world.sim.refresh_tokens_of(BOB, None)), (0, 1));
    world.sim.can_revoke_access(false);
    assert_eq!(management.revoke_access(&user(BOB)).await, Err(ApiError::NotFound));
    let weak = ClientSpec::regular("admin", CLIENT_SECRET).with_management_scopes(&["read:sessions"]);
    world.sim.create_client(weak);
    world.sim.forget_management_tokens();
    let error = management.end_sessions(&user(BOB)).await.expect_err("not allowed");
    assert_eq!(error.to_string(), "the tenant answered 403 with `insufficient_scope`");
    assert_eq!(management.sessions(&user("..")).await, Err(ApiError::Unsendable));
}

#[tokio::test]
async fn what_the_account_interface_complains_of_is_kept_and_no_secret_with_it() {
    let world = world().await;
    let accounts = my_account(&world);
    let audience = format!("{}me/", world.sim.issuer());
    let spec = AccessTokenSpec::new(ANA, &audience, "app").with_scopes("create:me:connected_accounts");
    let token = world.sim.mint_access_token(&spec).expect("minted");
    assert_eq!(accounts.user_of(&token).await, Ok(user(ANA)));
    let connection = ConnectionName::new("github").expect("a name");
    let asked = onesec_auth0::ConnectRequest {
        connection: &connection,
        redirect_uri: "https://app.example/cb",
        state: "a-state-of-ours",
        scopes: &[],
        code_challenge: "short",
        authorization_params: None,
    };
    let Err(onesec_auth0::ConnectError::Refused(complaint)) = accounts.connect(&token, &asked).await else {
        panic!("refused")
    };
    assert_eq!((complaint.status, complaint.validation_errors.len()), (400, 1), "{complaint:?}");
    assert_eq!(complaint.validation_errors[0].field.as_deref(), Some("code_challenge"));
    let body = json!({"title": "No", "detail": "the token ya29.a0Pl4ntedPl4ntedPl4ntedPl4nted is bad", "validation_errors":
        [{"detail": "Bearer Pl4ntedPl4ntedPl4ntedPl4nted", "field": "x"}]});
    world.sim.set_fault_on(Endpoint::MyAccount, Fault::Custom { status: 409, body: body.to_string() });
    let error = accounts.connect(&token, &asked).await.map(drop).expect_err("refused");
    assert!(!format!("{error:?} {error}").contains("Pl4nted"), "{error:?}");
    // 200 is none of its statuses.
    world.sim.set_fault_on(Endpoint::MyAccount, Fault::Custom { status: 200, body: "{}".into() });
    let error = accounts.connect(&token, &asked).await.map(drop).expect_err("no answer");
    assert!(matches!(error, onesec_auth0::ConnectError::Api(ApiError::Undecodable { status: 200, .. })), "{error:?}");
}

//! What an answer of a tenant means for a job. That things are done and looked at is tested end to end, with a tenant.

use onesec_telemetry::Secret;

use super::*;
use crate::testing::job;
use onesec_auth0::ManualClock;
use onesec_enforcement::{Action, ActionSpec, Target};
use onesec_telemetry::{ConnectionName, Timestamp, UserId};

fn attempt(number: u64) -> Job {
    let mut job = job(ActionSpec::Auth0FlagUser);
    job.attempt = number;
    job
}

fn pause(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Retry { after, .. } => after.as_secs(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_outage_is_waited_out_with_growing_pauses_and_not_for_ever() {
    let down = ApiError::Down { status: 503 };
    let pauses: Vec<u64> = (1..10).map(|number| pause(&after(&down, &attempt(number)))).collect();
    assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300]);
    let Outcome::Failed { why } = after(&down, &attempt(10)) else { panic!("given up") };
    assert_eq!(why, "the tenant failed with 503; given up after 10 attempts");
}

#[test]
fn a_tenant_may_ask_for_more_patience_but_not_for_any() {
    let limited = |seconds| ApiError::RateLimited { retry_after: Some(Duration::from_secs(seconds)) };
    assert_eq!(pause(&after(&limited(90), &attempt(1))), 90);
    assert_eq!(pause(&after(&limited(1), &attempt(3))), 8);
    assert_eq!(pause(&after(&limited(1_000_000), &attempt(1))), 3_600);
}

#[test]
fn a_refusal_is_final() {
    for error in [ApiError::NotFound, ApiError::Unsendable, ApiError::NotTheUsers("it is another user's")] {
        assert!(matches!(after(&error, &attempt(1)), Outcome::Failed { .. }), "{error}");
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_secs(1_700_000_000)))
}

#[tokio::test]
async fn without_a_client_nothing_is_promised_and_nothing_done() {
    let flag = FlagUser::new(Clients::new([]), clock());
    assert!(flag.check(&ActionSpec::Auth0FlagUser).is_err_and(|why| why.contains("enforcement.auth0.client_secret")));
    let mut to_a_user = attempt(1);
    to_a_user.target = Target::User(UserId::new("auth0|ada").expect("a user"));
    assert!(matches!(flag.run(&to_a_user).await, Outcome::Failed { why } if why.contains("tenant `default`")));
    assert!(matches!(flag.run(&attempt(1)).await, Outcome::Failed { why } if why.contains("another kind of target")));
}

#[tokio::test]
async fn an_account_waits_a_day_for_its_user_and_no_longer() {
    let clock = clock();
    let tenant = onesec_auth0::Auth0Config::new("t.auth0.com", "none", Secret::new("none".into())).expect("a tenant");
    let http = onesec_auth0::HttpOptions { roots: onesec_auth0::Roots::None, ..Default::default() };
    let http = onesec_auth0::http_client(&http).expect("a client");
    let client = onesec_auth0::MyAccount::new(tenant, http, Arc::<ManualClock>::clone(&clock));
    let ours = TenantId::new("default").expect("a tenant");
    let action =
        RevokeConnectedAccount::new(Clients::new([(ours, Arc::new(client))]), Arc::<ManualClock>::clone(&clock));
    let mut job = job(ActionSpec::RevokeConnectedAccount);
    let connection = ConnectionName::new("google-oauth2").expect("a name");
    job.target = Target::Account { user: UserId::new("auth0|ada").expect("a user"), connection };
    clock.advance(Duration::from_secs(600));
    let Outcome::Waits { patience, why } = action.run(&job).await else { panic!("it waits") };
    assert_eq!(patience, Duration::from_secs(86_400 - 600));
    assert!(why.contains("/api/v1/responses/act-1/complete"), "{why}");
    clock.advance(Duration::from_secs(86_400));
    assert!(matches!(action.run(&job).await, Outcome::Failed { .. }));
}

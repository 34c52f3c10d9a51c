//! Somebody else's token request: their credentials, their answer.

use std::net::{IpAddr, Ipv4Addr};

use onesec_auth0::{PassThrough, PassedThrough};
use onesec_auth0_sim::{Endpoint, Fault, RequestKind};

use super::stranger::{Stranger, answer};
use super::*;

const BASIC: &str = "Basic dGhlaXJzOlBsNG50ZWQ=";

fn request<'a>(form: &'a [(&'a str, &'a str)]) -> PassThrough<'a> {
    PassThrough { form, authorization: None, dpop: None, forwarded_for: None }
}

fn text(answer: &PassedThrough) -> String {
    String::from_utf8(answer.body.expose_to_wire().to_vec()).expect("text")
}

fn to(base_url: &str) -> TokenEndpoint {
    let tenant = Auth0Config::new("tenant.test", "onesec", Secret::new(CLIENT_SECRET.into())).expect("config");
    let tenant = tenant.with_base_url(base_url).expect("loopback");
    TokenEndpoint::new(tenant, http(), Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000))))
}

#[tokio::test]
async fn what_they_send_arrives_and_nothing_of_ours() {
    let stranger = Stranger::start(|_, _| {
        let headers = ["content-type: application/json; charset=x", "retry-after: 7", "dpop-nonce: n-1"];
        answer("400 Bad Request", &headers, r#"{"error":"use_dpop_nonce"}"#)
    });
    let stranger = stranger.await;
    let (basic, dpop) = (Secret::new(BASIC.into()), Secret::new("eyJ.their.proof".into()));
    let form = [("grant_type", "client_credentials"), ("audience", "https://a b&c/"), ("audience", "two")];
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    let request =
        PassThrough { authorization: Some(&basic), dpop: Some(&dpop), forwarded_for: Some(address), ..request(&form) };
    let passed = to(&stranger.base_url).pass_through(request).await.expect("an answer");
    assert_eq!((passed.status, text(&passed).as_str()), (400, r#"{"error":"use_dpop_nonce"}"#));
    assert_eq!(passed.content_type.as_deref(), Some("application/json; charset=x"));
    assert_eq!((passed.retry_after, passed.dpop_nonce.as_deref()), (Some(Duration::from_secs(7)), Some("n-1")));

    let seen = stranger.seen();
    let [seen] = seen.as_slice() else { panic!("sent once") };
    assert_eq!(seen.line, "POST /oauth/token HTTP/1.1");
    assert_eq!(seen.body, "grant_type=client_credentials&audience=https%3A%2F%2Fa+b%26c%2F&audience=two");
    assert_eq!((seen.all("authorization"), seen.all("dpop")), (vec![BASIC], vec!["eyJ.their.proof"]));
    assert_eq!(seen.all("auth0-forwarded-for"), ["192.0.2.7"]);
}

#[tokio::test]
async fn their_client_is_judged_by_auth0() {
    let world = world().await;
    world.sim.create_client(ClientSpec::regular("theirs", "their-secret"));
    let with = |secret: &'static str| {
        [("grant_type", "client_credentials"), ("audience", API), ("client_id", "theirs"), ("client_secret", secret)]
    };
    let good = world.endpoint.pass_through(request(&with("their-secret"))).await.expect("an answer");
    assert_eq!(good.status, 200);
    assert!(text(&good).contains("access_token"));
    for form in [&with("wrong")[..], &with("their-secret")[..2]] {
        let refused = world.endpoint.pass_through(request(form)).await.expect("an answer");
        assert_eq!((refused.status, text(&refused).contains("access_denied")), (401, true), "our secret is no help");
    }
    assert_eq!(good.body.into_wire().first(), Some(&b'{'));
}

#[tokio::test]
async fn nothing_is_tried_twice_and_failures_open_the_circuit() {
    let world = world_with(impatient()).await;
    let form = [("grant_type", "client_credentials")];
    let pass = || world.endpoint.pass_through(request(&form));
    let sent = || world.sim.requests(RequestKind::ClientCredentials);
    for fault in [Fault::RateLimited { retry_after_s: 0 }, Fault::Unavailable { retry_after_s: 0 }] {
        let before = sent();
        world.sim.set_fault_on(Endpoint::ClientCredentials, fault);
        assert!(pass().await.is_ok_and(|answer| answer.status >= 429));
        assert_eq!(sent(), before + 1);
    }
    world.sim.set_fault_on(Endpoint::ClientCredentials, Fault::HugeBody);
    let huge = pass().await.expect_err("beyond the cap");
    assert!(matches!(huge, ExchangeError::Undecodable { status: 200, body_len } if body_len <= 256 * 1024));
    world.sim.set_fault_on(Endpoint::ClientCredentials, Fault::Hang);
    let late = pass().await.expect_err("no answer");
    assert_eq!(late, ExchangeError::Unreachable { timed_out: true, maybe_sent: true });
    world.sim.set_fault_on(Endpoint::ClientCredentials, Fault::Status(400));
    assert!(pass().await.is_ok_and(|answer| answer.status == 400));
    assert!(world.endpoint.is_healthy());
    world.sim.set_fault_on(Endpoint::ClientCredentials, Fault::Status(502));
    for _ in 0..5 {
        assert!(pass().await.is_ok_and(|answer| answer.status == 502));
    }
    assert!(matches!(pass().await, Err(ExchangeError::CircuitOpen { .. })));
    assert!(matches!(world.exchange().await, Err(ExchangeError::CircuitOpen { .. })), "it is one upstream");
}

#[tokio::test]
async fn a_header_that_is_two_is_not_sent() {
    let world = world().await;
    let smuggled = Secret::new("Basic x\r\nX-Admin: yes".into());
    let request = PassThrough { authorization: Some(&smuggled), ..request(&[]) };
    assert_eq!(world.endpoint.pass_through(request).await.err(), Some(ExchangeError::Unsendable));
    assert_eq!(world.sim.requests(RequestKind::OtherGrant), 0);
}

//! What our client signs, and what it passes on, gets into no error, no `Debug` and no log line either.

use std::fmt::Write as _;

use onesec_auth0::{Origin, OriginOptions, PassThrough, ToForward, WorkerExchange};
use onesec_telemetry::UserId;

use super::credentials::client_key;
use super::leaks::{TOKEN, assert_mute, listen};
use super::stranger::{Seen, Stranger, answer};
use super::*;

/// Upstream says back whatever secret it was told, in every place that is read.
fn echo(number: usize, request: &Seen) -> String {
    let told = ["client_assertion", "subject_token", "client_secret", "refresh_token"].map(|name| request.param(name));
    let told: Vec<String> = told.into_iter().flatten().chain([TOKEN.to_owned()]).collect();
    let told = [told, request.all("authorization").iter().map(|text| (*text).to_owned()).collect()].concat();
    let body = match number % 3 {
        0 => format!(r#"{{"error":"invalid_grant","error_description":"bad {}"}}"#, told.join(" and ")),
        1 => format!(r#"{{"error":"{}"}}"#, told.join("")),
        _ => told.join(" "),
    };
    let set_cookie = format!("set-cookie: {TOKEN}");
    let [location, nonce] = ["location", "dpop-nonce"].map(|name| format!("{name}: {TOKEN}"));
    answer("403 Forbidden", &["content-type: application/json", &set_cookie, &location, &nonce], &body)
}

#[tokio::test]
async fn what_is_signed_or_passed_on_does_not_come_out() {
    let lines = listen();
    let stranger = Stranger::start(echo).await;
    let key = client_key(Some("k1"));
    let tenant = Auth0Config::with_private_key("tenant.test", "onesec", key.clone()).expect("config");
    let tenant = tenant.with_base_url(&stranger.base_url).expect("loopback");
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
    let endpoint = Arc::new(TokenEndpoint::new(tenant, http(), clock));
    let vault = TokenVault::new(Arc::clone(&endpoint));
    let secret = Secret::new(TOKEN.to_owned());
    let options = OriginOptions { base_url: stranger.base_url.clone(), host: "h.test".into(), api_key: secret.clone() };
    let origin = Origin::new(&options, http()).expect("an origin");
    let worker = WorkerExchange {
        user: UserId::new(ANA).expect("an id"),
        connection: ConnectionName::new("google-oauth2").expect("a name"),
        scopes: None,
        audit_context: "why".into(),
    };
    let mut out = format!("{key:?}{endpoint:?}{vault:?}{options:?}{origin:?}{worker:?}");
    for _ in 0..3 {
        let errors = [
            vault.worker_exchange(&worker).await.expect_err("refused"),
            vault.exchange(&google(&secret, SubjectKind::RefreshToken)).await.expect_err("refused"),
        ];
        write!(out, "{errors:?}{} {}", errors[0], errors[1]).expect("written");
        let form = [("refresh_token", TOKEN)];
        let dpop = Some(&secret);
        let theirs = PassThrough { form: &form, authorization: dpop, dpop, forwarded_for: None };
        write!(out, "{theirs:?}{:?}", endpoint.pass_through(theirs).await.expect("an answer")).expect("written");
        let headers = [("authorization".to_owned(), TOKEN.as_bytes().to_vec())];
        let body = TOKEN.into();
        let path_and_query = "/callback?code=Pl4nted";
        let request = ToForward { method: "POST", path_and_query, headers: &headers, body, forwarded_for: None };
        write!(out, "{request:?}{:?}", origin.forward(request.clone()).await.expect("an answer")).expect("written");
    }
    assert_eq!(stranger.seen().len(), 12);
    let bad = Secret::new(format!("{TOKEN}\n"));
    let unsent = PassThrough { form: &[], authorization: Some(&bad), dpop: None, forwarded_for: None };
    write!(out, "{:?}", endpoint.pass_through(unsent).await).expect("written");
    drop(stranger);
    let unreachable = vault.worker_exchange(&worker).await.expect_err("nobody there");
    write!(out, "{unreachable:?}{unreachable}").expect("written");
    assert_mute(&out, &lines);
}

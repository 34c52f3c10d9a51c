//! The simulated tenant, spoken to in plain HTTP as strangers' SDKs do.
#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]

mod clients;
mod governed;
mod worker;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use onesec_auth0_sim::{
    AccessTokenSpec, AccountSpec, ClientSpec, Endpoint, Fault, GrantType, RequestKind, SimConfig, SimTenant,
};
use onesec_telemetry::Secret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ANA: &str = "auth0|ana";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded; charset=UTF-8";
const VAULT: &str = "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token";
const REFRESH: &str = "urn:ietf:params:oauth:token-type:refresh_token";
const PROVIDER: &str = "http://auth0.com/oauth/token-type/federated-connection-access-token";

async fn tenant() -> (SimTenant, String) {
    let sim = SimTenant::start(SimConfig::new("demo-tenant.eu.auth0.test")).await.expect("a tenant");
    sim.create_client(ClientSpec::regular("app", "s3cr+t %"));
    sim.create_user(ANA);
    sim.connect_account(AccountSpec::new(ANA, "google-oauth2", "a b")).expect("connected");
    let token = sim.issue_refresh_token(ANA, "app").expect("issued").expose_to_wire().to_owned();
    (sim, token)
}

/// One request over a connection of its own: status and body.
async fn send(sim: &SimTenant, request: (&str, &str), headers: &[&str], body: &str) -> (u16, Value) {
    let address = sim.base_url().strip_prefix("http://").expect("plain http");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let (method, path) = request;
    let length = format!("Content-Length: {}", body.len());
    let line = format!("{method} {path} HTTP/1.1");
    let head = [&[line.as_str(), "Host: sim", "Connection: close", &length], headers].concat();
    stream.write_all(format!("{}\r\n\r\n{body}", head.join("\r\n")).as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn exchange_params(token: &str) -> Vec<(&'static str, String)> {
    let fixed = [("grant_type", VAULT), ("subject_token_type", REFRESH), ("requested_token_type", PROVIDER)];
    let mut params: Vec<_> = fixed.map(|(name, value)| (name, value.to_owned())).into();
    params.extend([("connection", "google-oauth2".to_owned()), ("subject_token", token.to_owned())]);
    params
}

fn form(params: &[(&'static str, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish()
}

async fn post(sim: &SimTenant, headers: &[&str], body: &str) -> (u16, Value) {
    send(sim, ("POST", "/oauth/token"), headers, body).await
}

fn error_of((status, body): (u16, Value)) -> (u16, String) {
    (status, body.get("error").and_then(Value::as_str).unwrap_or_default().to_owned())
}

fn in_body(mut params: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    params.extend([("client_id", "app".to_owned()), ("client_secret", "s3cr+t %".to_owned())]);
    params
}

#[tokio::test]
async fn every_way_in_which_sdks_authenticate_is_accepted() {
    let (sim, token) = tenant().await;
    let basic = |pair: &str| format!("Authorization: Basic {}", STANDARD.encode(pair));
    let params = exchange_params(&token);
    let json: serde_json::Map<String, Value> =
        in_body(params.clone()).into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let answers = [
        post(&sim, &[FORM], &form(&in_body(params.clone()))).await,
        post(&sim, &["Content-Type: application/json"], &Value::Object(json).to_string()).await,
        post(&sim, &[FORM, &basic("app:s3cr+t %")], &form(&params)).await,
        post(&sim, &[FORM, &basic("app:s3cr%2Bt+%25")], &form(&params)).await,
    ];
    for (status, body) in answers {
        assert_eq!((status, &body["scope"], &body["token_type"]), (200, &json!("a b"), &json!("Bearer")));
        let token = Secret::new(body["access_token"].as_str().expect("a token").to_owned());
        assert!(sim.is_live(&token) && body["expires_in"].is_u64() && body["refresh_token"].is_null());
    }
    assert_eq!(sim.requests(RequestKind::TokenExchange), 4);
    assert_eq!(sim.provider_tokens_issued().len(), 1, "cached at the provider");

    let wrong = post(&sim, &[FORM, &basic("app:wrong")], &form(&params)).await;
    assert_eq!(error_of(wrong), (401, "access_denied".into()));
    assert_eq!(error_of(post(&sim, &[FORM], &form(&params)).await), (401, "access_denied".into()));
}

#[tokio::test]
async fn parameters_are_checked() {
    let (sim, token) = tenant().await;
    let good = in_body(exchange_params(&token));
    let without = |name: &str| good.iter().filter(|(n, _)| *n != name).cloned().collect::<Vec<_>>();
    for name in ["subject_token", "subject_token_type", "requested_token_type", "connection", "grant_type"] {
        let answer = post(&sim, &[FORM], &form(&without(name))).await;
        assert_eq!(error_of(answer), (400, "invalid_request".into()), "{name}");
    }
    for (name, value) in [("requested_token_type", "urn:x"), ("subject_token_type", "urn:x"), ("connection", "github")]
    {
        let mut changed = without(name);
        changed.push((name, value.to_owned()));
        let (status, _) = error_of(post(&sim, &[FORM], &form(&changed)).await);
        assert_ne!(status, 200, "{name}");
    }
    let twice = format!("{}&connection=google-oauth2", form(&good));
    assert_eq!(error_of(post(&sim, &[FORM], &twice).await), (400, "invalid_request".into()));
    assert_eq!(error_of(post(&sim, &["Content-Type: text/plain"], "").await), (400, "invalid_request".into()));
    sim.create_client(ClientSpec::regular("app", "s3cr+t %").with_grants(&[GrantType::RefreshToken]));
    assert_eq!(error_of(post(&sim, &[FORM], &form(&good)).await), (403, "unauthorized_client".into()));
}

#[tokio::test]
async fn users_and_administrators_see_connected_accounts() {
    let (sim, _) = tenant().await;
    let audience = format!("{}me/", sim.issuer());
    let spec = AccessTokenSpec::new(ANA, &audience, "app").with_scopes("read:me:connected_accounts");
    let bearer = |token: &Secret| format!("Authorization: Bearer {}", token.expose_to_wire());
    let reader = bearer(&sim.mint_access_token(&spec).expect("minted"));
    let path = "/me/v1/connected-accounts/accounts";
    let (status, body) = send(&sim, ("GET", path), &[&reader], "").await;
    let id = body["accounts"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!((status, &body["accounts"][0]["scopes"]), (200, &json!(["a", "b"])));
    let one = format!("{path}/{id}");
    assert_eq!(send(&sim, ("DELETE", &one), &[&reader], "").await.0, 403, "reading is not deleting");
    assert_eq!(send(&sim, ("GET", path), &[], "").await.0, 401);

    let admin = [("grant_type", "client_credentials".to_owned()), ("audience", format!("{}api/v2/", sim.issuer()))];
    let (_, body) = post(&sim, &[FORM], &form(&in_body(admin.into()))).await;
    let admin = bearer(&Secret::new(body["access_token"].as_str().expect("a token").to_owned()));
    let listed = send(&sim, ("GET", "/api/v2/users/auth0%7Cana/connected-accounts"), &[&admin], "").await;
    assert_eq!((listed.0, &listed.1["connected_accounts"][0]["id"]), (200, &json!(id)));

    let spec = spec.with_scopes("delete:me:connected_accounts");
    let deleter = bearer(&sim.mint_access_token(&spec).expect("minted"));
    assert_eq!(send(&sim, ("DELETE", &one), &[&deleter], "").await.0, 204);
    assert_eq!(send(&sim, ("DELETE", &one), &[&deleter], "").await.0, 404);
}

#[tokio::test]
async fn discovery_and_keys_name_the_configured_domain() {
    let (sim, _) = tenant().await;
    let (_, document) = send(&sim, ("GET", "/.well-known/openid-configuration"), &[], "").await;
    assert_eq!(document["issuer"], "https://demo-tenant.eu.auth0.test/");
    sim.rotate_signing_key().expect("rotated");
    let (_, keys) = send(&sim, ("GET", "/.well-known/jwks.json"), &[], "").await;
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(2), "the previous key is still published");
}

#[tokio::test]
async fn faults_last_as_long_as_told() {
    let (sim, token) = tenant().await;
    let body = form(&in_body(exchange_params(&token)));
    sim.set_fault_for(Endpoint::TokenExchange, Fault::TokenNotFound, 2);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(post(&sim, &[FORM], &body).await.0);
    }
    assert_eq!(seen, [401, 401, 200]);
    sim.set_fault(Fault::MfaRequired);
    assert_eq!(error_of(post(&sim, &[FORM], &body).await), (403, "mfa_required".into()));
    sim.clear_faults();
    assert_eq!(post(&sim, &[FORM], &body).await.0, 200);
}

#[tokio::test]
async fn unlinking_forgets_but_only_the_provider_revokes() {
    let (sim, token) = tenant().await;
    let body = form(&in_body(exchange_params(&token)));
    let id = sim.connect_account(AccountSpec::new(ANA, "github", "repo")).expect("connected");
    let (_, answer) = post(&sim, &[FORM], &body.replace("google-oauth2", "github")).await;
    let issued = Secret::new(answer["access_token"].as_str().expect("a token").to_owned());
    sim.disconnect_account(&id).expect("disconnected");
    let (status, error) = error_of(post(&sim, &[FORM], &body.replace("google-oauth2", "github")).await);
    assert_eq!((status, error.as_str()), (401, "federated_connection_refresh_token_not_found"));
    assert!(sim.is_live(&issued), "copied tokens live on");
    assert!(sim.disconnect_account(&id).is_err());
}

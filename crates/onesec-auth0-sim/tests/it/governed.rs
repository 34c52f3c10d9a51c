//! Standard exchanges and identity assertions.

use onesec_identity::{AccessTokenPolicy, KeySet, VerifiedSubject, verify_access_token};
use onesec_telemetry::Timestamp;

use super::clients::{API, NOW, still_tenant};
use super::*;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const ISSUER: &str = "https://demo-tenant.eu.auth0.test/";
const MAIL: &str = "https://mail.example/";

async fn ask(sim: &SimTenant, client: &str, params: &[(&'static str, &str)]) -> (u16, Value) {
    let owned = params.iter().map(|(name, value)| (*name, (*value).to_owned()));
    let client = [("client_id", client.to_owned()), ("client_secret", "s".to_owned())];
    post(sim, &[FORM], &form(&owned.chain(client).collect::<Vec<_>>())).await
}

async fn verified(sim: &SimTenant, body: &Value, audience: &str) -> VerifiedSubject {
    let token = Secret::new(body["access_token"].as_str().expect("a token").to_owned());
    let (_, keys) = send(sim, ("GET", "/.well-known/jwks.json"), &[], "").await;
    let keys = KeySet::from_jwks_json(&keys.to_string()).expect("keys");
    let policy = AccessTokenPolicy::new(ISSUER, [audience]);
    verify_access_token(&token, &keys, &policy, Timestamp::from_secs(NOW)).expect("genuine")
}

async fn governed_tenant() -> (SimTenant, String) {
    let sim = still_tenant().await;
    let grants = [GrantType::TokenExchange, GrantType::JwtBearer];
    sim.create_client(ClientSpec::custom_api("agent-1", "s", API).with_grants(&grants));
    sim.create_client(ClientSpec::custom_api("agent-2", "s", MAIL).with_grants(&grants));
    sim.create_client(ClientSpec::custom_api("ungoverned", "s", API));
    let token = sim.mint_access_token(&AccessTokenSpec::new(ANA, API, "web-app")).expect("minted");
    (sim, token.expose_to_wire().to_owned())
}

fn exchange<'a>(subject: &'a str, requested: &'a str, audience: &'a str) -> Vec<(&'static str, &'a str)> {
    let what = [("grant_type", EXCHANGE), ("subject_token_type", ACCESS), ("requested_token_type", requested)];
    what.into_iter().chain([("subject_token", subject), ("audience", audience)]).collect()
}

#[tokio::test]
async fn on_behalf_of_names_every_actor_and_not_too_many() {
    let (sim, token) = governed_tenant().await;
    let (status, body) =
        ask(&sim, "agent-1", &[exchange(&token, ACCESS, MAIL), vec![("scope", "read")]].concat()).await;
    assert_eq!((status, &body["issued_token_type"], &body["token_type"]), (200, &json!(ACCESS), &json!("Bearer")));
    let proof = verified(&sim, &body, MAIL).await;
    assert_eq!((proof.user().as_str(), proof.client().as_str(), proof.scopes().len()), (ANA, "agent-1", 1));
    let second = body["access_token"].as_str().expect("a token").to_owned();
    let (_, body) = ask(&sim, "agent-2", &exchange(&second, ACCESS, "https://third.example/")).await;
    let proof = verified(&sim, &body, "https://third.example/").await;
    let actors: Vec<&str> = proof.actors().iter().map(|actor| actor.sub.as_str()).collect();
    assert_eq!(actors, ["agent-2", "agent-1"], "the current one first");

    let deep = (0..5).fold(Value::Null, |act, n| {
        if act.is_null() { json!({"sub": "a"}) } else { json!({"sub": format!("a{n}"), "act": act}) }
    });
    let deep = sim.mint_access_token(&AccessTokenSpec::new(ANA, API, "app").with_claim("act", deep)).expect("minted");
    let refused = ask(&sim, "agent-1", &exchange(deep.expose_to_wire(), ACCESS, MAIL)).await;
    assert_eq!(error_of(refused), (400, "invalid_request".into()));
    let refused = ask(&sim, "agent-2", &exchange(&token, ACCESS, MAIL)).await;
    assert_eq!(error_of(refused), (400, "invalid_request".into()), "another API's token");
}

#[tokio::test]
async fn an_identity_assertion_buys_an_access_token_for_its_client_only() {
    let (sim, token) = governed_tenant().await;
    let params = [exchange(&token, ID_JAG, ISSUER), vec![("resource", MAIL), ("scope", "read")]].concat();
    let (status, body) = ask(&sim, "agent-1", &params).await;
    assert_eq!((status, &body["issued_token_type"], &body["token_type"]), (200, &json!(ID_JAG), &json!("N_A")));
    let jag = body["access_token"].as_str().expect("an assertion").to_owned();
    let bearer = async |client: &str, jag: &str| ask(&sim, client, &[("grant_type", BEARER), ("assertion", jag)]).await;
    let (status, body) = bearer("agent-1", &jag).await;
    assert_eq!(status, 200);
    let proof = verified(&sim, &body, MAIL).await;
    assert_eq!((proof.user().as_str(), proof.client().as_str(), proof.scopes().len()), (ANA, "agent-1", 1));

    let (_, body) = ask(&sim, "agent-1", &exchange(&token, ID_JAG, "https://elsewhere.test/")).await;
    let elsewhere = body["access_token"].as_str().expect("an assertion").to_owned();
    for (client, jag) in [("agent-2", jag.as_str()), ("agent-1", &elsewhere), ("agent-1", &token), ("agent-1", "x")] {
        assert_eq!(error_of(bearer(client, jag).await), (403, "invalid_grant".into()), "{client}");
    }
}

#[tokio::test]
async fn an_id_token_of_the_client_buys_an_identity_assertion() {
    let sim = still_tenant().await;
    sim.create_client(
        ClientSpec::regular("app", "s").with_grants(&[GrantType::RefreshToken, GrantType::TokenExchange]),
    );
    let refresh = sim.issue_refresh_token(ANA, "app").expect("issued");
    let refresh = refresh.expose_to_wire();
    let login = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("scope", "openid")];
    let (_, body) = ask(&sim, "app", &login).await;
    let id_token = body["id_token"].as_str().expect("an id token").to_owned();
    let mut params = exchange(&id_token, ID_JAG, ISSUER);
    params[1].1 = "urn:ietf:params:oauth:token-type:id_token";
    assert_eq!(ask(&sim, "app", &params).await.1["token_type"], json!("N_A"));
}

#[tokio::test]
async fn governed_grants_are_off_unless_asked_for_and_counted() {
    let (sim, token) = governed_tenant().await;
    let refused = ask(&sim, "ungoverned", &exchange(&token, ACCESS, MAIL)).await;
    assert_eq!(error_of(refused), (403, "unauthorized_client".into()));
    let refused = ask(&sim, "ungoverned", &[("grant_type", BEARER), ("assertion", "x")]).await;
    assert_eq!(error_of(refused), (403, "unauthorized_client".into()));
    let odd = ask(&sim, "agent-1", &exchange(&token, "urn:ietf:params:oauth:token-type:refresh_token", MAIL)).await;
    assert_eq!(error_of(odd), (400, "invalid_request".into()));
    assert_eq!((sim.requests(RequestKind::Governed), sim.requests(RequestKind::OtherGrant)), (3, 0));
    sim.set_fault_for(Endpoint::Governed, Fault::AccessDenied, 1);
    assert_eq!(error_of(ask(&sim, "agent-1", &exchange(&token, ACCESS, MAIL)).await), (403, "access_denied".into()));
}

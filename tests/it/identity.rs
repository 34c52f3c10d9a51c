//! Who is asking, and for whom: every way to prove it over real HTTP, and what attackers get instead.
//!
//! `docs/identity.md` has the table of attacks; each names its test here.

mod agents;
mod grants;
mod links;
mod mtls;
mod page;
mod tricks;
mod users;
mod workers;

use onesec_auth0_sim::GrantType;
use onesec_e2e::proofs::Issuer;
use onesec_e2e::world::{CALENDAR, EXCHANGE, GOOGLE};
use onesec_e2e::{Answer, Http, World};
use serde_json::{Value, json};

/// Who we are to the issuers of agents' tokens.
const US: &str = "https://onesec.example.test";
const TOKEN: &str = "/oauth/token";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const REFRESH: &str = "urn:ietf:params:oauth:token-type:refresh_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What one gets instead of a token: status, `error`, and `onesec_reason` or words of the description.
type Refusal<'a> = (u16, &'a str, &'a str);

#[track_caller]
fn refused(attack: &str, answer: &Answer, (status, error, why): Refusal<'_>) {
    let body = answer.json();
    assert_eq!((answer.status, body["error"].as_str()), (status, Some(error)), "{attack}: {}", answer.text());
    let words = body["error_description"].as_str().unwrap_or_default();
    assert!(body["onesec_reason"] == why || words.contains(why), "{attack}, not {why}: {}", answer.text());
    assert!(body["access_token"].is_null() && !answer.text().contains("ya29"), "{attack}: {}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{attack}");
}

#[track_caller]
fn issued(how: &str, answer: &Answer) {
    assert_eq!(answer.status, 200, "{how}: {}", answer.text());
    assert!(answer.json()["access_token"].is_string(), "{how}");
}

/// The same token at the API's own exchange, with these headers.
fn exchange(http: &mut Http, headers: &[(&str, &str)], token: &str) -> Answer {
    exchange_with(http, headers, &json!({"subject_token": token}))
}

fn exchange_with(http: &mut Http, headers: &[(&str, &str)], more: &Value) -> Answer {
    let mut body = json!({"connection": GOOGLE, "scopes": [CALENDAR]});
    onesec_e2e::proofs::merge(&mut body, more);
    let headers = [&[("content-type", "application/json")], headers].concat();
    http.send("POST", EXCHANGE, &headers, body.to_string().as_bytes())
}

/// The Token Vault grant as Auth0's SDKs send it.
fn grant(http: &mut Http, headers: &[(&str, &str)], (token, more): (&str, &[(&str, &str)])) -> Answer {
    let pairs = [
        ("grant_type", GrantType::TokenVault.urn()),
        ("subject_token", token),
        ("subject_token_type", REFRESH),
        ("connection", GOOGLE),
        ("scope", CALENDAR),
    ];
    http.form(TOKEN, headers, &[&pairs, more].concat())
}

/// Alerts about this agent.
fn alerts_of(world: &World, detector: &str, agent: &str) -> Vec<Value> {
    world.alerts(detector).into_iter().filter(|alert| alert["agent_id"] == agent).collect()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// The server, and an issuer whose tokens it takes.
fn vouched(plan: onesec_e2e::Plan) -> (World, Issuer) {
    let issuer = Issuer::start();
    let plan = plan.with("agents", json!({"issuers": issuer.section(US)}));
    (plan.start(), issuer)
}

//! The "connect" button of an application, through us: the user's own token, the tenant's statuses, and the ledger.

use onesec_auth0_sim::{AccessTokenSpec, Endpoint, Fault, RequestKind};
use onesec_e2e::world::{ANA, BEN, CALENDAR, GOOGLE, MAIL};
use onesec_e2e::{Answer, Http, Plan, World, eventually};
use serde_json::{Value, json};

use crate::plan;

const BACK: &str = "https://app.example.test/connected";
const STATE: &str = "4f0c9b7a51e24d0f";
const CONNECT: &str = "/api/v1/connected-accounts/connect";
const COMPLETE: &str = "/api/v1/connected-accounts/complete";

fn with(more: &Value) -> Plan {
    let mut vault = json!({"connect_redirect_uris": [BACK]});
    onesec_e2e::proofs::merge(&mut vault, more);
    plan().with("token_vault", vault).env("ONESEC_LOG", "trace")
}

fn token(world: &World, user: &str, scopes: &str) -> String {
    let audience = format!("{}me/", world.sim.issuer());
    let spec = AccessTokenSpec::new(user, &audience, "web-app").with_scopes(scopes);
    world.sim.mint_access_token(&spec).expect("minted").expose_to_wire().to_owned()
}

fn mine(world: &World, user: &str) -> String {
    token(world, user, "create:me:connected_accounts read:me:connected_accounts delete:me:connected_accounts")
}

fn send(app: &mut Http, (method, path): (&str, &str), token: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("x-my-account-token", token)];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    app.send(method, path, &headers, body.as_bytes())
}

fn wanted(scopes: &[&str]) -> Value {
    json!({"connection": GOOGLE, "redirect_uri": BACK, "state": STATE, "scopes": scopes})
}

/// What the user's browser brings back: code and state.
fn browse(world: &World, begun: &Value) -> (String, String) {
    let ticket = begun["connect_params"]["ticket"].as_str().expect("a ticket");
    let mut browser = Http::new(world.sim.base_url(), None);
    let answer = browser.get(&format!("/connect?ticket={ticket}"));
    assert_eq!(answer.status, 302, "{}", answer.text());
    let back = answer.header("location").expect("back").strip_prefix(&format!("{BACK}?connect_code=")).expect("there");
    let (code, state) = back.split_once("&state=").expect("the state comes along");
    (code.to_owned(), state.to_owned())
}

fn completes(begun: &Value, (code, state): (&str, &str)) -> Value {
    json!({"auth_session": begun["auth_session"], "connect_code": code, "state": state})
}

#[test]
fn an_account_is_connected_lent_and_disconnected_through_us() {
    let world = with(&json!({})).live().start();
    let (ana, mut app) = (mine(&world, ANA), world.client(&["events:trust"]));
    let begun = send(&mut app, ("POST", CONNECT), &ana, &wanted(&[CALENDAR]));
    assert_eq!((begun.status, &begun.json()["expires_in"]), (201, &json!(300)), "{}", begun.text());
    assert_eq!(begun.json()["findings"], json!([]));
    let (code, state) = browse(&world, &begun.json());
    assert_eq!(state, STATE);
    let done = send(&mut app, ("POST", COMPLETE), &ana, &completes(&begun.json(), (&code, &state)));
    assert_eq!((done.status, &done.json()["connection"]), (201, &json!(GOOGLE)), "{}", done.text());
    let id = done.json()["id"].as_str().expect("an id").to_owned();
    // The ledger knows it as the tenant says it, and an agent may have it at once.
    let accounts = world.listed("/api/v1/accounts", "accounts");
    assert_eq!((&accounts[0]["state"], &accounts[0]["account_id"]), (&json!("linked"), &json!(id)), "{accounts:?}");
    assert!(accounts[0]["scopes"].to_string().contains("calendar.readonly"), "{accounts:?}");
    world.delegate(ANA, "helper", GOOGLE, &[CALENDAR]);
    let (mut helper, refresh) = (world.agent("helper"), world.refresh(ANA));
    assert_eq!(helper.exchange(GOOGLE, &refresh).status, 200);
    let link = eventually("it is indexed", || {
        world.listed("/api/v1/events?kind=connected_account_link", "events").into_iter().next()
    });
    assert_eq!((&link["sender"]["channel"], &link["attribution"]), (&json!("auth0"), &json!("observed")), "{link}");
    let listed = send(&mut app, ("GET", "/api/v1/connected-accounts"), &ana, &Value::Null);
    assert_eq!((listed.status, &listed.json()["accounts"][0]["id"]), (200, &json!(id)), "{}", listed.text());
    // Again is a conflict, as the tenant has it.
    let again = send(&mut app, ("POST", CONNECT), &ana, &wanted(&[CALENDAR])).json();
    let (code, state) = browse(&world, &again);
    let conflict = send(&mut app, ("POST", COMPLETE), &ana, &completes(&again, (&code, &state)));
    assert_eq!((conflict.status, &conflict.json()["code"]), (409, &json!("auth0-refused")), "{}", conflict.text());
    let gone = send(&mut app, ("DELETE", &format!("/api/v1/connected-accounts/{id}")), &ana, &Value::Null);
    assert_eq!((gone.status, gone.text().as_str()), (204, ""));
    assert_eq!((helper.exchange(GOOGLE, &refresh).status, world.sim.accounts_of(ANA).len()), (403, 0));
    let again = send(&mut app, ("DELETE", &format!("/api/v1/connected-accounts/{id}")), &ana, &Value::Null);
    assert_eq!(again.status, 204, "what is gone is removed");
    let secrets = [ana.as_str(), &code, begun.json()["auth_session"].as_str().unwrap_or_default()].map(str::to_owned);
    super::nowhere(&world, &secrets.each_ref().map(String::as_str));
}

#[test]
fn what_was_lent_ends_before_the_tenant_is_asked_and_also_where_it_fails() {
    let world = with(&json!({})).start();
    let (mut helper, refresh) = world.lent("helper");
    let id = world.sim.accounts_of(ANA).pop().expect("an account");
    let (ana, mut app) = (mine(&world, ANA), world.client(&["events:trust"]));
    assert_eq!(helper.exchange(GOOGLE, &refresh).status, 200);
    let path = format!("/api/v1/connected-accounts/{id}");
    // Ben's token removes nothing of Ana's, and Ana's nothing of Ben's.
    let bens = send(&mut app, ("DELETE", &path), &mine(&world, BEN), &Value::Null);
    assert_eq!(bens.status, 404, "{}", bens.text());
    assert_eq!(helper.exchange(GOOGLE, &refresh).status, 200);
    // Listing works, removing does not.
    let weak = token(&world, ANA, "read:me:connected_accounts");
    let refused = send(&mut app, ("DELETE", &path), &weak, &Value::Null);
    assert_eq!((refused.status, &refused.json()["unlinked"]), (403, &json!(true)), "{}", refused.text());
    assert_eq!(helper.exchange(GOOGLE, &refresh).status, 403, "here it counts no more");
    assert_eq!(world.sim.accounts_of(ANA).len(), 1);
    world.sim.set_fault_on(Endpoint::MyAccount, Fault::Lie);
    let lie = send(&mut app, ("DELETE", &path), &ana, &Value::Null);
    assert_eq!((lie.status, &lie.json()["code"]), (502, &json!("not-removed")), "{}", lie.text());
    world.sim.clear_faults();
    assert_eq!(send(&mut app, ("DELETE", &path), &ana, &Value::Null).status, 204);
    for bad in ["cac_", "cac_a%2Fb", "..", "nothing"] {
        let answer = send(&mut app, ("DELETE", &format!("/api/v1/connected-accounts/{bad}")), &ana, &Value::Null);
        assert_eq!(answer.status, 404, "{bad}: {}", answer.text());
    }
}

/// A code that somebody slips to somebody else connects nothing to the wrong one.
#[test]
fn only_the_one_for_whom_it_was_begun_completes_it() {
    let mut world = with(&json!({})).start();
    let (ana, ben) = (mine(&world, ANA), mine(&world, BEN));
    let mut app = world.client(&["events:trust"]);
    let begun = send(&mut app, ("POST", CONNECT), &ana, &wanted(&[CALENDAR])).json();
    let (code, state) = browse(&world, &begun);
    let seen = world.sim.requests(RequestKind::MyAccount);
    for (token, body) in [
        (&ben, completes(&begun, (&code, &state))),
        (&ana, completes(&begun, (&code, "another-state-altogether"))),
        (&ana, json!({"auth_session": "made-up", "connect_code": code, "state": state})),
    ] {
        let answer = send(&mut app, ("POST", COMPLETE), token, &body);
        assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("not-begun")), "{}", answer.text());
    }
    assert_eq!(world.sim.requests(RequestKind::MyAccount), seen, "the tenant is not even asked");
    // A wrong code is the tenant's to refuse, with its own words; then it is over.
    let wrong = send(&mut app, ("POST", COMPLETE), &ana, &completes(&begun, ("wrong", &state)));
    assert_eq!((wrong.status, &wrong.json()["validation_errors"][0]["field"]), (400, &json!("connect_code")));
    let over = send(&mut app, ("POST", COMPLETE), &ana, &completes(&begun, (&code, &state)));
    assert_eq!(over.status, 409, "once");
    assert!(world.sim.accounts_of(ANA).is_empty() && world.sim.accounts_of(BEN).is_empty());
    // What was begun is in memory only.
    let begun = send(&mut app, ("POST", CONNECT), &ana, &wanted(&[CALENDAR])).json();
    let (code, state) = browse(&world, &begun);
    world.killed();
    let mut app = world.client(&["events:trust"]);
    let late = send(&mut app, ("POST", COMPLETE), &ana, &completes(&begun, (&code, &state)));
    assert_eq!(late.json()["code"], "not-begun");
    super::nowhere(&world, &[&ana, &ben, &code]);
}

#[test]
fn what_is_not_right_is_refused_before_the_user_is_sent_anywhere() {
    let world = with(&json!({})).start();
    let (ana, mut app) = (mine(&world, ANA), world.client(&["events:trust"]));
    let change = |name: &str, value: Value| {
        let mut all = wanted(&[CALENDAR]);
        all[name] = value;
        all
    };
    for (body, status, code) in [
        (change("redirect_uri", json!("https://evil.example/")), 422, "redirect-uri-not-listed"),
        (change("redirect_uri", json!(format!("{BACK}/"))), 422, "redirect-uri-not-listed"),
        (change("state", json!("short")), 422, "bad-state"),
        (change("scopes", json!(["a b\"c"])), 422, "bad-scope"),
        (change("code_verifier", json!("mine")), 422, "bad-body"),
        (json!({"connection": GOOGLE}), 422, "bad-body"),
    ] {
        let answer = send(&mut app, ("POST", CONNECT), &ana, &body);
        assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(code)), "{}", answer.text());
    }
    let audience = AccessTokenSpec::new(ANA, "https://api.example.test", "web-app");
    let other = world.sim.mint_access_token(&audience).expect("minted").expose_to_wire().to_owned();
    for bad in [other.as_str(), "opaque-token"] {
        let answer = send(&mut app, ("POST", CONNECT), bad, &wanted(&[CALENDAR]));
        assert_eq!((answer.status, &answer.json()["code"]), (401, &json!("bad-my-account-token")));
        assert!(!answer.text().contains(bad));
    }
    assert_eq!(app.post(CONNECT, &wanted(&[CALENDAR])).json()["code"], "missing-token");
    let weak = token(&world, ANA, "read:me:connected_accounts");
    assert_eq!(send(&mut app, ("POST", CONNECT), &weak, &wanted(&[CALENDAR])).status, 403, "as the tenant says");
    let mut sender = world.client(&["events:write", "read", "respond"]);
    assert_eq!(send(&mut sender, ("POST", CONNECT), &ana, &wanted(&[CALENDAR])).status, 403, "not by every key");
    for (fault, status) in
        [(Fault::Status(500), 503), (Fault::RateLimited { retry_after_s: 9 }, 429), (Fault::Redirect, 503)]
    {
        world.sim.set_fault_on(Endpoint::MyAccount, fault.clone());
        let answer = send(&mut app, ("POST", CONNECT), &ana, &wanted(&[CALENDAR]));
        assert_eq!(answer.status, status, "{fault:?}: {}", answer.text());
    }
    assert_eq!(world.sim.requests(RequestKind::Stolen), 0);
}

/// A risky combination is told to the application before its user sees a consent page, and refused where policy says so.
#[test]
fn scopes_that_look_like_phishing_are_told_or_refused_first() {
    let risky = ["https://www.googleapis.com/auth/drive", MAIL];
    let world = with(&json!({})).start();
    let (ana, mut app) = (mine(&world, ANA), world.client(&["events:trust"]));
    let begun = send(&mut app, ("POST", CONNECT), &ana, &wanted(&risky));
    assert_eq!(
        (begun.status, &begun.json()["findings"][0]["detector"]),
        (201, &json!("consent-phishing")),
        "{}",
        begun.text()
    );
    let policies = json!([{"name": "no-phishing", "match": {"detectors": ["consent-phishing"], "min_severity": "MEDIUM"}, "request": "deny"}]);
    let world = with(&json!({})).live().with("enforcement", json!({"policies": policies})).start();
    let (ana, mut app) = (mine(&world, ANA), world.client(&["events:trust"]));
    let refused = send(&mut app, ("POST", CONNECT), &ana, &wanted(&risky));
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("refused-by-policy")), "{}", refused.text());
    assert_eq!(world.sim.requests(RequestKind::MyAccount), 0);
    assert_eq!(send(&mut app, ("POST", CONNECT), &ana, &wanted(&[CALENDAR])).status, 201);
}

//! The token endpoint: what Auth0's clients send is understood, and nothing else. Without Token Vault behind it, an
//! exchange that is understood ends in 503 `not-configured`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const GRANT: &str = "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token";
const REFRESH: &str = "urn:ietf:params:oauth:token-type:refresh_token";
const ACCESS: &str = "http://auth0.com/oauth/token-type/federated-connection-access-token";

type Pairs<'a> = Vec<(&'a str, &'a str)>;

/// What every client sends.
fn exchange() -> Pairs<'static> {
    vec![
        ("grant_type", GRANT),
        ("subject_token", "v1.hunter2"),
        ("subject_token_type", REFRESH),
        ("requested_token_type", ACCESS),
        ("connection", "github"),
    ]
}

fn with<'a>(name: &'a str, value: &'a str) -> Pairs<'a> {
    let mut pairs = exchange();
    pairs.retain(|(known, _)| *known != name);
    pairs.push((name, value));
    pairs
}

fn form(pairs: &Pairs<'_>) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// By hand: a JSON object of serde's has no member twice.
fn json_text(pairs: &Pairs<'_>) -> String {
    let members: Vec<String> = pairs.iter().map(|(name, value)| format!("{}:{}", json!(name), json!(value))).collect();
    format!("{{{}}}", members.join(","))
}

/// The error, its status and its reason, after the checks that every answer must pass.
fn judged(reply: &Reply) -> (u16, String) {
    assert_eq!(reply.headers["content-type"], "application/json", "{}", reply.text);
    assert_eq!(reply.headers["cache-control"], "no-store");
    assert!(!reply.text.contains("hunter2"), "{}", reply.text);
    let body = reply.json();
    assert!(body["error_description"].is_string(), "{body}");
    assert_eq!(reply.status == 401, reply.headers.contains_key("www-authenticate"), "{body}");
    (reply.status, body["error"].as_str().expect("an error").to_owned())
}

const UNDERSTOOD: (u16, &str) = (503, "temporarily_unavailable");
const BAD: (u16, &str) = (400, "invalid_request");
const STRANGER: (u16, &str) = (401, "invalid_client");

fn check(reply: &Reply, expected: (u16, &str), what: &str) {
    let (status, error) = judged(reply);
    assert_eq!((status, error.as_str()), expected, "{what}: {}", reply.text);
}

impl Bench {
    async fn token(&self, headers: &[(&str, &str)], kind: &str, body: String) -> Reply {
        let request = request("POST", "/oauth/token").header("content-type", kind);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request.body(Body::from(body)).expect("request")).await
    }

    fn agent(&self, name: &str) -> Secret {
        self.key(&[KeyScope::Exchange], "default", Some(name))
    }
}

fn basic(name: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{secret}")))
}

#[tokio::test]
async fn every_sdks_way_of_sending_an_exchange_is_understood() {
    let bench = Bench::new();
    let key = bench.agent("team:bot 7");
    let (secret, id) = (key.expose_to_wire(), key.expose_to_wire().get(3..11).expect("id").to_owned());
    let in_body = |id: Option<&'static str>| {
        let mut pairs = exchange();
        pairs.push(("client_secret", secret));
        pairs.extend(id.map(|id| ("client_id", id)));
        pairs
    };
    for (kind, body) in [
        (FORM, form(&in_body(None))),
        ("application/x-www-form-urlencoded;charset=UTF-8", form(&in_body(Some("team:bot 7")))),
        (JSON, json_text(&in_body(None))),
        ("Application/JSON; charset=utf-8", json_text(&in_body(Some("team:bot 7")))),
    ] {
        check(&bench.token(&[], kind, body).await, UNDERSTOOD, kind);
    }
    let bearer = format!("Bearer {secret}");
    for header in [
        basic("team:bot 7", secret),
        basic("team%3Abot+7", secret),
        basic("team%3Abot%207", secret),
        basic(&id, secret),
        basic("", secret),
        bearer,
    ] {
        let headers = [("authorization", header.as_str())];
        check(&bench.token(&headers, FORM, form(&exchange())).await, UNDERSTOOD, &header);
        check(&bench.token(&headers, FORM, form(&with("client_id", "team:bot 7"))).await, UNDERSTOOD, &header);
        check(&bench.token(&headers, JSON, json_text(&with("client_id", &id))).await, UNDERSTOOD, &header);
    }
}

#[tokio::test]
async fn a_client_that_is_not_who_it_says_gets_nothing() {
    let bench = Bench::new();
    let (bot, other) = (bench.agent("bot"), bench.agent("other"));
    let secret = bot.expose_to_wire();
    let send = |header: Option<String>, pairs: Pairs<'_>| {
        let (bench, body) = (&bench, form(&pairs));
        async move {
            let headers: Vec<(&str, &str)> = header.iter().map(|text| ("authorization", text.as_str())).collect();
            bench.token(&headers, FORM, body).await
        }
    };
    let secretive = |name: &'static str, value: &'static str| {
        let mut pairs = with("client_secret", secret);
        pairs.push((name, value));
        pairs
    };
    let forged = format!("{}x", secret.get(..secret.len() - 1).expect("ASCII"));
    for (what, header, pairs, expected) in [
        ("nothing", None, exchange(), STRANGER),
        ("a name alone", None, with("client_id", "bot"), STRANGER),
        ("another's name in the body", None, secretive("client_id", "other"), STRANGER),
        ("another's name in Basic", Some(basic("other", secret)), exchange(), STRANGER),
        ("two names", Some(basic("bot", secret)), with("client_id", "other"), STRANGER),
        ("no key", None, with("client_secret", "hunter2"), STRANGER),
        ("a forged key", Some(basic("bot", &forged)), exchange(), STRANGER),
        ("no base64", Some("Basic %%%".to_owned()), exchange(), STRANGER),
        ("another scheme", Some(format!("DPoP {secret}")), exchange(), STRANGER),
        ("an assertion", None, with("client_assertion", "hunter2"), STRANGER),
        ("an assertion and a secret", None, secretive("client_assertion", "hunter2"), BAD),
        ("Basic and a secret", Some(basic("bot", secret)), with("client_secret", secret), BAD),
        ("Bearer and an assertion", Some(bearer(&bot)), with("client_assertion_type", "x"), BAD),
    ] {
        check(&send(header, pairs).await, expected, what);
    }
    let twice = [("authorization", bearer(&bot)), ("authorization", bearer(&other))];
    let twice: Vec<(&str, &str)> = twice.iter().map(|(name, value)| (*name, value.as_str())).collect();
    check(&bench.token(&twice, FORM, form(&exchange())).await, BAD, "two headers");
    for scopes in [&[KeyScope::Admin][..], &[KeyScope::EventsTrust, KeyScope::Respond]] {
        let key = bench.key(scopes, "default", Some("bot"));
        check(&send(Some(bearer(&key)), exchange()).await, (403, "unauthorized_client"), "another scope");
    }
    let unknown = judged(&send(Some(basic("bot", &forged)), exchange()).await);
    assert_eq!(unknown, judged(&send(Some(basic("other", secret)), exchange()).await), "nobody learns which was wrong");
}

#[tokio::test]
async fn only_the_vaults_exchange_is_done_and_every_parameter_is_known_and_stands_once() {
    let bench = Bench::new();
    let key = bearer(&bench.agent("bot"));
    for (name, value, expected) in [
        ("grant_type", "refresh_token", (400, "unsupported_grant_type")),
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", (400, "unsupported_grant_type")),
        ("grant_type", "", BAD),
        ("subject_token", "", BAD),
        ("connection", "", BAD),
        ("subject_token_type", "", BAD),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token", BAD),
        ("requested_token_type", "http://auth0.com/oauth/token-type/token-vault-refresh-token", BAD),
        ("requested_token_type", "http://auth0.com/oauth/token-type/token-vault-access-token", UNDERSTOOD),
        ("requested_token_type", "", UNDERSTOOD),
        ("login_hint", "octocat", UNDERSTOOD),
        ("scope", "repo read:org", UNDERSTOOD),
        ("scope", "hunter2\u{7}", (400, "invalid_scope")),
        ("audience", "https://api.example", BAD),
        ("actor_token", "v1.hunter2", BAD),
        ("user_id", "alice", BAD),
        ("v1.hunter2", "x", BAD),
    ] {
        let pairs = with(name, value);
        for (kind, body) in [(FORM, form(&pairs)), (JSON, json_text(&pairs))] {
            let reply = bench.token(&[("authorization", &key)], kind, body).await;
            check(&reply, expected, &format!("{kind} {name}={value}"));
        }
    }
    for name in ["subject_token", "connection", "client_id", "scope"] {
        let mut pairs = with(name, "bot");
        pairs.push((name, ""));
        for (kind, body) in [(FORM, form(&pairs)), (JSON, json_text(&pairs))] {
            let reply = bench.token(&[("authorization", &key)], kind, body).await;
            check(&reply, BAD, name);
            assert!(reply.text.contains("twice"), "{}", reply.text);
        }
    }
}

#[tokio::test]
async fn bodies_of_other_kinds_and_foreign_hosts_and_pages_are_refused() {
    let bench = Bench::new();
    let key = bearer(&bench.agent("bot"));
    let authorization = ("authorization", key.as_str());
    let null = json_text(&exchange()).replace('}', r#","login_hint":null}"#);
    check(&bench.token(&[authorization], JSON, null).await, UNDERSTOOD, "null is nothing");
    for (kind, body) in [
        ("text/plain", form(&exchange())),
        ("multipart/form-data", form(&exchange())),
        (JSON, form(&exchange())),
        (FORM, json_text(&exchange())),
        (JSON, "[]".to_owned()),
        (JSON, json_text(&exchange()).replace("\"github\"", "[\"github\"]")),
        (JSON, json_text(&exchange()).replace("\"github\"", "7")),
    ] {
        check(&bench.token(&[authorization], kind, body.clone()).await, BAD, &format!("{kind} {body}"));
    }
    let large = bench.token(&[authorization], FORM, form(&with("scope", &"x".repeat(200_000)))).await;
    check(&large, (413, "invalid_request"), "large");
    let path = format!("/oauth/token?{}", form(&vec![("client_secret", "hunter2")]));
    let in_address = request("POST", &path).header("authorization", &key).header("content-type", FORM);
    let in_address = bench.send(in_address.body(Body::from(form(&exchange()))).expect("request")).await;
    check(&in_address, BAD, "in the address");

    let page = [authorization, ("origin", "https://evil.example")];
    assert_eq!(bench.token(&page, FORM, form(&exchange())).await.code(), "foreign-origin");
    let foreign = Request::post("/oauth/token").header("host", "evil.example").header("content-type", FORM);
    let foreign = foreign.header("authorization", &key).body(Body::from(form(&exchange()))).expect("request");
    assert_eq!(bench.send(foreign).await.code(), "misdirected");
}

#[tokio::test]
async fn discovery_names_us_by_the_name_that_was_asked() {
    let bench = Bench::new();
    for (host, issuer) in [("127.0.0.1:1780", "https://127.0.0.1:1780/"), ("LOCALHOST:1780", "https://localhost:1780/")]
    {
        let asked = Request::get("/.well-known/openid-configuration").header("host", host);
        let reply = bench.send(asked.body(Body::empty()).expect("request")).await;
        assert_eq!((reply.status, &reply.headers["content-type"]), (200, &JSON.parse().expect("value")));
        let document = reply.json();
        assert_eq!(document["issuer"], issuer);
        assert_eq!(document["token_endpoint"], format!("{issuer}oauth/token"));
        assert_eq!(document["grant_types_supported"], json!([GRANT]));
        let keys = document["jwks_uri"].as_str().and_then(|uri| uri.strip_prefix(issuer)).expect("ours").to_owned();
        let keys = bench.send(request("GET", &format!("/{keys}")).body(Body::empty()).expect("request")).await;
        assert_eq!((keys.status, keys.json()["keys"][0]["crv"].as_str()), (200, Some("Ed25519")));
        assert!(keys.json()["keys"][0].get("d").is_none(), "the public half only");
    }
    let foreign = Request::get("/.well-known/openid-configuration").header("host", "evil.example");
    assert_eq!(bench.send(foreign.body(Body::empty()).expect("request")).await.status, 421);
}

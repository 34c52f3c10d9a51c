//! Agents: keys, assertions, tokens of their issuers, proofs of possession.

use onesec_e2e::proofs::{Issuer, Key, fresh, now};
use onesec_e2e::world::{ANA, EXCHANGE};
use onesec_e2e::{Answer, Http, World};
use onesec_identity::Algorithm;
use serde_json::{Value, json};

use super::{JWT_BEARER, TOKEN, US, alerts_of, bearer, exchange, grant, issued, refused, vouched};
use crate::plan;

/// The connection of nobody, and a refresh token of Ana's, whose account is lent to `helper`.
fn lent(world: &World) -> (Http, String) {
    let (_, token) = world.lent("helper");
    (world.nobody(), token)
}

fn roomy() -> onesec_e2e::Plan {
    plan().with("detectors", json!({"exchange-rate": {"limit": 10_000}}))
}

#[test]
fn an_api_key_is_a_bearer_token_and_nothing_else() {
    let world = plan().live().start();
    let (mut http, token) = lent(&world);
    let key = world.key(&json!({"name": "helper", "scopes": ["exchange"], "agent_id": "helper"}));
    issued("bearer", &exchange(&mut http, &[("authorization", &bearer(&key))], &token));
    issued("own header", &exchange(&mut http, &[("x-api-key", &key)], &token));
    let spelled = [
        ("API key under the DPoP scheme", format!("DPoP {key}")),
        ("API key under Basic at the API", format!("Basic {key}")),
        ("API key without a scheme", key.clone()),
        ("API key cut short", bearer(key.get(..key.len() - 1).unwrap_or_default())),
        ("API key made longer", bearer(&format!("{key}x"))),
        ("API key in capitals", bearer(&key.to_uppercase())),
        ("no key", "Bearer ".to_owned()),
    ];
    for (attack, header) in &spelled {
        let answer = exchange(&mut http, &[("authorization", header)], &token);
        refused(attack, &answer, (401, "invalid_client", ""));
    }
    let answer = grant(&mut http, &[("authorization", &format!("DPoP {key}"))], (&token, &[]));
    refused("API key under the DPoP scheme at the token endpoint", &answer, (401, "invalid_client", ""));
}

fn assert_client(http: &mut Http, token: &str, (assertion, more): (&str, &[(&str, &str)])) -> Answer {
    let by = [("client_assertion", assertion), ("client_assertion_type", JWT_BEARER)];
    grant(http, &[], (token, &[&by, more].concat()))
}

#[test]
fn an_agent_signs_its_own_assertion() {
    let world = roomy().live().start();
    let (mut http, token) = lent(&world);
    let key = world.keyed("helper", &json!({"clients": ["app-1"]}));
    for (client, named) in [("helper", None), ("app-1", None), ("app-1", Some("helper")), ("helper", Some("app-1"))] {
        for audience in [world.url(TOKEN), world.url("/")] {
            let assertion = key.assertion(client, &audience, &json!({}));
            let named: Vec<(&str, &str)> = named.map(|name| ("client_id", name)).into_iter().collect();
            issued(client, &assert_client(&mut http, &token, (&assertion, &named)));
        }
    }
    for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256] {
        let key = Key::new(algorithm);
        world.register("helper", &json!({"keys": [key.jwk()]}));
        let assertion = key.assertion("helper", &world.url(TOKEN), &json!({}));
        issued(algorithm.name(), &assert_client(&mut http, &token, (&assertion, &[])));
    }
}

#[test]
fn assertions_that_prove_nothing() {
    let world = roomy().start();
    let (mut http, token) = lent(&world);
    let key = world.keyed("helper", &json!({"clients": ["app-1"]}));
    let (moles, url) = (world.keyed("mole", &json!({})), world.url(TOKEN));
    let made = |change: Value| key.assertion("helper", &url, &change);
    let named = |audience: &str| key.assertion("helper", audience, &json!({}));
    let header = |header: Value| {
        let claims = json!({"iss": "helper", "sub": "helper", "aud": url, "jti": fresh("j"), "exp": now() + 60});
        key.jwt(&header, &claims, &json!({}))
    };
    let unsigned = {
        let good = made(json!({}));
        good.rsplit_once('.').map(|(head, _)| format!("{head}.")).unwrap_or_default()
    };
    let attacks = [
        ("for another server", named("https://evil.example.test/oauth/token"), "wrong_audience"),
        ("for another path here", named(&world.url(EXCHANGE)), "wrong_audience"),
        ("for us and others", made(json!({"aud": [url, "https://evil.example.test"]})), "wrong_audience"),
        ("for nobody", made(json!({"aud": null})), ""),
        ("expired", made(json!({"exp": now() - 60})), "expired"),
        ("without an end", made(json!({"exp": null})), ""),
        ("for a day", made(json!({"exp": now() + 86_400})), "lives_too_long"),
        ("not yet", made(json!({"nbf": now() + 3_600})), "not_yet_valid"),
        ("without an id", made(json!({"jti": null})), ""),
        ("iss and sub differ", made(json!({"iss": "app-1"})), "wrong_client"),
        ("another agent's name, own key", moles.assertion("helper", &url, &json!({})), ""),
        ("another agent's client, own key", moles.assertion("app-1", &url, &json!({})), ""),
        ("nobody's name", key.assertion("stranger", &url, &json!({})), "unknown_client"),
        ("a name in capitals", key.assertion("Helper", &url, &json!({})), "unknown_client"),
        ("alg none", header(json!({"alg": "none", "typ": "JWT"})), "algorithm"),
        ("HMAC", header(json!({"alg": "HS256", "typ": "JWT"})), "algorithm"),
        ("another algorithm than the key's", header(json!({"alg": "ES256", "typ": "JWT"})), ""),
        ("a DPoP proof in its place", header(json!({"typ": "dpop+jwt"})), ""),
        ("a delegation in its place", header(json!({"typ": "onesec-delegation+jwt"})), ""),
        ("an unknown kid", header(json!({"typ": "JWT", "kid": "k0"})), ""),
        ("a critical header", header(json!({"typ": "JWT", "crit": ["b64"], "b64": false})), ""),
        ("its own key in the header", header(json!({"typ": "JWT", "jwk": moles.jwk()})), ""),
        ("no signature", unsigned, ""),
        ("encrypted", "a.b.c.d.e".to_owned(), ""),
        ("oversized", format!("{}.{}.c", "a".repeat(20_000), "b".repeat(20_000)), ""),
    ];
    for (attack, assertion, why) in &attacks {
        let answer = assert_client(&mut http, &token, (assertion, &[]));
        refused(attack, &answer, (401, "invalid_client", why));
        assert!(!answer.text().contains(assertion.as_str()));
    }
    let other = assert_client(&mut http, &token, (&made(json!({})), &[("client_id", "mole")]));
    refused("another agent's name beside it", &other, (401, "invalid_client", "not its proof"));
    let typed = [("client_assertion", made(json!({}))), ("client_assertion_type", "urn:x".to_owned())];
    let typed: Vec<(&str, &str)> = typed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    refused("another type", &grant(&mut http, &[], (&token, &typed)), (401, "invalid_client", "JWT bearer"));
    let helper = world.key(&json!({"name": "h", "scopes": ["exchange"], "agent_id": "helper"}));
    let both = assert_client(&mut http, &token, (&made(json!({})), &[("client_secret", &helper)]));
    refused("a secret and an assertion", &both, (400, "invalid_request", "one way only"));
    // What counts is the registration as it is now.
    world.register("helper", &json!({"keys": [Key::default().jwk()]}));
    let removed = assert_client(&mut http, &token, (&made(json!({})), &[]));
    refused("a key that was taken from the agent", &removed, (401, "invalid_client", ""));
    assert_eq!(world.admin().call("DELETE", "/api/v1/agents/helper", &Value::Null).status, 200);
    let gone = assert_client(&mut http, &token, (&made(json!({})), &[]));
    refused("no longer registered", &gone, (401, "invalid_client", "unknown_client"));
}

#[test]
fn an_assertion_is_good_once_even_after_the_server_died() {
    let mut world = roomy().with("server", json!({"hosts": [HOST]})).live().start();
    let (_, token) = lent(&world);
    let key = world.keyed("helper", &json!({}));
    let used = key.assertion("helper", &format!("https://{HOST}{TOKEN}"), &json!({"exp": now() + 280}));
    let ask = |world: &World| {
        let by = [("client_assertion", used.as_str()), ("client_assertion_type", JWT_BEARER)];
        grant(&mut world.nobody(), &[("host", HOST)], (&token, &by))
    };
    issued("first", &ask(&world));
    refused("replayed", &ask(&world), (401, "invalid_client", "replayed"));
    world.restart();
    refused("replayed after a restart", &ask(&world), (401, "invalid_client", "replayed"));
    world.killed();
    refused("replayed after kill -9", &ask(&world), (401, "invalid_client", "replayed"));
    let fresh = key.assertion("helper", &format!("https://{HOST}{TOKEN}"), &json!({}));
    let by = [("client_assertion", fresh.as_str()), ("client_assertion_type", JWT_BEARER)];
    issued("another one", &grant(&mut world.nobody(), &[("host", HOST)], (&token, &by)));
}

/// The name that a proxy in front of us keeps: it stays the same when the server is started again.
const HOST: &str = "onesec.example.test";

#[test]
fn a_token_of_a_configured_issuer_says_which_agent_asks() {
    let (world, issuer) = vouched(roomy().live());
    let (mut http, token) = lent(&world);
    world.register("helper", &json!({"clients": ["app-1"]}));
    let plain = issuer.machine("app-1", US, |spec| spec);
    issued("its client", &exchange(&mut http, &[("authorization", &bearer(&plain))], &token));
    issued("at the token endpoint", &grant(&mut http, &[("authorization", &bearer(&plain))], (&token, &[])));
    let named = [("client_id", "app-1")];
    issued("named", &grant(&mut http, &[("authorization", &bearer(&plain))], (&token, &named)));
    issued("own header", &exchange(&mut http, &[("x-api-key", &plain)], &token));
    let acting = issuer.machine("desk", US, |spec| {
        spec.with_claim("sub", json!("auth0|someone"))
            .with_claim("gty", Value::Null)
            .with_claim("act", json!({"sub": "app-1"}))
    });
    issued("the current actor", &exchange(&mut http, &[("authorization", &bearer(&acting))], &token));
    let mut reader = world.nobody().with_key(&plain);
    assert_eq!(reader.get("/api/v1/agents").status, 403, "it is an agent's, not an operator's");
    assert_eq!(reader.post("/api/v1/delegations", &json!({})).status, 403);
    assert_eq!(reader.call("PUT", "/api/v1/agents/helper", &json!({"worker": true})).status, 403);
    // It speaks of that agent only.
    let said = json!({"type": "tool_call", "details": {"agent_id": "other", "tool": "x"}});
    let answer = reader.post("/api/v1/events", &said);
    assert!([202, 422].contains(&answer.status), "{}", answer.text());
    assert_eq!(alerts_of(&world, "untrusted-claim", "helper").len(), 1, "{}", answer.text());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn tokens_that_name_no_agent() {
    let (world, issuer) = vouched(roomy());
    let (mut http, token) = lent(&world);
    world.register("helper", &json!({"clients": ["app-1"]}));
    let strangers = Issuer::start();
    let made = |name: &str, value: Value| issuer.machine("app-1", US, |spec| spec.with_claim(name, value));
    let good = made("x", json!(1));
    let (head, tail) = good.rsplit_once('.').expect("signature");
    let claims = good.split('.').nth(1).expect("claims");
    let header = |alg: &str| {
        let key = Key::default();
        let jwt = key.jwt(&json!({"alg": alg, "typ": "JWT"}), &json!({}), &json!({}));
        jwt.split('.').next().unwrap_or_default().to_owned()
    };
    let attacks = [
        ("of an unconfigured issuer", strangers.machine("app-1", US, |spec| spec), "not configured"),
        (
            "of an unconfigured issuer under our issuer's name",
            strangers.machine("app-1", US, |spec| spec.with_claim("iss", json!(issuer.sim.issuer()))),
            "signature",
        ),
        ("of the users' own tenant", world.access(ANA, |spec| spec), "not configured"),
        ("for another audience", issuer.machine("app-1", "https://another.api", |spec| spec), "wrong_audience"),
        ("of an unregistered client", issuer.machine("app-2", US, |spec| spec), "no registered agent"),
        ("of a client named like the agent", issuer.machine("helper", US, |spec| spec), "no registered agent"),
        ("of a client in capitals", issuer.machine("APP-1", US, |spec| spec), "no registered agent"),
        (
            "of a person",
            issuer.machine("app-1", US, |spec| {
                spec.with_claim("sub", json!("auth0|someone")).with_claim("gty", Value::Null)
            }),
            "not_a_machine",
        ),
        (
            "of another actor's",
            issuer.machine("app-1", US, |spec| {
                spec.with_claim("sub", json!("auth0|x"))
                    .with_claim("gty", Value::Null)
                    .with_claim("act", json!({"sub": "app-2"}))
            }),
            "no registered agent",
        ),
        (
            "history is nobody",
            issuer
                .machine("app-1", US, |spec| spec.with_claim("act", json!({"sub": "app-2", "act": {"sub": "app-1"}}))),
            "no registered agent",
        ),
        (
            "an actor with another client",
            issuer.machine("app-9", US, |spec| spec.with_claim("act", json!({"sub": "app-1", "client_id": "app-1"}))),
            "",
        ),
        ("expired", made("exp", json!(now() - 3_600)), "expired"),
        ("not yet valid", made("nbf", json!(now() + 3_600)), "not_yet_valid"),
        ("an ID token", made("nonce", json!("n")), "id_token"),
        ("bound to a key, as plain Bearer", made("cnf", json!({"jkt": Key::default().thumbprint()})), "proof_required"),
        ("bound to a certificate, without TLS", made("cnf", json!({"x5t#S256": Key::default().thumbprint()})), ""),
        ("bound to something unknown", made("cnf", json!({"kid": "x"})), ""),
        ("alg none", format!("{}.{claims}.", header("none")), ""),
        ("alg none with a signature", format!("{}.{claims}.{tail}", header("none")), "algorithm"),
        ("HMAC with the public key", format!("{}.{claims}.{tail}", header("HS256")), "algorithm"),
        ("another signature", format!("{head}.{}", tail.chars().rev().collect::<String>()), ""),
    ];
    for (attack, agents, why) in &attacks {
        let answer = exchange(&mut http, &[("authorization", &bearer(agents))], &token);
        refused(attack, &answer, (401, "invalid_client", why));
        let answer = grant(&mut http, &[("authorization", &bearer(agents))], (&token, &[]));
        refused(attack, &answer, (401, "invalid_client", why));
    }
    for (attack, encrypted) in [("encrypted (JWE)", "a.b.c.d.e"), ("two parts", "a.b")] {
        let answer = exchange(&mut http, &[("authorization", &bearer(encrypted))], &token);
        refused(attack, &answer, (401, "invalid_client", ""));
    }
    let other = grant(&mut http, &[("authorization", &bearer(&good))], (&token, &[("client_id", "mole")]));
    refused("another agent's name beside it", &other, (401, "invalid_client", "not its proof"));
}

/// A token of the issuer, bound to `key`.
fn bound(issuer: &Issuer, key: &Key) -> String {
    issuer.machine("app-1", US, |spec| spec.with_claim("cnf", json!({"jkt": key.thumbprint()})))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_bound_token_comes_with_a_proof() {
    let (world, issuer) = vouched(roomy().live());
    let (mut http, token) = lent(&world);
    world.register("helper", &json!({"clients": ["app-1"]}));
    let key = Key::new(Algorithm::Es256);
    let agents = bound(&issuer, &key);
    let scheme = format!("DPoP {agents}");
    let post = ("POST", world.url(EXCHANGE));
    let post = (post.0, post.1.as_str());
    let proof = |change: Value| key.dpop(post, Some(&agents), &change);
    let used = proof(json!({}));
    let shown = |proof: &str| exchange(&mut world.nobody(), &[("authorization", &scheme), ("dpop", proof)], &token);
    issued("proven", &shown(&used));
    let query = key.dpop(("POST", &format!("{}?x=1#y", post.1)), Some(&agents), &json!({}));
    issued("query and fragment are no matter", &shown(&query));
    let at_token = key.dpop(("POST", &world.url(TOKEN)), Some(&agents), &json!({}));
    issued(
        "at the token endpoint",
        &grant(&mut http, &[("authorization", &scheme), ("dpop", &at_token)], (&token, &[])),
    );
    let elsewhere = |method: &str, url: &str| key.dpop((method, url), Some(&agents), &json!({}));
    let thiefs = Key::new(Algorithm::Es256);
    let attacks = [
        ("replayed", used.clone(), "replayed"),
        ("for another url", elsewhere("POST", &world.url(TOKEN)), "wrong_url"),
        ("for another host", elsewhere("POST", &format!("https://evil.example.test{EXCHANGE}")), "wrong_url"),
        ("for another method", elsewhere("GET", post.1), "wrong_method"),
        ("for a method in small letters", elsewhere("post", post.1), "wrong_method"),
        ("for another token", key.dpop(post, Some("other"), &json!({})), "wrong_access_token"),
        ("for no token", key.dpop(post, None, &json!({})), ""),
        ("too old", proof(json!({"iat": now() - 61})), "proof_too_old"),
        ("from the future", proof(json!({"iat": now() + 300})), ""),
        ("without a time", proof(json!({"iat": null})), ""),
        ("without an id", proof(json!({"jti": null})), ""),
        (
            "another type",
            key.jwt(
                &json!({"typ": "JWT", "jwk": key.public().jwk()}),
                &json!({"htm": "POST", "htu": post.1,
            "jti": fresh("j"), "iat": now()}),
                &json!({}),
            ),
            "",
        ),
        (
            "no key in it",
            key.jwt(
                &json!({"typ": "dpop+jwt"}),
                &json!({"htm": "POST", "htu": post.1, "jti": fresh("j"),
            "iat": now()}),
                &json!({}),
            ),
            "",
        ),
        (
            "a key that did not sign",
            key.jwt(
                &json!({"typ": "dpop+jwt", "jwk": thiefs.public().jwk()}),
                &json!({"htm": "POST",
            "htu": post.1, "jti": fresh("j"), "iat": now()}),
                &json!({}),
            ),
            "",
        ),
        ("no JWT", "x".to_owned(), ""),
    ];
    for (attack, proof, why) in &attacks {
        refused(attack, &shown(proof), (401, "invalid_dpop_proof", why));
    }
    let theirs = thiefs.dpop(post, Some(&agents), &json!({}));
    refused("a proof of another key", &shown(&theirs), (401, "invalid_client", "proof_mismatch"));
    let (one, two) = (proof(json!({})), proof(json!({})));
    let twice = exchange(&mut http, &[("authorization", &scheme), ("dpop", &one), ("dpop", &two)], &token);
    refused("two headers", &twice, (401, "invalid_dpop_proof", "at most one"));
    let none = exchange(&mut http, &[("authorization", &scheme)], &token);
    refused("no proof", &none, (401, "invalid_client", "proof_required"));
    let plain = exchange(&mut http, &[("authorization", &bearer(&agents)), ("dpop", &proof(json!({})))], &token);
    refused("bound token as plain Bearer, proof beside it", &plain, (401, "invalid_client", ""));
}

#[test]
fn a_dpop_proof_is_good_once_even_after_the_server_died() {
    let issuer = Issuer::start();
    let plan = roomy().live().with("agents", json!({"issuers": issuer.section(US)}));
    let mut world = plan.with("server", json!({"hosts": [HOST]})).start();
    let (_, token) = lent(&world);
    world.register("helper", &json!({"clients": ["app-1"]}));
    let key = Key::default();
    let agents = bound(&issuer, &key);
    let used = key.dpop(("POST", &format!("https://{HOST}{EXCHANGE}")), Some(&agents), &json!({"iat": now() + 20}));
    let scheme = format!("DPoP {agents}");
    let headers = [("host", HOST), ("authorization", &scheme), ("dpop", &used)];
    issued("first", &exchange(&mut world.nobody(), &headers, &token));
    world.killed();
    let again = exchange(&mut world.nobody(), &headers, &token);
    refused("replayed after kill -9", &again, (401, "invalid_dpop_proof", "replayed"));
}

#[test]
fn an_agent_that_must_show_a_key_shows_one() {
    for everybody in [false, true] {
        let least = if everybody { "dpop" } else { "none" };
        let world = roomy().with("agents", json!({"possession": least})).start();
        let (mut http, token) = lent(&world);
        let own = if everybody { "none" } else { "dpop" };
        let key = world.keyed("helper", &json!({"possession": own}));
        let secret = world.key(&json!({"name": "helper", "scopes": ["exchange"], "agent_id": "helper"}));
        let authorization = bearer(&secret);
        let mut with = |proof: &str| exchange(&mut http, &[("authorization", &authorization), ("dpop", proof)], &token);
        let post = ("POST", world.url(EXCHANGE));
        let post = (post.0, post.1.as_str());
        issued("key and proof", &with(&key.dpop(post, None, &json!({}))));
        let must = (401, "invalid_dpop_proof", "must prove possession");
        refused("proof of an unregistered key", &with(&Key::default().dpop(post, None, &json!({}))), must);
        let other = world.keyed("other", &json!({}));
        refused("proof of another agent's key", &with(&other.dpop(post, None, &json!({}))), must);
        let mut http = world.nobody();
        refused("a stolen API key alone", &exchange(&mut http, &[("authorization", &authorization)], &token), must);
        let basic = [("client_id", "helper"), ("client_secret", secret.as_str())];
        refused("the same at the token endpoint", &grant(&mut http, &[], (&token, &basic)), must);
        let assertion = key.assertion("helper", &world.url(TOKEN), &json!({}));
        let by = [("client_assertion", assertion.as_str()), ("client_assertion_type", JWT_BEARER)];
        refused("an assertion is no proof of possession", &grant(&mut http, &[], (&token, &by)), must);
        if everybody {
            let unregistered = world.key(&json!({"name": "x", "scopes": ["exchange"], "agent_id": "unregistered"}));
            let proof = key.dpop(post, None, &json!({}));
            let headers = [("authorization", &*bearer(&unregistered)), ("dpop", &*proof)];
            refused("an unregistered agent", &exchange(&mut http, &headers, &token), must);
        }
    }
}

#[test]
fn an_agent_binds_the_key_that_its_issuer_vouches_for() {
    let (world, issuer) = vouched(roomy().live());
    let (_, token) = lent(&world);
    world.register("helper", &json!({"clients": ["app-1"]}));
    world.register("other", &json!({"clients": ["app-2"]}));
    let (key, agents_url) = (Key::default(), world.url("/api/v1/agents/helper/keys"));
    let agents = bound(&issuer, &key);
    let bind = |path: &str, scheme: &str, proof: Option<&str>, jwk: Value| {
        let mut headers = vec![("content-type", "application/json"), ("authorization", scheme)];
        headers.extend(proof.map(|proof| ("dpop", proof)));
        world.nobody().send("POST", path, &headers, json!({"jwk": jwk}).to_string().as_bytes())
    };
    let scheme = format!("DPoP {agents}");
    let proof = || key.dpop(("POST", &agents_url), Some(&agents), &json!({}));
    let path = "/api/v1/agents/helper/keys";
    let api_key = bearer(&world.key(&json!({"name": "h", "scopes": ["exchange"], "agent_id": "helper"})));
    let plain = bearer(&issuer.machine("app-1", US, |spec| spec));
    let theirs = world.url("/api/v1/agents/other/keys");
    let attacks = [
        ("with an API key", bind(path, &api_key, None, key.jwk()), 403, "not-bound"),
        ("with an API key and a proof", bind(path, &api_key, Some(&proof()), key.jwk()), 403, "not-bound"),
        ("with a token bound to nothing", bind(path, &plain, None, key.jwk()), 403, "not-bound"),
        ("another key than the token's", bind(path, &scheme, Some(&proof()), Key::default().jwk()), 403, "not-bound"),
        ("without a proof", bind(path, &scheme, None, key.jwk()), 401, "invalid_token"),
        (
            "to another agent",
            bind(
                "/api/v1/agents/other/keys",
                &scheme,
                Some(&key.dpop(("POST", &theirs), Some(&agents), &json!({}))),
                key.jwk(),
            ),
            404,
            "not-found",
        ),
        (
            "a private key",
            bind(path, &scheme, Some(&proof()), json!({"kty": "OKP", "crv": "Ed25519", "d": "x", "x": "y"})),
            422,
            "unusable-key",
        ),
    ];
    for (attack, answer, status, code) in &attacks {
        assert_eq!((answer.status, &answer.json()["code"]), (*status, &json!(code)), "{attack}: {}", answer.text());
    }
    assert_eq!(world.admin().get("/api/v1/agents/helper").json()["registration"]["keys"], json!([]), "none was bound");
    let bound = bind(path, &scheme, Some(&proof()), key.jwk());
    assert_eq!(bound.status, 201, "{}", bound.text());
    let by = [("client_assertion", key.assertion("helper", &world.url(TOKEN), &json!({})))];
    let by = [("client_assertion", by[0].1.as_str()), ("client_assertion_type", JWT_BEARER)];
    issued("by the bound key", &grant(&mut world.nobody(), &[], (&token, &by)));
}

#[test]
fn registrations_that_are_refused() {
    let world = plan().start();
    let said =
        json!({"clients": ["app-1"], "certificates": [Key::default().thumbprint()], "keys": [Key::default().jwk()]});
    world.register("helper", &said);
    let put = |said: Value| world.admin().call("PUT", "/api/v1/agents/mole", &said);
    let key = Key::default();
    let mut symmetric = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "s"});
    let attacks = [
        ("another agent's client", json!({"clients": ["app-1"]}), 409, "taken"),
        ("another agent's name as a client", json!({"clients": ["helper"]}), 409, "taken"),
        ("a shared secret as a key", json!({"keys": [symmetric.take()]}), 422, "unusable-key"),
        ("a key twice", json!({"keys": [key.jwk(), key.jwk()]}), 422, "key-twice"),
        ("DPoP without a key", json!({"possession": "dpop"}), 422, "unusable"),
        ("TLS without a certificate", json!({"possession": "mtls"}), 422, "unusable"),
        ("a worker without a key", json!({"worker": true}), 422, "unusable"),
        ("too many keys", json!({"clients": (0..65).map(|n| format!("c{n}")).collect::<Vec<_>>()}), 422, "too-many"),
    ];
    for (attack, said, status, code) in attacks {
        let answer = put(said);
        assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(code)), "{attack}: {}", answer.text());
    }
    let named = world.admin().call("PUT", "/api/v1/agents/app-1", &json!({}));
    assert_eq!((named.status, &named.json()["code"]), (409, &json!("taken")), "named like another agent's client");
    let wanted = json!({"name": "k", "scopes": ["exchange"], "agent_id": "app-1"});
    let keyed = world.admin().post("/api/v1/keys", &wanted);
    assert_eq!((keyed.status, &keyed.json()["code"]), (409, &json!("taken")), "a key for such a name");
    let answer = put(json!({"trusted": true}));
    assert!([400, 422].contains(&answer.status), "an unknown member: {}", answer.text());
    for scopes in [&["read"][..], &["respond"], &["exchange"], &["events:trust"]] {
        let wanted = json!({"name": fresh("k"), "scopes": scopes, "agent_id": "mole"});
        let mut http = world.nobody().with_key(&world.key(&wanted));
        assert_eq!(http.call("PUT", "/api/v1/agents/mole", &json!({"worker": true})).status, 403, "{scopes:?}");
    }
}

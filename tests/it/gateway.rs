//! The gateway: whatever upstream does, the agent gets a token that may be released, or an OAuth error that says why not.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use onesec_auth0_sim::{AccountSpec, Endpoint, Fault, Pause, RequestKind};
use onesec_e2e::world::{ANA, AUDIENCE, BEN, CALENDAR, CLIENT, EXCHANGE, GITHUB, GOOGLE};
use onesec_e2e::{Agent, Answer, Plan, World};
use serde_json::{Value, json};

use crate::plan;

/// Room for many exchanges by one agent.
fn roomy() -> Plan {
    plan().with("detectors", json!({"exchange-rate": {"limit": 10_000}}))
}

/// An OAuth error and nothing else.
#[track_caller]
fn error(answer: &Answer, status: u16, error: &str, reason: &str) {
    let body = answer.json();
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(
        (body["error"].as_str(), body["onesec_reason"].as_str()),
        (Some(error), Some(reason)),
        "{}",
        answer.text()
    );
    assert!(body["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{}", answer.text());
    assert!(body["access_token"].is_null() && !answer.text().contains("ya29"), "{}", answer.text());
    headers(answer);
}

/// RFC 6749, section 5.1; SDKs compare the content type as a whole.
#[track_caller]
fn headers(answer: &Answer) {
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[track_caller]
fn issued(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["access_token"].is_string());
    headers(answer);
}

#[test]
fn a_token_comes_as_documented() {
    let world = plan().live().start();
    let (mut agent, token) = world.lent("helper");
    let answer = agent.exchange_for(GOOGLE, &token, &[CALENDAR]);
    issued(&answer);
    let body = answer.json();
    assert_eq!((&body["token_type"], &body["scope"]), (&json!("Bearer"), &json!(CALENDAR)));
    assert!(body["expires_in"].as_u64().is_some_and(|s| s > 3_000 && s <= 3_600), "{body}");
    assert!(body["issued_token_type"].is_string());
    assert!(world.honoured(&answer), "the provider honours it");
    let id = body["exchange_id"].as_str().expect("an id");
    let recorded = world.events(&format!("event_id={id}"), 2);
    let asked = recorded.iter().find(|e| e["type"] == "token_exchange").expect("the question is recorded");
    assert_eq!(asked["subject"]["proof"], "verified");
    assert_eq!((&asked["subject"]["user_id"], &asked["attribution"]), (&json!(ANA), &json!("observed")));
    let stats = world.stats();
    assert_eq!((&stats["total_exchanges"], &stats["success_count"]), (&json!(1), &json!(1)));
    assert_eq!(stats["by_connection"], json!({GOOGLE: 1}));
    let status = world.admin().get("/api/v1/token-vault/status").json();
    assert_eq!((&status["enabled"], &status["configured"]), (&json!(true), &json!(true)));
    assert_eq!((&status["auth0_domain"], &status["mode"]), (&json!("tes***.eu.auth0.test"), &json!("live")));
    assert_eq!((&status["connected_accounts"], &status["authorized_agents"]), (&json!(1), &json!(1)));
}

/// Wrong answers of upstream, and what the agent is told: status, `error`, `Retry-After` if it is known.
fn faults() -> Vec<(Fault, u16, &'static str, Option<&'static str>)> {
    let down = |fault| (fault, 503, "temporarily_unavailable", None);
    let custom = |status, body: &str| Fault::Custom { status, body: body.to_owned() };
    vec![
        down(Fault::Status(500)),
        down(Fault::Status(502)),
        down(Fault::Status(503)),
        (Fault::RateLimited { retry_after_s: 7 }, 429, "too_many_requests", Some("7")),
        (Fault::Unavailable { retry_after_s: 9 }, 503, "temporarily_unavailable", Some("9")),
        (custom(429, "<html>slow down</html>"), 429, "too_many_requests", None),
        down(Fault::EmptyBody),
        down(Fault::Garbage),
        down(Fault::Hang),
        down(Fault::SlowBody),
        down(Fault::Truncated),
        down(Fault::HugeBody),
        down(Fault::Redirect),
        down(Fault::WrongContentType),
        down(Fault::MissingAccessToken),
        down(Fault::Disconnect),
        down(custom(200, r#"{"error":"invalid_grant"}"#)),
        down(custom(200, r#"{"access_token":7,"token_type":"Bearer"}"#)),
        down(custom(200, r#"{"access_token":"","token_type":"Bearer"}"#)),
        down(custom(200, "null")),
        down(custom(200, r#"[{"access_token":"ya29.x","token_type":"Bearer"}]"#)),
        down(custom(204, "")),
        down(custom(400, "not json")),
        down(custom(418, "")),
    ]
}

#[test]
fn every_fault_of_upstream_has_its_answer() {
    let world = roomy().live().patience("1s").start();
    let (mut agent, token) = world.lent("helper");
    for (n, (fault, status, code, retry)) in faults().into_iter().enumerate() {
        // Success in between keeps the circuit closed.
        world.sim.clear_faults();
        issued(&agent.exchange(GOOGLE, &token));
        world.sim.set_fault(fault.clone());
        let start = Instant::now();
        let answer = agent.exchange(GOOGLE, &token);
        // Far beyond the limit of a second: it fails where nothing bounds the wait.
        assert!(start.elapsed() < Duration::from_secs(20), "{fault:?} took {:?}", start.elapsed());
        error(&answer, status, code, "upstream");
        let after = answer.header("retry-after");
        assert!(after.is_some() && (retry.is_none() || after == retry), "{fault:?}: {after:?}");
        let stats = world.stats();
        assert_eq!((&stats["failure_count"], &stats["success_count"]), (&json!(n + 1), &json!(n + 1)), "{fault:?}");
    }
    assert_eq!(world.sim.requests(RequestKind::Stolen), 0, "a redirect is not followed");
    assert!(world.stats()["recent_failures"].as_u64().is_some_and(|n| n > 0));
    let failed = world.events("kind=token_exchange_response", 2 * faults().len());
    assert_eq!(failed.iter().filter(|e| e["details"]["success"] == json!(false)).count(), faults().len());
}

#[test]
fn upstreams_own_words_are_kept() {
    let world = roomy().live().start();
    let (mut agent, token) = world.lent("helper");
    for (n, (fault, status, code)) in [
        (Fault::TokenNotFound, 401, "federated_connection_refresh_token_not_found"),
        (Fault::RefreshFlowFailed, 401, "federated_connection_refresh_token_flow_failed"),
        (Fault::UserNotFound, 401, "user_not_found"),
        (Fault::InvalidGrant, 403, "invalid_grant"),
        (Fault::UnauthorizedClient, 403, "unauthorized_client"),
        (Fault::AccessDenied, 403, "access_denied"),
        (Fault::MfaRequired, 403, "mfa_required"),
        (Fault::InvalidClient, 401, "invalid_client"),
    ]
    .into_iter()
    .enumerate()
    {
        world.sim.set_fault(fault);
        let answer = agent.exchange(GOOGLE, &token);
        error(&answer, status, code, "upstream");
        assert!(!answer.text().contains("Fe26"), "no mfa token leaves");
        assert_eq!(world.stats()["failure_count"], n + 1);
    }
    world.sim.clear_faults();
    issued(&agent.exchange(GOOGLE, &token));
    // An account that only we believe in.
    world.report("connected_account_link", &json!({"user_id": ANA, "connection": GITHUB, "scopes": "read:user"}));
    world.delegate(ANA, "helper", GITHUB, &["read:user"]);
    error(&agent.exchange(GITHUB, &token), 401, "federated_connection_refresh_token_not_found", "upstream");
}

#[test]
fn the_proof_of_the_user_can_fail_and_then_there_is_no_exchange() {
    let world = roomy().live().patience("1s").start();
    let (mut agent, _) = world.lent("helper");
    for (fault, status, code, reason) in [
        (Fault::NoIdToken, 403, "access_denied", "subject_unproven"),
        (Fault::WrongIdTokenIssuer, 403, "access_denied", "subject_unproven"),
        (Fault::InvalidGrant, 403, "invalid_grant", "upstream"),
        (Fault::Status(500), 503, "temporarily_unavailable", "upstream"),
        (Fault::Garbage, 503, "temporarily_unavailable", "upstream"),
        (Fault::Hang, 503, "temporarily_unavailable", "upstream"),
        (Fault::RateLimited { retry_after_s: 3 }, 429, "too_many_requests", "upstream"),
    ] {
        world.sim.set_fault_on(Endpoint::RefreshGrant, fault);
        error(&agent.exchange(GOOGLE, &world.refresh(ANA)), status, code, reason);
    }
    world.sim.clear_faults();
    assert_eq!(world.sim.requests(RequestKind::TokenExchange), 0);
    // A token that is nobody's.
    let made_up = agent.exchange(GOOGLE, "v1.made-up");
    error(&made_up, 403, "invalid_grant", "upstream");
    issued(&agent.exchange(GOOGLE, &world.refresh(ANA)));
    assert_eq!(world.stats()["success_count"], 1);
}

#[test]
fn the_circuit_opens_names_itself_and_closes_again() {
    let world = roomy().live().start();
    let (mut agent, token) = world.lent("helper");
    issued(&agent.exchange(GOOGLE, &token));
    world.sim.set_fault(Fault::Status(500));
    for _ in 0..8 {
        error(&agent.exchange(GOOGLE, &token), 503, "temporarily_unavailable", "upstream");
    }
    let asked = world.sim.requests(RequestKind::TokenExchange);
    let answer = agent.exchange(GOOGLE, &token);
    error(&answer, 503, "temporarily_unavailable", "upstream");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(world.sim.requests(RequestKind::TokenExchange), asked, "an open circuit asks nobody");
    let ready = world.nobody().get("/readyz");
    assert_eq!((ready.status, &ready.json()["upstream"]), (200, &json!("circuit-open")), "{}", ready.text());
    assert_eq!(world.admin().get("/api/v1/status").json()["upstream"], "open");
    assert_eq!(world.stats()["failure_count"], 9);
    // Denials need no upstream.
    let mut stranger = world.agent("stranger");
    error(&stranger.exchange(GOOGLE, &token), 403, "access_denied", "unauthorized-agent");
    world.sim.clear_faults();
    let closed = (0..120).any(|_| {
        std::thread::sleep(Duration::from_millis(500));
        agent.exchange(GOOGLE, &token).status == 200
    });
    assert!(closed, "it never closes again");
    assert_eq!(world.nobody().get("/readyz").json()["upstream"], "ok");
}

/// Starts an exchange, does `meanwhile` while upstream has issued and not answered, and gives what the agent gets.
fn during(world: &World, agent: &mut Agent, token: &str, meanwhile: impl FnOnce()) -> Answer {
    let pause = world.sim.pause_exchanges();
    std::thread::scope(|scope| {
        let under_way = scope.spawn(|| agent.exchange_for(GOOGLE, token, &[CALENDAR]));
        arrived(world, &pause);
        meanwhile();
        pause.release();
        under_way.join().expect("answered")
    })
}

fn arrived(world: &World, pause: &Pause) {
    let wait = async { tokio::time::timeout(Duration::from_secs(60), pause.arrived(1)).await };
    world.runtime.block_on(wait).expect("the exchange reaches upstream");
}

#[track_caller]
fn withheld(world: &World, answer: &Answer, reason: &str) {
    error(answer, 403, "access_denied", reason);
    assert_eq!(answer.json()["issued_not_released"], true, "{}", answer.text());
    assert_eq!(world.sim.provider_tokens_issued().len(), 1, "it was issued");
    let stats = world.stats();
    assert_eq!((&stats["success_count"], &stats["denied_count"]), (&json!(0), &json!(1)), "{stats}");
}

#[test]
fn unlinked_while_upstream_answers_means_withheld() {
    for mode in ["live", "dry_run"] {
        let world = plan().start();
        world.mode(mode);
        let (mut agent, token) = world.lent("helper");
        let answer = during(&world, &mut agent, &token, || world.unlink(ANA, GOOGLE));
        withheld(&world, &answer, "revoked-access");
        assert_eq!(world.alert("revoked-access")["severity"], "CRITICAL", "{mode}");
    }
}

#[test]
fn suspended_while_upstream_answers_means_withheld() {
    for mode in ["live", "dry_run"] {
        let world = plan().start();
        world.mode(mode);
        let (mut agent, token) = world.lent("helper");
        let suspend = || {
            let answer = world.admin().post("/api/v1/agents/helper/suspend", &json!({"reason": "odd"}));
            assert_eq!(answer.status, 200, "{}", answer.text());
        };
        let answer = during(&world, &mut agent, &token, suspend);
        withheld(&world, &answer, "unauthorized-agent");
    }
}

#[test]
fn revoked_while_upstream_answers_means_withheld() {
    for mode in ["live", "dry_run"] {
        let world = plan().start();
        world.mode(mode);
        world.link(ANA, GOOGLE, CALENDAR);
        let id = world.delegate(ANA, "helper", GOOGLE, &[CALENDAR])["id"].clone();
        let (mut agent, token) = (world.agent("helper"), world.refresh(ANA));
        let revoke = || {
            let path = format!("/api/v1/delegations/{}", id.as_str().expect("id"));
            assert_eq!(world.admin().call("DELETE", &path, &Value::Null).status, 200);
        };
        let answer = during(&world, &mut agent, &token, revoke);
        withheld(&world, &answer, "revoked-access");
    }
}

#[test]
fn what_a_person_decided_holds_in_dry_run() {
    let world = plan().start();
    let (mut agent, token) = world.lent("helper");
    world.unlink(ANA, GOOGLE);
    error(&agent.exchange(GOOGLE, &token), 403, "access_denied", "revoked-access");
    let (mut other, token) = (world.agent("other"), world.refresh(BEN));
    world.sim.connect_account(AccountSpec::new(BEN, GOOGLE, CALENDAR)).expect("connected");
    issued(&other.exchange(GOOGLE, &token));
    assert_eq!(world.admin().post("/api/v1/agents/other/suspend", &json!({})).status, 200);
    error(&other.exchange(GOOGLE, &token), 403, "access_denied", "unauthorized-agent");
    assert_eq!(world.admin().post("/api/v1/agents/other/resume", &Value::Null).status, 200);
    issued(&other.exchange(GOOGLE, &token));
}

#[test]
fn another_users_token_proves_the_other_user() {
    let world = plan().live().start();
    let (mut agent, anas) = world.lent("helper");
    world.link(BEN, GOOGLE, CALENDAR);
    for token in [world.refresh(BEN), world.access(BEN, |spec| spec)] {
        let kind = if token.starts_with("v1.") { "refresh_token" } else { "access_token" };
        let more =
            json!({"subject_token_type": format!("urn:ietf:params:oauth:token-type:{kind}"), "scopes": [CALENDAR]});
        error(&agent.exchange_with(GOOGLE, &token, &more), 403, "access_denied", "unauthorized-agent");
    }
    assert_eq!(world.alert("unauthorized-agent")["user_id"], BEN);
    // No member of the request names the user, or the agent.
    for member in ["user_id", "agent_id", "actor_token", "sub", "audience", "resource"] {
        let answer = agent.exchange_with(GOOGLE, &anas, &json!({member: ANA}));
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("invalid_request")), "{member}");
    }
    // A hint of another account than the one that was delegated.
    world
        .sim
        .connect_account(AccountSpec::new(ANA, GITHUB, "read:user").with_login_hint("ana-work").with_id("cac_work"))
        .expect("connected");
    world.report(
        "connected_account_link",
        &json!({"user_id": ANA, "connection": GITHUB, "scopes": "read:user", "account_id": "cac_work"}),
    );
    world.report("agent_identity_delegation", &json!({"agent_id": "helper", "delegated_by": ANA, "connection": GITHUB, "scopes": "read:user", "account_id": "cac_work"}));
    let hinted = agent.exchange_with(GITHUB, &anas, &json!({"login_hint": "ana-private"}));
    assert_ne!(hinted.status, 200, "{}", hinted.text());
    issued(&agent.exchange_for(GOOGLE, &anas, &[CALENDAR]));
}

/// base64url without padding.
fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let letter = |n: usize| char::from(LETTERS[(bits >> (18 - 6 * n) & 63) as usize]);
        text.extend((0..=chunk.len()).map(letter));
    }
    text
}

/// An unsigned or wrongly signed copy of a good token's claims.
fn forged(good: &str, algorithm: &str, signature: &str) -> String {
    let claims = good.split('.').nth(1).expect("claims");
    let header = json!({"alg": algorithm, "typ": "JWT", "kid": "k1"}).to_string();
    format!("{}.{claims}.{signature}", base64url(header.as_bytes()))
}

#[test]
fn access_tokens_are_verified_and_refused_with_a_reason() {
    let world = roomy().live().start();
    let (mut agent, _) = world.lent("helper");
    let mut exchange = |token: &str| {
        let more = json!({"subject_token_type": "urn:ietf:params:oauth:token-type:access_token", "scopes": [CALENDAR]});
        agent.exchange_with(GOOGLE, token, &more)
    };
    let good = world.access(ANA, |spec| spec);
    issued(&exchange(&good));
    issued(&exchange(&world.access(ANA, onesec_auth0_sim::AccessTokenSpec::rfc9068)));
    let claim = |name: &str, value: Value| world.access(ANA, |spec| spec.with_claim(name, value));
    let (head, tail) = good.rsplit_once('.').expect("a signature");
    let flipped: String = tail.chars().rev().collect();
    let asked = world.sim.requests(RequestKind::TokenExchange);
    let refusals = [
        (claim("aud", json!("https://another.api")), "wrong_audience"),
        (claim("aud", json!([])), ""),
        (claim("exp", json!(1_600_000_000)), "expired"),
        (claim("exp", Value::Null), ""),
        (claim("nbf", json!(4_000_000_000_u64)), "not_yet_valid"),
        (claim("iss", json!("https://evil.auth0.test/")), "wrong_issuer"),
        (claim("iss", json!("https://tests.eu.auth0.test")), "wrong_issuer"),
        (claim("sub", json!(format!("{CLIENT}@clients"))), "not_a_person"),
        (claim("sub", Value::Null), ""),
        (claim("nonce", json!("n-1")), "id_token"),
        (world.access(ANA, |spec| spec.with_claim("aud", json!(CLIENT)).with_claim("azp", json!(CLIENT))), ""),
        (claim("cnf", json!({"jkt": "x"})), "proof_required"),
        (forged(&good, "HS256", "c2lnbmF0dXJl"), "algorithm"),
        (forged(&good, "none", "c2lnbmF0dXJl"), "algorithm"),
        (forged(&good, "none", ""), ""),
        (format!("{head}.{flipped}"), ""),
        (format!("{head}."), ""),
        ("a.b.c".to_owned(), ""),
        ("not a token".to_owned(), ""),
        ("x".repeat(40_000), ""),
    ];
    for (token, code) in &refusals {
        let answer = exchange(token);
        error(&answer, 400, "invalid_request", "subject-refused");
        assert!(answer.text().contains(code), "{code} in {}", answer.text());
        assert!(token.len() < 5 || !answer.text().contains(token.as_str()), "the token does not come back");
    }
    assert_eq!(world.sim.requests(RequestKind::TokenExchange), asked, "upstream never saw one of them");
    assert_eq!(world.stats()["failure_count"], refusals.len());
    // A refresh token said to be an access token, and the other way round.
    error(&exchange(&world.refresh(ANA)), 400, "invalid_request", "subject-refused");
    let wrong = agent.exchange(GOOGLE, &good);
    assert!([400, 401, 403].contains(&wrong.status), "{}", wrong.text());
    assert!(AUDIENCE.starts_with("https://"));
}

#[test]
fn malformed_requests_are_refused_in_oauths_words() {
    let world = plan().live().start();
    let (mut agent, token) = world.lent("helper");
    let good = json!({"subject_token": token, "connection": GOOGLE});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body.to_string()
    };
    let twice = format!(r#"{{"subject_token":"x","subject_token":"{token}","connection":"{GOOGLE}"}}"#);
    for body in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{".to_owned(),
        "{}".to_owned(),
        json!({"subject_token": token}).to_string(),
        json!({"connection": GOOGLE}).to_string(),
        with("subject_token", json!("")),
        with("subject_token", json!(7)),
        with("connection", json!("")),
        with("connection", json!("goo\u{200b}gle")),
        with("connection", json!(["github"])),
        with("scopes", json!(7)),
        with("scopes", json!([7])),
        with("subject_token_type", json!("urn:ietf:params:oauth:token-type:saml2")),
        with("subject_token_type", json!("refresh_token")),
        with("subject_token_type", json!("urn:ietf:params:oauth:token-type:jwt")),
        with("task_id", json!("")),
        with("unknown", json!(1)),
        twice,
        format!("{good}{good}"),
    ] {
        let answer = agent.http.send("POST", EXCHANGE, &[("content-type", "application/json")], body.as_bytes());
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        let code = answer.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(["invalid_request", "invalid_scope"].contains(&code.as_str()), "{body}: {}", answer.text());
        assert!(!answer.text().contains(&token), "{}", answer.text());
        headers(&answer);
    }
    let bad_scope = agent.http.post(EXCHANGE, &json!({"subject_token": token, "connection": GOOGLE, "scopes": "a\"b"}));
    assert_eq!((bad_scope.status, &bad_scope.json()["error"]), (400, &json!("invalid_scope")));
    let form = agent.http.send("POST", EXCHANGE, &[("content-type", "application/x-www-form-urlencoded")], b"a=b");
    assert_eq!((form.status, &form.json()["error"]), (400, &json!("invalid_request")));
    assert_eq!(world.sim.requests(RequestKind::TokenExchange), 0);
}

#[test]
fn only_an_agents_own_key_exchanges() {
    let world = plan().live().start();
    let (_, token) = world.lent("helper");
    let body = json!({"subject_token": token, "connection": GOOGLE});
    let nobody = world.nobody().post(EXCHANGE, &body);
    assert_eq!((nobody.status, &nobody.json()["error"]), (401, &json!("invalid_client")));
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
    headers(&nobody);
    for scopes in [&["admin"][..], &["read"], &["respond"], &["events:write"], &["events:trust"]] {
        let answer = world.client(scopes).post(EXCHANGE, &body);
        assert_eq!((answer.status, &answer.json()["error"]), (403, &json!("unauthorized_client")), "{scopes:?}");
        headers(&answer);
    }
    let unbound = world.admin().post("/api/v1/keys", &json!({"name": "x", "scopes": ["exchange"]}));
    assert_eq!((unbound.status, &unbound.json()["code"]), (422, &json!("exchange-needs-agent")));
    // Another agent's key is another agent.
    let mut other = world.agent("other");
    error(&other.exchange(GOOGLE, &token), 403, "access_denied", "unauthorized-agent");
    assert_eq!(world.alert("unauthorized-agent")["agent_id"], "other");
}

#[test]
fn not_configured_is_a_clear_503() {
    let world = plan().without_vault().start();
    let mut agent = world.agent("helper");
    let answer = agent.exchange(GOOGLE, "v1.something");
    error(&answer, 503, "temporarily_unavailable", "not-configured");
    assert!(answer.header("retry-after").is_some());
    let status = world.admin().get("/api/v1/token-vault/status").json();
    assert_eq!((&status["enabled"], &status["configured"]), (&json!(false), &json!(false)));
    // Detectors run on telemetry all the same.
    let details = json!({"user_id": ANA, "connection": GOOGLE, "agent_id": "helper"});
    world
        .client(&["events:write"])
        .post("/api/v1/events", &json!({"type": "connected_account_usage", "details": details}));
    assert_eq!(world.alert("unauthorized-agent")["agent_id"], "helper");

    let half = plan().with("token_vault", json!({"auth0_client_secret": ""})).start();
    let answer = half.agent("helper").exchange(GOOGLE, "v1.something");
    error(&answer, 503, "temporarily_unavailable", "not-configured");
    assert_eq!(half.admin().get("/api/v1/token-vault/status").json()["configured"], false);
}

/// No file of the server may grow beyond a few megabytes: what a full disk feels like.
pub(crate) fn cramped() -> (tempfile::TempDir, String) {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("directory");
    let script = dir.path().join("cramped");
    let server = env!("CARGO_BIN_EXE_onesec-under-test");
    // A signal that is ignored stays ignored across `exec`: writes fail instead of killing.
    std::fs::write(&script, format!("#!/bin/bash\ntrap '' XFSZ\nulimit -f 4096\nexec {server} \"$@\"\n"))
        .expect("script");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let path = script.to_str().expect("path").to_owned();
    (dir, path)
}

#[test]
fn a_journal_that_cannot_be_written_means_no_token() {
    let (_script, program) = cramped();
    let mut world = Plan::new(&program).live().start();
    let (mut agent, token) = world.lent("helper");
    issued(&agent.exchange(GOOGLE, &token));
    let mut sender = world.client(&["events:write"]);
    // Does not compress, and fills the file up.
    let text = |n: u32| {
        (0..20_000_u32).map(|i| char::from(b'a' + (i.wrapping_mul(n + 7) / 13 % 26) as u8)).collect::<String>()
    };
    let full = (0..4_000).any(|n| {
        let event = json!({"type": "agent_goal", "details": {"agent_id": "helper", "goal": text(n)}});
        let answer = sender.post("/api/v1/events", &Value::Array(vec![event; 8]));
        assert!([202, 503].contains(&answer.status), "{} {}", answer.status, answer.text());
        answer.status == 503
    });
    assert!(full, "the journal never filled up");
    // Small records may still find room: what counts is that no token leaves unrecorded.
    let (mut answers, mut unready) = (Vec::new(), None);
    for _ in 0..2_000 {
        answers.push(agent.exchange(GOOGLE, &token));
        let ready = world.nobody().get("/readyz");
        unready = unready.or((ready.status == 503).then_some(ready));
        let refusals = answers.iter().filter(|a| a.status == 503).count();
        if refusals >= 5 && unready.is_some() {
            break;
        }
    }
    let refused: Vec<&Answer> = answers.iter().filter(|a| a.status != 200 && a.status != 429).collect();
    assert!(!refused.is_empty(), "exchanges go on though nothing can be recorded");
    for answer in refused {
        error(answer, 503, "temporarily_unavailable", "journal");
    }
    assert_eq!(world.nobody().get("/healthz").status, 200);
    let unready = unready.expect("readiness says so");
    assert_eq!(unready.json()["journal"], "unwritable", "{}", unready.text());
    // Whatever was released is in the journal.
    world.process.kill();
    world.process = onesec_e2e::Start::new(env!("CARGO_BIN_EXE_onesec-under-test"), world.dir()).run();
    for answer in answers.iter().filter(|a| a.status == 200) {
        let id = answer.json()["exchange_id"].as_str().expect("an id").to_owned();
        assert_eq!(world.events(&format!("event_id={id}-issued"), 1).len(), 1, "{id} was released and is not recorded");
    }
}

#[test]
fn a_client_that_goes_away_changes_nothing() {
    let world = plan().live().start();
    world.link(ANA, GOOGLE, CALENDAR);
    world.delegate(ANA, "helper", GOOGLE, &[CALENDAR]);
    let key = world.key(&json!({"name": "h", "scopes": ["exchange"], "agent_id": "helper"}));
    let address = world.process.url().trim_start_matches("http://").to_owned();
    let pause = world.sim.pause_exchanges();
    let mut stream = TcpStream::connect(&address).expect("connected");
    let body = json!({"subject_token": world.refresh(ANA), "connection": GOOGLE}).to_string();
    let head = format!(
        "POST {EXCHANGE} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("sent");
    arrived(&world, &pause);
    drop(stream);
    pause.release();
    let recorded = world.events("kind=token_exchange_response", 1);
    assert_eq!(recorded.len(), 1, "a token that was issued is recorded");
    assert_eq!(recorded[0]["details"]["success"], true);
    assert!(recorded[0]["details"]["token_thumbprint"].is_string());
    assert_eq!(world.stats()["success_count"], 1);
}

#[test]
fn exchanges_at_once_are_each_judged_and_recorded() {
    let world = roomy().live().start();
    let (_, token) = world.lent("helper");
    let key = world.key(&json!({"name": "h", "scopes": ["exchange"], "agent_id": "helper"}));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let mut http = world.nobody().with_key(&key);
            let body = json!({"subject_token": token, "connection": GOOGLE, "scopes": [CALENDAR]});
            scope.spawn(move || (0..10).for_each(|_| issued(&http.post(EXCHANGE, &body))));
        }
    });
    let stats = world.stats();
    assert_eq!((&stats["total_exchanges"], &stats["success_count"]), (&json!(80), &json!(80)));
    let responses = world.events("kind=token_exchange_response", 80);
    let ids: std::collections::BTreeSet<String> =
        responses.iter().filter_map(|e| e["details"]["exchange_id"].as_str().map(str::to_owned)).collect();
    assert_eq!(ids.len(), 80);
}

#[test]
fn a_tenant_that_gives_more_than_was_linked_is_reported() {
    let world = plan().live().start();
    let (mut agent, token) = world.lent("helper");
    world.sim.set_fault(Fault::ScopeWiderThanAccount);
    let answer = agent.exchange_for(GOOGLE, &token, &[CALENDAR]);
    error(&answer, 403, "access_denied", "scope-escalation");
    assert_eq!(answer.json()["issued_not_released"], true);
    assert_eq!(world.alert("scope-escalation")["attributes"]["baseline"], "link");
}

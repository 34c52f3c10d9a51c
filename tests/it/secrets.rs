//! No secret stays: planted everywhere a sender can write, found nowhere the server keeps or shows anything.

use std::collections::BTreeMap;
use std::path::Path;

use onesec_e2e::proofs::{Issuer, Key};
use onesec_e2e::world::{ANA, EXCHANGE, GOOGLE};
use onesec_e2e::{Http, World};
use serde_json::{Value, json};

use crate::plan;

/// Makes secrets that look like those that leak, and remembers the part of each that must never be seen again.
#[derive(Default)]
struct Planter {
    seed: u64,
    /// The tell-tale part in lower case (scopes may be folded) → where it was planted.
    planted: BTreeMap<String, String>,
}

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl Planter {
    /// Letters and digits, different each time and the same in every run.
    fn noise(&mut self, length: usize) -> String {
        let mut next = || {
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(LETTERS[(self.seed >> 33) as usize % LETTERS.len()])
        };
        (0..length).map(|_| next()).collect()
    }

    /// A secret in the `n`th disguise, for the place `at`. Whoever finds its core found a leak.
    fn secret(&mut self, n: usize, at: &str) -> String {
        let core = self.noise(36);
        self.planted.insert(core.to_ascii_lowercase(), format!("{at} ({})", DISGUISES[n % DISGUISES.len()]));
        match n % DISGUISES.len() {
            0 => format!("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbmEifQ{core}.{core}"),
            1 => format!("ya29.a0{core}"),
            2 => format!("ghp_{core}"),
            3 => format!("xoxb-123456789012-1234567890123-{core}"),
            4 => format!("Bearer {core}"),
            5 => format!("https://user:{core}@api.example.test/v1"),
            6 => format!("https://api.example.test/v1?access_token={core}&x=1"),
            7 => format!("password={core}"),
            8 => format!("os_{core}"),
            9 => format!("v1.M{core}"),
            10 => format!("Authorization: Basic {core}"),
            11 => format!("client_secret: {core}"),
            12 => format!("sk-proj-{core}"),
            13 => format!("see https://api.example.test/cb?code={core}#state"),
            14 => format!("AIza{core}"),
            _ => format!("refresh_token={core} and more"),
        }
    }

    /// Every core that occurs in `text`.
    fn found_in(&self, text: &[u8]) -> Vec<String> {
        // All cores are as long as each other: one pass.
        let mut found = Vec::new();
        for window in text.windows(36) {
            if window.iter().all(u8::is_ascii_alphanumeric)
                && let Ok(window) = std::str::from_utf8(window)
                && let Some(at) = self.planted.get(&window.to_ascii_lowercase())
            {
                found.push(format!("{window}, planted in {at}"));
            }
        }
        found.sort();
        found.dedup();
        found
    }
}

const DISGUISES: [&str; 16] = [
    "jwt",
    "google token",
    "github token",
    "slack token",
    "bearer",
    "url credentials",
    "url query",
    "password",
    "api key of ours",
    "refresh token",
    "basic",
    "client secret",
    "openai key",
    "url code",
    "google api key",
    "assignment",
];

/// A value that a field of this schema takes, with a secret in it where it takes any text.
fn value_for(schema: &Value, secret: &str) -> Value {
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    if let Some(options) = schema["enum"].as_array() {
        return options[0].clone();
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(first) = schema[choice].as_array().and_then(|all| all.first()) {
            return value_for(first, secret);
        }
    }
    match (kind, schema["format"].as_str()) {
        (Some("boolean"), _) => json!(true),
        (Some("integer" | "number"), _) => json!(7),
        (Some("array"), _) => json!([value_for(&schema["items"], secret)]),
        (Some("string"), Some("date-time")) => json!("2026-01-01T00:00:00Z"),
        (Some("object") | None, _) => json!({"note": secret, "password": secret, "deep": [{"token": secret}]}),
        _ => json!(secret),
    }
}

/// Events of one kind: one with secrets in every member at once, and one per member with all others harmless.
fn events_of(schema: &Value, planter: &mut Planter, n: &mut usize) -> Vec<Value> {
    let kind = schema["type"].as_str().expect("a kind").replace("<name>", "planted");
    let properties =
        schema["json_schema"]["properties"]["details"]["properties"].as_object().cloned().unwrap_or_default();
    let required: Vec<&str> =
        schema["required_keys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut events = Vec::new();
    for target in properties.keys().map(String::as_str).chain([
        "an_unknown_member",
        "summary",
        "user_agent",
        "request_id",
        "source",
        "severity",
        "source_ip",
        "id",
        "timestamp",
        "type",
    ]) {
        *n += 1;
        let secret = planter.secret(*n, &format!("{kind} {target}"));
        let mut details = serde_json::Map::new();
        for name in &required {
            details
                .insert((*name).to_owned(), value_for(&properties.get(*name).cloned().unwrap_or_default(), "harmless"));
        }
        let mut event = json!({"type": kind, "summary": "fine"});
        match target {
            "an_unknown_member" => drop(details.insert(target.to_owned(), json!({"inside": secret}))),
            "type" => event["type"] = json!(secret),
            "summary" | "user_agent" | "request_id" | "source" | "severity" | "source_ip" | "id" | "timestamp" => {
                event[target] = json!(secret);
            }
            _ => drop(details.insert(target.to_owned(), value_for(&properties[target], &secret))),
        }
        event["details"] = Value::Object(details);
        events.push(event);
    }
    events
}

/// What a sender can write: valid events, rejected ones, bodies that are none, headers, addresses.
fn plant(world: &World, planter: &mut Planter) -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    let schemas = world.listed("/api/v1/event-schemas", "schemas");
    let mut n = 0;
    let mut senders = [world.client(&["events:write"]), world.authority(), world.bound("bot", &["events:write"])];
    for schema in &schemas {
        let events = events_of(schema, planter, &mut n);
        for sender in &mut senders {
            let answer = sender.post("/api/v1/events", &Value::Array(events.clone()));
            assert!([202, 207, 422].contains(&answer.status), "{}: {}", schema["type"], answer.text());
            answers.push(answer.body);
        }
    }
    let sender = &mut senders[0];
    plant_malformed(sender, planter, &mut answers);
    for n in 0..16 {
        let secret = planter.secret(n, "authorization");
        let bearer = format!("Bearer {secret}");
        answers.push(world.nobody().send("GET", "/api/v1/alerts", &[("authorization", &bearer)], b"").body);
        answers.push(world.nobody().send("GET", "/api/v1/alerts", &[("x-api-key", &secret)], b"").body);
        let plain = secret.replace([' ', ':', '/', '?', '&', '=', '#', '@'], "");
        for path in [
            format!("/api/v1/alerts?cursor={plain}"),
            format!("/api/v1/agents/{plain}"),
            format!("/{plain}"),
            format!("/api/v1/alerts?{plain}=1"),
        ] {
            answers.push(world.admin().get(&path).body);
        }
    }
    answers
}

fn plant_malformed(sender: &mut Http, planter: &mut Planter, answers: &mut Vec<Vec<u8>>) {
    for n in 0..48 {
        let secret = planter.secret(n, "malformed body");
        let quoted = json!(secret);
        let bodies = [
            secret.clone(),
            quoted.to_string(),
            format!("{{\"type\": {quoted}"),
            format!("{{\"type\":\"agent_goal\",\"details\":{{\"agent_id\":{quoted},\"agent_id\":{quoted}}}}}"),
            format!("{{\"type\":\"agent_goal\",\"details\":{{{quoted}:1,\"agent_id\":7}}}}"),
            format!("{{\"type\":\"agent_goal\",\"details\":{quoted}}}"),
            format!("{{\"type\":\"agent_goal\",\"id\":{quoted},\"details\":{{\"agent_id\":\"b\"}}}} {quoted}"),
            format!("[{quoted},{{\"type\":\"tool_call\",\"details\":{{\"agent_id\":\"b\",\"tool\":[{quoted}]}}}}]"),
            format!(
                "{{\"type\":\"connected_account_usage\",\"timestamp\":{quoted},\"details\":{{\"user_id\":\"u\"}}}}"
            ),
        ];
        for body in bodies {
            for kind in ["application/json", "application/x-ndjson"] {
                let answer = sender.send("POST", "/api/v1/events", &[("content-type", kind)], body.as_bytes());
                assert!(answer.status >= 202 && answer.status < 500, "{} {body}: {}", answer.status, answer.text());
                answers.push(answer.body);
            }
        }
        let wrong = sender.send("POST", "/api/v1/events", &[("content-type", &secret)], b"{}");
        answers.push(wrong.body);
    }
}

/// What an agent can put into an exchange.
fn plant_exchanges(world: &World, planter: &mut Planter) -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    for n in 0..16 {
        let mut agent = world.agent(&format!("planter-{n}"));
        for (member, kind) in [
            ("subject_token", "refresh_token"),
            ("subject_token", "access_token"),
            ("login_hint", "refresh_token"),
            ("task_id", "refresh_token"),
            ("scopes", "refresh_token"),
            ("connection", "refresh_token"),
            ("subject_token_type", "refresh_token"),
            ("unknown", "refresh_token"),
        ] {
            let secret = planter.secret(n, &format!("exchange {member}"));
            let mut body = json!({"subject_token": world.refresh(ANA), "connection": GOOGLE,
                "subject_token_type": format!("urn:ietf:params:oauth:token-type:{kind}")});
            body[member] = json!(secret);
            answers.push(agent.http.post(onesec_e2e::world::EXCHANGE, &body).body);
            let broken = format!("{{\"subject_token\": {}, ", json!(secret));
            answers.push(
                agent
                    .http
                    .send(
                        "POST",
                        onesec_e2e::world::EXCHANGE,
                        &[("content-type", "application/json")],
                        broken.as_bytes(),
                    )
                    .body,
            );
        }
    }
    answers
}

/// What people can write.
fn plant_notes(world: &World, planter: &mut Planter) -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    let alerts = world.listed("/api/v1/alerts?limit=16", "alerts");
    for (n, alert) in alerts.iter().enumerate() {
        let (path, note) = (format!("/api/v1/alerts/{}", alert["id"].as_str().expect("id")), planter.secret(n, "note"));
        answers.push(world.admin().call("PATCH", &path, &json!({"status": "acknowledged", "note": note})).body);
        let reason = planter.secret(n, "reason");
        answers.push(world.admin().post("/api/v1/agents/noted/suspend", &json!({"reason": reason})).body);
        let reason = planter.secret(n, "exception");
        let exception = json!({"detector": "exchange-rate", "reason": reason, "expires_at": "2026-12-01T00:00:00Z"});
        answers.push(world.admin().post("/api/v1/exceptions", &exception).body);
        let wrong = planter.secret(n, "mode");
        answers.push(world.admin().call("PUT", "/api/v1/enforcement/mode", &json!({"mode": wrong})).body);
        answers.push(world.admin().call("PUT", "/api/v1/enforcement/preset", &json!({wrong.as_str(): 1})).body);
        let wrong = planter.secret(n, "key");
        answers.push(world.admin().post("/api/v1/keys", &json!({"name": "k", "scopes": [wrong]})).body);
        answers.push(
            world
                .admin()
                .post("/api/v1/delegations", &json!({"user_id": ANA, "agent_id": "b", "attestation": wrong}))
                .body,
        );
    }
    assert!(alerts.len() > 4, "there is something to annotate");
    answers
}

/// All that the API shows.
fn shown(world: &World) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for path in ["alerts", "events", "events/rejected", "agents", "accounts", "delegations", "exceptions", "keys"] {
        let mut cursor = String::new();
        loop {
            let answer = world.admin().get(&format!("/api/v1/{path}?limit=1000{cursor}"));
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            let next = answer.json()["next"].as_str().map(str::to_owned);
            all.push(answer.body);
            let Some(next) = next else { break };
            cursor = format!("&cursor={next}");
        }
    }
    for path in ["/api/v1/status", "/metrics", "/api/v1/token-vault/status", "/api/v1/enforcement", "/readyz"] {
        all.push(world.admin().get(path).body);
    }
    all
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).expect("directory");
    let read = |path: std::path::PathBuf| {
        let bytes = std::fs::read(&path).expect("file");
        (path.display().to_string(), bytes)
    };
    entries.map(|entry| entry.expect("entry").path()).filter(|path| path.is_file()).map(read).collect()
}

#[test]
fn planted_secrets_are_found_nowhere() {
    let mut planter = Planter::default();
    let mut world = plan().env("ONESEC_LOG", "trace").start();
    world.link(ANA, GOOGLE, "https://www.googleapis.com/auth/calendar.readonly");
    let mut answers = plant(&world, &mut planter);
    answers.extend(plant_exchanges(&world, &mut planter));
    answers.extend(plant_notes(&world, &mut planter));
    assert!(planter.planted.len() > 200, "only {} secrets were planted", planter.planted.len());

    let mut leaks = Vec::new();
    let mut search = |place: &str, bytes: &[u8]| {
        leaks.extend(planter.found_in(bytes).into_iter().map(|leak| format!("{place}: {leak}")));
    };
    answers.iter().for_each(|answer| search("an answer", answer));
    shown(&world).iter().for_each(|answer| search("a listing", answer));
    for (path, bytes) in files(world.dir()) {
        search(&format!("{path} (running)"), &bytes);
    }
    assert_eq!(world.process.terminate(), Some(0));
    let mut searched = Vec::new();
    for (path, bytes) in files(world.dir()) {
        search(&format!("{path} (stopped)"), &bytes);
        searched.push(path);
    }
    assert!(searched.iter().any(|path| path.ends_with("onesec.db")), "{searched:?}");
    let log = world.process.log().join("\n");
    assert!(log.len() > 1_000, "trace logs say something");
    search("the log", log.as_bytes());
    search("standard output", world.process.output().join("\n").as_bytes());
    assert!(
        leaks.is_empty(),
        "{} leaks of {} secrets:\n{}",
        leaks.len(),
        planter.planted.len(),
        leaks.iter().take(60).cloned().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn issued_tokens_and_our_own_keys_are_found_nowhere() {
    let mut world = plan().live().env("ONESEC_LOG", "trace").start();
    let (mut agent, refresh) = world.lent("helper");
    let access = world.access(ANA, |spec| spec);
    let mut secrets = vec![refresh.clone(), access.clone()];
    let answer = agent.exchange(GOOGLE, &refresh);
    secrets.push(answer.json()["access_token"].as_str().expect("issued").to_owned());
    let more = json!({"subject_token_type": "urn:ietf:params:oauth:token-type:access_token"});
    assert_eq!(agent.exchange_with(GOOGLE, &access, &more).status, 200);
    for n in 0..5 {
        secrets.push(world.key(&json!({"name": format!("k{n}"), "scopes": ["read"]})));
    }
    secrets.push("client-s3cret-of-the-tests".to_owned());
    let shown = shown(&world);
    let admin = world.process.admin_key();
    assert_eq!(world.process.terminate(), Some(0));
    let mut places: Vec<(String, Vec<u8>)> = files(world.dir());
    // Where an operator put them: the configuration, and the file that the first start made.
    places.retain(|(path, _)| !path.ends_with("test-config.yaml"));
    places.push(("the log".to_owned(), world.process.log().join("\n").into_bytes()));
    places.extend(shown.into_iter().map(|body| ("a listing".to_owned(), body)));
    let holds = |bytes: &[u8], secret: &str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
    for (place, bytes) in &places {
        for secret in &secrets {
            assert!(!holds(bytes, secret), "{place} holds {secret}");
        }
        assert!(place.ends_with("admin.key") || !holds(bytes, &admin), "{place} holds the admin key");
    }
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(world.dir().join("admin.key")).expect("file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mode = std::fs::metadata(world.dir().join("onesec.db")).expect("file").permissions().mode();
    assert_eq!(mode & 0o077, 0, "nobody else reads the journal: {mode:o}");
}

/// Assertions, proofs, tokens of issuers, requests of workers, links: good ones and forged ones.
#[test]
fn what_agents_prove_themselves_with_is_found_nowhere() {
    let issuer = Issuer::start();
    let us = "https://onesec.example.test";
    let plan = plan().live().env("ONESEC_LOG", "trace").with("agents", json!({"issuers": issuer.section(us)}));
    let mut world = plan.start();
    let (mut agent, refresh) = world.lent("helper");
    let (key, reader) = (world.keyed("helper", &json!({"clients": ["app-1"], "worker": true})), Key::default());
    let (token, exchange) = (world.url("/oauth/token"), world.url(EXCHANGE));
    let assertion = key.assertion("helper", &token, &json!({}));
    let machine = issuer.machine("app-1", us, |spec| spec.with_claim("cnf", json!({"jkt": key.thumbprint()})));
    let proof = key.dpop(("POST", &exchange), Some(&machine), &json!({}));
    let worker = key.request("helper", ANA, (&world.url("/"), &json!({})));
    let link = world.delegate(ANA, "helper", GOOGLE, &[])["link"].as_str().expect("link").to_owned();
    let chain = key.lend(&link, ("reader", &reader), |wanted| wanted);
    let forged = Key::default().assertion("helper", &token, &json!({}));
    let typed = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    for assertion in [&assertion, &forged] {
        let pairs = [("grant_type", "x"), ("client_assertion", assertion), typed, ("subject_token", &worker)];
        world.nobody().form("/oauth/token", &[], &pairs);
        let vault = onesec_auth0_sim::GrantType::TokenVault.urn();
        let pairs = [
            ("grant_type", vault),
            ("client_assertion", assertion),
            typed,
            ("subject_token", &refresh),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
            ("connection", GOOGLE),
        ];
        world.nobody().form("/oauth/token", &[], &pairs);
    }
    let scheme = format!("DPoP {machine}");
    let body = json!({"subject_token": refresh, "connection": GOOGLE, "delegation": link}).to_string();
    let headers = [("authorization", scheme.as_str()), ("dpop", proof.as_str()), ("content-type", "application/json")];
    for _ in 0..2 {
        world.nobody().send("POST", EXCHANGE, &headers, body.as_bytes());
    }
    let jwt = "urn:ietf:params:oauth:token-type:jwt";
    agent.exchange_with(GOOGLE, &worker, &json!({"subject_token_type": jwt, "delegation": forged}));
    let mut reader = world.agent("reader");
    reader.exchange_with(GOOGLE, &refresh, &json!({"delegation": chain}));
    for misplaced in ["connection", "login_hint", "scopes", "task_id"] {
        agent.exchange_with(GOOGLE, &refresh, &json!({misplaced: chain}));
    }
    let details = json!({"agent_id": "reader", "user_id": ANA, "delegated_by": "helper", "attestation": chain});
    let event = json!({"type": "agent_identity_delegation", "details": details, "summary": chain});
    world.client(&["events:write"]).post("/api/v1/events", &event);
    let all = [assertion, machine, proof, worker, link, chain, forged];
    let needles: Vec<&str> =
        all.iter().flat_map(|text| text.split(['.', '~'])).filter(|part| part.len() > 60).collect();
    assert!(needles.len() > 15, "{}", needles.len());
    let shown = shown(&world);
    assert_eq!(world.process.terminate(), Some(0));
    let mut places = files(world.dir());
    places.push(("the log".to_owned(), world.process.log().join("\n").into_bytes()));
    places.extend(shown.into_iter().map(|body| ("a listing".to_owned(), body)));
    for (place, bytes) in &places {
        for needle in &needles {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle.as_bytes()), "{place} holds {needle}");
        }
    }
}

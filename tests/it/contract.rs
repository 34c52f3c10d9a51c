//! What senders send, and what they are told: kinds, batches, formats, limits.

use std::io::Write as _;

use onesec_e2e::world::{ANA, CALENDAR, GITHUB, GOOGLE};
use onesec_e2e::{Answer, Http};
use serde_json::{Value, json};

use crate::plan;

const EVENTS: &str = "/api/v1/events";

fn goal(agent: &str) -> Value {
    json!({"type": "agent_goal", "details": {"agent_id": agent, "goal": "tidy up"}})
}

fn raw(http: &mut Http, kind: &str, body: &[u8]) -> Answer {
    http.send("POST", EVENTS, &[("content-type", kind)], body)
}

/// A value that a field of this schema takes.
fn sample(name: &str, schema: &Value) -> Value {
    if let Some(options) = schema["enum"].as_array() {
        return options[0].clone();
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(first) = schema[choice].as_array().and_then(|all| all.first()) {
            return sample(name, first);
        }
    }
    match (name, schema["type"].as_str()) {
        ("tools", _) => json!([{"name": "t"}]),
        (_, Some("boolean")) => json!(true),
        (_, Some("integer" | "number")) => json!(7),
        (_, Some("array")) => json!(["x"]),
        (_, Some("object")) => json!({}),
        _ => json!("something"),
    }
}

#[test]
fn every_kind_is_taken_and_each_required_field_is_missed() {
    let world = plan().start();
    let mut sender = world.authority();
    let answer = world.client(&["read"]).get("/api/v1/event-schemas").json();
    let schemas = answer["schemas"].as_array().expect("schemas");
    assert_eq!((answer["version"].as_str(), answer["total"].as_u64()), (Some("1.0.0"), Some(schemas.len() as u64)));
    assert!(schemas.len() > 40, "{}", schemas.len());
    for schema in schemas {
        let kind = schema["type"].as_str().expect("type").replace("<name>", "example");
        let required: Vec<&str> =
            schema["required_keys"].as_array().expect("keys").iter().filter_map(Value::as_str).collect();
        let properties = &schema["json_schema"]["properties"]["details"]["properties"];
        let details: serde_json::Map<String, Value> =
            required.iter().map(|name| ((*name).to_owned(), sample(name, &properties[*name]))).collect();
        let whole = sender.post(EVENTS, &json!({"type": kind, "details": details}));
        assert_eq!(whole.status, 202, "{kind} {details:?}: {}", whole.text());
        for name in &required {
            let mut without = details.clone();
            without.remove(*name);
            let answer = sender.post(EVENTS, &json!({"type": kind, "details": without}));
            let rejected = &answer.json()["rejected"][0];
            assert_eq!(
                (answer.status, rejected["code"].as_str()),
                (422, Some("missing-field")),
                "{kind} without {name}"
            );
            assert_eq!(rejected["pointer"], format!("/details/{name}"), "{kind}");
            assert!(rejected["message"].as_str().is_some_and(|text| text.contains(name)), "{rejected}");
        }
        for name in schema["optional_keys"].as_array().expect("keys").iter().filter_map(Value::as_str) {
            assert!(!properties[name].is_null(), "{kind} has no schema for {name}");
        }
    }
    let narrowed = world.admin().get("/api/v1/event-schemas?category=token_vault").json();
    let all = narrowed["schemas"].as_array().cloned().unwrap_or_default();
    assert!(!all.is_empty() && all.len() < schemas.len(), "{}", all.len());
    assert!(all.iter().all(|schema| schema["category"] == "token_vault"));
}

#[test]
fn one_bad_event_never_spoils_its_batch() {
    let world = plan().start();
    let mut sender = world.client(&["events:write"]);
    let batch = json!([
        goal("a"),
        {"type": "token_exchange", "details": {"agent_id": "a"}},
        7,
        goal("b"),
        {"type": "agent_goals", "details": {"agent_id": "a"}},
        {"details": {}},
        goal("c"),
    ]);
    let answer = sender.post(EVENTS, &batch);
    let body = answer.json();
    assert_eq!((answer.status, &body["accepted"], &body["duplicates"]), (207, &json!(3), &json!(0)));
    let ids: Vec<bool> = body["ids"].as_array().expect("ids").iter().map(Value::is_string).collect();
    assert_eq!(ids, [true, false, false, true, false, false, true]);
    let told: Vec<(u64, &str, &str)> = body["rejected"]
        .as_array()
        .expect("rejected")
        .iter()
        .map(|r| {
            (r["index"].as_u64().unwrap_or(99), r["code"].as_str().unwrap_or(""), r["pointer"].as_str().unwrap_or(""))
        })
        .collect();
    assert_eq!(
        told,
        [
            (1, "missing-field", "/details/connection"),
            (2, "wrong-type", ""),
            (4, "unknown-kind", "/type"),
            (5, "missing-type", "/type"),
        ]
    );
    assert_eq!(body["rejected"][2]["suggestion"], "agent_goal");
    assert_eq!(world.events("kind=agent_goal", 3).len(), 3);
    let letters = world.listed("/api/v1/events/rejected", "rejected");
    assert_eq!(letters.len(), 4);
    for letter in &letters {
        assert!(letter["body"].is_string() && letter["sha256"].as_str().is_some_and(|s| s.len() == 64), "{letter}");
        assert!(letter["key"].is_string() && letter["at"].is_string());
    }
    // None at all.
    let none = sender.post(EVENTS, &json!([7, 8]));
    assert_eq!((none.status, &none.json()["accepted"]), (422, &json!(0)));
}

#[test]
fn bodies_that_are_none_are_refused_and_leave_size_and_hash() {
    let world = plan().start();
    let mut sender = world.client(&["events:write"]);
    let cases: [(&[u8], &str); 7] = [
        (b"", "empty-body"),
        (b"   \n", "empty-body"),
        (b"[]", "empty-body"),
        (b"{\"type\":", "not-json"),
        (b"hello", "not-json"),
        (b"{\"type\":\"agent_goal\xff\"}", "not-utf8"),
        (b"{} {}", "several-documents"),
    ];
    for (body, code) in cases {
        let answer = raw(&mut sender, "application/json", body);
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (400, Some(code)),
            "{}",
            String::from_utf8_lossy(body)
        );
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    let letters = world.listed("/api/v1/events/rejected", "rejected");
    assert_eq!(letters.len(), cases.len());
    assert!(letters.iter().all(|letter| letter["body"].is_null() && letter["sha256"].is_string()));
}

#[test]
fn every_format_is_taken() {
    let world = plan().start();
    let mut sender = world.client(&["events:write"]);
    let lines = format!("{}\r\n\n{}\n  {}  ", goal("a"), goal("b"), goal("c"));
    let answer = raw(&mut sender, "application/x-ndjson", lines.as_bytes());
    assert_eq!((answer.status, &answer.json()["accepted"]), (202, &json!(3)), "{}", answer.text());
    let array = json!([goal("d"), goal("e")]).to_string();
    assert_eq!(raw(&mut sender, "application/json; charset=utf-8", array.as_bytes()).json()["accepted"], 2);
    let cloud = |id: &str| {
        json!({"specversion": "1.0", "id": id, "source": "/agents/x", "type": "agent_goal", "time": "2026-01-01T00:00:00Z",
            "datacontenttype": "application/json", "data": {"agent_id": "cloud", "goal": "tidy up"}})
    };
    let one = raw(&mut sender, "application/cloudevents+json", cloud("ce-1").to_string().as_bytes());
    assert_eq!((one.status, &one.json()["ids"][0]), (202, &json!("ce-1")), "{}", one.text());
    let many = json!([cloud("ce-1"), cloud("ce-2")]).to_string();
    let many = raw(&mut sender, "application/cloudevents-batch+json", many.as_bytes());
    assert_eq!((&many.json()["accepted"], &many.json()["duplicates"]), (&json!(1), &json!(1)), "{}", many.text());
    let recorded = world.events("kind=agent_goal&agent_id=cloud", 2);
    assert!(recorded.iter().all(|event| event["details"]["goal"] == "tidy up"));
    for unknown in ["text/plain", "application/xml", "multipart/form-data", "?"] {
        let answer = raw(&mut sender, unknown, b"{}");
        assert_eq!((answer.status, answer.json()["code"].as_str()), (415, Some("unsupported-media-type")), "{unknown}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).expect("memory")
}

#[test]
fn packed_bodies_are_read_and_bombs_refused() {
    let world = plan().start();
    let mut sender = world.client(&["events:write"]);
    let mut packed = |coding: &str, body: &[u8]| {
        sender.send("POST", EVENTS, &[("content-type", "application/json"), ("content-encoding", coding)], body)
    };
    let event = goal("packed").to_string();
    assert_eq!(packed("gzip", &gzip(event.as_bytes())).status, 202);
    assert_eq!(packed("zstd", &zstd(event.as_bytes())).status, 202);
    assert_eq!(packed("identity", event.as_bytes()).status, 202);
    let bomb = vec![b' '; 40 * 1024 * 1024];
    for (coding, bomb) in [("gzip", gzip(&bomb)), ("zstd", zstd(&bomb))] {
        assert!(bomb.len() < 100_000);
        let answer = packed(coding, &bomb);
        assert_eq!((answer.status, answer.json()["code"].as_str()), (413, Some("too-large")), "{coding}");
    }
    for (coding, body, status) in [
        ("br", event.as_bytes(), 415),
        ("gzip, gzip", event.as_bytes(), 415),
        ("gzip", event.as_bytes(), 400),
        ("zstd", b"\x28\xb5\x2f\xfdrubbish".as_slice(), 400),
        ("gzip", &gzip(event.as_bytes())[..20], 400),
    ] {
        let answer = packed(coding, body);
        assert_eq!(answer.status, status, "{coding}: {}", answer.text());
    }
    assert_eq!(world.events("agent_id=packed", 3).len(), 3);
}

/// What a body of this length is answered with, before a byte of it is sent.
fn announced(world: &onesec_e2e::World, length: usize) -> String {
    use std::io::{BufRead as _, BufReader};
    let key = world.key(&json!({"name": "large", "scopes": ["events:write"]}));
    let address = world.process.url().trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).expect("a limit");
    let head = format!(
        "POST {EVENTS} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("an answer");
    line.trim().to_owned()
}

#[test]
fn every_limit_has_its_own_answer() {
    let world = plan().start();
    let mut sender = world.client(&["events:write"]);
    assert_eq!(announced(&world, 8 * 1024 * 1024 + 1), "HTTP/1.1 413 Payload Too Large");
    let many = format!("[{}]", vec!["7"; 10_001].join(","));
    let answer = raw(&mut sender, "application/json", many.as_bytes());
    assert_eq!((answer.status, answer.json()["code"].as_str()), (413, Some("too-many-events")));
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let deeper = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let with = |name: &str, value: &str| {
        format!("{{\"type\":\"agent_goal\",\"details\":{{\"agent_id\":\"a\",\"{name}\":{value}}}}}")
    };
    let fields: String = (0..200).map(|n| format!(",\"f{n}\":1")).collect();
    let cases = [
        (with("goal", &json!("x".repeat(600 * 1024)).to_string()), "text-too-long"),
        (with("goal", &json!("x".repeat(1_100 * 1024)).to_string()), "event-too-large"),
        (with("extra", &deep), "too-deep"),
        (with("extra", &format!("1{fields}")), "too-many-fields"),
        (with(&"n".repeat(200), "1"), "field-name-too-long"),
        (format!("{{\"type\":\"agent_goal\",\"details\":{{\"agent_id\":\"{}\"}}}}", "a".repeat(300)), "id-too-long"),
        (
            format!("{{\"type\":\"agent_goal\",\"id\":\"{}\",\"details\":{{\"agent_id\":\"a\"}}}}", "a".repeat(300)),
            "id-too-long",
        ),
        ("{\"type\":\"custom.Has Space\"}".to_owned(), "bad-custom-name"),
        (format!("{{\"type\":\"custom.{}\"}}", "x".repeat(65)), "bad-custom-name"),
    ];
    for (body, code) in &cases {
        let answer = raw(&mut sender, "application/json", body.as_bytes());
        assert_eq!(
            (answer.status, answer.json()["rejected"][0]["code"].as_str()),
            (422, Some(*code)),
            "{}",
            answer.text()
        );
    }
    let scopes: Vec<String> = (0..300).map(|n| format!("s{n}")).collect();
    let answer =
        sender.post(EVENTS, &json!({"type": "token_exchange", "details": {"connection": "c", "scopes": scopes}}));
    assert_eq!((answer.status, answer.json()["rejected"][0]["code"].as_str()), (422, Some("bad-scope")));
    // The stack survives what is nested beyond all reason.
    let answer = raw(&mut sender, "application/json", with("extra", &deeper).as_bytes());
    assert!([400, 422].contains(&answer.status), "{}", answer.status);
    assert_eq!(world.nobody().get("/healthz").status, 200);
}

#[test]
fn senders_write_values_in_many_ways() {
    let world = plan().start();
    let mut sender = world.authority();
    for (success, expires) in [(json!(true), json!(60)), (json!("true"), json!("60")), (json!("false"), json!(60))] {
        let details = json!({"connection": GITHUB, "success": success, "expires_in": expires, "agent_id": "a"});
        let answer = sender.post(EVENTS, &json!({"type": "token_exchange_response", "details": details}));
        assert_eq!(answer.status, 202, "{success} {expires}: {}", answer.text());
    }
    for (name, value) in [
        ("success", json!(1)),
        ("success", json!("yes")),
        ("success", json!([])),
        ("expires_in", json!("soon")),
        ("expires_in", json!(1.5)),
    ] {
        let mut details = json!({"connection": GITHUB, "success": true, "agent_id": "a"});
        details[name] = value.clone();
        let answer = sender.post(EVENTS, &json!({"type": "token_exchange_response", "details": details}));
        assert_eq!(
            (answer.status, &answer.json()["rejected"][0]["pointer"]),
            (422, &json!(format!("/details/{name}"))),
            "{value}"
        );
    }
    // Aliases.
    let spawn = json!({"type": "agent_created", "details": {"agent_id": "child", "parent_agent": "a"}});
    assert_eq!(sender.post(EVENTS, &spawn).status, 202);
    assert_eq!(world.events("kind=agent_spawn", 1)[0]["details"]["parent_id"], "a");
    // A connection that is known in another case.
    world.link(ANA, GOOGLE, CALENDAR);
    let usage = json!({"type": "connected_account_usage", "details": {"user_id": ANA, "connection": "Google-OAuth2", "agent_id": "a"}});
    let answer = sender.post(EVENTS, &usage);
    let rejected = &answer.json()["rejected"][0];
    assert_eq!(
        (rejected["code"].as_str(), rejected["suggestion"].as_str()),
        (Some("unknown-connection"), Some(GOOGLE))
    );
    // Odd, and accepted.
    let delegation = json!({"type": "agent_identity_delegation", "details": {"agent_id": "a", "delegated_by": ANA}});
    let answer = sender.post(EVENTS, &delegation);
    assert_eq!(
        (answer.status, answer.json()["warnings"][0]["code"].as_str()),
        (202, Some("delegation-without-connection"))
    );
    let answer = sender.post(EVENTS, &json!({"type": "agent_goal", "details": {"agent_id": "a", "gaol": "x"}}));
    assert_eq!((answer.status, answer.json()["warnings"][0]["code"].as_str()), (202, Some("unknown-field")));
    // Anything under a name of one's own.
    let own = json!({"type": "custom.billing.v2", "details": {"amount": 7, "nested": {"list": [1, "two", null]}}});
    assert_eq!(sender.post(EVENTS, &own).status, 202);
    assert_eq!(world.events("kind=custom.billing.v2", 1)[0]["details"]["nested"], json!({"list": [1, "two", null]}));
}

#[test]
fn an_id_is_taken_once_per_key() {
    let mut world = plan().start();
    let key = world.key(&json!({"name": "k", "scopes": ["events:write"]}));
    let mut event = goal("a");
    event["id"] = json!("once");
    let send = |world: &onesec_e2e::World, event: &Value| world.nobody().with_key(&key).post(EVENTS, event);
    assert_eq!(send(&world, &event).json()["accepted"], 1);
    // The same content in another order and with other white space is the same.
    let shuffled = br#"{ "details": {"goal":"tidy up",  "agent_id":"a"}, "id":"once","type":"agent_goal" }"#;
    let again = raw(&mut world.nobody().with_key(&key), "application/json", shuffled);
    assert_eq!((again.status, &again.json()["duplicates"]), (202, &json!(1)), "{}", again.text());
    let mut other = event.clone();
    other["details"]["goal"] = json!("something else");
    let within = send(&world, &json!([other, goal("b")]));
    assert_eq!((within.status, within.json()["rejected"][0]["code"].as_str()), (207, Some("id-conflict")));
    world.restart();
    assert_eq!(send(&world, &event).json()["duplicates"], 1, "a restart forgets no id");
    assert_eq!(send(&world, &other).status, 422);
    assert_eq!(world.client(&["events:write"]).post(EVENTS, &other).json()["accepted"], 1, "ids are per key");
    assert_eq!(world.events("event_id=once", 2).len(), 2);
    // Twice within one batch.
    let mut twin = goal("c");
    twin["id"] = json!("twice");
    let twice = send(&world, &json!([twin, twin]));
    assert_eq!((&twice.json()["accepted"], &twice.json()["duplicates"]), (&json!(1), &json!(1)));
}

#[test]
fn decide_judges_before_the_act() {
    let world = plan().live().start();
    let mut agent = world.bound("helper", &["events:write"]);
    let call = json!({"type": "tool_call", "details": {"tool": "search", "arguments": {"q": "weather"}}});
    let answer = agent.post("/api/v1/decide", &call);
    let body = answer.json();
    assert_eq!((answer.status, body["decision"].as_str(), body["mode"].as_str()), (200, Some("allow"), Some("live")));
    assert!(body["event_id"].is_string() && body["findings"] == json!([]) && body["approval_id"].is_null(), "{body}");
    let recorded = world.events("kind=tool_call", 1);
    assert_eq!(
        (recorded[0]["id"].clone(), &recorded[0]["details"]["agent_id"]),
        (body["event_id"].clone(), &json!("helper"))
    );
    // Another agent's name is a claim, and a denied one.
    let other = json!({"type": "tool_call", "details": {"tool": "search", "agent_id": "another"}});
    let claimed = agent.post("/api/v1/decide", &other).json();
    assert_eq!(claimed["findings"][0]["detector"], "untrusted-claim", "{claimed}");
    assert_eq!(world.admin().post("/api/v1/agents/helper/suspend", &json!({})).status, 200);
    assert_eq!(agent.post("/api/v1/decide", &call).json()["decision"], "deny", "a suspended agent does nothing");
    assert_eq!(world.client(&["events:write"]).post("/api/v1/decide", &call).json()["code"], "key-without-agent");
    for (body, status) in [
        (json!([call]), 200),
        (json!([call, call]), 422),
        (json!({"type": "token_exchange", "details": {"connection": "c"}}), 422),
        (json!(7), 422),
    ] {
        let answer = agent.post("/api/v1/decide", &body);
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
}

//! The API: who may, what is answered, in which shape.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use onesec_e2e::logs::{AUTHORIZATION, LOGS};
use onesec_e2e::world::{ANA, BEN, CALENDAR, EXCHANGE, GITHUB, GOOGLE};
use onesec_e2e::{Http, World};
use serde_json::{Value, json};

use crate::plan;

/// Every route of the served document: method, path with its parameters filled in, open to all, OAuth.
fn routes(world: &World) -> Vec<(String, String, bool)> {
    let document = world.admin().get("/api/v1/openapi.json").json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", document["openapi"]);
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let filled = path.replace("{id}", "x").replace("{connection}", "y");
            routes.push((method.to_uppercase(), filled, operation["security"] == json!([])));
        }
    }
    routes
}

#[test]
fn the_served_document_names_every_route_that_there_is() {
    let world = plan().start();
    let paths: BTreeSet<String> =
        routes(&world).into_iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    for promised in [
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
        "GET /api/v1/status",
        "GET /api/v1/openapi.json",
        "POST /api/v1/events",
        "GET /api/v1/events",
        "GET /api/v1/events/rejected",
        "GET /api/v1/event-schemas",
        "GET /api/v1/modules",
        "POST /api/v1/decide",
        "GET /api/v1/alerts",
        "GET /api/v1/alerts/stream",
        "GET /api/v1/alerts/x",
        "PATCH /api/v1/alerts/x",
        "GET /api/v1/token-vault/status",
        "POST /api/v1/token-vault/exchange",
        "GET /api/v1/agents",
        "GET /api/v1/agents/x",
        "POST /api/v1/agents/x/suspend",
        "POST /api/v1/agents/x/resume",
        "POST /api/v1/agents/x/baselines/y/accept",
        "GET /api/v1/accounts",
        "GET /api/v1/users/x/agents",
        "GET /api/v1/users/x/can",
        "GET /api/v1/delegations",
        "POST /api/v1/delegations",
        "DELETE /api/v1/delegations/x",
        "GET /api/v1/exceptions",
        "POST /api/v1/exceptions",
        "GET /api/v1/keys",
        "POST /api/v1/keys",
        "DELETE /api/v1/keys/x",
        "GET /api/v1/enforcement",
        "GET /api/v1/enforcement/presets",
        "PUT /api/v1/enforcement/mode",
        "PUT /api/v1/enforcement/preset",
    ] {
        assert!(paths.contains(promised), "{promised} is not in {paths:?}");
    }
    // And each of them is served.
    for (method, path, _) in routes(&world) {
        if path.ends_with("/stream") {
            continue;
        }
        let answer = world.admin().send(&method, &path, &[("content-type", "application/json")], b"{}");
        assert_ne!(
            (answer.status, answer.json()["detail"].as_str()),
            (404, Some("there is nothing at this address")),
            "{method} {path}"
        );
        assert_ne!(answer.status, 405, "{method} {path}");
        let set_up = answer.json()["code"] != "not-configured";
        let served = (answer.status < 500 && answer.status > 0) || !set_up;
        assert!(served, "{method} {path}: {} {}", answer.status, answer.text());
    }
}

#[test]
fn without_a_good_key_nothing_is_told() {
    let world = plan().with("token_vault", json!({"log_stream_authorization": AUTHORIZATION})).start();
    let gone = world.admin().post("/api/v1/keys", &json!({"name": "gone", "scopes": ["admin"]})).json();
    let gone_key = gone["key"].as_str().expect("key").to_owned();
    let path = format!("/api/v1/keys/{}", gone["id"].as_str().expect("id"));
    assert_eq!(world.admin().call("DELETE", &path, &Value::Null).status, 200);
    let mut own = world.process.admin_key();
    own.pop();
    for (method, path, open) in routes(&world) {
        for key in [None, Some("os_made-up"), Some(""), Some(gone_key.as_str()), Some(own.as_str())] {
            let mut http = Http::new(world.process.url(), key);
            let answer = http.send(&method, &path, &[("content-type", "application/json")], b"{}");
            if path == "/api/v1/security-events" && method == "POST" {
                // Whoever sends events signs them: by that, and by no key, they are believed.
                assert_eq!((answer.status, &answer.json()["err"]), (400, &json!("invalid_request")));
                continue;
            }
            if open {
                assert!([200, 503].contains(&answer.status), "{method} {path}");
                continue;
            }
            assert_eq!(answer.status, 401, "{method} {path} with {key:?}: {}", answer.text());
            // OAuth clients are told of the scheme that they tried, else of the one that they know (RFC 6749, section 5.2).
            let untried = path == "/oauth/token" && key.is_none();
            let scheme = match path.as_str() {
                _ if untried => "Basic realm=\"onesec\"",
                LOGS => "LogStream",
                _ => "Bearer",
            };
            assert_eq!(answer.header("www-authenticate"), Some(scheme), "{method} {path}");
        }
    }
}

#[test]
fn a_key_opens_what_its_scopes_say() {
    let world = plan().start();
    // Which of the narrow scopes opens what.
    let opens = |method: &str, path: &str| match (method, path) {
        ("POST", "/api/v1/events" | "/api/v1/decide") => &["events:write", "events:trust"][..],
        ("POST", EXCHANGE | "/oauth/token") => &["exchange"],
        ("POST", "/api/v1/agents/x/keys") | ("GET", "/api/v1/delegations/x/link") => &["exchange"],
        ("POST", "/api/v1/auth0/logs/pull" | "/api/v1/accounts/reconcile") => &[],
        ("DELETE", "/api/v1/agents/x") | ("POST", "/api/v1/signing-keys/rotate") => &[],
        ("POST", "/api/v1/enforcement/test" | "/api/v1/security-events/poll") => &["read"],
        (_, path) if path.starts_with("/api/v1/connected-accounts") => &["events:trust"],
        ("POST" | "DELETE", path) if path.starts_with("/api/v1/enforcement/policies") => &[],
        ("POST" | "DELETE", path) if path.contains("/processes") => &[],
        ("POST" | "DELETE", path) if path.starts_with("/api/v1/enforcement/policies") => &[],
        (_, path)
            if path.starts_with("/api/v1/canaries")
                || path.ends_with("/complete") && path.contains("/connections/") =>
        {
            &[]
        }
        (_, path) if path.starts_with("/api/v1/keys") || path.starts_with("/api/v1/exceptions") => &[],
        ("PUT", _) => &[],
        ("GET", _) => &["read"],
        _ => &["respond"],
    };
    let mut keys: Vec<(&str, Http)> = ["read", "events:write", "events:trust", "respond"]
        .into_iter()
        .map(|scope| (scope, world.client(&[scope])))
        .collect();
    keys.push(("exchange", world.bound("agent", &["exchange"])));
    for (method, path, open) in routes(&world) {
        // A log stream has no key at all.
        if open || path.ends_with("/stream") || path == LOGS {
            continue;
        }
        for (scope, http) in &mut keys {
            let answer = http.send(&method, &path, &[("content-type", "application/json")], b"{}");
            let refused = answer.status == 403
                && (answer.text().contains("missing-scope") || answer.text().contains("unauthorized_client"));
            let allowed = opens(&method, &path).contains(scope);
            assert_eq!(!refused, allowed, "{method} {path} with {scope}: {} {}", answer.status, answer.text());
        }
    }
}

#[test]
fn wrong_addresses_methods_types_and_parameters() {
    let world = plan().start();
    let mut admin = world.admin();
    let problem = |answer: &onesec_e2e::Answer, status: u16, code: &str| {
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.json()["status"], status);
        assert!(answer.json()["type"].is_string() && answer.json()["title"].is_string());
    };
    for path in ["/api/v1/nothing", "/nothing", "/api/v2/alerts", "/api/v1/alerts/", "//api/v1/alerts"] {
        problem(&admin.get(path), 404, "not-found");
    }
    for path in ["alerts/0123456789abcdef0123456789abcdef", "alerts/x", "agents/nobody"] {
        problem(&admin.get(&format!("/api/v1/{path}")), 404, "not-found");
    }
    for path in ["keys/k", "delegations/d", "exceptions/e"] {
        problem(&admin.call("DELETE", &format!("/api/v1/{path}"), &Value::Null), 404, "not-found");
    }
    let wrong = admin.call("DELETE", "/api/v1/alerts", &Value::Null);
    problem(&wrong, 405, "method-not-allowed");
    assert!(wrong.header("allow").is_some_and(|allow| allow.contains("GET")), "{:?}", wrong.headers);
    problem(
        &admin.send("POST", "/api/v1/keys", &[("content-type", "text/plain")], b"{}"),
        415,
        "unsupported-media-type",
    );
    problem(&admin.send("POST", "/api/v1/keys", &[("content-type", "application/json")], b"{"), 400, "bad-json");
    problem(&admin.post("/api/v1/keys", &json!({"name": "x", "scopes": ["read"], "colour": 1})), 422, "bad-body");
    problem(
        &admin.send("POST", "/api/v1/keys", &[("content-type", "application/json")], &vec![b' '; 200 * 1024]),
        413,
        "too-large",
    );
    for (query, code) in [
        ("limit=0", "bad-parameter"),
        ("limit=1001", "bad-parameter"),
        ("limit=x", "bad-parameter"),
        ("cursor=zz", "bad-cursor"),
        ("severity=LOUD", "bad-parameter"),
        ("status=gone", "bad-parameter"),
        ("since=yesterday", "bad-parameter"),
        ("agent=x", "unknown-parameter"),
        ("limit=1&limit=2", "duplicate-parameter"),
        ("severity=HIGH&min_severity=LOW", "bad-parameter"),
    ] {
        problem(&world.admin().get(&format!("/api/v1/alerts?{query}")), 400, code);
    }
    problem(&world.admin().post("/api/v1/keys", &json!({"name": "x", "scopes": ["reed"]})), 422, "unknown-scope");
    problem(&world.admin().call("PUT", "/api/v1/enforcement/mode", &json!({"mode": "off"})), 422, "bad-mode");
}

#[test]
fn only_our_own_hosts_and_origins() {
    let world = plan().with("server", json!({"hosts": ["onesec.example"]})).start();
    let port = world.process.url().rsplit(':').next().expect("port").to_owned();
    let get = |host: &str| world.admin().send("GET", "/api/v1/status", &[("host", host)], b"").status;
    for good in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("LOCALHOST:{port}"),
        format!("[::1]:{port}"),
        "onesec.example".to_owned(),
    ] {
        assert_eq!(get(&good), 200, "{good}");
    }
    for bad in
        ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost", "onesec.example.evil.example", "user@127.0.0.1"]
    {
        assert_eq!(get(bad), 421, "{bad}");
    }
    let open = world.nobody().send("GET", "/healthz", &[("host", "evil.example")], b"");
    assert_eq!(open.status, 421, "rebinding reads nothing, not even this");
    let post = |origin: &str| {
        let body = json!({"type": "custom.x"}).to_string();
        world.admin().send(
            "POST",
            "/api/v1/events",
            &[("content-type", "application/json"), ("origin", origin)],
            body.as_bytes(),
        )
    };
    for foreign in ["https://evil.example", "null", "http://127.0.0.1:1", "file://"] {
        let answer = post(foreign);
        assert_eq!((answer.status, answer.json()["code"].as_str()), (403, Some("foreign-origin")), "{foreign}");
        assert!(answer.header("access-control-allow-origin").is_none());
    }
    for ours in [format!("http://127.0.0.1:{port}"), "https://onesec.example".to_owned()] {
        assert_eq!(post(&ours).status, 202, "{ours}");
    }
    assert_eq!(world.events("kind=custom.x", 2).len(), 2);
}

#[test]
fn paging_visits_everything_once() {
    let world = plan().start();
    let mut sender = world.client(&["events:write"]);
    let usage = |n: usize| {
        let details = json!({"agent_id": format!("bot-{n:03}"), "user_id": ANA, "connection": GITHUB});
        json!({"id": format!("e-{n:03}"), "type": "connected_account_usage", "details": details})
    };
    let events: Vec<Value> = (0..57).map(usage).collect();
    assert_eq!(sender.post("/api/v1/events", &Value::Array(events)).json()["accepted"], 57);
    sender.post("/api/v1/events", &Value::Array(vec![json!(7); 57]));
    for agent in 0..57 {
        world.delegate(ANA, &format!("bot-{agent:03}"), GITHUB, &["read:user"]);
    }
    let walk = |path: &str, name: &str, id: &str, later: &mut dyn FnMut()| {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let answer = world.admin().get(&format!("/api/v1/{path}limit=10{cursor}"));
            let body = answer.json();
            let items = body[name].as_array().cloned().unwrap_or_default();
            assert!(items.len() <= 10 && answer.status == 200, "{}", answer.text());
            seen.extend(items.iter().map(|item| item[id].as_str().unwrap_or_default().to_owned()));
            pages += 1;
            // What comes in between does not move what was there.
            later();
            let Some(next) = body["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert!(pages >= 6, "{path}: {pages}");
        let once: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(once.len(), seen.len(), "{path}: something is listed twice");
        seen
    };
    assert_eq!(world.events("kind=connected_account_usage", 57).len(), 57);
    let mut more = 1_000;
    let mut later = || {
        more += 1;
        assert_eq!(world.client(&["events:write"]).post("/api/v1/events", &usage(more)).status, 202);
    };
    let events = walk("events?kind=connected_account_usage&", "events", "id", &mut later);
    assert_eq!(events.iter().filter(|id| id.len() == 5).count(), 57);
    let alerts = walk("alerts?detector=unauthorized-agent&", "alerts", "agent_id", &mut later);
    assert_eq!(alerts.iter().filter(|id| id.len() == 7).count(), 57, "{alerts:?}");
    assert_eq!(walk("delegations?", "delegations", "id", &mut || ()).len(), 57);
    assert_eq!(walk("events/rejected?", "rejected", "id", &mut || ()).len(), 57);
    let agents = walk("agents?", "agents", "agent_id", &mut || ());
    assert!((0..57).all(|n| agents.contains(&format!("bot-{n:03}"))));
}

#[test]
fn a_stream_delivers_alerts_as_they_come() {
    let world = plan().start();
    let address = world.process.url().trim_start_matches("http://").to_owned();
    let watch = world.admin().post("/api/v1/keys", &json!({"name": "w", "scopes": ["read"]})).json();
    let key = watch["key"].as_str().expect("key");
    let mut stream = TcpStream::connect(&address).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    write!(stream, "GET /api/v1/alerts/stream HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\r\n")
        .expect("sent");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("a line"));
    assert!(lines.next().expect("a status").contains("200"));
    assert!(lines.by_ref().take_while(|line| !line.is_empty()).any(|line| line.contains("text/event-stream")));
    let usage = json!({"type": "connected_account_usage", "details": {"agent_id": "stranger", "user_id": ANA, "connection": GITHUB}});
    assert_eq!(world.client(&["events:write"]).post("/api/v1/events", &usage).status, 202);
    let data = lines.by_ref().find(|line| line.starts_with("data:")).expect("an alert");
    let alert: Value = serde_json::from_str(data.trim_start_matches("data:").trim()).expect("JSON");
    assert_eq!((&alert["detector"], &alert["change"]), (&json!("unauthorized-agent"), &json!("opened")));
    assert_eq!(alert["id"], world.alert("unauthorized-agent")["id"]);
    // A key that is taken back hears nothing more.
    let path = format!("/api/v1/keys/{}", watch["id"].as_str().expect("id"));
    assert_eq!(world.admin().call("DELETE", &path, &Value::Null).status, 200);
    let other = json!({"type": "connected_account_usage", "details": {"agent_id": "another", "user_id": ANA, "connection": GITHUB}});
    assert_eq!(world.client(&["events:write"]).post("/api/v1/events", &other).status, 202);
    // The last chunk has no length: the stream is over.
    let rest: Vec<String> = lines.take_while(|line| line != "0").collect();
    assert!(rest.iter().all(|line| !line.contains("another")), "{rest:?}");
}

#[test]
fn alerts_are_listed_filtered_and_decided_on() {
    let world = plan().start();
    let mut sender = world.client(&["events:write"]);
    let mut usage = |agent: &str, user: &str, connection: &str| {
        let details = json!({"agent_id": agent, "user_id": user, "connection": connection});
        assert_eq!(
            sender.post("/api/v1/events", &json!({"type": "connected_account_usage", "details": details})).status,
            202
        );
    };
    usage("one", ANA, GITHUB);
    usage("two", BEN, GITHUB);
    usage("two", BEN, GOOGLE);
    let count = |query: &str| world.listed(&format!("/api/v1/alerts?{query}"), "alerts").len();
    for (query, expected) in [
        ("", 3),
        ("agent_id=one", 1),
        ("agent_id=two", 2),
        ("user_id=auth0%7Cben", 2),
        ("connection=github", 2),
        ("agent_id=two&connection=github", 1),
        ("detector=unauthorized-agent", 3),
        ("detector=exchange-rate", 0),
        ("severity=CRITICAL", 3),
        ("severity=LOW", 0),
        ("min_severity=HIGH", 3),
        ("status=open", 3),
        ("status=resolved", 0),
        ("since=2020-01-01T00:00:00Z", 3),
        ("since=2199-01-01T00:00:00Z", 0),
        ("limit=2", 2),
    ] {
        assert_eq!(count(query), expected, "{query}");
    }
    let alert = world.listed("/api/v1/alerts?agent_id=one", "alerts")[0].clone();
    for member in [
        "id",
        "detector",
        "owasp",
        "severity",
        "title",
        "description",
        "tenant",
        "agent_id",
        "user_id",
        "connection",
        "evidence",
        "first_seen",
        "last_seen",
        "occurrences",
        "attribution",
        "module",
        "status",
        "mitigation",
        "attributes",
        "chain",
    ] {
        assert!(alert.get(member).is_some(), "{member} is missing in {alert}");
    }
    let path = format!("/api/v1/alerts/{}", alert["id"].as_str().expect("id"));
    assert_eq!(world.admin().get(&path).json(), alert);
}

#[test]
fn people_decide_on_alerts() {
    let world = plan().start();
    let mut sender = world.client(&["events:write"]);
    let details = json!({"agent_id": "one", "user_id": ANA, "connection": GITHUB});
    let usage = json!({"type": "connected_account_usage", "details": details});
    assert_eq!(sender.post("/api/v1/events", &usage).status, 202);
    let path = format!("/api/v1/alerts/{}", world.alert("unauthorized-agent")["id"].as_str().expect("id"));
    let mut person = world.client(&["respond"]);
    for (status, expected) in
        [("acknowledged", 200), ("false_positive", 200), ("resolved", 200), ("open", 422), ("gone", 422)]
    {
        let answer = person.call("PATCH", &path, &json!({"status": status, "note": "seen"}));
        assert_eq!(answer.status, expected, "{status}: {}", answer.text());
        if expected == 200 {
            assert_eq!(
                (answer.json()["status"].as_str(), answer.json()["note"].as_str()),
                (Some(status), Some("seen"))
            );
        }
    }
    // After it was resolved, the next finding opens a new one.
    assert_eq!(sender.post("/api/v1/events", &usage).status, 202);
    let all = world.listed("/api/v1/alerts?agent_id=one", "alerts");
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!((all[0]["status"].as_str(), all[1]["status"].as_str()), (Some("open"), Some("resolved")));
}

#[test]
fn keys_are_shown_once_and_stop_at_once() {
    let world = plan().start();
    let made = world
        .admin()
        .post("/api/v1/keys", &json!({"name": "ci", "scopes": ["events:write", "read"], "owner": "ana"}))
        .json();
    let (id, key) = (made["id"].as_str().expect("id"), made["key"].as_str().expect("key"));
    assert!(key.starts_with("os_") && key.len() > 40, "256 bits");
    let listed = world.listed("/api/v1/keys", "keys");
    let shown = listed.iter().find(|k| k["id"] == id).expect("listed");
    assert!(shown.get("key").is_none() && !shown.to_string().contains(key), "{shown}");
    assert_eq!((&shown["owner"], &shown["name"]), (&json!("ana"), &json!("ci")));
    let mut http = Http::new(world.process.url(), Some(key));
    assert_eq!(http.get("/api/v1/status").status, 200);
    assert_eq!(http.send("GET", "/api/v1/status", &[("authorization", "")], b"").status, 401);
    let header = world.nobody().send("GET", "/api/v1/status", &[("x-api-key", key)], b"");
    assert_eq!(header.status, 200, "X-API-Key does, too");
    assert_eq!(world.admin().call("DELETE", &format!("/api/v1/keys/{id}"), &Value::Null).status, 200);
    assert_eq!(http.get("/api/v1/status").status, 401, "on the same connection");
    assert!(world.listed("/api/v1/keys", "keys").iter().all(|k| k["id"] != id));
    let past = json!({"name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"});
    assert_eq!(world.admin().post("/api/v1/keys", &past).json()["code"], "bad-expiry");
    // Who is no admin makes no keys.
    for scope in ["read", "respond", "events:trust"] {
        let wanted = json!({"name": "x", "scopes": ["admin"]});
        assert_eq!(world.client(&[scope]).post("/api/v1/keys", &wanted).status, 403, "{scope}");
    }
}

#[test]
fn agents_accounts_and_delegations_are_shown_and_taken_back() {
    let world = plan().live().start();
    let (mut agent, token) = world.lent("helper");
    assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 200);
    let shown = world.admin().get("/api/v1/agents/helper").json();
    assert_eq!((&shown["state"], &shown["connections"]), (&json!("active"), &json!([GOOGLE])), "{shown}");
    let users = world.listed("/api/v1/users/auth0%7Cana/agents", "agents");
    assert_eq!((users.len(), &users[0]["agent_id"]), (1, &json!("helper")));
    let accounts = world.listed("/api/v1/accounts?user_id=auth0%7Cana", "accounts");
    assert_eq!((&accounts[0]["state"], &accounts[0]["agents"]), (&json!("linked"), &json!(["helper"])));
    let can = |agent: &str| {
        world.admin().get(&format!("/api/v1/users/auth0%7Cana/can?agent_id={agent}&connection={GOOGLE}")).json()
    };
    assert_eq!(can("helper")["verdict"], "allow");
    let no = can("stranger");
    assert_eq!((&no["verdict"], &no["findings"][0]["detector"]), (&json!("deny"), &json!("unauthorized-agent")));
    assert!(world.alerted().is_empty(), "asking changes nothing");
    let id = users[0]["delegations"][0]["id"].as_str().expect("id").to_owned();
    let gone = world.admin().call("DELETE", &format!("/api/v1/delegations/{id}"), &Value::Null);
    assert_eq!((gone.status, &gone.json()["revoked"]), (200, &json!([id])));
    assert_eq!(can("helper")["verdict"], "deny");
    assert!(world.listed("/api/v1/users/auth0%7Cana/agents", "agents").is_empty());
    assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).json()["onesec_reason"], "revoked-access");
    let again = world.admin().call("DELETE", &format!("/api/v1/delegations/{id}"), &Value::Null);
    assert_eq!((again.status, &again.json()["revoked"]), (200, &json!([])), "nothing is left to take back");
}

#[test]
fn metrics_and_status_tell_what_happened() {
    let world = plan().live().start();
    let (mut agent, token) = world.lent("helper");
    assert_eq!(agent.exchange_for(GOOGLE, &token, &[CALENDAR]).status, 200);
    assert_eq!(world.agent("stranger").exchange_for(GOOGLE, &token, &[CALENDAR]).status, 403);
    let answer = world.admin().get("/metrics");
    let text = answer.text();
    assert!(answer.header("content-type").is_some_and(|kind| kind.contains("text")), "{:?}", answer.headers);
    for wanted in [
        "onesec_events_total{kind=\"connected_account_link\"} 1",
        "onesec_http_answers_total",
        "onesec_exchanges_total",
        "outcome=\"issued\"",
        "outcome=\"denied\"",
        "# TYPE",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
    for private in ["helper", "stranger", ANA] {
        assert!(!text.contains(private), "names of people and agents are no labels: {private}");
    }
    let status = world.admin().get("/api/v1/status").json();
    assert_eq!((&status["mode"], &status["token_vault"]), (&json!("live"), &json!(true)));
    assert!(status["version"].is_string() && status["uptime_seconds"].is_u64(), "{status}");
    assert_eq!((&status["counts"]["accounts_linked"], &status["counts"]["delegations_live"]), (&json!(1), &json!(1)));
    assert!(status["journal"]["position"].as_u64().is_some_and(|n| n > 3));
    let detectors = status["detectors"].as_array().expect("detectors");
    assert!(detectors.iter().all(|d| d["alive"] == true && d["errors"] == 0), "{detectors:?}");
    assert_eq!(
        detectors.iter().find(|d| d["code"] == "unauthorized-agent").map(|d| d["alerts"].clone()),
        Some(json!(1))
    );
    let ready = world.nobody().get("/readyz");
    assert_eq!((ready.status, &ready.json()["upstream"]), (200, &json!("ok")));
    assert_eq!(world.nobody().get("/healthz").status, 200);
}

#[test]
fn sigterm_finishes_what_is_under_way() {
    let mut world = plan().live().start();
    let (mut agent, token) = world.lent("helper");
    let pause = world.sim.pause_exchanges();
    let under_way = std::thread::spawn(move || agent.exchange_for(GOOGLE, &token, &[CALENDAR]));
    let wait = async { tokio::time::timeout(Duration::from_secs(60), pause.arrived(1)).await };
    world.runtime.block_on(wait).expect("under way");
    let id = world.process.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().is_ok_and(|s| s.success()));
    pause.release();
    let answer = under_way.join().expect("answered");
    assert!(
        answer.status == 200 || answer.status == 503,
        "a token or a clear refusal: {} {}",
        answer.status,
        answer.text()
    );
    assert_eq!(world.process.terminate(), Some(0));
    world.process = onesec_e2e::Start::new(env!("CARGO_BIN_EXE_onesec-under-test"), world.dir()).run();
    let recorded = world.events("kind=token_exchange_response", 1);
    assert_eq!(recorded.len(), 1, "a token that was issued is recorded");
}

#[test]
fn hostile_strings_come_back_as_data() {
    let world = plan().start();
    let mut sender = world.client(&["events:write"]);
    let hostile = [
        "<script>alert(1)</script>",
        "\"quoted\"",
        "back\\slash",
        "'; DROP TABLE alerts; --",
        "%00%0a",
        "../../etc/passwd",
        "${jndi:ldap://x}",
        "{{7*7}}",
        "a\u{e9}\u{4e2d}\u{1f600}",
        "=cmd|' /C calc'!A0",
        "x\",\"severity\":\"INFO",
    ];
    for name in hostile {
        let details = json!({"agent_id": name, "user_id": ANA, "connection": GITHUB});
        let answer = sender
            .post("/api/v1/events", &json!({"type": "connected_account_usage", "details": details, "summary": name}));
        assert_eq!(answer.status, 202, "{name}: {}", answer.text());
    }
    let alerts = world.listed("/api/v1/alerts?limit=1000", "alerts");
    let named: BTreeSet<&str> = alerts.iter().filter_map(|alert| alert["agent_id"].as_str()).collect();
    assert_eq!(named, hostile.into_iter().collect());
    assert!(alerts.iter().all(|alert| alert["severity"] == "CRITICAL"));
    let events = world.events("kind=connected_account_usage", hostile.len());
    assert_eq!(events.len(), hostile.len());
    for control in ["\u{7}bell", "\u{1b}[31mred", "line\nbreak", "tab\u{0}", "\u{202e}gro.live", "zero\u{200d}width"] {
        let details = json!({"agent_id": control, "user_id": ANA, "connection": GITHUB});
        let answer = sender.post("/api/v1/events", &json!({"type": "connected_account_usage", "details": details}));
        assert_eq!(
            (answer.status, answer.json()["rejected"][0]["code"].as_str()),
            (422, Some("hidden-character")),
            "{control:?}"
        );
        assert!(!answer.text().contains(control), "and not echoed raw");
    }
    let page = world.admin().get("/api/v1/alerts?limit=1000");
    assert_eq!(page.header("content-type"), Some("application/json"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
}

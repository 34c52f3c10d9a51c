//! The router over a real core: what a client sees.

mod token;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use futures_util::StreamExt as _;
use onesec_engine::Settings;
use onesec_telemetry::{AgentId, Name, Secret, Sender, TenantId};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::routes::{Access, ROUTES};
use super::{App, AppParts, openapi, router};
use crate::core::{Core, CoreOptions, Order, TenantSetup};
use crate::identity::Identity;
use crate::keys::{KeyRing, KeyScope, KeyScopes, KeySpec, OPERATOR};
use crate::metrics::Metrics;

/// A server without sockets: two tenants, a key of each kind.
struct Bench {
    router: Router,
    core: Core,
    app: Arc<App>,
    stop: watch::Sender<bool>,
    dir: TempDir,
}

struct Reply {
    status: u16,
    headers: axum::http::HeaderMap,
    text: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        let body = self.json();
        assert_eq!(body["status"], self.status);
        body["code"].as_str().expect("a code").to_owned()
    }
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("directory");
        let mut options = CoreOptions::new(dir.path().to_owned());
        let setup = |name: &str| TenantSetup {
            name: TenantId::new(name).expect("tenant"),
            settings: Settings::default(),
            connections: Vec::new(),
            retention: None,
        };
        options.tenants = vec![setup("default"), setup("acme")];
        options.assemble = Arc::new(|_| Ok(onesec_detectors::all(&onesec_detectors::Settings::default())));
        let core = Core::start(options).expect("core");
        let (stop, stopping) = watch::channel(false);
        let identity = Arc::new(Identity::without_past(dir.path(), core.now()));
        let streams = std::collections::BTreeMap::new();
        let teller = Arc::new(crate::signals::Teller::new((core.clone(), identity.signer.clone()), streams));
        let revocations = crate::revoke::Revocations::new(
            (core.clone(), identity.clone()),
            onesec_actions::Clients::new([]),
            std::collections::BTreeMap::new(),
            (Arc::default(), teller.clone()),
        );
        let revocations = Arc::new(revocations);
        let app = App::new(AppParts {
            core: core.clone(),
            keys: KeyRing::default(),
            metrics: Metrics::new(),
            port: 1780,
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            vaults: std::collections::BTreeMap::new(),
            identity,
            possession: onesec_telemetry::Possession::None,
            executors: Arc::new(crate::enforce::Executors::new(core.clone(), Arc::default())),
            beyond: super::Beyond {
                transmitters: crate::signals::Transmitters::new(core.clone(), revocations.clone()),
                teller,
                my_account: onesec_actions::Clients::new([]),
                redirect_uris: std::collections::BTreeMap::new(),
                revocations,
            },
            able: crate::enforce::Able::new(Arc::default()),
            tls: false,
            logs: crate::auth0_logs::Intake::new(
                (core.clone(), Default::default()),
                Metrics::new(),
                Default::default(),
            ),
            log_streams: crate::http::LogStreams::default(),
            puller: crate::auth0_logs::Puller::new(
                core.clone(),
                crate::auth0_logs::Intake::new((core.clone(), Default::default()), Metrics::new(), Default::default()),
                Default::default(),
            ),
            accounts: crate::auth0_logs::Accounts::new(core.clone(), Default::default()),
            quotas: crate::http::Quotas::default(),
            stopping,
        });
        Self { router: router(app.clone()), core, app, stop, dir }
    }

    fn key(&self, scopes: &[KeyScope], tenant: &str, agent: Option<&str>) -> Secret {
        let name = Name::new("test").expect("name");
        let mut spec = KeySpec::new(name, KeyScopes::of(scopes), TenantId::new(tenant).expect("tenant"));
        spec.agent_id = agent.map(|agent| AgentId::new(agent).expect("agent"));
        let (record, secret) = spec.make(self.core.now()).expect("key");
        self.app.keys.insert(record);
        secret
    }

    fn admin(&self) -> Secret {
        self.key(&[KeyScope::Admin], OPERATOR, None)
    }

    async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 32 << 20).await.expect("body");
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).expect("text"),
        }
    }

    async fn call(&self, key: &Secret, (method, path): (&str, &str), body: impl Into<Body>) -> Reply {
        self.send(request(method, path).header("authorization", bearer(key)).body(body.into()).expect("request")).await
    }

    async fn get(&self, key: &Secret, path: &str) -> Reply {
        self.call(key, ("GET", path), Body::empty()).await
    }

    async fn post(&self, key: &Secret, path: &str, body: &Value) -> Reply {
        self.call(key, ("POST", path), body.to_string()).await
    }

    /// Alice links GitHub.
    async fn link(&self, key: &Secret) {
        let event = json!({"type": "connected_account_link",
            "details": {"user_id": "alice", "connection": "github", "scopes": "repo read:org"}});
        assert_eq!(self.post(key, "/api/v1/events", &event).await.status, 202);
    }

    /// An agent without any right exchanges for Alice: an alert opens.
    async fn alarm(&self, id: &str) {
        let trusted = self.key(&[KeyScope::EventsTrust], "default", None);
        let event = json!({"id": id, "type": "token_exchange",
            "details": {"agent_id": "stranger", "user_id": "alice", "connection": "github", "scopes": "repo"}});
        assert_eq!(self.post(&trusted, "/api/v1/events", &event).await.status, 202);
    }
}

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "127.0.0.1:1780")
}

fn bearer(key: &Secret) -> String {
    format!("Bearer {}", key.expose_to_wire())
}

#[test]
fn the_checked_in_openapi_document_is_the_served_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let text = format!("{:#}\n", openapi());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &text).expect("written");
    }
    let kept = std::fs::read_to_string(path).expect("docs/openapi.json");
    assert!(kept == text, "docs/openapi.json is out of date: run the tests with UPDATE_DOCS=1");
}

#[tokio::test]
async fn every_route_of_the_document_is_there_and_behind_its_scope() {
    let bench = Bench::new();
    let document = openapi();
    let mut operations = BTreeSet::new();
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method];
        assert!(operations.insert(operation["operationId"].as_str().expect("id").to_owned()));
        let path = route.path.replace("{id}", "x").replace("{connection}", "github");
        let method = route.method.to_uppercase();
        let bare = bench.send(request(&method, &path).body(Body::empty()).expect("request")).await;
        match route.access {
            Access::Open => assert!(bare.status == 200 || bare.status == 503, "{path}"),
            Access::LogStream => assert_eq!(bare.status, 503, "{path}: no stream is configured"),
            Access::Signed => assert!(bare.status == 400 && bare.json()["err"] == "invalid_request", "{path}"),
            Access::Client(scope) => {
                assert!(bare.status == 400 && bare.headers["content-type"] == "application/json", "{path}");
                assert_eq!(operation["x-onesec-scope"], scope.as_str());
            }
            Access::Key(scope) => {
                assert_eq!(bare.status, 401, "{path}");
                assert_eq!(bare.headers["www-authenticate"], "Bearer", "{path}");
                let others: Vec<KeyScope> =
                    KeyScope::ALL.into_iter().filter(|other| !KeyScopes::of(&[*other]).allow(scope)).collect();
                let weak = bench.call(&bench.key(&others, "default", None), (&method, &path), "").await;
                assert_eq!(weak.status, 403, "{method} {path}");
                assert_eq!(operation["x-onesec-scope"], scope.as_str());
            }
        }
    }
}

#[tokio::test]
async fn refusals_are_problem_documents_with_stable_codes() {
    let bench = Bench::new();
    let admin = bench.admin();
    for (method, path, status, code) in [
        ("GET", "/api/v1/nothing", 404, "not-found"),
        ("GET", "/api/v1/alerts/none", 404, "not-found"),
        ("DELETE", "/api/v1/status", 405, "method-not-allowed"),
        ("GET", "/api/v1/alerts?limit=0", 400, "bad-parameter"),
        ("GET", "/api/v1/alerts?cursor=made-up", 400, "bad-cursor"),
        ("GET", "/api/v1/alerts?sevrity=HIGH", 400, "unknown-parameter"),
        ("GET", "/api/v1/alerts?severity=BAD", 400, "bad-parameter"),
        ("GET", "/api/v1/alerts?tenant=nobody", 404, "not-found"),
    ] {
        let reply = bench.call(&admin, (method, path), Body::empty()).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{method} {path}");
    }
    let wrong = Secret::new("os_abcdefgh_nope".into());
    assert_eq!(bench.get(&wrong, "/api/v1/alerts").await.code(), "unauthorized");
    let foreign = request("GET", "/healthz").header("host", "evil.example").body(Body::empty()).expect("request");
    assert_eq!(bench.send(foreign).await.status, 421);
    let page = request("PUT", "/api/v1/enforcement/mode")
        .header("authorization", bearer(&admin))
        .header("origin", "https://evil.example");
    let page = bench.send(page.body(Body::from(r#"{"mode":"live"}"#)).expect("request")).await;
    assert_eq!(page.code(), "foreign-origin");
}

#[tokio::test]
async fn events_are_answered_one_by_one_and_rejected_ones_are_kept_redacted() {
    let bench = Bench::new();
    let (admin, writer) = (bench.admin(), bench.key(&[KeyScope::EventsWrite], "default", None));
    let usage = |id: &str, action: &str| {
        json!({"id": id, "type": "connected_account_usage",
            "details": {"user_id": "alice", "connection": "github", "agent_id": "bot", "action": action}})
    };
    let batch = json!([
        usage("u-1", "read"),
        {"type": "token_exchange", "details": {"agent_id": "bot", "access_token": "hunter2hunter2"}},
        {"type": "Connected_Account_Usage", "details": {}},
        {"type": "agent_identity_delegation", "details": {"agent_id": "bot", "delegated_by": "alice"}},
    ]);
    let mixed = bench.post(&writer, "/api/v1/events", &batch).await;
    assert_eq!(mixed.status, 207, "{}", mixed.text);
    let body = mixed.json();
    assert_eq!((&body["accepted"], &body["duplicates"]), (&json!(2), &json!(0)));
    assert_eq!((&body["ids"][0], &body["ids"][1]), (&json!("u-1"), &Value::Null));
    assert!(body["ids"][3].as_str().is_some_and(|id| id.len() == 26));
    assert_eq!(body["rejected"][0]["index"], 1);
    assert_eq!(body["rejected"][0]["code"], "missing-field");
    assert_eq!(body["rejected"][0]["pointer"], "/details/connection");
    assert_eq!(body["rejected"][1]["suggestion"], "connected_account_usage");
    assert_eq!(body["warnings"][0]["index"], 3);
    assert_eq!(body["warnings"][0]["code"], "delegation-without-connection");

    let again = bench.post(&writer, "/api/v1/events", &usage("u-1", "read")).await;
    assert_eq!((again.status, again.json()["duplicates"].as_u64()), (202, Some(1)));
    let conflict = bench.post(&writer, "/api/v1/events", &usage("u-1", "write")).await;
    assert_eq!((conflict.status, conflict.json()["rejected"][0]["code"].clone()), (422, json!("id-conflict")));
    let other = bench.key(&[KeyScope::EventsWrite], "default", None);
    assert_eq!(bench.post(&other, "/api/v1/events", &usage("u-1", "write")).await.status, 202);

    let letters = bench.get(&admin, "/api/v1/events/rejected").await;
    assert!(!letters.text.contains("hunter2"));
    let letters = letters.json();
    assert_eq!(letters["rejected"].as_array().map(Vec::len), Some(3));
    assert_eq!(letters["rejected"][0]["code"], "id-conflict");
    assert_eq!(letters["rejected"][2]["code"], "missing-field");
    assert!(letters["rejected"][2]["body"].as_str().is_some_and(|body| body.contains("redacted")));

    let listed = bench.get(&admin, "/api/v1/events?kind=connected_account_usage&agent_id=bot").await.json();
    assert_eq!(listed["events"].as_array().map(Vec::len), Some(2));
    let newest = &listed["events"][0];
    assert_eq!((&newest["id"], &newest["details"]["action"]), (&json!("u-1"), &json!("write")));
    assert_eq!((&newest["sender"]["channel"], &newest["attribution"]), (&json!("ingest"), &json!("reported")));
    assert!(newest["seq"].is_u64() && newest["observed_at"].is_string());
}

#[tokio::test]
async fn a_body_that_is_none_is_refused_and_only_its_size_and_hash_are_kept() {
    let bench = Bench::new();
    let (admin, writer) = (bench.admin(), bench.key(&[KeyScope::EventsWrite], "default", None));
    for (body, code) in [("{\"type\": hunter2", "not-json"), ("", "empty-body"), ("{}{}", "several-documents")] {
        let reply = bench.call(&writer, ("POST", "/api/v1/events"), body).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, code), "{body}");
    }
    let letters = bench.get(&admin, "/api/v1/events/rejected?limit=2").await;
    assert!(!letters.text.contains("hunter2"));
    let letters = letters.json();
    assert_eq!(letters["rejected"][0]["code"], "several-documents");
    assert_eq!((&letters["rejected"][0]["size"], &letters["rejected"][0]["body"]), (&json!(4), &Value::Null));
    let next = letters["next"].as_str().expect("a third one").to_owned();
    let rest = bench.get(&admin, &format!("/api/v1/events/rejected?cursor={next}")).await.json();
    assert_eq!((rest["rejected"][0]["code"].clone(), rest["next"].clone()), (json!("not-json"), Value::Null));

    let typed = |kind: &str, coding: Option<&str>, body: Vec<u8>| {
        let request = request("POST", "/api/v1/events").header("authorization", bearer(&writer));
        let request = request.header("content-type", kind);
        let request = coding.into_iter().fold(request, |request, coding| request.header("content-encoding", coding));
        bench.send(request.body(Body::from(body)).expect("request"))
    };
    assert_eq!(typed("text/csv", None, b"a,b".to_vec()).await.status, 415);
    assert_eq!(typed("application/json", Some("br"), b"{}".to_vec()).await.status, 415);
    let bomb = zstd::stream::encode_all(&vec![b' '; 40 << 20][..], 1).expect("memory");
    assert_eq!(typed("application/json", Some("zstd"), bomb).await.status, 413);
    let event = "{\"type\": \"custom.x\"}\n{\"type\": \"custom.y\"}\n";
    let packed = zstd::stream::encode_all(event.as_bytes(), 1).expect("memory");
    let packed = typed("application/x-ndjson", Some("zstd"), packed).await;
    assert_eq!((packed.status, packed.json()["accepted"].as_u64()), (202, Some(2)));
}

#[tokio::test]
async fn a_tenant_sees_nothing_of_another_and_operators_name_the_one_they_mean() {
    let bench = Bench::new();
    let (admin, acme) = (bench.admin(), bench.key(&[KeyScope::Admin], "acme", None));
    bench.link(&acme).await;
    let accounts = |reply: Reply| reply.json()["accounts"].as_array().map(Vec::len);
    assert_eq!(accounts(bench.get(&acme, "/api/v1/accounts").await), Some(1));
    assert_eq!(accounts(bench.get(&admin, "/api/v1/accounts").await), Some(0));
    assert_eq!(accounts(bench.get(&admin, "/api/v1/accounts?tenant=acme").await), Some(1));
    assert_eq!(bench.get(&acme, "/api/v1/accounts?tenant=default").await.status, 404);
    assert_eq!(bench.get(&acme, "/metrics").await.code(), "operators-only");
    let foreign = json!({"name": "x", "scopes": ["read"], "tenant": "default"});
    assert_eq!(bench.post(&acme, "/api/v1/keys", &foreign).await.status, 404);
    let ours = bench.post(&admin, "/api/v1/keys", &foreign).await;
    assert_eq!(ours.status, 201, "{}", ours.text);
    let id = ours.json()["id"].as_str().expect("id").to_owned();
    assert_eq!(bench.call(&acme, ("DELETE", &format!("/api/v1/keys/{id}")), "").await.status, 404);
}

#[tokio::test]
async fn a_key_is_shown_once_survives_a_restart_and_is_taken_back_at_once() {
    let bench = Bench::new();
    let admin = bench.admin();
    let unbound = json!({"name": "gw", "scopes": ["exchange"]});
    assert_eq!(bench.post(&admin, "/api/v1/keys", &unbound).await.code(), "exchange-needs-agent");
    let misspelt = json!({"name": "x", "scopes": ["event:write"]});
    assert_eq!(bench.post(&admin, "/api/v1/keys", &misspelt).await.code(), "unknown-scope");
    let made = bench.post(&admin, "/api/v1/keys", &json!({"name": "ci", "scopes": ["read"], "owner": "ada"})).await;
    assert_eq!(made.status, 201);
    let key = Secret::new(made.json()["key"].as_str().expect("shown").to_owned());
    let id = made.json()["id"].as_str().expect("id").to_owned();
    assert_eq!(bench.get(&key, "/api/v1/status").await.status, 200);
    assert_eq!(bench.post(&key, "/api/v1/keys", &unbound).await.code(), "missing-scope");
    let listed = bench.get(&admin, "/api/v1/keys").await;
    assert!(listed.text.contains(&id) && !listed.text.contains("hash"));
    assert!(!listed.text.contains(key.expose_to_wire().get(12..).expect("the secret part")));
    let reloaded = KeyRing::load(bench.core.reader(), &bench.core.tenants()).expect("read");
    assert!(reloaded.authenticate(&key, bench.core.now()).is_some());
    assert_eq!(bench.call(&admin, ("DELETE", &format!("/api/v1/keys/{id}")), "").await.status, 200);
    assert_eq!(bench.get(&key, "/api/v1/status").await.status, 401);
    let reloaded = KeyRing::load(bench.core.reader(), &bench.core.tenants()).expect("read");
    assert!(reloaded.authenticate(&key, bench.core.now()).is_none());
    assert_eq!(bench.call(&admin, ("DELETE", &format!("/api/v1/keys/{id}")), "").await.status, 404);
}

#[tokio::test]
async fn delegations_are_made_explained_refused_and_taken_back() {
    let bench = Bench::new();
    let admin = bench.admin();
    bench.link(&admin).await;
    let can = "/api/v1/users/alice/can?agent_id=bot&connection=github&scopes=read:org";
    let before = bench.get(&admin, can).await.json();
    assert_eq!(
        (&before["verdict"], &before["would"], &before["mode"]),
        (&json!("allow"), &json!("deny"), &json!("dry_run"))
    );
    assert_eq!(before["findings"][0]["detector"], "unauthorized-agent");

    let wanted = json!({"user_id": "alice", "agent_id": "bot", "connection": "github", "scopes": ["read:org"]});
    let made = bench.post(&admin, "/api/v1/delegations", &wanted).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let row = made.json();
    assert_eq!(
        (&row["state"], &row["user_id"], &row["scopes"]),
        (&json!("live"), &json!("alice"), &json!(["read:org"]))
    );
    let id = row["id"].as_str().expect("id").to_owned();
    let after = bench.get(&admin, can).await.json();
    assert_eq!((&after["would"], &after["why"]), (&json!("allow"), &json!("nothing speaks against it")));
    let agents = bench.get(&admin, "/api/v1/users/alice/agents").await.json();
    assert_eq!(agents["agents"][0]["agent_id"], "bot");
    assert_eq!(agents["agents"][0]["delegations"][0]["id"], json!(id));

    let himself = json!({"user_id": "bot", "agent_id": "bot", "connection": "github"});
    let refused = bench.post(&admin, "/api/v1/delegations", &himself).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "self-delegation"));
    let bad = json!({"user_id": "alice", "agent_id": "bot", "connection": "github", "expires_at": "soon"});
    let bad = bench.post(&admin, "/api/v1/delegations", &bad).await;
    assert_eq!((bad.status, bad.json()["pointer"].clone()), (422, json!("/expires_at")));

    let below = json!({"user_id": "alice", "agent_id": "helper", "connection": "github", "scopes": ["read:org"], "parent_id": id});
    let below = bench.post(&admin, "/api/v1/delegations", &below).await;
    assert_eq!((below.status, below.json()["delegated_by"].clone()), (201, json!("bot")), "{}", below.text);
    let revoked = bench.call(&admin, ("DELETE", &format!("/api/v1/delegations/{id}")), "").await;
    assert_eq!((revoked.status, revoked.json()["revoked"].as_array().map(Vec::len)), (200, Some(2)));
    assert_eq!(
        bench.call(&admin, ("DELETE", &format!("/api/v1/delegations/{id}")), "").await.json(),
        json!({"revoked": []})
    );
    assert_eq!(bench.call(&admin, ("DELETE", "/api/v1/delegations/none"), "").await.status, 404);
    assert_eq!(bench.get(&admin, can).await.json()["would"], "deny");
}

#[tokio::test]
async fn alerts_are_filtered_paged_and_decided_on() {
    let bench = Bench::new();
    let admin = bench.admin();
    bench.link(&admin).await;
    bench.alarm("x-1").await;
    let list = bench.get(&admin, "/api/v1/alerts?detector=unauthorized-agent&min_severity=LOW&agent_id=stranger").await;
    let list = list.json();
    let alert = &list["alerts"][0];
    assert_eq!((&alert["status"], &alert["tenant"]), (&json!("open"), &json!("default")), "{list}");
    assert!(alert["evidence"].as_array().is_some_and(|ids| ids.contains(&json!("x-1"))));
    let none = bench.get(&admin, "/api/v1/alerts?status=resolved").await.json();
    assert_eq!(none, json!({"alerts": [], "next": null}));
    let id = alert["id"].as_str().expect("id");
    let path = format!("/api/v1/alerts/{id}");
    assert_eq!(bench.get(&admin, &path).await.json()["id"], json!(id));
    let wrong = bench.call(&admin, ("PATCH", &path), r#"{"status": "closed"}"#).await;
    assert_eq!((wrong.status, wrong.code().as_str()), (422, "bad-status"));
    let missing = bench.call(&admin, ("PATCH", "/api/v1/alerts/none"), r#"{"status": "resolved"}"#).await;
    assert_eq!(missing.status, 404);
    let done = bench.call(&admin, ("PATCH", &path), r#"{"status": "acknowledged", "note": "on it"}"#).await.json();
    assert_eq!((&done["status"], &done["note"]), (&json!("acknowledged"), &json!("on it")));
}

#[tokio::test]
async fn alerts_stream_to_their_own_tenant_until_the_server_stops() {
    let bench = Bench::new();
    let admin = bench.admin();
    bench.link(&admin).await;
    let stream = |key: Secret| {
        let request = request("GET", "/api/v1/alerts/stream").header("authorization", bearer(&key));
        bench.router.clone().oneshot(request.body(Body::empty()).expect("request"))
    };
    let ours = stream(admin.clone()).await.expect("infallible");
    assert_eq!(ours.headers()["content-type"], "text/event-stream");
    let theirs = stream(bench.key(&[KeyScope::Read], "acme", None)).await.expect("infallible");
    bench.alarm("x-1").await;
    let mut ours = ours.into_body().into_data_stream();
    let first = ours.next().await.expect("an event").expect("bytes");
    let text = String::from_utf8_lossy(&first).into_owned();
    assert!(text.starts_with("event: alert\n") && text.contains("\nid: "), "{text}");
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
    let data: Value = serde_json::from_str(data).expect("JSON");
    assert_eq!((&data["change"], &data["tenant"]), (&json!("opened"), &json!("default")));
    bench.stop.send_replace(true);
    let rest = to_bytes(theirs.into_body(), 1 << 20).await.expect("it ends");
    assert!(!String::from_utf8_lossy(&rest).contains("event: alert"));
}

#[tokio::test]
async fn decide_answers_before_the_act_and_for_one_agent_only() {
    let bench = Bench::new();
    let bot = bench.key(&[KeyScope::EventsWrite], "default", Some("bot"));
    let call = json!({"type": "tool_call", "details": {"tool": "mail.send"}});
    let reply = bench.post(&bot, "/api/v1/decide", &call).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let body = reply.json();
    assert_eq!(
        (&body["decision"], &body["would"], &body["mode"]),
        (&json!("allow"), &json!("allow"), &json!("dry_run"))
    );
    assert!(body["event_id"].is_string() && body["findings"].is_array() && body["approval_id"].is_null());
    let free = bench.key(&[KeyScope::EventsWrite], "default", None);
    assert_eq!(bench.post(&free, "/api/v1/decide", &call).await.code(), "key-without-agent");
    let exchange = json!({"type": "token_exchange", "details": {"connection": "github"}});
    assert_eq!(bench.post(&bot, "/api/v1/decide", &exchange).await.code(), "undecidable-kind");
    assert_eq!(bench.post(&bot, "/api/v1/decide", &json!([call, call])).await.code(), "one-event");
    let untyped = bench.post(&bot, "/api/v1/decide", &json!({"type": "tool_call", "details": {"tool": 7}})).await;
    assert_eq!((untyped.status, untyped.json()["pointer"].clone()), (422, json!("/details/tool")));
}

#[tokio::test]
async fn a_suspended_agent_is_refused_in_dry_run_too_until_it_is_resumed() {
    let bench = Bench::new();
    let admin = bench.admin();
    bench.link(&admin).await;
    let wanted = json!({"user_id": "alice", "agent_id": "bot", "connection": "github"});
    assert_eq!(bench.post(&admin, "/api/v1/delegations", &wanted).await.status, 201);
    let can = "/api/v1/users/alice/can?agent_id=bot&connection=github";
    assert_eq!(bench.get(&admin, can).await.json()["verdict"], "allow");
    assert_eq!(bench.post(&admin, "/api/v1/agents/bot/suspend", &json!({"reason": "odd"})).await.status, 200);
    assert_eq!(bench.get(&admin, can).await.json()["verdict"], "deny");
    assert_eq!(bench.get(&admin, "/api/v1/agents/bot").await.json()["state"], "suspended");
    assert_eq!(bench.call(&admin, ("POST", "/api/v1/agents/bot/resume"), "").await.status, 200);
    assert_eq!(bench.get(&admin, can).await.json()["verdict"], "allow");
    let path = "/api/v1/agents/bot/baselines/github/accept";
    let accepted = bench.post(&admin, path, &json!({"scopes": ["repo gist"]})).await;
    assert_eq!((accepted.status, accepted.json()["accepted"].clone()), (200, json!(["gist", "repo"])));
    assert_eq!(bench.post(&admin, path, &json!({"scopes": []})).await.code(), "no-scopes");
}

#[tokio::test]
async fn policy_is_changed_by_admins_within_bounds() {
    let bench = Bench::new();
    let admin = bench.admin();
    let mode = bench.call(&admin, ("PUT", "/api/v1/enforcement/mode"), r#"{"mode": "live"}"#).await;
    assert_eq!((mode.status, mode.json()["mode"].clone()), (200, json!("live")));
    let preset = bench.call(&admin, ("PUT", "/api/v1/enforcement/preset"), r#"{"preset": "strict"}"#).await;
    assert_eq!(preset.status, 200);
    let shown = bench.get(&admin, "/api/v1/enforcement").await.json();
    assert_eq!((&shown["mode"], &shown["preset"]), (&json!("live"), &json!("strict")));
    let wrong = bench.call(&admin, ("PUT", "/api/v1/enforcement/preset"), r#"{"preset": "strickt"}"#).await;
    assert!(wrong.text.contains("did you mean `strict`") && wrong.code() == "unknown-preset");
    let presets = bench.get(&admin, "/api/v1/enforcement/presets").await.json();
    assert_eq!(presets["presets"].as_array().map(Vec::len), Some(4));

    let exception = |detector: &str, days: u64, reason: &str| {
        let until = bench.core.now() + std::time::Duration::from_secs(days * 86_400);
        json!({"detector": detector, "agent_id": "bot", "reason": reason, "expires_at": until})
    };
    let post = async |body: Value| bench.post(&admin, "/api/v1/exceptions", &body).await;
    assert_eq!(post(exception("exchange-rate", 91, "nightly job")).await.code(), "bad-expiry");
    assert_eq!(post(exception("exchange-rate", 30, " ")).await.code(), "no-reason");
    assert_eq!(post(exception("exchange-rat", 30, "x")).await.code(), "unknown-detector");
    assert_eq!(post(exception("revoked-access", 30, "x")).await.code(), "never-waivable");
    let made = post(exception("exchange-rate", 90, "nightly job")).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json()["id"].as_str().expect("id").to_owned();
    assert_eq!(bench.get(&admin, "/api/v1/exceptions").await.json()["exceptions"][0]["id"], json!(id));
    let path = format!("/api/v1/exceptions/{id}");
    assert_eq!(bench.call(&admin, ("DELETE", &path), "").await.status, 200);
    assert_eq!(bench.call(&admin, ("DELETE", &path), "").await.status, 404);
}

#[tokio::test]
async fn the_exchange_endpoint_speaks_oauth_and_is_not_configured_here() {
    let bench = Bench::new();
    let bot = bench.key(&[KeyScope::Exchange], "default", Some("bot"));
    let body = json!({"subject_token": "v1.secret", "connection": "github"});
    let reply = bench.post(&bot, "/api/v1/token-vault/exchange", &body).await;
    assert_eq!((reply.status, &reply.headers["content-type"]), (503, &"application/json".parse().expect("value")));
    assert_eq!(
        (&reply.headers["cache-control"], reply.headers.contains_key("retry-after")),
        (&"no-store".parse().expect("value"), true)
    );
    let error = reply.json();
    assert_eq!(
        (&error["error"], &error["onesec_reason"]),
        (&json!("temporarily_unavailable"), &json!("not-configured"))
    );
    let nobody =
        bench.send(request("POST", "/api/v1/token-vault/exchange").body(Body::empty()).expect("request")).await;
    assert_eq!((nobody.status, nobody.json()["error"].clone()), (401, json!("invalid_client")));
    let status = bench.get(&bench.admin(), "/api/v1/token-vault/status").await.json();
    assert_eq!(
        (&status["enabled"], &status["auth0_domain"], &status["connected_accounts"]),
        (&json!(false), &Value::Null, &json!(0))
    );
    assert_eq!(status["exchange_stats"]["total_exchanges"], 0);
}

#[tokio::test]
async fn health_status_and_metrics_tell_how_it_is() {
    let bench = Bench::new();
    let admin = bench.admin();
    bench.link(&admin).await;
    let open = |path: &str| bench.send(request("GET", path).body(Body::empty()).expect("request"));
    assert_eq!(open("/healthz").await.status, 200);
    let ready = open("/readyz").await;
    assert_eq!((ready.status, ready.json()["upstream"].clone()), (200, json!("not-configured")));
    let status = bench.get(&admin, "/api/v1/status").await.json();
    assert_eq!(status["counts"]["accounts_linked"], 1);
    assert!(status["journal"]["position"].as_u64().is_some_and(|seq| seq > 0));
    assert!(status["detectors"].as_array().is_some_and(|all| all.iter().any(|d| d["code"] == "revoked-access")));
    let modules = bench.get(&admin, "/api/v1/modules").await.json();
    assert_eq!(modules["modules"][0]["enabled"], true);
    let schemas = bench.get(&admin, "/api/v1/event-schemas").await.json();
    assert_eq!(schemas["total"].as_u64().map(|n| n as usize), schemas["schemas"].as_array().map(Vec::len));
    let metrics = bench.get(&admin, "/metrics").await;
    for line in [
        "onesec_events_total{kind=\"connected_account_link\"} 1",
        "onesec_http_answers_total{route=\"/api/v1/events\",method=\"post\",status=\"202\"} 1",
        "onesec_detectors_dead 0",
    ] {
        assert!(metrics.text.contains(line), "{line} is not in\n{}", metrics.text);
    }
    bench.core.stop().await;
    assert_eq!(open("/readyz").await.status, 503);
    let late = bench.post(&admin, "/api/v1/events", &json!({"type": "custom.x"})).await;
    assert_eq!((late.status, late.code().as_str()), (503, "stopping"));
    assert!(bench.dir.path().join("onesec.db").exists());
}

#[tokio::test]
async fn a_handler_that_panics_answers_500_without_details() {
    let bench = Bench::new();
    let router: Router<Arc<App>> = Router::new().route("/boom", axum::routing::get(boom));
    let response = super::layers::around(router, bench.app.clone())
        .oneshot(request("GET", "/boom").body(Body::empty()).expect("request"))
        .await
        .expect("infallible");
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = to_bytes(response.into_body(), 4_096).await.expect("body");
    assert!(!String::from_utf8_lossy(&body).contains("hunter2"));
}

async fn boom() -> &'static str {
    panic!("hunter2")
}

#[tokio::test]
async fn keys_that_the_first_start_made_are_there_for_the_next() {
    let bench = Bench::new();
    let name = Name::new("admin").expect("name");
    let tenant = TenantId::new(OPERATOR).expect("tenant");
    let (record, secret) =
        KeySpec::new(name, KeyScopes::of(&[KeyScope::Admin]), tenant).make(bench.core.now()).expect("key");
    let command = onesec_telemetry::Command::KeyRevoked { key: record.id.clone() };
    let order = Order {
        tenant: TenantId::default_tenant(),
        sender: Sender::system(),
        command,
        then: None,
        ledger: vec![record.put()],
    };
    bench.core.order(order).await.expect("obeyed");
    let ring = KeyRing::load(bench.core.reader(), &bench.core.tenants()).expect("read");
    assert!(ring.authenticate(&secret, bench.core.now()).is_some_and(|caller| caller.operator));
}

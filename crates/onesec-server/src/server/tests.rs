//! A server over real sockets.

mod oauth;
mod tls;

use std::os::unix::fs::PermissionsExt as _;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

fn config(dir: &Path, yaml: &str) -> Config {
    let mut config = Config::from_yaml(yaml, &|_| None).expect("valid");
    config.data_dir = dir.join("data");
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config
}

async fn ask(running: &Running, path: &str, key: Option<&Secret>) -> String {
    send(running, ("GET", path), key, "").await
}

async fn send(running: &Running, (method, path): (&str, &str), key: Option<&Secret>, body: &str) -> String {
    let authority = running.url().strip_prefix("http://").expect("url");
    let mut stream = TcpStream::connect(authority).await.expect("connects");
    let key = key.map(|k| format!("Authorization: Bearer {}\r\n", k.expose_to_wire())).unwrap_or_default();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\n{key}Connection: close\r\n");
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}

#[tokio::test]
async fn the_first_start_makes_a_key_and_the_next_one_knows_it() {
    let dir = tempfile::tempdir().expect("directory");
    let running = Server::builder(config(dir.path(), "")).start().await.expect("starts");
    assert!(ask(&running, "/healthz", None).await.starts_with("HTTP/1.1 200"));
    assert!(ask(&running, "/api/v1/status", None).await.starts_with("HTTP/1.1 401"));
    let key = running.admin_key().cloned().expect("made");
    let path = dir.path().join("data").join(ADMIN_KEY_FILE);
    assert_eq!(std::fs::read_to_string(&path).expect("kept").trim(), key.expose_to_wire());
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    assert!(ask(&running, "/api/v1/status", Some(&key)).await.starts_with("HTTP/1.1 200"));
    running.stop().await;

    let again = Server::builder(config(dir.path(), "")).start().await.expect("starts again");
    assert!(again.admin_key().is_none());
    assert!(ask(&again, "/api/v1/status", Some(&key)).await.starts_with("HTTP/1.1 200"));
    again.stop().await;
}

#[tokio::test]
async fn keys_never_cross_a_network_in_clear() {
    let dir = tempfile::tempdir().expect("directory");
    let mut public = config(dir.path(), "");
    public.listen = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = Server::builder(public).start().await.expect_err("public");
    assert!(matches!(refused, StartError::PublicWithoutTls(_)), "{refused}");
    let tls = config(dir.path(), "server: {tls: {cert: a, key: b}}");
    assert!(matches!(Server::builder(tls).start().await, Err(StartError::Tls { .. })));
    assert!(!dir.path().join("data").exists(), "nothing was touched");
}

#[tokio::test]
async fn settings_for_a_detector_that_nobody_brings_are_refused() {
    let dir = tempfile::tempdir().expect("directory");
    let misspelt = config(dir.path(), "detectors: {exchange-rat: {limit: 3}}");
    let refused = Server::builder(misspelt).start().await.expect_err("misspelt").to_string();
    assert!(refused.contains("did you mean `exchange-rate`"), "{refused}");
    for yaml in ["detectors: {revoked-access: {limit: 3}}", "detectors: {consent-phishing: {users: 0}}"] {
        let refused = Server::builder(config(dir.path(), yaml)).start().await.expect_err(yaml);
        assert!(matches!(refused, StartError::Setup(_)), "{refused}");
    }
}

#[tokio::test]
async fn a_second_server_does_not_take_the_first_ones_data() {
    let dir = tempfile::tempdir().expect("directory");
    let first = Server::builder(config(dir.path(), "")).start().await.expect("starts");
    let second = Server::builder(config(dir.path(), "")).start().await;
    assert!(matches!(second, Err(StartError::Core(_))));
    let mut same = config(dir.path(), "");
    same.listen = first.url().strip_prefix("http://").expect("url").parse().expect("address");
    assert!(matches!(Server::builder(same).start().await, Err(StartError::Listen { .. })));
    first.stop().await;
}

#[tokio::test]
async fn a_domain_without_credentials_is_enabled_and_not_configured() {
    let dir = tempfile::tempdir().expect("directory");
    let vault = config(dir.path(), "token_vault: {auth0_domain: tenant.us.auth0.com}");
    let running = Server::builder(vault).start().await.expect("starts");
    let key = running.admin_key().cloned();
    let status = ask(&running, "/api/v1/token-vault/status", key.as_ref()).await;
    assert!(status.contains(r#""enabled":true"#) && status.contains(r#""configured":false"#), "{status}");
    assert!(status.contains("ten***.us.auth0.com") && !status.contains("tenant.us"), "{status}");
    running.stop().await;
}

#[tokio::test]
async fn an_exchange_goes_through_and_its_token_stays_nowhere() {
    use onesec_auth0_sim::{AccountSpec, ClientSpec, SimConfig, SimTenant};
    let sim = SimTenant::start(SimConfig::new("tenant.eu.auth0.test")).await.expect("tenant");
    sim.create_client(ClientSpec::custom_api("onesec", "hunter2", "https://api.test"));
    sim.create_user("auth0|alice");
    sim.connect_account(AccountSpec::new("auth0|alice", "github", "repo read:org")).expect("account");
    let refresh = sim.issue_refresh_token("auth0|alice", "onesec").expect("token");
    let yaml = serde_json::json!({"token_vault": {
        "auth0_domain": sim.domain(), "auth0_base_url": sim.base_url(), "auth0_client_id": "onesec",
        "auth0_client_secret": "hunter2",
    }});
    let dir = tempfile::tempdir().expect("directory");
    let running = Server::builder(config(dir.path(), &yaml.to_string())).start().await.expect("starts");
    let admin = running.admin_key().cloned().expect("made");
    let body = r#"{"name": "bot", "scopes": ["exchange"], "agent_id": "bot"}"#;
    let made = send(&running, ("POST", "/api/v1/keys"), Some(&admin), body).await;
    let made: serde_json::Value = serde_json::from_str(made.split("\r\n\r\n").nth(1).expect("body")).expect("JSON");
    let bot = Secret::new(made["key"].as_str().expect("shown").to_owned());
    let body = serde_json::json!({"subject_token": refresh.expose_to_wire(), "connection": "github"}).to_string();
    let path = "/api/v1/token-vault/exchange";
    let issued = send(&running, ("POST", path), Some(&bot), &body).await;
    let lower = issued.to_ascii_lowercase();
    assert!(issued.starts_with("HTTP/1.1 200"), "{issued}");
    assert!(lower.contains("cache-control: no-store\r\n") && lower.contains("content-type: application/json\r\n"));
    let issued: serde_json::Value = serde_json::from_str(issued.split("\r\n\r\n").nth(1).expect("body")).expect("JSON");
    let token = issued["access_token"].as_str().expect("released").to_owned();
    assert_eq!(issued["token_type"], "Bearer");
    let status = ask(&running, "/api/v1/token-vault/status", Some(&admin)).await;
    assert!(status.contains(r#""success_count":1"#) && status.contains(r#""total_exchanges":1"#), "{status}");
    let live = r#"{"mode": "live"}"#;
    assert!(send(&running, ("PUT", "/api/v1/enforcement/mode"), Some(&admin), live).await.starts_with("HTTP/1.1 200"));
    let denied = send(&running, ("POST", path), Some(&bot), &body).await;
    assert!(denied.starts_with("HTTP/1.1 403") && denied.contains("access_denied"), "{denied}");
    running.stop().await;
    sim.shutdown().await;
    for file in std::fs::read_dir(dir.path().join("data")).expect("data") {
        let bytes = std::fs::read(file.expect("file").path()).expect("read");
        for secret in [token.as_str(), refresh.expose_to_wire()] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
        }
    }
}

#[tokio::test]
async fn a_request_under_way_is_finished_when_the_server_stops() {
    let dir = tempfile::tempdir().expect("directory");
    let running = Server::builder(config(dir.path(), "")).start().await.expect("starts");
    let admin = running.admin_key().cloned().expect("made");
    let authority = running.url().strip_prefix("http://").expect("url").to_owned();
    let mut stream = TcpStream::connect(&authority).await.expect("connects");
    let body = r#"{"type": "custom.late"}"#;
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        admin.expose_to_wire(),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    // The handler asks for the body: from here on the request is under way.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.expect("answered");
    assert!(go_on.starts_with(b"HTTP/1.1 100"));
    let stopping = tokio::spawn(running.stop());
    tokio::task::yield_now().await;
    stream.write_all(body.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 202") && answer.contains(r#""accepted":1"#), "{answer}");
    stopping.await.expect("stopped");
}

#[tokio::test]
async fn a_client_that_dawdles_over_its_headers_is_hung_up_on() {
    let dir = tempfile::tempdir().expect("directory");
    let mut builder = Server::builder(config(dir.path(), ""));
    builder.limits.header_read = std::time::Duration::from_millis(50);
    let running = builder.start().await.expect("starts");
    let mut stream = TcpStream::connect(running.url().strip_prefix("http://").expect("url")).await.expect("connects");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: ").await.expect("sent");
    let mut answer = Vec::new();
    // Without the limit this would wait for ever.
    let ended = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{ended:?}");
    running.stop().await;
}

//! The token endpoint with a tenant behind it: a token, a tenant's refusal, a denial of ours.

use onesec_auth0_sim::{AccountSpec, ClientSpec, RequestKind, SimConfig, SimTenant};
use serde_json::{Value, json};

use super::*;

/// Posts a form, and gives head and body.
async fn token(running: &Running, pairs: &[(&str, &str)]) -> (String, Value) {
    token_at(running.url().strip_prefix("http://").expect("url"), running, pairs).await
}

/// As [`token`], by the name of `host`.
async fn token_at(host: &str, running: &Running, pairs: &[(&str, &str)]) -> (String, Value) {
    let authority = running.url().strip_prefix("http://").expect("url");
    let mut stream = TcpStream::connect(authority).await.expect("connects");
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let head = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("content-type: application/json\r\n") && head.contains("cache-control: no-store"), "{head}");
    (head, serde_json::from_str(body).expect("JSON"))
}

#[tokio::test]
async fn an_sdk_gets_a_token_the_tenants_own_error_or_a_denial_it_can_tell_from_both() {
    let sim = SimTenant::start(SimConfig::new("tenant.eu.auth0.test")).await.expect("tenant");
    sim.create_client(ClientSpec::custom_api("onesec", "hunter2", "https://api.test"));
    sim.create_user("auth0|alice");
    sim.connect_account(AccountSpec::new("auth0|alice", "github", "repo read:org")).expect("account");
    let refresh = sim.issue_refresh_token("auth0|alice", "onesec").expect("token");
    let yaml = json!({"token_vault": {
        "auth0_domain": sim.domain(), "auth0_base_url": sim.base_url(), "auth0_client_id": "onesec",
        "auth0_client_secret": "hunter2",
    }});
    let dir = tempfile::tempdir().expect("directory");
    let running = Server::builder(config(dir.path(), &yaml.to_string())).start().await.expect("starts");
    let admin = running.admin_key().cloned().expect("made");
    let body = r#"{"name": "bot", "scopes": ["exchange"], "agent_id": "bot"}"#;
    let made = send(&running, ("POST", "/api/v1/keys"), Some(&admin), body).await;
    let made: Value = serde_json::from_str(made.split("\r\n\r\n").nth(1).expect("body")).expect("JSON");
    let key = made["key"].as_str().expect("shown");
    let ask = |connection: &'static str| {
        vec![
            ("grant_type", "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token"),
            ("client_id", "bot"),
            ("client_secret", key),
            ("subject_token", refresh.expose_to_wire()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
            ("requested_token_type", "http://auth0.com/oauth/token-type/federated-connection-access-token"),
            ("connection", connection),
        ]
    };
    let (head, issued) = token(&running, &ask("github")).await;
    assert!(head.starts_with("http/1.1 200"), "{head} {issued}");
    assert!(issued["access_token"].is_string() && issued["expires_in"].is_u64(), "{issued}");
    assert_eq!((&issued["token_type"], &issued["scope"]), (&json!("Bearer"), &json!("read:org repo")));
    let kind = "http://auth0.com/oauth/token-type/federated-connection-access-token";
    assert_eq!(issued["issued_token_type"], kind);

    let (head, missing) = token(&running, &ask("slack")).await;
    assert!(head.starts_with("http/1.1 401"), "{head} {missing}");
    assert_eq!(missing["error"], "federated_connection_refresh_token_not_found");

    let live = r#"{"mode": "live"}"#;
    assert!(send(&running, ("PUT", "/api/v1/enforcement/mode"), Some(&admin), live).await.starts_with("HTTP/1.1 200"));
    let (head, denied) = token(&running, &ask("github")).await;
    assert!(head.starts_with("http/1.1 403"), "{head} {denied}");
    assert_eq!((&denied["error"], &denied["onesec_reason"]), (&json!("access_denied"), &json!("unauthorized-agent")));
    let told = denied["error_description"].as_str().expect("text");
    assert!(told.starts_with("refused by policy: no user delegated"), "{told}");
    running.stop().await;
    sim.shutdown().await;
}

#[tokio::test]
async fn at_a_custom_domain_a_client_of_the_tenants_gets_the_same_three_answers() {
    let config_of_sim = SimConfig::new("tenant.eu.auth0.test").with_custom_domain("login.example", "hunter2");
    let sim = SimTenant::start(config_of_sim).await.expect("tenant");
    sim.create_client(ClientSpec::regular("onesec", "hunter2"));
    sim.create_client(ClientSpec::regular("theirs", "hunter3"));
    sim.create_user("auth0|alice");
    sim.connect_account(AccountSpec::new("auth0|alice", "github", "repo read:org")).expect("account");
    let refresh = sim.issue_refresh_token("auth0|alice", "theirs").expect("token");
    // No base URL: the domain itself leads back to onesec.
    let yaml = json!({"token_vault": {
        "auth0_domain": sim.domain(), "auth0_client_id": "onesec", "auth0_client_secret": "hunter2",
        "proxy": {"domain": "login.example", "origin": sim.base_url(), "origin_host": "edge.test", "api_key": "hunter2"},
    }});
    let dir = tempfile::tempdir().expect("directory");
    let running = Server::builder(config(dir.path(), &yaml.to_string())).start().await.expect("starts");
    let admin = running.admin_key().cloned().expect("made");
    let agent = r#"{"clients": ["theirs"]}"#;
    assert!(send(&running, ("PUT", "/api/v1/agents/bot"), Some(&admin), agent).await.starts_with("HTTP/1.1 200"));
    let ask = |connection: &'static str| {
        vec![
            ("grant_type", "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token"),
            ("client_id", "theirs"),
            ("client_secret", "hunter3"),
            ("subject_token", refresh.expose_to_wire()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"),
            ("requested_token_type", "http://auth0.com/oauth/token-type/federated-connection-access-token"),
            ("connection", connection),
        ]
    };
    let (head, issued) = token_at("login.example", &running, &ask("github")).await;
    assert!(head.starts_with("http/1.1 200") && issued["access_token"].is_string(), "{head} {issued}");
    let (head, missing) = token_at("login.example", &running, &ask("slack")).await;
    assert!(head.starts_with("http/1.1 401"), "{head} {missing}");
    assert_eq!(missing["error"], "federated_connection_refresh_token_not_found");
    // And once it is connected, at once.
    sim.connect_account(AccountSpec::new("auth0|alice", "slack", "chat:write")).expect("account");
    let (head, issued) = token_at("login.example", &running, &ask("slack")).await;
    assert!(head.starts_with("http/1.1 200") && issued["access_token"].is_string(), "{head} {issued}");

    let live = r#"{"mode": "live"}"#;
    assert!(send(&running, ("PUT", "/api/v1/enforcement/mode"), Some(&admin), live).await.starts_with("HTTP/1.1 200"));
    let (head, denied) = token_at("login.example", &running, &ask("github")).await;
    assert!(head.starts_with("http/1.1 403"), "{head} {denied}");
    assert_eq!((&denied["error"], &denied["onesec_reason"]), (&json!("access_denied"), &json!("unauthorized-agent")));
    // An assertion is not wasted where it cannot lead to a token.
    let (asked, mut signed) = (sim.requests(RequestKind::RefreshGrant), ask("github"));
    signed.retain(|(name, _)| *name != "client_secret");
    signed.extend([
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", "e30.e30.e30"),
    ]);
    let (head, refused) = token_at("login.example", &running, &signed).await;
    assert!(head.starts_with("http/1.1 400") && refused["error"] == "invalid_request", "{head} {refused}");
    assert_eq!(sim.requests(RequestKind::RefreshGrant), asked);
    assert_eq!(sim.requests(RequestKind::WithoutKey), 0);
    let metrics = super::ask(&running, "/metrics", Some(&admin)).await;
    for (outcome, times) in [("issued", 2), ("failed", 1), ("denied", 1)] {
        let line = format!("{{outcome=\"{outcome}\"}} {times}\n");
        assert!(metrics.contains(&line), "{outcome}: {metrics}");
    }
    running.stop().await;
    sim.shutdown().await;
}

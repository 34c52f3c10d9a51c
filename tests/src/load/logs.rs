//! The receiver of Auth0's log: deliveries of a stream, half of whose entries say something.

use std::time::Duration;

use onesec_e2e::Http;
use onesec_e2e::logs::{AUTHORIZATION, LOGS};
use serde_json::json;

use crate::Report;
use crate::world::{World, for_time};

/// Entries of a delivery.
const DELIVERY: u64 = 500;

fn config() -> String {
    format!("token_vault: {{auth0_domain: load.eu.auth0.test, log_stream_authorization: {AUTHORIZATION}}}\n")
}

/// An exchange, a refresh token used, or what means nothing here.
fn entry(thread: usize, number: u64) -> String {
    let id = format!("900202611280000000000000000000000000{thread:04}{number:016}");
    let user = format!("auth0|load-{thread}-{}", number % 10_000);
    let code = match number % 10 {
        0..4 => "seta",
        4 => "sertft",
        5..8 => "s",
        _ => "slo",
    };
    let print = onesec_telemetry::Thumbprint::of(id.as_bytes()).to_string();
    let data = json!({
        "log_id": id, "date": "2026-11-28T10:00:00.000Z", "type": code, "connection": "google-oauth2",
        "connection_id": "con_0123456789abcdef", "client_id": "load-client", "client_name": "Load", "ip": "203.0.113.9",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "user_id": user, "user_name": "somebody",
        "strategy": "google-oauth2", "strategy_type": "social", "tenant_name": "load", "description": "",
        "references": {"correlation_id": "0f8fad5b-d9cb-469f-a165-70867728950e"},
        "details": {
            "subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token", "token_thumbprint": print,
            "issued_token_type": "http://auth0.com/oauth/token-type/federated-connection-access-token",
            "scope": "openid https://www.googleapis.com/auth/calendar.readonly", "is_privileged_worker": false,
            "expires_at": "2026-11-28T11:00:00.000Z",
        },
    });
    json!({"log_id": id, "data": data}).to_string()
}

/// Durable: every delivery is on the disk when it is answered.
pub(crate) fn deliveries(report: &mut Report, time: Duration) {
    let world = World::start(&config());
    let rate = for_time(4, time, |thread| {
        let mut http = Http::new(&world.url, None);
        let mut next = 0;
        Box::new(move || {
            let lines: Vec<String> = (next..next + DELIVERY).map(|number| entry(thread, number)).collect();
            let headers = [("content-type", "application/json"), ("authorization", AUTHORIZATION)];
            let answer = http.send("POST", LOGS, &headers, lines.join("\n").as_bytes());
            match answer.status {
                202 => {
                    next += DELIVERY;
                    DELIVERY
                }
                429 => {
                    std::thread::sleep(Duration::from_millis(2));
                    0
                }
                status => {
                    assert_eq!(status, 202, "{}", answer.text());
                    0
                }
            }
        })
    });
    report.put("logs: durable, deliveries of 500 entries, half of them read", rate, "entries/s");
    let metrics = world.admin().get("/metrics").text();
    let read = metrics.lines().filter(|line| line.starts_with("onesec_auth0_log_entries") && line.contains("read"));
    let read: f64 = read.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
    report.put("logs: entries that became events", read, "");
    world.stop();
}

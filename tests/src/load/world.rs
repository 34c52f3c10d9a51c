//! A server in this process, on loopback, as a user would run it.
#![expect(clippy::expect_used, reason = "a program for measuring: what does not work must stop it")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use onesec_e2e::{Answer, Http};
use onesec_server::config::Config;
use onesec_server::server::{Running, Server};
use onesec_testkit::Rng;
use serde_json::{Value, json};

/// A running server and what is needed to talk to it.
pub(crate) struct World {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) running: Option<Running>,
    pub(crate) url: String,
    pub(crate) key: String,
    /// Goes when this does.
    _dir: tempfile::TempDir,
}

impl World {
    pub(crate) fn start(yaml: &str) -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("load.yaml");
        let data = dir.path().join("data");
        std::fs::write(&path, format!("server: {{listen: 127.0.0.1:0, data_dir: {}}}\n{yaml}", data.display()))
            .expect("config");
        let config = Config::load(Some(&path), &|_| None).expect("config");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
        let running = runtime.block_on(Server::builder(config).start()).expect("server");
        let key = running.admin_key().expect("first start").expose_to_wire().to_owned();
        let url = running.url().to_owned();
        Self { runtime, running: Some(running), url, key, _dir: dir }
    }

    pub(crate) fn admin(&self) -> Http {
        Http::new(&self.url, Some(&self.key))
    }

    /// A key for sending events.
    pub(crate) fn writer_key(&self, tenant: &str) -> String {
        let body = json!({"name": "load", "scopes": ["events:write"], "tenant": tenant});
        let answer = self.admin().post("/api/v1/keys", &body);
        key_in(&answer)
    }

    /// Links and delegations for everybody that [`event`] speaks of, so that nothing is wrong with what it says.
    pub(crate) fn settle_everybody(&self, tenant: &str) {
        let body = json!({"name": "set-up", "scopes": ["events:trust"], "tenant": tenant});
        let key = key_in(&self.admin().post("/api/v1/keys", &body));
        let mut http = Http::new(&self.url, Some(&key));
        let mut lines = Vec::new();
        for agent in 0..AGENTS {
            let user = agent % USERS;
            if agent < USERS {
                lines.push(
                    json!({"type": "connected_account_link", "details": {"user_id": format!("auth0|user-{user}"),
                    "connection": "google-oauth2", "scopes": "openid email"}})
                    .to_string(),
                );
            }
            lines.push(
                json!({"type": "agent_identity_delegation", "details": {"agent_id": format!("agent-{agent}"),
                "delegated_by": format!("auth0|user-{user}"), "connection": "google-oauth2", "scopes": "openid email"}})
                .to_string(),
            );
        }
        for batch in lines.chunks(1_000) {
            let answer = http.send(
                "POST",
                "/api/v1/events",
                &[("content-type", "application/x-ndjson")],
                batch.join("\n").as_bytes(),
            );
            assert_eq!(answer.status, 202, "{}", answer.text());
        }
    }

    pub(crate) fn stop(mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
    }
}

/// The key in the answer to `POST /api/v1/keys`.
pub(crate) fn key_in(answer: &Answer) -> String {
    answer.json().get("key").and_then(Value::as_str).expect("a key").to_owned()
}

/// Runs `each` on `threads` threads until the time is over; what it returns is summed.
pub(crate) fn for_time(
    threads: usize,
    time: Duration,
    each: impl Fn(usize) -> Box<dyn FnMut() -> u64 + Send> + Sync,
) -> f64 {
    let total = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (mut work, total) = (each(thread), total.clone());
            scope.spawn(move || {
                while start.elapsed() < time {
                    total.fetch_add(work(), Ordering::Relaxed);
                }
            });
        }
    });
    total.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
}

/// Agents and users that [`event`] speaks of.
const AGENTS: u64 = 10_000;
const USERS: u64 = 3_000;

/// Which agent acts: the n-th of them as often as 1/n (Zipf), as it is where agents act for people.
fn busy(n: u64) -> u64 {
    static PICKS: OnceLock<Vec<u64>> = OnceLock::new();
    let picks = PICKS.get_or_init(|| {
        let mut sum = 0.0;
        let sums: Vec<f64> = (1..=AGENTS)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        let mut rng = Rng::new(7);
        let mut pick = || {
            let at = rng.below(1 << 52) as f64 / (1_u64 << 52) as f64 * sum;
            sums.partition_point(|s| *s <= at) as u64 % AGENTS
        };
        (0..1 << 16).map(|_| pick()).collect()
    });
    picks.get(n as usize % picks.len()).copied().unwrap_or_default()
}

/// One event of about 450 bytes: an exchange of one of many agents. One in a thousand asks for what it must not have.
pub(crate) fn event(thread: usize, n: u64) -> String {
    let agent = busy(n * 7 + thread as u64 * 10_007);
    let user = agent % USERS;
    let scopes = if n % 1_000 == 999 { "https://mail.google.com/" } else { "openid email" };
    format!(
        r#"{{"id":"{thread}-{n}","type":"token_exchange","timestamp":"2026-01-01T00:00:00Z","source":"agent-runtime","summary":"token exchange for a scheduled task of the calendar assistant","request_id":"req-{n:012}","user_agent":"agent-runtime/4.2 (linux; x86_64)","details":{{"connection":"google-oauth2","agent_id":"agent-{agent}","user_id":"auth0|user-{user}","subject_token_type":"urn:ietf:params:oauth:token-type:refresh_token","scopes":"{scopes}","session_id":"session-{n}"}}}}"#
    )
}

/// Percentiles of durations in microseconds.
pub(crate) fn percentile(sorted: &[u64], p: f64) -> f64 {
    let at = ((sorted.len().saturating_sub(1)) as f64 * p).round() as usize;
    sorted.get(at).copied().unwrap_or_default() as f64
}

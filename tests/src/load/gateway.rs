//! What the gateway adds to an exchange: four arms, interleaved in one run.
#![expect(clippy::expect_used, reason = "a program for measuring: what does not work must stop it")]

use std::sync::Mutex;
use std::time::{Duration, Instant};

use onesec_auth0_sim::{AccountSpec, ClientSpec, Fault, SimConfig, SimTenant};
use onesec_e2e::Http;
use serde_json::json;

use crate::Report;
use crate::proxy::Proxy;
use crate::world::{World, key_in, percentile};

const AGENTS: usize = 64;
const GRANT: &str = "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token";
const REQUESTED: &str = "http://auth0.com/oauth/token-type/federated-connection-access-token";

/// One of many agents, with what it needs for each arm.
struct Agent {
    through: Http,
    direct: Http,
    proxied: Http,
    refused: Http,
    token: String,
}

/// Added latency with the upstream at 0 and at 20 ms, and what a denial costs.
pub(crate) fn added(report: &mut Report, time: Duration) {
    for (name, latency) in [("0 ms", Duration::ZERO), ("20 ms", Duration::from_millis(20))] {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
        let sim = runtime.block_on(SimTenant::start(SimConfig::new("load.eu.auth0.test"))).expect("simulated tenant");
        sim.create_client(ClientSpec::regular("onesec", "secret-of-onesec"));
        let yaml = format!(
            "token_vault: {{auth0_domain: load.eu.auth0.test, auth0_client_id: onesec, auth0_client_secret: secret-of-onesec, auth0_base_url: \"{}\"}}\n\
             detectors: {{exchange-rate: {{limit: 10000, window: 1s}}}}\nenforcement: {{mode: live}}\n",
            sim.base_url()
        );
        let world = World::start(&yaml);
        let proxy = Proxy::start(sim.base_url());
        let agents: Vec<Agent> = (0..AGENTS).map(|n| agent((&world, &proxy), &sim, n)).collect();
        if !latency.is_zero() {
            sim.set_fault(Fault::Latency(latency));
        }
        let samples = measure(agents, time);
        print(report, name, samples);
        world.stop();
        runtime.block_on(sim.shutdown());
    }
}

fn agent((world, proxy): (&World, &Proxy), sim: &SimTenant, n: usize) -> Agent {
    let (user, name) = (format!("auth0|user-{n}"), format!("agent-{n}"));
    sim.create_user(&user);
    sim.connect_account(AccountSpec::new(&user, "google-oauth2", "openid email")).expect("connected");
    let token = sim.issue_refresh_token(&user, "onesec").expect("token").expose_to_wire().to_owned();
    let mut admin = world.admin();
    let link = json!({"type": "connected_account_link", "details": {"user_id": user, "connection": "google-oauth2", "scopes": "openid email"}});
    assert_eq!(admin.post("/api/v1/events", &link).status, 202);
    let delegation =
        json!({"user_id": user, "agent_id": name, "connection": "google-oauth2", "scopes": ["openid", "email"]});
    assert_eq!(admin.post("/api/v1/delegations", &delegation).status, 201);
    let key = |agent: &str| {
        let body = json!({"name": agent, "scopes": ["exchange"], "agent_id": agent});
        key_in(&world.admin().post("/api/v1/keys", &body))
    };
    let through = Http::new(&world.url, Some(&key(&name)));
    let refused = Http::new(&world.url, Some(&key(&format!("stranger-{n}"))));
    let (direct, proxied) = (Http::new(sim.base_url(), None), Http::new(&proxy.url, None));
    Agent { through, refused, direct, proxied, token }
}

/// Microseconds per arm: direct, through the gateway, refused by it, through a bare proxy.
type Samples = [Vec<u64>; 4];

fn measure(agents: Vec<Agent>, time: Duration) -> Samples {
    let all: Mutex<Samples> = Mutex::new(Samples::default());
    let start = Instant::now();
    // Open loop: each agent asks at its own fixed times, and lateness counts as latency.
    let interval = Duration::from_millis(AGENTS as u64);
    std::thread::scope(|scope| {
        for (n, mut agent) in agents.into_iter().enumerate() {
            let all = &all;
            scope.spawn(move || {
                let mut mine = Samples::default();
                let mut due = start + Duration::from_millis(n as u64);
                let mut turn = n;
                while start.elapsed() < time {
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    let arm = turn % 4;
                    ask(&mut agent, arm);
                    let took = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
                    if start.elapsed() > time / 10 {
                        mine.get_mut(arm).expect("arm").push(took);
                    }
                    (turn, due) = (turn + 1, due + interval);
                }
                let mut all = all.lock().expect("lock");
                for (to, from) in all.iter_mut().zip(mine) {
                    to.extend(from);
                }
            });
        }
    });
    let mut samples = all.into_inner().expect("lock");
    samples.iter_mut().for_each(|s| s.sort_unstable());
    samples
}

fn ask(agent: &mut Agent, arm: usize) {
    let exchange = json!({"subject_token": agent.token, "connection": "google-oauth2"});
    let status = match arm {
        0 | 3 => {
            let body = json!({"grant_type": GRANT, "requested_token_type": REQUESTED, "connection": "google-oauth2",
                "subject_token": agent.token, "client_id": "onesec", "client_secret": "secret-of-onesec",
                "subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"});
            let way = if arm == 0 { &mut agent.direct } else { &mut agent.proxied };
            way.post("/oauth/token", &body).status
        }
        1 => agent.through.post("/api/v1/token-vault/exchange", &exchange).status,
        _ => agent.refused.post("/api/v1/token-vault/exchange", &exchange).status,
    };
    assert_eq!(status, if arm == 2 { 403 } else { 200 }, "arm {arm}");
}

fn print(report: &mut Report, upstream: &str, [direct, through, refused, proxied]: Samples) {
    let at = |samples: &[u64], p| percentile(samples, p) / 1_000.0;
    let arms = [
        ("direct", &direct),
        ("through a bare proxy", &proxied),
        ("through onesec", &through),
        ("refused by onesec", &refused),
    ];
    for (name, samples) in arms {
        report.put(&format!("gateway, upstream {upstream}: {name}, p50"), at(samples, 0.5), "ms");
        report.put(&format!("gateway, upstream {upstream}: {name}, p99"), at(samples, 0.99), "ms");
    }
    let added = |p| at(&through, p) - at(&direct, p);
    // Beside an upstream that takes its time, what a bare proxy adds is noise.
    let bare = at(&proxied, 0.5) - at(&direct, 0.5);
    if upstream == "0 ms" {
        report.put("gateway, upstream 0 ms: added p50 to a bare proxy's (target ≤ 2.5)", added(0.5) / bare, "");
    }
    report.put(&format!("gateway, upstream {upstream}: added, p50 (target ≤ 0.3)"), added(0.5), "ms");
    report.put(&format!("gateway, upstream {upstream}: added, p99 (target ≤ 2)"), added(0.99), "ms");
}

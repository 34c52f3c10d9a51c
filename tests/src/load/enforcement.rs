//! What messages that hang add to a verdict: two servers alike, one whose receiver answers and one whose receiver never
//! does, asked in turn in one run. Refused exchanges, so that no upstream is in the figures.
#![expect(clippy::expect_used, reason = "a program for measuring: what does not work must stop it")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use onesec_auth0_sim::{AccountSpec, ClientSpec, SimConfig, SimTenant};
use onesec_e2e::{Http, Receiver, Reply};
use serde_json::{Value, json};

use crate::Report;
use crate::world::{World, key_in, percentile};

const USER: &str = "auth0|ann";
/// Messages that wait from the beginning.
const WAITING: u32 = 500;
/// Between one more message and the next.
const PAUSE: Duration = Duration::from_millis(50);

/// One server with its receiver.
struct Arm {
    world: World,
    receiver: Receiver,
    agent: Http,
    stray: Http,
    samples: Vec<u64>,
}

/// Interleaved, one request after the other.
pub(crate) fn hanging(report: &mut Report, time: Duration) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let sim = runtime.block_on(SimTenant::start(SimConfig::new("load.eu.auth0.test"))).expect("simulated tenant");
    sim.create_client(ClientSpec::regular("onesec", "secret-of-onesec"));
    sim.create_user(USER);
    sim.connect_account(AccountSpec::new(USER, "github", "repo read:org")).expect("connected");
    let token = sim.issue_refresh_token(USER, "onesec").expect("token").expose_to_wire().to_owned();
    let mut arms = [Reply::Status(204), Reply::Hang].map(|reply| arm(&sim, reply));
    let body = json!({"subject_token": token, "connection": "github", "scopes": ["admin:org"]});
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut askers = Vec::new();
        for arm in &mut arms {
            let Arm { agent, stray, samples, .. } = arm;
            let over = &over;
            scope.spawn(move || more(stray, over));
            askers.push((agent, samples));
        }
        let start = Instant::now();
        let mut turn = 0_u32;
        while start.elapsed() < time {
            for (agent, samples) in &mut askers {
                let begun = Instant::now();
                let answer = agent.post("/api/v1/token-vault/exchange", &body);
                let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                assert_eq!(answer.status, 403, "{}", answer.text());
                if turn > 100 {
                    samples.push(took);
                }
            }
            turn += 1;
        }
        over.store(true, Ordering::Relaxed);
    });
    print(report, &mut arms);
    for arm in arms {
        arm.world.stop();
    }
    runtime.block_on(sim.shutdown());
}

fn arm(sim: &SimTenant, reply: Reply) -> Arm {
    let receiver = Receiver::start(&[reply]);
    let yaml = format!(
        "token_vault: {{auth0_domain: load.eu.auth0.test, auth0_client_id: onesec, auth0_client_secret: secret-of-onesec, \
         auth0_base_url: \"{}\"}}\ndetectors: {{exchange-rate: {{limit: 10000, window: 1s}}}}\n\
         enforcement: {{mode: live, webhook: {{url: \"{}\", allow_private: on}}, policies: [{{name: strays, \
         match: {{detectors: [unauthorized-agent]}}, actions: [webhook], cooldown: 0s, max_per_minute: 10000}}]}}\n",
        sim.base_url(),
        receiver.url("/hook"),
    );
    let world = World::start(&yaml);
    let mut admin = world.admin();
    let details = json!({"user_id": USER, "connection": "github", "scopes": "repo read:org"});
    let link = json!({"type": "connected_account_link", "details": details});
    assert_eq!(admin.post("/api/v1/events", &link).status, 202);
    let lent = json!({"user_id": USER, "agent_id": "helper", "connection": "github", "scopes": ["read:org"]});
    assert_eq!(admin.post("/api/v1/delegations", &lent).status, 201);
    let mut key = |agent: &str, scope: &str| {
        let body = json!({"name": agent, "scopes": [scope], "agent_id": agent});
        Http::new(&world.url, Some(&key_in(&admin.post("/api/v1/keys", &body))))
    };
    let (agent, mut stray) = (key("helper", "exchange"), key("mallory", "events:write"));
    let events: Vec<Value> = (0..WAITING).map(strayed).collect();
    assert_eq!(stray.post("/api/v1/events", &Value::Array(events)).status, 202);
    assert!(receiver.at_least(16).len() >= 16, "messages are under way");
    Arm { world, receiver, agent, stray, samples: Vec::new() }
}

/// Goes on making messages.
fn more(stray: &mut Http, over: &AtomicBool) {
    let mut number = WAITING;
    while !over.load(Ordering::Relaxed) {
        assert_eq!(stray.post("/api/v1/events", &strayed(number)).status, 202);
        number += 1;
        std::thread::sleep(PAUSE);
    }
}

fn strayed(number: u32) -> Value {
    json!({"type": "token_exchange_response", "details": {"agent_id": "mallory", "user_id": format!("auth0|user-{number}"),
        "connection": "github", "success": true, "scopes": "read:org"}})
}

fn print(report: &mut Report, arms: &mut [Arm; 2]) {
    let names = ["a receiver that answers", "a receiver that hangs"];
    let mut p99 = [0.0; 2];
    for ((arm, name), p99) in arms.iter_mut().zip(names).zip(&mut p99) {
        arm.samples.sort_unstable();
        *p99 = percentile(&arm.samples, 0.99);
        report.put(&format!("verdict, {name}: samples"), arm.samples.len() as f64, "");
        report.put(&format!("verdict, {name}: p50"), percentile(&arm.samples, 0.5), "µs");
        report.put(&format!("verdict, {name}: p99"), *p99, "µs");
        report.put(&format!("messages, {name}"), arm.receiver.messages().len() as f64, "");
    }
    let [answers, hangs] = p99;
    report.put("verdict while messages hang: p99, ratio (target ≤ 1.1)", hangs / answers, "×");
}

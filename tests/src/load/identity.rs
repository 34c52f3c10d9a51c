//! What proofs add to a verdict: an access token and a chain of three links, known again and not. Refused exchanges, so
//! that no upstream is in the figures: proof, verdict, one commit.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "a program for measuring: what does not work must stop it"
)]

use std::time::{Duration, Instant};

use onesec_auth0_sim::{AccessTokenSpec, AccountSpec, ClientSpec, SimConfig, SimTenant};
use onesec_e2e::Http;
use onesec_identity::{Algorithm, DelegateKey, Narrower, SigningKey, delegate};
use onesec_telemetry::{AgentId, Name, Secret, Timestamp};
use serde_json::{Value, json};

use crate::Report;
use crate::world::{World, key_in, percentile};

const USER: &str = "auth0|ann";
const API: &str = "https://api.load.test";
/// Requests of each arm at most: tokens and chains that are used once are made beforehand.
const MOST: usize = 600;

/// What a request brings, per arm.
const ARMS: [&str; 5] = [
    "refresh token, known",
    "access token, known",
    "access token, new",
    "access token and chain of three, known",
    "access token and chain of three, both new",
];

/// Interleaved, one request after the other.
pub(crate) fn verdicts(report: &mut Report, time: Duration) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let sim = runtime.block_on(SimTenant::start(SimConfig::new("load.eu.auth0.test"))).expect("simulated tenant");
    sim.create_client(ClientSpec::custom_api("onesec", "secret-of-onesec", API));
    sim.create_user(USER);
    sim.connect_account(AccountSpec::new(USER, "github", "repo read:org")).expect("connected");
    let yaml = format!(
        "token_vault: {{auth0_domain: load.eu.auth0.test, auth0_client_id: onesec, auth0_client_secret: secret-of-onesec, \
         auth0_base_url: \"{}\", audience: \"{API}\"}}\ndetectors: {{exchange-rate: {{limit: 10000, window: 1s}}}}\n\
         enforcement: {{mode: live}}\n",
        sim.base_url()
    );
    let world = World::start(&yaml);
    let mut stage = Stage::set(&world, &sim);
    let mut samples: [Vec<u64>; ARMS.len()] = Default::default();
    let start = Instant::now();
    for turn in 0..MOST {
        if start.elapsed() > time {
            break;
        }
        for (arm, samples) in samples.iter_mut().enumerate() {
            let body = stage.body(arm, turn);
            let begun = Instant::now();
            let answer = stage.agent.post("/api/v1/token-vault/exchange", &body);
            let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            let reason = answer.json().get("onesec_reason").cloned().unwrap_or_default();
            assert_eq!((answer.status, &reason), (403, &json!("scope-escalation")), "{}: {}", ARMS[arm], answer.text());
            if turn >= 20 {
                samples.push(took);
            }
        }
    }
    for (name, samples) in ARMS.iter().zip(&mut samples) {
        samples.sort_unstable();
        report.put(&format!("verdict: {name}, p50"), percentile(samples, 0.5), "µs");
        report.put(&format!("verdict: {name}, p99"), percentile(samples, 0.99), "µs");
    }
    world.stop();
    runtime.block_on(sim.shutdown());
}

struct Stage {
    agent: Http,
    refresh: String,
    /// The first is used again and again, the others once.
    tokens: Vec<String>,
    chains: Vec<String>,
}

impl Stage {
    fn set(world: &World, sim: &SimTenant) -> Self {
        let mut admin = world.admin();
        let link = json!({"type": "connected_account_link",
            "details": {"user_id": USER, "connection": "github", "scopes": "repo read:org"}});
        assert_eq!(admin.post("/api/v1/events", &link).status, 202);
        let keys: Vec<SigningKey> = (0..3).map(|_| SigningKey::generate(Algorithm::EdDsa).expect("key")).collect();
        let [boss, middle, last] = keys.as_slice() else { unreachable!("three keys") };
        let registration = json!({"keys": [boss.public_jwk("boss")]});
        assert_eq!(admin.call("PUT", "/api/v1/agents/boss", &registration).status, 200);
        let wanted = json!({"user_id": USER, "agent_id": "boss", "connection": "github", "scopes": ["read:org"]});
        let made = admin.post("/api/v1/delegations", &wanted).json();
        let root = Secret::new(made.get("link").and_then(Value::as_str).expect("a link").to_owned());
        let until = now() + Duration::from_secs(3600);
        let whole = |name: &str, key: &SigningKey, jti: String| {
            let key = DelegateKey::Key(key.public_key().expect("public"));
            Narrower::new(AgentId::new(name).expect("agent"), key, until, Name::new(&jti).expect("name"))
        };
        let two = delegate(&root, boss, &whole("middle", middle, "j-middle".to_owned()), now()).expect("delegated");
        let three = |n: usize| {
            let longer = delegate(&two, middle, &whole("last", last, format!("j-{n}")), now()).expect("delegated");
            longer.expose_to_wire().to_owned()
        };
        let token = |n: usize| {
            let spec = AccessTokenSpec::new(USER, API, "onesec").with_claim("jti", json!(n.to_string()));
            sim.mint_access_token(&spec).expect("minted").expose_to_wire().to_owned()
        };
        let body = json!({"name": "last", "scopes": ["exchange"], "agent_id": "last"});
        let key = key_in(&admin.post("/api/v1/keys", &body));
        // What has no chain with it is judged by a delegation of the same bounds.
        let direct = json!({"user_id": USER, "agent_id": "last", "connection": "github", "scopes": ["read:org"]});
        assert_eq!(admin.post("/api/v1/delegations", &direct).status, 201);
        Self {
            agent: Http::new(&world.url, Some(&key)),
            refresh: sim.issue_refresh_token(USER, "onesec").expect("token").expose_to_wire().to_owned(),
            tokens: (0..=2 * MOST).map(token).collect(),
            chains: (0..=MOST).map(three).collect(),
        }
    }

    fn body(&self, arm: usize, turn: usize) -> Value {
        let token = |n: usize| self.tokens.get(n).cloned().unwrap_or_default();
        let chain = |n: usize| self.chains.get(n).cloned().unwrap_or_default();
        let access = "urn:ietf:params:oauth:token-type:access_token";
        let ask = |token: String| json!({"subject_token": token, "subject_token_type": access, "connection": "github", "scopes": ["repo"]});
        let with = |mut body: Value, chain: String| {
            body["delegation"] = json!(chain);
            body
        };
        match arm {
            0 => json!({"subject_token": self.refresh, "connection": "github", "scopes": ["repo"]}),
            1 => ask(token(0)),
            2 => ask(token(1 + turn)),
            3 => with(ask(token(0)), chain(0)),
            _ => with(ask(token(1 + MOST + turn)), chain(1 + turn)),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "stands for the clock of the agents")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_secs(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

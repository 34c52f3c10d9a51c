//! A whole set-up: a simulated tenant, the real binary in front of it, people, agents and their keys.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test harness")]

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use onesec_auth0_sim::{AccessTokenSpec, AccountSpec, ClientSpec, SimConfig, SimTenant};
use onesec_telemetry::Secret;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::http::{Answer, Http};
use crate::process::{Process, Start};

/// A user.
pub const ANA: &str = "auth0|ana";
/// Another user.
pub const BEN: &str = "auth0|ben";
/// A connection.
pub const GOOGLE: &str = "google-oauth2";
/// Another connection.
pub const GITHUB: &str = "github";
/// A scope that reads.
pub const CALENDAR: &str = "https://www.googleapis.com/auth/calendar.readonly";
/// A scope that sends.
pub const MAIL: &str = "https://www.googleapis.com/auth/gmail.send";
/// The API whose access tokens prove a user.
pub const AUDIENCE: &str = "https://api.example.test";
/// The server's client at the tenant.
pub const CLIENT: &str = "onesec";
/// The exchange.
pub const EXCHANGE: &str = "/api/v1/token-vault/exchange";

const CLIENT_SECRET: &str = "client-s3cret-of-the-tests";

/// How a world is set up.
#[derive(Debug, Clone)]
pub struct Plan {
    program: String,
    mode: String,
    vault: bool,
    request_timeout: String,
    sections: Vec<(String, Value)>,
    proxy: Option<Value>,
    env: Vec<(String, String)>,
}

impl Plan {
    /// `program` in dry run, in front of a tenant.
    #[must_use]
    pub fn new(program: &str) -> Self {
        Self {
            program: program.to_owned(),
            mode: "dry_run".to_owned(),
            vault: true,
            request_timeout: "10s".to_owned(),
            sections: Vec::new(),
            proxy: None,
            env: Vec::new(),
        }
    }

    /// Verdicts apply.
    #[must_use]
    pub fn live(mut self) -> Self {
        "live".clone_into(&mut self.mode);
        self
    }

    /// Without Token Vault.
    #[must_use]
    pub const fn without_vault(mut self) -> Self {
        self.vault = false;
        self
    }

    /// How long the tenant is waited for, such as `2s`.
    #[must_use]
    pub fn patience(mut self, duration: &str) -> Self {
        duration.clone_into(&mut self.request_timeout);
        self
    }

    /// A further section of the configuration.
    #[must_use]
    pub fn with(mut self, section: &str, value: Value) -> Self {
        self.sections.push((section.to_owned(), value));
        self
    }

    /// In front of the tenant as `token_vault.proxy` says, whose `origin` is the tenant.
    #[must_use]
    pub fn custom_domain(mut self, proxy: Value) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// A variable of the environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts tenant and server.
    #[must_use]
    pub fn start(self) -> World {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("runtime");
        let sim = runtime.block_on(SimTenant::start(SimConfig::new("tests.eu.auth0.test"))).expect("tenant");
        sim.create_client(ClientSpec::custom_api(CLIENT, CLIENT_SECRET, AUDIENCE));
        for user in [ANA, BEN] {
            sim.create_user(user);
        }
        let dir = tempfile::tempdir().expect("directory");
        let (start, config) = self.start_of(&sim, dir.path());
        let process = start.run();
        let world = World { process, start, config, sim, runtime, dir, numbers: AtomicU32::new(0), authority: None };
        let authority = world.key(&json!({"name": "platform", "scopes": ["events:trust"]}));
        World { authority: Some(authority), ..world }
    }

    fn start_of(&self, sim: &SimTenant, dir: &Path) -> (Start, Value) {
        let mut config = json!({"enforcement": {"mode": self.mode}});
        if self.vault {
            config["token_vault"] = json!({
                "auth0_domain": sim.domain(), "auth0_base_url": sim.base_url(), "auth0_client_id": CLIENT,
                "auth0_client_secret": CLIENT_SECRET, "audience": AUDIENCE, "request_timeout": self.request_timeout,
            });
        }
        if let Some(proxy) = &self.proxy {
            config["token_vault"]["proxy"] = proxy.clone();
            config["token_vault"]["proxy"]["origin"] = json!(sim.base_url());
        }
        for (section, value) in &self.sections {
            match (config.get_mut(section).and_then(Value::as_object_mut), value) {
                (Some(there), Value::Object(more)) => there.extend(more.clone()),
                _ => config[section] = value.clone(),
            }
        }
        let mut start = Start::new(&self.program, dir).config(&config.to_string());
        for (name, value) in &self.env {
            start = start.env(name, value);
        }
        (start, config)
    }
}

/// Everything, running. Gone when dropped.
#[derive(Debug)]
pub struct World {
    /// The server. The first field, so that it goes before the tenant.
    pub process: Process,
    start: Start,
    config: Value,
    /// The tenant.
    pub sim: SimTenant,
    /// On which the tenant runs.
    pub runtime: Runtime,
    dir: tempfile::TempDir,
    numbers: AtomicU32,
    authority: Option<String>,
}

/// An agent with its key.
#[derive(Debug)]
pub struct Agent {
    /// Its name.
    pub id: String,
    /// Its connection to the server.
    pub http: Http,
}

impl Agent {
    /// Trades `token` for one of `connection`, naming no scopes.
    pub fn exchange(&mut self, connection: &str, token: &str) -> Answer {
        self.exchange_with(connection, token, &json!({}))
    }

    /// The same, naming scopes.
    pub fn exchange_for(&mut self, connection: &str, token: &str, scopes: &[&str]) -> Answer {
        self.exchange_with(connection, token, &json!({"scopes": scopes}))
    }

    /// The same, with further members.
    pub fn exchange_with(&mut self, connection: &str, token: &str, more: &Value) -> Answer {
        let mut body = json!({"subject_token": token, "connection": connection});
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        self.http.post(EXCHANGE, &body)
    }
}

impl World {
    /// The operator.
    #[must_use]
    pub fn admin(&self) -> Http {
        self.process.admin()
    }

    /// Nobody: no key at all.
    #[must_use]
    pub fn nobody(&self) -> Http {
        Http::new(self.process.url(), None)
    }

    /// Where the server keeps its data.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Stops the server in order and starts it again on the same data.
    pub fn restart(&mut self) {
        assert_eq!(self.process.terminate(), Some(0), "it stops in order");
        self.process = self.start.run();
    }

    /// `kill -9`, and starts it again on the same data.
    pub fn killed(&mut self) {
        self.process.kill();
        self.process = self.start.run();
    }

    /// Changes the configuration at `pointer` and tells the server, as an operator does. What it said about it.
    ///
    /// # Panics
    /// Where the configuration cannot be written.
    pub fn reload(&mut self, pointer: &str, value: Value) -> String {
        let mut changed = self.config.clone();
        if let Some(there) = changed.pointer_mut(pointer) {
            *there = value;
        }
        std::fs::write(self.dir().join("test-config.yaml"), changed.to_string()).expect("configuration written");
        drop(self.process.log());
        self.process.signal("HUP");
        let said = crate::eventually("a word about the configuration", || {
            self.process.log().into_iter().find(|line| line.contains("configuration"))
        });
        if said.contains("reloaded") {
            self.start = self.start.clone().config(&changed.to_string());
            self.config = changed;
        }
        said
    }

    /// A client with a new key that belongs to somebody.
    #[must_use]
    pub fn person(&self, owner: &str, scopes: &[&str]) -> Http {
        let wanted = json!({"name": format!("key-{}", self.number()), "scopes": scopes, "owner": owner});
        Http::new(self.process.url(), Some(&self.key(&wanted)))
    }

    /// The newest receipts that `filter` means.
    #[must_use]
    pub fn receipts(&self, filter: &str) -> Vec<Value> {
        self.listed(&format!("/api/v1/responses?limit=1000&{filter}"), "responses")
    }

    /// The newest receipts that `filter` means, once there are so many and none is under way.
    #[must_use]
    pub fn settled(&self, filter: &str, count: usize) -> Vec<Value> {
        crate::eventually(&format!("{count} receipts of {filter}"), || {
            let receipts = self.receipts(filter);
            let over = |receipt: &Value| receipt["status"] != "executing";
            Some(receipts).filter(|all| all.len() >= count && all.iter().all(over))
        })
    }

    /// A number that nobody had before.
    pub fn number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes a key, as `POST /api/v1/keys` takes it.
    ///
    /// # Panics
    /// Where there is none to be had.
    #[must_use]
    pub fn key(&self, wanted: &Value) -> String {
        let answer = self.admin().post("/api/v1/keys", wanted);
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["key"].as_str().expect("the key is shown once").to_owned()
    }

    /// A client with a new key with these scopes.
    #[must_use]
    pub fn client(&self, scopes: &[&str]) -> Http {
        let key = self.key(&json!({"name": format!("key-{}", self.number()), "scopes": scopes}));
        Http::new(self.process.url(), Some(&key))
    }

    /// A sender of telemetry that is bound to an agent.
    #[must_use]
    pub fn bound(&self, agent: &str, scopes: &[&str]) -> Http {
        let key = self.key(&json!({"name": format!("key-{}", self.number()), "scopes": scopes, "agent_id": agent}));
        Http::new(self.process.url(), Some(&key))
    }

    /// An agent that may exchange.
    #[must_use]
    pub fn agent(&self, id: &str) -> Agent {
        Agent { id: id.to_owned(), http: self.bound(id, &["exchange"]) }
    }

    /// The identity platform, whose word counts.
    #[must_use]
    pub fn authority(&self) -> Http {
        Http::new(self.process.url(), self.authority.as_deref())
    }

    /// Sends one event with authority; it is accepted.
    ///
    /// # Panics
    /// Where it is not.
    pub fn report(&self, kind: &str, details: &Value) -> String {
        let answer = self.authority().post("/api/v1/events", &json!({"type": kind, "details": details}));
        assert_eq!((answer.status, &answer.json()["accepted"]), (202, &json!(1)), "{kind}: {}", answer.text());
        answer.json()["ids"][0].as_str().expect("an id").to_owned()
    }

    /// `user` links an account, at the tenant and here.
    pub fn link(&self, user: &str, connection: &str, scopes: &str) -> String {
        let id = self.sim.connect_account(AccountSpec::new(user, connection, scopes)).expect("connected");
        self.report("connected_account_link", &json!({"user_id": user, "connection": connection, "scopes": scopes}));
        id
    }

    /// `user` takes the account back, here (the tenant may be slow to hear of it).
    pub fn unlink(&self, user: &str, connection: &str) {
        self.report("connected_account_unlink", &json!({"user_id": user, "connection": connection}));
    }

    /// `user` lends the account to `agent`, within these scopes.
    ///
    /// # Panics
    /// Where the server refuses.
    #[expect(clippy::too_many_arguments, reason = "who, to whom, what, how much")]
    pub fn delegate(&self, user: &str, agent: &str, connection: &str, scopes: &[&str]) -> Value {
        self.delegate_as(&json!({"user_id": user, "agent_id": agent, "connection": connection, "scopes": scopes}))
    }

    /// The same, as `POST /api/v1/delegations` takes it.
    ///
    /// # Panics
    /// Where the server refuses.
    pub fn delegate_as(&self, wanted: &Value) -> Value {
        let answer = self.admin().post("/api/v1/delegations", wanted);
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()
    }

    /// Ana's Google account, linked and lent to `agent` for reading the calendar: what most tests begin with.
    #[must_use]
    pub fn lent(&self, agent: &str) -> (Agent, String) {
        self.link(ANA, GOOGLE, CALENDAR);
        self.delegate(ANA, agent, GOOGLE, &[CALENDAR]);
        (self.agent(agent), self.refresh(ANA))
    }

    /// A refresh token of `user`.
    #[must_use]
    pub fn refresh(&self, user: &str) -> String {
        self.sim.issue_refresh_token(user, CLIENT).expect("issued").expose_to_wire().to_owned()
    }

    /// An access token of `user`, as honest as `change` leaves it.
    #[must_use]
    pub fn access(&self, user: &str, change: impl FnOnce(AccessTokenSpec) -> AccessTokenSpec) -> String {
        let spec = change(AccessTokenSpec::new(user, AUDIENCE, CLIENT));
        self.sim.mint_access_token(&spec).expect("minted").expose_to_wire().to_owned()
    }

    /// Dry run or live, from now on.
    ///
    /// # Panics
    /// Where the server refuses.
    pub fn mode(&self, mode: &str) {
        let answer = self.admin().call("PUT", "/api/v1/enforcement/mode", &json!({"mode": mode}));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Another preset, from now on.
    ///
    /// # Panics
    /// Where the server refuses.
    pub fn preset(&self, preset: &str) {
        let answer = self.admin().call("PUT", "/api/v1/enforcement/preset", &json!({"preset": preset}));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// All alerts of a detector, newest first.
    ///
    /// # Panics
    /// Where the list cannot be had.
    #[must_use]
    pub fn alerts(&self, detector: &str) -> Vec<Value> {
        self.listed(&format!("/api/v1/alerts?limit=1000&detector={detector}"), "alerts")
    }

    /// The only alert of a detector.
    ///
    /// # Panics
    /// Where there is none, or more.
    #[must_use]
    pub fn alert(&self, detector: &str) -> Value {
        let alerts = self.alerts(detector);
        assert_eq!(alerts.len(), 1, "alerts of {detector}: {alerts:#?}");
        alerts.into_iter().next().unwrap_or_default()
    }

    /// The codes of all alerts, sorted, each once.
    #[must_use]
    pub fn alerted(&self) -> Vec<String> {
        let alerts = self.listed("/api/v1/alerts?limit=1000", "alerts");
        let mut codes: Vec<String> = alerts.iter().filter_map(|a| a["detector"].as_str().map(str::to_owned)).collect();
        codes.sort();
        codes.dedup();
        codes
    }

    /// Events of a kind, newest first. The index is built behind the records: waits a little for `at_least`.
    #[must_use]
    pub fn events(&self, filter: &str, at_least: usize) -> Vec<Value> {
        for _ in 0..200 {
            let events = self.listed(&format!("/api/v1/events?limit=1000&{filter}"), "events");
            if events.len() >= at_least {
                return events;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        self.listed(&format!("/api/v1/events?limit=1000&{filter}"), "events")
    }

    /// One listing, as the operator sees it.
    ///
    /// # Panics
    /// Where the answer is none.
    #[must_use]
    pub fn listed(&self, path: &str, name: &str) -> Vec<Value> {
        let answer = self.admin().get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()[name].as_array().cloned().unwrap_or_default()
    }

    /// Token Vault's own counters.
    #[must_use]
    pub fn stats(&self) -> Value {
        self.admin().get("/api/v1/token-vault/status").json()["exchange_stats"].clone()
    }

    /// Whether the provider would honour what the answer holds.
    #[must_use]
    pub fn honoured(&self, answer: &Answer) -> bool {
        let token = answer.json()["access_token"].as_str().map(|t| Secret::new(t.to_owned()));
        token.is_some_and(|token| self.sim.is_live(&token))
    }
}

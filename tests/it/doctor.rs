//! `onesec doctor`: each thing that can be wrong with a set-up is found, alone, and told with what to do about it.

mod faults;
mod scopes;
mod told;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use onesec_auth0_sim::{AccountSpec, ClientSpec, SimConfig, SimTenant};
use onesec_e2e::world::{ANA, AUDIENCE, CALENDAR, GOOGLE};
use onesec_identity::{Algorithm, SigningKey};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub(super) const DOMAIN: &str = "tests.eu.auth0.test";
/// The client that users log in with.
pub(super) const LOGIN: &str = "onesec-login";
/// The Custom API Client.
pub(super) const API: &str = "onesec-api";
/// The worker.
pub(super) const WORKER: &str = "onesec-worker";
/// Our client of the Management API.
pub(super) const ADMIN: &str = "onesec-admin";
const SECRETS: [&str; 3] = ["login-Pl4nted-s3cret", "api-Pl4nted-s3cret", "admin-Pl4nted-s3cret"];
/// What the simulated tenant shows to those who may read it, and nobody must print.
const SHOWN_SECRETS: [&str; 2] = ["GOCSPX-sim-pr0vider-s3cret", "sim-log-stream-authorization-s3cret"];
pub(super) const RECEIVER: &str = "https://onesec.example/api/v1/auth0/logs";

/// A tenant that is set up well, and a configuration for it.
pub(super) struct Clinic {
    pub(super) sim: SimTenant,
    runtime: Runtime,
    dir: tempfile::TempDir,
    pub(super) config: Value,
}

impl Clinic {
    pub(super) fn open() -> Self {
        Self::with(SimConfig::new(DOMAIN))
    }

    pub(super) fn with(sim: SimConfig) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("runtime");
        let sim = runtime.block_on(SimTenant::start(sim)).expect("tenant");
        let dir = tempfile::tempdir().expect("directory");
        let key = SigningKey::generate(Algorithm::Rs256).expect("a key");
        let pem = dir.path().join("worker.pem");
        std::fs::write(&pem, key.to_pem().expect("PEM").expose_to_wire()).expect("written");
        sim.create_client(ClientSpec::regular(LOGIN, SECRETS[0]));
        sim.create_client(ClientSpec::custom_api(API, SECRETS[1], AUDIENCE));
        let worker = ClientSpec::worker(WORKER, key.public_jwk("k1")).with_worker_grants(GOOGLE, CALENDAR);
        sim.create_client(worker.expect("granted"));
        sim.create_client(
            ClientSpec::regular(ADMIN, SECRETS[2]).with_grants(&[onesec_auth0_sim::GrantType::ClientCredentials]),
        );
        sim.create_api(AUDIENCE);
        sim.create_connection(GOOGLE, "google-oauth2");
        sim.create_log_stream(RECEIVER);
        sim.create_user(ANA);
        sim.connect_account(AccountSpec::new(ANA, GOOGLE, CALENDAR)).expect("connected");
        let config = json!({
            "server": {"public_url": "https://onesec.example"},
            "token_vault": {
                "auth0_domain": DOMAIN, "auth0_base_url": sim.base_url(), "auth0_client_id": LOGIN,
                "auth0_client_secret": SECRETS[0], "audience": AUDIENCE,
                "clients": [
                    {"client_id": API, "client_secret": SECRETS[1], "use": "access", "audience": AUDIENCE},
                    {"client_id": WORKER, "private_key_file": pem, "key_id": "k1", "use": "worker"},
                ],
            },
            "enforcement": {"auth0": {"client_id": ADMIN, "client_secret": SECRETS[2]}},
        });
        Self { sim, runtime, dir, config }
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Changes the configuration at `pointer`.
    pub(super) fn configure(&mut self, pointer: &str, value: Value) {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        self.config.pointer_mut(parent).expect("a section")[name] = value;
    }

    /// Runs the doctor.
    pub(super) fn run(&self, args: &[&str]) -> Output {
        self.run_at("http://127.0.0.1:1", None, args)
    }

    /// The same, beside a server.
    pub(super) fn run_at(&self, url: &str, key: Option<&str>, args: &[&str]) -> Output {
        let path = self.dir().join("doctor-config.yaml");
        std::fs::write(&path, self.config.to_string()).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_onesec-under-test"));
        command.env_clear().env("HOME", self.dir()).env("ONESEC_URL", url);
        command.envs(key.map(|key| ("ONESEC_API_KEY", key)));
        command.args(["doctor", "--config"]).arg(path).args(args).stdin(Stdio::null());
        let output = command.output().expect("it runs");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        for secret in SECRETS.iter().chain(&SHOWN_SECRETS) {
            assert!(!said.contains(secret), "a secret is shown: {said}");
        }
        for token in self.sim.management_tokens_issued() {
            assert!(!said.contains(&token), "a token is shown: {said}");
        }
        output
    }

    /// What it says, and how it ended.
    pub(super) fn report(&self, args: &[&str]) -> (Option<i32>, Value) {
        let output = self.run(&[&["--json"], args].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
        (output.status.code(), report)
    }

    /// The checks of the only tenant.
    pub(super) fn checks(&self, args: &[&str]) -> (Option<i32>, Vec<Value>) {
        let (code, report) = self.report(args);
        (code, report["tenants"][0]["checks"].as_array().cloned().unwrap_or_default())
    }
}

impl Drop for Clinic {
    fn drop(&mut self) {
        // The tenant goes before the runtime that it runs on.
        let _guard = self.runtime.enter();
    }
}

/// Ids of the checks that came out like this, each once.
pub(super) fn ids(checks: &[Value], status: &str) -> Vec<String> {
    let mut ids: Vec<String> =
        checks.iter().filter(|c| c["status"] == status).filter_map(|c| c["id"].as_str().map(str::to_owned)).collect();
    ids.sort();
    ids.dedup();
    ids
}

//! The stage: the tenant, the server, the cast, and who lent what to whom.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Method;
use onesec_auth0_sim::{AccessTokenSpec, AccountSpec, ClientSpec, SimConfig, SimError, SimTenant};
use onesec_telemetry::Secret;
use onesec_telemetry::suggest::did_you_mean;
use serde_json::{Value, json};

use super::DemoOptions;
use crate::cli::builtin;
use crate::cli::client::{Answer, Client, Query, key_from};
use crate::cli::error::CliError;
use crate::cli::out::clean;
use crate::cli::table::{field, rows_of};
use crate::config::Config;
use crate::server::{Running, Server};

pub(super) const ALICE: &str = "auth0|alice";
pub(super) const BOB: &str = "auth0|bob";
pub(super) const GOOGLE: &str = "google-oauth2";
pub(super) const GITHUB: &str = "github";
pub(super) const SLACK: &str = "slack";
pub(super) const CALENDAR: &str = "https://www.googleapis.com/auth/calendar.readonly";
pub(super) const STATUS: &str = "repo:status";
pub(super) const CHANNELS: &str = "channels:read";

/// Who linked what: user, connection, scopes.
const LINKS: [(&str, &str, &str); 4] =
    [(ALICE, GOOGLE, CALENDAR), (ALICE, SLACK, CHANNELS), (BOB, GOOGLE, CALENDAR), (BOB, GITHUB, STATUS)];

/// Who lent what to whom: user, connection, agent.
const LOANS: [(&str, &str, &str); 5] = [
    (ALICE, GOOGLE, "calendar-helper"),
    (BOB, GITHUB, "code-reviewer"),
    (ALICE, SLACK, "standup-bot"),
    (BOB, GOOGLE, "sync-bot"),
    (BOB, GOOGLE, "night-sync-bot"),
];

/// All agents; to the last of them nobody lent anything.
const AGENTS: [&str; 9] = [
    "calendar-helper",
    "code-reviewer",
    "standup-bot",
    "sync-bot",
    "night-sync-bot",
    "inbox-helper",
    "note-keeper",
    "team-helper",
    "shadow-bot",
];

const DOMAIN: &str = "demo.eu.auth0.test";
const AUDIENCE: &str = "https://api.demo.test";
const CLIENT: &str = "onesec-demo";

/// Everything that the demo needs, running.
pub(super) struct Stage {
    sim: SimTenant,
    running: Running,
    dir: PathBuf,
    /// Removes the directory when it goes.
    temporary: Option<tempfile::TempDir>,
    /// The operator.
    pub(super) admin: Client,
    /// The identity platform's reporter: its word about links counts.
    pub(super) reporter: Client,
    agents: BTreeMap<&'static str, Client>,
    refresh: BTreeMap<&'static str, Secret>,
    access: BTreeMap<&'static str, Secret>,
}

/// With which kind of token a user is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    Refresh,
    Access,
}

impl Stage {
    pub(super) async fn build(options: DemoOptions) -> Result<Self, CliError> {
        known_detectors(&options)?;
        let (dir, temporary) = data_dir(options.data_dir.as_deref())?;
        let sim = tenant().await.map_err(|error| CliError::refused(error.to_string()))?;
        let mut config = configuration(&sim)?;
        config.data_dir.clone_from(&dir);
        config.settings.detectors_off.extend(options.disabled);
        let more = options.more;
        let server = Server::builder(config).detectors(move |settings| more(settings));
        let running = server.start().await.map_err(|error| CliError::refused(format!("cannot start: {error}")))?;
        let key = running.admin_key().cloned().or_else(|| key_from(&dir.join("admin.key")));
        let admin = Client::new(running.url(), None, key)?;
        let (refresh, access) = credentials(&sim).map_err(|error| CliError::refused(error.to_string()))?;
        let reporter =
            new_key(&admin, "identity-platform", &json!({"scopes": ["events:trust"], "trusted_time": true})).await?;
        let mut agents = BTreeMap::new();
        for agent in AGENTS {
            agents.insert(
                agent,
                new_key(&admin, agent, &json!({"scopes": ["exchange", "events:write"], "agent_id": agent})).await?,
            );
        }
        let stage = Self { sim, running, dir, temporary, admin, reporter, agents, refresh, access };
        stage.link_and_lend().await?;
        Ok(stage)
    }

    async fn link_and_lend(&self) -> Result<(), CliError> {
        for (user, connection, scopes) in LINKS {
            self.report(
                "connected_account_link",
                &format!("link-{user}-{connection}"),
                &json!({
                    "user_id": user, "connection": connection, "scopes": scopes,
                }),
            )
            .await?;
        }
        for (user, connection, agent) in LOANS {
            let lent =
                LINKS.iter().find(|(u, c, _)| (*u, *c) == (user, connection)).map_or("", |(_, _, scopes)| scopes);
            let body = json!({"user_id": user, "agent_id": agent, "connection": connection, "scopes": [lent]});
            self.admin.call(Method::POST, "/api/v1/delegations", Some(&body)).await?;
        }
        Ok(())
    }

    /// Sends one event as the identity platform.
    pub(super) async fn report(&self, kind: &str, id: &str, details: &Value) -> Result<(), CliError> {
        let event = json!({"id": id, "type": kind, "source": "identity-platform", "details": details});
        self.reporter.call(Method::POST, "/api/v1/events", Some(&event)).await.map(|_| ())
    }

    /// Sends one event as the identity platform, which needs no id of its own.
    pub(super) async fn report_event(&self, event: &Value) -> Result<(), CliError> {
        self.reporter.call(Method::POST, "/api/v1/events", Some(event)).await.map(|_| ())
    }

    /// `agent` tells what it did.
    pub(super) async fn tell(&self, agent: &str, event: &Value) -> Result<(), CliError> {
        self.client(agent)?.call(Method::POST, "/api/v1/events", Some(event)).await.map(|_| ())
    }

    /// `agent` asks before it acts.
    pub(super) async fn ask(&self, agent: &str, event: &Value) -> Result<Value, CliError> {
        self.client(agent)?.call(Method::POST, "/api/v1/decide", Some(event)).await
    }

    fn client(&self, agent: &str) -> Result<&Client, CliError> {
        self.agents.get(agent).ok_or_else(|| CliError::refused("the demo's cast is incomplete"))
    }

    /// `agent` trades a token of `user` for one of `connection`.
    pub(super) async fn exchange(&self, ask: &Ask) -> Result<Answer, CliError> {
        let (tokens, kind) = match ask.proof {
            Proof::Refresh => (&self.refresh, "refresh_token"),
            Proof::Access => (&self.access, "access_token"),
        };
        let (Some(agent), Some(token)) = (self.agents.get(ask.agent), tokens.get(ask.user)) else {
            return Err(CliError::refused("the demo's cast is incomplete"));
        };
        let body = json!({
            "subject_token": token.expose_to_wire(),
            "subject_token_type": format!("urn:ietf:params:oauth:token-type:{kind}"),
            "connection": ask.connection,
            "scopes": [ask.scope],
        });
        agent.send(Method::POST, "/api/v1/token-vault/exchange", Some(&body)).await
    }

    /// What live mode would say to an exchange that was made: the record of its decision has it.
    pub(super) async fn would(&self, exchange_id: &str) -> Result<Option<String>, CliError> {
        let query = Query::default().with("event_id", Some(exchange_id)).with("kind", Some("decided"));
        let answer = self.admin.get("/api/v1/events", &query).await?;
        // Newest first: the decision on the request is older than that on the release.
        Ok(rows_of(&answer, "events").last().map(|decided| field(decided, &["/details/would"])))
    }

    pub(super) async fn go_live(&self) -> Result<(), CliError> {
        let body = json!({"mode": "live"});
        self.admin.call(Method::PUT, "/api/v1/enforcement/mode", Some(&body)).await.map(|_| ())
    }

    pub(super) fn url(&self) -> &str {
        self.running.url()
    }

    pub(super) fn key_file(&self) -> PathBuf {
        self.dir.join("admin.key")
    }

    #[cfg(test)]
    pub(super) const fn sim(&self) -> &SimTenant {
        &self.sim
    }

    #[cfg(test)]
    pub(super) fn refresh_token(&self, user: &str) -> &Secret {
        self.refresh.get(user).expect("a user of the demo")
    }

    #[cfg(test)]
    pub(super) fn agent(&self, agent: &str) -> &Client {
        self.agents.get(agent).expect("an agent of the demo")
    }

    /// Runs until somebody stops it; then everything goes.
    pub(super) async fn serve(self) {
        let nothing_to_read = || Err("the demo has no configuration file".to_owned());
        self.running.wait_for_signal_and_stop(nothing_to_read).await;
        self.sim.shutdown().await;
        drop(self.temporary);
    }

    /// Takes everything down.
    pub(super) async fn strike(self) {
        self.running.stop().await;
        self.sim.shutdown().await;
        drop(self.temporary);
    }
}

/// What an agent asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    pub(super) agent: &'static str,
    pub(super) user: &'static str,
    pub(super) proof: Proof,
    pub(super) connection: &'static str,
    pub(super) scope: &'static str,
}

fn known_detectors(options: &DemoOptions) -> Result<(), CliError> {
    let all = builtin::with(&options.more)(&onesec_engine::Settings::default());
    let all = all.map_err(|error| CliError::usage(error.to_string()))?;
    let codes: Vec<&str> = all.iter().map(|detector| detector.descriptor().code).collect();
    let Some(code) = options.disabled.iter().find(|code| !codes.contains(&code.as_str())) else { return Ok(()) };
    let hint = did_you_mean(code, codes.iter().copied()).map(|like| format!(", did you mean `{like}`?"));
    Err(CliError::usage(format!("no detector `{}`{}", clean(code, 80), hint.unwrap_or_default())))
}

fn data_dir(wanted: Option<&Path>) -> Result<(PathBuf, Option<tempfile::TempDir>), CliError> {
    let Some(dir) = wanted else {
        let made = tempfile::Builder::new().prefix("onesec-demo-").tempdir();
        let made = made.map_err(|error| CliError::refused(format!("cannot make a directory: {error}")))?;
        return Ok((made.path().to_owned(), Some(made)));
    };
    // A story that begins in the middle of another is not understood by anybody.
    if std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(CliError::usage(format!("`{}` is not empty: the demo begins with nothing", dir.display())));
    }
    Ok((dir.to_owned(), None))
}

async fn tenant() -> Result<SimTenant, SimError> {
    let sim = SimTenant::start(SimConfig::new(DOMAIN)).await?;
    sim.create_client(ClientSpec::custom_api(CLIENT, "only-for-the-demo", AUDIENCE));
    for user in [ALICE, BOB] {
        sim.create_user(user);
    }
    for (user, connection, scopes) in LINKS {
        sim.connect_account(AccountSpec::new(user, connection, scopes))?;
    }
    sim.set_provider_token_lifetime(Duration::from_secs(3600));
    Ok(sim)
}

type Tokens = BTreeMap<&'static str, Secret>;

fn credentials(sim: &SimTenant) -> Result<(Tokens, Tokens), SimError> {
    let (mut refresh, mut access) = (Tokens::new(), Tokens::new());
    for user in [ALICE, BOB] {
        refresh.insert(user, sim.issue_refresh_token(user, CLIENT)?);
        access.insert(user, sim.mint_access_token(&AccessTokenSpec::new(user, AUDIENCE, CLIENT))?);
    }
    Ok((refresh, access))
}

fn configuration(sim: &SimTenant) -> Result<Config, CliError> {
    let yaml = json!({
        "server": {"listen": "127.0.0.1:0"},
        "token_vault": {
            "auth0_domain": sim.domain(),
            "auth0_base_url": sim.base_url(),
            "auth0_client_id": CLIENT,
            "auth0_client_secret": "only-for-the-demo",
            "audience": AUDIENCE,
        },
    });
    // The environment is somebody's real configuration, and none of the demo's business.
    Config::from_yaml(&yaml.to_string(), &|_| None)
        .map_err(|error| CliError::refused(format!("configuration: {error}")))
}

async fn new_key(admin: &Client, name: &str, more: &Value) -> Result<Client, CliError> {
    let mut body = more.clone();
    if let Some(members) = body.as_object_mut() {
        members.insert("name".to_owned(), name.into());
    }
    let answer = admin.call(Method::POST, "/api/v1/keys", Some(&body)).await?;
    let key = answer.get("key").and_then(Value::as_str);
    let key = key.ok_or_else(|| CliError::refused("the server gave no key"))?;
    Ok(admin.with_key(Secret::new(key.to_owned())))
}

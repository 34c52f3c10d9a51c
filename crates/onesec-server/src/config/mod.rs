//! The configuration: said in YAML and in the environment, meant as [`Config`].

mod enforcement;
mod keys;
mod meant;
mod revocation;
mod said;
mod signals;
#[cfg(test)]
mod tests;
mod units;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use onesec_enforcement::Webhook;
use onesec_engine::Settings;
use onesec_telemetry::redact::redact_text;
use onesec_telemetry::{Possession, Secret, TenantId};
use url::Url;

use crate::core::Retention;
pub use crate::gateway::{ClientUse, PassRule, UnprovenSubject};
pub use crate::identity::IssuerConfig;
pub use crate::signals::{ReceiverConfig, SignalPart, SignalsConfig, TransmitterConfig, TransmitterKeys};
pub use onesec_telemetry::network::Network;
pub use onesec_telemetry::time::parse_duration;
pub use revocation::RevokeAt;
pub use units::parse_size;

/// What the server is to do. Made by [`Config::load`]; the fields are public so that an embedder or the command line
/// may change what the file said.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where we listen.
    pub listen: SocketAddr,
    /// Names under which clients may call us, besides loopback with our port.
    pub hosts: Vec<String>,
    /// Networks whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<Network>,
    /// Where the journal, its key and `admin.key` live.
    pub data_dir: PathBuf,
    /// Certificate and key.
    pub tls: Option<TlsFiles>,
    /// Auth0, where exchanges go through us.
    pub token_vault: Option<TokenVaultConfig>,
    /// What engine and detectors depend on.
    pub settings: Settings,
    /// Where messages go: what the settings do not have, since addresses and secrets never become records.
    pub hooks: Vec<Webhook>,
    /// Our client of the Management API, where actions at Auth0 may be carried out.
    pub management: Option<ManagementConfig>,
    /// Where people reach us: what messages link to.
    pub public_url: Option<Url>,
    /// `block_ip` uses the firewall, too, where there is one and we have the privilege.
    pub firewall: bool,
    /// How long things are kept.
    pub retention: Retention,
    /// The journal's file grows no further, in bytes.
    pub max_journal_bytes: Option<u64>,
    /// Records after which a tenant's state is saved, so that a restart need not replay them.
    pub snapshot_every: Option<u64>,
    /// How much tenant `default` may ask for.
    pub quotas: Quotas,
    /// Tenants besides `default`.
    pub tenants: Vec<TenantConfig>,
    /// Issuers whose machine tokens say which agent is asking.
    pub agent_issuers: Vec<IssuerConfig>,
    /// What every exchange must prove besides the credential.
    pub possession: Possession,
    /// The longest that a signed delegation may live.
    pub link_lifetime: Duration,
    /// A file of public keys (JWKS) that may sign for users, besides ours.
    pub root_keys: Option<PathBuf>,
    /// Whose security events are believed.
    pub signals: SignalsConfig,
}

/// Files of a certificate and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The chain.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// Which certificates of clients are taken.
    pub clients: ClientCertificates,
}

/// Which certificates of clients are taken (RFC 8705).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ClientCertificates {
    /// None is asked for.
    #[default]
    None,
    /// Any, self-signed or not: an agent is known by the very certificate that was registered.
    Any,
    /// Those of the authority in this PEM file: an agent may be known by a name in them.
    Authority(PathBuf),
}

/// One more tenant.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TenantConfig {
    /// Its name.
    pub name: TenantId,
    /// Its own Auth0 tenant.
    pub token_vault: Option<TokenVaultConfig>,
    /// Its own issuers of agents' tokens.
    pub agent_issuers: Vec<IssuerConfig>,
    /// Whose security events are believed about its users.
    pub signals: SignalsConfig,
    /// Connections of it at which every exchange goes through us; `*` is all.
    pub exclusive: Vec<String>,
    /// Connections of it whose links are all known; `*` is all.
    pub ledger_complete: Vec<String>,
    /// Our client of its Management API.
    pub management: Option<ManagementConfig>,
    /// How long things of it are kept; as those of tenant `default` where that is not said.
    pub retention: Option<Retention>,
    /// How much it may ask for.
    pub quotas: Quotas,
}

/// How much one tenant may ask for; whatever is left out has no bound but the server's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "an embedder fills it in")]
pub struct Quotas {
    /// Events, and questions before an act.
    pub events_per_minute: Option<u64>,
    /// Exchanges, whether they are granted or not.
    pub exchanges_per_minute: Option<u64>,
}

/// The machine client by which actions are carried out at one Auth0 tenant.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ManagementConfig {
    /// The tenant's own domain, never a custom one: its Management API knows itself by that.
    pub domain: String,
    /// Where requests go instead.
    pub base_url: Option<Url>,
    /// The client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
}

/// One more client of ours at Auth0.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VaultClient {
    /// Its id.
    pub client_id: String,
    /// What proves it.
    pub credential: VaultCredential,
    /// What it is for.
    pub purpose: ClientUse,
    /// The API whose access tokens it exchanges; any where absent.
    pub audience: Option<String>,
}

/// What proves a client of ours.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum VaultCredential {
    /// A shared secret.
    Secret(Secret),
    /// A private key in a PEM file, by which it signs (`private_key_jwt`).
    Key {
        /// The file.
        file: PathBuf,
        /// Its name at the tenant.
        kid: Option<String>,
    },
}

/// We stand in front of a custom domain of the tenant (Auth0's self-managed certificates).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProxyConfig {
    /// The custom domain.
    pub domain: String,
    /// Where the tenant is really reached.
    pub origin: String,
    /// The `Host` that the tenant expects there.
    pub origin_host: String,
    /// What the tenant knows us by: sent as `cname-api-key`.
    pub api_key: Secret,
}

/// Auth0 Token Vault, as one tenant uses it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TokenVaultConfig {
    /// Such as `tenant.eu.auth0.com`; `https://<domain>/` is the expected issuer.
    pub domain: String,
    /// Where requests go instead.
    pub base_url: Option<Url>,
    /// Our client; empty until it is configured.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// Further clients, by use and audience.
    pub clients: Vec<VaultClient>,
    /// Other grants that may pass through.
    pub pass_through: Vec<PassRule>,
    /// We stand in front of a custom domain.
    pub proxy: Option<ProxyConfig>,
    /// APIs whose access tokens prove a user.
    pub audiences: Vec<String>,
    /// What happens where nobody can be proven.
    pub unproven_subject: UnprovenSubject,
    /// What log streams show as `Authorization`, verbatim; none is taken where absent.
    pub log_stream_authorization: Option<Secret>,
    /// How often the tenant's log is asked for, where it is.
    pub pull_logs: Option<Duration>,
    /// How often connected accounts are compared with the tenant's, where they are.
    pub reconcile: Option<Duration>,
    /// The longest that one upstream request may take.
    pub request_timeout: Duration,
    /// Where browsers may come back to when accounts are connected through us, each exactly so.
    pub connect_redirect_uris: Vec<String>,
    /// Providers that may be asked to end their own tokens; those tokens are held while they live.
    pub revoke_at_provider: Vec<RevokeAt>,
    /// A file of root certificates in PEM, trusted besides the system's.
    pub extra_root_ca: Option<PathBuf>,
}

/// Why a configuration cannot be used. Never holds a value that was said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No YAML.
    #[error("not valid YAML, line {line}, column {column}")]
    Syntax {
        /// Counted from 1; 0 where unknown.
        line: u64,
        /// Counted from 1.
        column: u64,
    },
    /// A key that does not exist.
    #[error("unknown key `{path}`{}", suggestion.as_ref().map(|s| format!(", did you mean `{s}`?")).unwrap_or_default())]
    Unknown {
        /// Where.
        path: String,
        /// What was likely meant.
        suggestion: Option<String>,
    },
    /// A value that cannot be used.
    #[error("`{path}` {why}")]
    Value {
        /// Where: a path, or the name of an environment variable.
        path: String,
        /// Why.
        why: String,
    },
}

impl Config {
    /// Reads the file at `path`, or the built-in default, and puts the environment over it.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text = match path {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?
            }
            None => DEFAULT_CONFIG.to_owned(),
        };
        Self::from_yaml(&text, env)
    }

    /// Reads YAML, and puts the environment over it.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn from_yaml(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut said = said::Said::from_yaml(text)?;
        overlay_auth0(&mut said, env);
        said.overlay(env)?;
        let mut config = meant::config(&said)?;
        if said.get("server.data_dir").is_none() {
            config.data_dir = default_data_dir(env);
        }
        Ok(config)
    }

    /// The settings of one tenant, the same for all but for what is true of its own Auth0 tenant; nothing where the
    /// configuration has no such tenant.
    #[must_use]
    pub fn settings_of(&self, tenant: &TenantId) -> Option<Settings> {
        let mut settings = self.settings.clone();
        let own = self.tenants.iter().find(|known| known.name == *tenant);
        if let Some(own) = own {
            (settings.exclusive, settings.ledger_complete) = (own.exclusive.clone(), own.ledger_complete.clone());
        } else if *tenant != TenantId::default_tenant() {
            return None;
        }
        let vault = own.map_or(self.token_vault.as_ref(), |own| own.token_vault.as_ref());
        // With a client of the Management API the log may be asked for at any time.
        let asked = own.map_or(self.management.is_some(), |own| own.management.is_some());
        settings.told_by_auth0 = vault.is_some_and(|vault| vault.has_log() || asked);
        settings.gateway_clients = vault.map(TokenVaultConfig::client_ids).unwrap_or_default();
        Some(settings)
    }

    /// The tenants of this server: `default` first.
    #[must_use]
    pub fn tenant_names(&self) -> Vec<TenantId> {
        let others = self.tenants.iter().map(|tenant| tenant.name.clone());
        std::iter::once(TenantId::default_tenant()).chain(others).collect()
    }
}

impl TokenVaultConfig {
    /// Whether entries of the tenant's log come in, one way or the other.
    #[must_use]
    pub const fn has_log(&self) -> bool {
        self.log_stream_authorization.is_some() || self.pull_logs.is_some()
    }

    /// Our clients at the tenant. None where we stand in front of a custom domain: there, clients of others exchange
    /// through us, too.
    fn client_ids(&self) -> Vec<String> {
        if self.proxy.is_some() {
            return Vec::new();
        }
        let own = Some(&self.client_id).filter(|id| !id.is_empty());
        own.into_iter().chain(self.clients.iter().map(|client| &client.client_id)).cloned().collect()
    }

    /// Whether there are credentials: without them the gateway answers `not-configured`.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        !self.client_id.is_empty() && !self.client_secret.is_empty() || !self.clients.is_empty()
    }
}

/// `AUTH0_DOMAIN` enables Token Vault; `ONESEC_…` wins over all three.
fn overlay_auth0(said: &mut said::Said, env: &dyn Fn(&str) -> Option<String>) {
    let variables = [
        ("AUTH0_DOMAIN", "token_vault.auth0_domain"),
        ("AUTH0_CLIENT_ID", "token_vault.auth0_client_id"),
        ("AUTH0_CLIENT_SECRET", "token_vault.auth0_client_secret"),
    ];
    for (name, path) in variables {
        let Some(value) = env(name).filter(|value| !value.trim().is_empty()) else { continue };
        said.set(path, serde_json::Value::String(value.trim().to_owned()));
        if name == "AUTH0_DOMAIN" {
            said.set("token_vault.enabled", serde_json::Value::Bool(true));
        }
    }
}

/// `$XDG_DATA_HOME/onesec`, `~/.local/share/onesec`, or `onesec-data` here.
#[must_use]
pub fn default_data_dir(env: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    let absolute = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data_home = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    data_home.map_or_else(|| PathBuf::from("onesec-data"), |home| home.join("onesec"))
}

impl ConfigError {
    /// A name within the path may be a value that slipped, and a secret.
    fn value(path: &str, why: &str) -> Self {
        Self::Value { path: redact_text(path).into_owned(), why: why.to_owned() }
    }

    fn below(self, parent: &str) -> Self {
        let join = |path: String| format!("{parent}.{path}");
        match self {
            Self::Unknown { path, suggestion } => Self::Unknown { path: join(path), suggestion },
            Self::Value { path, why } => Self::Value { path: join(path), why },
            other => other,
        }
    }
}

/// The configuration without a file.
pub const DEFAULT_CONFIG: &str = include_str!("../../../../configs/default.yaml");

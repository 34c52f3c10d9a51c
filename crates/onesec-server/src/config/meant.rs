//! From what was said to what is meant: defaults resolved, values checked against each other.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use onesec_auth0::Auth0Config;
use onesec_engine::Settings;
use onesec_telemetry::limits::MAX_DELEGATION_DEPTH;
use onesec_telemetry::{ConnectionName, Possession, Reach, Secret, TenantId};
use onesec_trackers::Unattested;
use serde_json::Value;
use url::Url;

use super::enforcement::{enforcement, management};
use super::said::{Said, as_switch};
use super::{
    ClientCertificates, ClientUse, Config, ConfigError, IssuerConfig, Network, PassRule, ProxyConfig, Quotas,
    TenantConfig, TlsFiles, TokenVaultConfig, UnprovenSubject, VaultClient, VaultCredential,
};
use super::{parse_duration, parse_size};
use crate::core::Retention;
use crate::identity::MAX_LINK_LIFE;

pub(super) fn config(said: &Said) -> Result<Config, ConfigError> {
    let listen = said.text("server.listen").unwrap_or_else(|| "127.0.0.1:1780".to_owned());
    let listen: SocketAddr = listen
        .parse()
        .map_err(|_| ConfigError::value("server.listen", "must be an address and a port, such as `127.0.0.1:1780`"))?;
    let (enforced, hooks) = enforcement(said)?;
    let config = Config {
        listen,
        hosts: said.texts("server.hosts"),
        trusted_proxies: networks(said)?,
        data_dir: said.text("server.data_dir").map(PathBuf::from).unwrap_or_default(),
        tls: tls(said)?,
        token_vault: token_vault(said)?,
        settings: Settings { enforcement: enforced, ..settings(said)? },
        hooks,
        management: management(said)?,
        public_url: public_url(said)?,
        firewall: said.text("enforcement.firewall").as_deref() != Some("off"),
        retention: retention(said, "journal.retention", Retention::default()),
        quotas: quotas(said)?,
        max_journal_bytes: said.get("journal.max_size").and_then(|v| v.as_u64().or_else(|| parse_size(v.as_str()?))),
        snapshot_every: snapshot_every(said)?,
        tenants: tenants(said)?,
        agent_issuers: agent_issuers(said)?,
        possession: possession(said),
        link_lifetime: link_lifetime(said)?,
        root_keys: said.text("delegations.root_keys").map(PathBuf::from),
        signals: super::signals::signals(said)?,
    };
    check_streams(&config)?;
    Ok(config)
}

/// A delivery says by its `Authorization` alone whose it is.
fn check_streams(config: &Config) -> Result<(), ConfigError> {
    let others = config.tenants.iter().filter_map(|tenant| tenant.token_vault.as_ref());
    let shown = config.token_vault.iter().chain(others).filter_map(|vault| vault.log_stream_authorization.as_ref());
    let mut prints: Vec<_> = shown.map(Secret::thumbprint).collect();
    let count = prints.len();
    prints.sort_unstable();
    prints.dedup();
    let why = "must be another one for every tenant";
    if prints.len() == count { Ok(()) } else { Err(ConfigError::value("token_vault.log_stream_authorization", why)) }
}

/// Records after which the state is saved.
fn snapshot_every(said: &Said) -> Result<Option<u64>, ConfigError> {
    match said.number("journal.snapshot_every") {
        Some(0) => Err(ConfigError::value("journal.snapshot_every", "must be at least 1")),
        other => Ok(other),
    }
}

fn networks(said: &Said) -> Result<Vec<Network>, ConfigError> {
    let wrong = || ConfigError::value("server.trusted_proxies", "must be addresses or networks such as `10.0.0.0/8`");
    said.texts("server.trusted_proxies").iter().map(|text| Network::parse(text).ok_or_else(wrong)).collect()
}

/// What stands in messages must be safe to follow, and show nobody on the way what it leads to.
fn public_url(said: &Said) -> Result<Option<Url>, ConfigError> {
    let Some(text) = said.text("server.public_url").filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong = || {
        let why = "must be `https://host[:port][/path]`, or `http://` to this machine";
        ConfigError::value("server.public_url", why)
    };
    let url = Url::parse(&text).map_err(|_| wrong())?;
    let local = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => return Err(wrong()),
    };
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let safe = url.scheme() == "https" || (url.scheme() == "http" && local);
    if plain && safe { Ok(Some(url)) } else { Err(wrong()) }
}

fn tls(said: &Said) -> Result<Option<TlsFiles>, ConfigError> {
    match (said.text("server.tls.cert"), said.text("server.tls.key")) {
        (Some(cert), Some(key)) => {
            Ok(Some(TlsFiles { cert: cert.into(), key: key.into(), clients: client_certificates(said)? }))
        }
        (None, None) if client_certificates(said)? == ClientCertificates::None => Ok(None),
        _ => Err(ConfigError::value("server.tls", "needs both `cert` and `key`")),
    }
}

fn client_certificates(said: &Said) -> Result<ClientCertificates, ConfigError> {
    match (said.text("server.tls.client_certificates").as_deref(), said.text("server.tls.client_ca")) {
        (Some("authority") | None, Some(file)) => Ok(ClientCertificates::Authority(file.into())),
        (Some("authority"), None) => Err(ConfigError::value("server.tls.client_ca", "is needed for `authority`")),
        (_, Some(_)) => Err(ConfigError::value("server.tls.client_ca", "goes with `client_certificates: authority`")),
        (Some("any"), None) => Ok(ClientCertificates::Any),
        (_, None) => Ok(ClientCertificates::None),
    }
}

fn link_lifetime(said: &Said) -> Result<Duration, ConfigError> {
    let life = said.duration("delegations.link_lifetime").unwrap_or(Duration::from_secs(86_400));
    let possible = (Duration::from_secs(60)..=MAX_LINK_LIFE).contains(&life);
    if possible { Ok(life) } else { Err(ConfigError::value("delegations.link_lifetime", "must be 1m to 31d")) }
}

fn possession(said: &Said) -> Possession {
    match said.text("agents.possession").as_deref() {
        Some("dpop") => Possession::Dpop,
        Some("mtls") => Possession::Mtls,
        _ => Possession::None,
    }
}

fn agent_issuers(said: &Said) -> Result<Vec<IssuerConfig>, ConfigError> {
    let issuer = |(index, said): (usize, Said)| {
        let needed = |name: &str| ConfigError::value(&format!("agents.issuers[{index}].{name}"), "is needed");
        let audiences = said.texts("audience");
        if audiences.is_empty() {
            return Err(needed("audience"));
        }
        let issuer = said.text("issuer").ok_or_else(|| needed("issuer"))?;
        Ok(IssuerConfig { issuer, audiences, jwks_uri: said.text("jwks_uri") })
    };
    said.sections("agents.issuers").into_iter().enumerate().map(issuer).collect()
}

fn vault_clients(said: &Said) -> Result<Vec<VaultClient>, ConfigError> {
    let client = |(index, said): (usize, Said)| {
        let wrong = |name: &str, why: &str| ConfigError::value(&format!("token_vault.clients[{index}].{name}"), why);
        let purpose = match said.text("use").as_deref() {
            Some("refresh") => ClientUse::Refresh,
            Some("access") => ClientUse::Access,
            Some("worker") => ClientUse::Worker,
            _ => return Err(wrong("use", "must be one of `refresh`, `access`, `worker`")),
        };
        let credential = match (said.text("client_secret"), said.text("private_key_file")) {
            (Some(secret), None) if purpose != ClientUse::Worker => VaultCredential::Secret(Secret::new(secret)),
            (None, Some(file)) => VaultCredential::Key { file: file.into(), kid: said.text("key_id") },
            (_, _) if purpose == ClientUse::Worker => {
                return Err(wrong("private_key_file", "is what a worker signs with"));
            }
            _ => return Err(wrong("client_secret", "or `private_key_file` is needed, and not both")),
        };
        let client_id = said.text("client_id").ok_or_else(|| wrong("client_id", "is needed"))?;
        Ok(VaultClient { client_id, credential, purpose, audience: said.text("audience") })
    };
    said.sections("token_vault.clients").into_iter().enumerate().map(client).collect()
}

fn pass_through(said: &Said) -> Result<Vec<PassRule>, ConfigError> {
    let rule = |(index, said): (usize, Said)| {
        let path = format!("token_vault.pass_through[{index}].grant");
        let grant = said.text("grant").ok_or_else(|| ConfigError::value(&path, "is needed"))?;
        if grant == crate::gateway::VAULT_GRANT {
            return Err(ConfigError::value(&path, "is what onesec judges itself"));
        }
        Ok(PassRule::new(grant, said.text("audience")))
    };
    said.sections("token_vault.pass_through").into_iter().enumerate().map(rule).collect()
}

fn proxy(said: &Said) -> Result<Option<ProxyConfig>, ConfigError> {
    let names = ["domain", "origin", "origin_host", "api_key"];
    let mut values = names.map(|name| said.text(&format!("token_vault.proxy.{name}")));
    if values.iter().all(Option::is_none) {
        return Ok(None);
    }
    let missing = names.iter().zip(&values).find(|(_, value)| value.is_none()).map(|(name, _)| *name);
    if let Some(name) = missing {
        return Err(ConfigError::value(&format!("token_vault.proxy.{name}"), "is needed for the custom domain"));
    }
    let [domain, origin, origin_host, api_key] = values.each_mut().map(|value| value.take().unwrap_or_default());
    Ok(Some(ProxyConfig { domain, origin, origin_host, api_key: Secret::new(api_key) }))
}

fn token_vault(said: &Said) -> Result<Option<TokenVaultConfig>, ConfigError> {
    let domain = said.text("token_vault.auth0_domain").filter(|domain| !domain.is_empty());
    let enabled = said.switch("token_vault.enabled").unwrap_or(domain.is_some());
    let Some(domain) = domain else {
        let complaint = ConfigError::value("token_vault.auth0_domain", "is needed where `token_vault` is enabled");
        return if enabled { Err(complaint) } else { Ok(None) };
    };
    if !enabled {
        return Ok(None);
    }
    let base_url = said.text("token_vault.auth0_base_url");
    check_auth0((&domain, base_url.as_deref()), ["token_vault.auth0_domain", "token_vault.auth0_base_url"])?;
    let base_url = base_url.and_then(|url| Url::parse(&url).ok());
    let unproven = said.text("token_vault.unproven_subject");
    let unproven_subject =
        if unproven.as_deref() == Some("alert") { UnprovenSubject::Alert } else { UnprovenSubject::Refuse };
    Ok(Some(TokenVaultConfig {
        domain,
        base_url,
        client_id: said.text("token_vault.auth0_client_id").unwrap_or_default(),
        client_secret: Secret::new(said.text("token_vault.auth0_client_secret").unwrap_or_default()),
        clients: vault_clients(said)?,
        pass_through: pass_through(said)?,
        proxy: proxy(said)?,
        audiences: said.texts("token_vault.audience"),
        unproven_subject,
        log_stream_authorization: log_stream_authorization(said)?,
        pull_logs: every(said, "token_vault.pull_logs.every", Duration::from_secs(1))?,
        reconcile: every(said, "token_vault.reconcile.every", Duration::from_secs(60))?,
        request_timeout: said.duration("token_vault.request_timeout").unwrap_or(Duration::from_secs(10)),
        connect_redirect_uris: said.texts("token_vault.connect_redirect_uris"),
        revoke_at_provider: super::revocation::revoke_at(said)?,
        extra_root_ca: said.text("token_vault.extra_root_ca").map(PathBuf::from),
    }))
}

/// What opens the door to whoever knows it must not be guessed.
fn log_stream_authorization(said: &Said) -> Result<Option<Secret>, ConfigError> {
    let path = "token_vault.log_stream_authorization";
    let Some(text) = said.text(path).filter(|text| !text.is_empty()) else { return Ok(None) };
    let sendable = text.trim() == text && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if text.len() < LEAST_AUTHORIZATION || !sendable {
        let why = "must be 16 or more printable ASCII characters, as they stand in the log stream's settings";
        return Err(ConfigError::value(path, why));
    }
    Ok(Some(Secret::new(text)))
}

/// How often; never where nothing is said.
fn every(said: &Said, path: &str, least: Duration) -> Result<Option<Duration>, ConfigError> {
    match said.duration(path) {
        Some(every) if every < least => {
            Err(ConfigError::value(path, &format!("must be at least {}s", least.as_secs())))
        }
        other => Ok(other),
    }
}

const LEAST_AUTHORIZATION: usize = 16;

/// Asks the Auth0 client's own rules, with credentials that stand for those to come.
pub(super) fn check_auth0(
    (domain, base_url): (&str, Option<&str>),
    [domain_key, url_key]: [&str; 2],
) -> Result<(), ConfigError> {
    let config = Auth0Config::new(domain, "id", Secret::new("secret".to_owned()))
        .map_err(|error| ConfigError::value(domain_key, &format!("is unusable: {error}")))?;
    let Some(url) = base_url else { return Ok(()) };
    let checked = config.with_base_url(url).map(|_| ());
    checked.map_err(|error| ConfigError::value(url_key, &format!("is unusable: {error}")))
}

fn settings(said: &Said) -> Result<Settings, ConfigError> {
    let mut settings =
        Settings { default_connections: said.texts("delegations.default_connections"), ..Settings::default() };
    if settings.default_connections.iter().any(|name| ConnectionName::new(name).is_err()) {
        return Err(ConfigError::value("delegations.default_connections", "must be names of connections"));
    }
    settings.exclusive = said.connections("token_vault.exclusive");
    settings.ledger_complete = said.connections("token_vault.ledger_complete");
    if let Some(depth) = said.number("delegations.max_depth") {
        let depth = u8::try_from(depth).ok().filter(|depth| (1..=MAX_DELEGATION_DEPTH).contains(depth));
        let why = format!("must be 1 to {MAX_DELEGATION_DEPTH}");
        settings.max_depth = depth.ok_or_else(|| ConfigError::value("delegations.max_depth", &why))?;
    }
    settings.unattested = match said.text("delegations.unattested").as_deref() {
        Some("refuse") => Unattested::Refuse,
        Some("allow") => Unattested::Allow,
        _ => Unattested::Alert,
    };
    settings.instruction_from = match said.text("text.strictness").as_deref() {
        Some("lenient") => Reach::Lenient,
        Some("strict") => Reach::Strict,
        _ => Reach::Standard,
    };
    for module in ["token_vault", "consent", "ai_containment", "agentic_web"] {
        if said.switch(&format!("modules.{module}")) == Some(false) {
            settings.modules_off.push(module.to_owned());
        }
    }
    detectors(said, &mut settings);
    Ok(settings)
}

/// `off` switches one off; a duration `window: 5m` becomes the number `window_seconds`.
fn detectors(said: &Said, settings: &mut Settings) {
    let all = said.get("detectors").and_then(Value::as_object);
    for (code, value) in all.into_iter().flatten() {
        let off = as_switch(value) == Some(false) || value.get("enabled").and_then(as_switch) == Some(false);
        if off {
            settings.detectors_off.push(code.clone());
        }
        let own =
            value.as_object().into_iter().flatten().filter(|(name, value)| *name != "enabled" && !value.is_null());
        for (name, value) in own {
            let (name, value) = detector_setting(name, value);
            settings.detectors.entry(code.clone()).or_default().insert(name, value);
        }
    }
}

fn detector_setting(name: &str, value: &Value) -> (String, Value) {
    let Some(text) = value.as_str() else { return (name.to_owned(), value.clone()) };
    if let Some(duration) = parse_duration(text) {
        return (format!("{name}_seconds"), Value::from(duration.as_secs()));
    }
    // The environment knows texts only.
    let number = text.parse::<u64>().map(Value::from);
    (name.to_owned(), number.unwrap_or_else(|_| value.clone()))
}

fn retention(said: &Said, at: &str, otherwise: Retention) -> Retention {
    let duration = |name: &str| said.duration(&format!("{at}.{name}"));
    Retention {
        events: duration("events").unwrap_or(otherwise.events),
        alerts: duration("alerts").unwrap_or(otherwise.alerts),
        responses: duration("responses").unwrap_or(otherwise.responses),
    }
}

fn quotas(said: &Said) -> Result<Quotas, ConfigError> {
    let quota = |name: &str| match said.number(&format!("quotas.{name}")) {
        Some(0) => Err(ConfigError::value(&format!("quotas.{name}"), "must be at least 1")),
        other => Ok(other),
    };
    Ok(Quotas { events_per_minute: quota("events_per_minute")?, exchanges_per_minute: quota("exchanges_per_minute")? })
}

fn tenants(said: &Said) -> Result<Vec<TenantConfig>, ConfigError> {
    let mut tenants = Vec::new();
    let common = retention(said, "journal.retention", Retention::default());
    for (name, said) in said.tenants() {
        let path = format!("tenants.{name}");
        let taken = matches!(name.as_str(), "default" | "*") || name.len() > 64;
        let name = TenantId::new(&name).ok().filter(|id| !taken && id.as_str() == name);
        let name = name.ok_or_else(|| {
            ConfigError::value(&path, "must be a plain name of at most 64 bytes other than `default` and `*`")
        })?;
        let token_vault = token_vault(&said).map_err(|error| error.below(&path))?;
        let agent_issuers = agent_issuers(&said).map_err(|error| error.below(&path))?;
        let signals = super::signals::signals(&said).map_err(|error| error.below(&path))?;
        let exclusive = said.connections("token_vault.exclusive");
        let ledger_complete = said.connections("token_vault.ledger_complete");
        let management = management(&said).map_err(|error| error.below(&path))?;
        let retention = said.get("retention").map(|_| retention(&said, "retention", common));
        let quotas = quotas(&said).map_err(|error| error.below(&path))?;
        tenants.push(TenantConfig {
            name,
            token_vault,
            agent_issuers,
            signals,
            exclusive,
            ledger_complete,
            management,
            retention,
            quotas,
        });
    }
    Ok(tenants)
}

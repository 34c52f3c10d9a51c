//! The server as a whole: configuration in, a running HTTP API out.

mod auth0;
mod descriptors;
mod detectors;
pub(crate) mod doctor;
mod error;
mod identity;
mod logs;
mod reach;
mod revocation;
mod signals;
mod vaults;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use onesec_actions::Webhooks;
use onesec_detector::Detector;
use onesec_engine::{Settings, SetupError};
use onesec_telemetry::{Change, Command, Name, Secret, Sender, TenantId, Text};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::detectors::{assemble, check_detectors};
use self::reach::{Reach, at_work, reach};
use crate::config::Config;
use crate::core::{Core, CoreError, CoreOptions, Order, SharedAssemble, TenantSetup};
use crate::enforce::{Able, Executors, know, outside_actions, own_actions};
use crate::files::write_private;
use crate::http::{App, AppParts, Quotas, ServeLimits, Service, Tls, router, serve};
use crate::keys::{KeyRing, KeyScope, KeyScopes, KeySpec, OPERATOR};
use crate::metrics::Metrics;

pub use self::detectors::builtin_detectors;
#[cfg(test)]
pub(crate) use self::detectors::builtin_settings;
pub use self::error::StartError;

/// The file in the data directory that has the first key.
pub const ADMIN_KEY_FILE: &str = "admin.key";

/// A server that is not running yet.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// A server as `config` wants it.
    #[must_use]
    pub fn builder(config: Config) -> ServerBuilder {
        ServerBuilder { config, more: Arc::new(|_| Ok(Vec::new())), limits: ServeLimits::default() }
    }
}

/// Collects what a server is made of.
pub struct ServerBuilder {
    config: Config,
    more: SharedAssemble,
    limits: ServeLimits,
}

impl std::fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl ServerBuilder {
    /// Detectors beside the built-in ones. Asked again whenever the settings change.
    #[must_use]
    pub fn detectors(
        mut self,
        more: impl Fn(&Settings) -> Result<Vec<Box<dyn Detector>>, SetupError> + Send + Sync + 'static,
    ) -> Self {
        self.more = Arc::new(more);
        self
    }

    /// Opens the journal, recovers, listens.
    ///
    /// # Errors
    /// [`StartError`]; nothing listens then.
    pub async fn start(self) -> Result<Running, StartError> {
        let Self { config, more, mut limits } = self;
        check_address(&config)?;
        warn_of_nameless(&config);
        let tls = config.tls.as_ref().map(Tls::read).transpose()?;
        let assemble = assemble(more);
        check_detectors(&config.settings, &assemble)?;
        limits.connections = descriptors::connections(limits.connections)?;
        let listener = listen(config.listen).await?;
        let address = listener.local_addr().unwrap_or(config.listen);
        make_data_dir(&config.data_dir)?;
        let core = start_core(&config, assemble).await?;
        let started = finish(config, (core.clone(), listener, address), (tls, limits)).await;
        if started.is_err() {
            core.stop().await;
        }
        started
    }
}

/// From a running core to a running server.
async fn finish(
    config: Config,
    (core, listener, address): (Core, TcpListener, SocketAddr),
    (tls, limits): (Option<Tls>, ServeLimits),
) -> Result<Running, StartError> {
    let keys = KeyRing::load(core.reader(), &core.tenants())?;
    let admin_key = if keys.is_empty() { Some(first_key(&config.data_dir, &core, &keys).await?) } else { None };
    let metrics = Metrics::new();
    let (stop, stopping) = watch::channel(false);
    let token_vault = config.token_vault.is_some();
    let Reach { identity, vaults, admins, auth0, beyond } = reach(&config, &core)?;
    let outside = (config.hooks.as_slice(), config.public_url.as_ref());
    let (mut actions, webhooks) = outside_actions(&core, outside, auth0)?;
    // The firewall is everybody's: whom one tenant refuses may be another's guest.
    let firewall = config.firewall && core.tenants().len() == 1;
    actions.extend(own_actions(&core, &config.trusted_proxies, firewall));
    let actions = Arc::new(actions);
    let able = Able::new(actions.clone());
    able.check(&config.settings, &config.hooks)?;
    let executors = Arc::new(Executors::new(core.clone(), actions));
    let logs::Logs { intake, streams, puller, accounts, mut beside } =
        logs::logs(&config, (&core, &identity, &metrics), &admins, &stopping);
    beside.push(at_work(&beyond, &stopping));
    let others = config.tenants.iter().map(|tenant| (tenant.name.clone(), tenant.quotas));
    let quotas = others.chain([(TenantId::default_tenant(), config.quotas)]).collect::<Vec<_>>();
    let app = App::new(AppParts {
        core: core.clone(),
        keys,
        metrics: metrics.clone(),
        port: address.port(),
        hosts: config.hosts,
        trusted_proxies: config.trusted_proxies,
        vaults,
        identity,
        possession: config.possession,
        executors: executors.clone(),
        logs: intake,
        log_streams: streams,
        puller,
        accounts,
        beyond,
        able: able.clone(),
        tls: tls.is_some(),
        quotas: Quotas::new(quotas),
        stopping: stopping.clone(),
    });
    let service = Service { router: router(app), metrics: metrics.clone(), tls: tls.clone() };
    beside.push(tokio::spawn(executors.run(stopping.clone())));
    beside.push(tokio::spawn(count_alerts(core.clone(), metrics, stopping.clone())));
    let serving = tokio::spawn(serve(listener, service, limits, stopping));
    tracing::info!(
        token_vault,
        %address,
        "AI agent containment started (OWASP Agentic AI Top 10 + agentic web access)"
    );
    let scheme = if tls.is_some() { "https" } else { "http" };
    Ok(Running { url: format!("{scheme}://{address}"), admin_key, core, tls, stop, serving, beside, webhooks, able })
}

fn check_address(config: &Config) -> Result<(), StartError> {
    let private = config.tls.is_some() || config.listen.ip().to_canonical().is_loopback();
    if private { Ok(()) } else { Err(StartError::PublicWithoutTls(config.listen)) }
}

/// Requests for a host that is not listed are refused, and only loopback needs no listing.
fn warn_of_nameless(config: &Config) {
    if !config.listen.ip().to_canonical().is_loopback() && config.hosts.is_empty() {
        tracing::warn!("`server.hosts` is empty: whoever comes over the network is refused until our name is listed");
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

/// Nobody but us has business in there.
fn make_data_dir(dir: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| StartError::File { path: dir.to_owned(), source })
}

async fn start_core(config: &Config, assemble: SharedAssemble) -> Result<Core, StartError> {
    let mut options = CoreOptions::new(config.data_dir.clone());
    let setup = |name: TenantId| {
        let settings = config.settings_of(&name);
        let retention = config.tenants.iter().find(|tenant| tenant.name == name).and_then(|tenant| tenant.retention);
        settings.map(|settings| TenantSetup { name, settings, connections: Vec::new(), retention })
    };
    options.tenants = config.tenant_names().into_iter().filter_map(setup).collect();
    options.assemble = assemble;
    options.retention = config.retention;
    options.journal.max_bytes = config.max_journal_bytes;
    options.snapshot_every = config.snapshot_every.unwrap_or(options.snapshot_every);
    // Recovery reads and replays: that is no work for the runtime's threads.
    let started = tokio::task::spawn_blocking(move || Core::start(options)).await;
    match started {
        Ok(core) => Ok(core?),
        Err(_) => Err(StartError::FirstKey(CoreError::Stopping)),
    }
}

/// The first key: good for everything but exchanges, in every tenant. The file comes first, so that a crash in between
/// leaves a file without a key, which the next start makes good, and never a key that nobody knows.
async fn first_key(dir: &Path, core: &Core, keys: &KeyRing) -> Result<Secret, StartError> {
    let (Ok(name), Ok(tenant)) = (Name::new("admin"), TenantId::new(OPERATOR)) else {
        return Err(StartError::FirstKey(CoreError::UnknownTenant));
    };
    let (record, secret) = KeySpec::new(name, KeyScopes::of(&[KeyScope::Admin]), tenant).make(core.now())?;
    let path = dir.join(ADMIN_KEY_FILE);
    write_private(&path, &secret).map_err(|source| StartError::File { path, source })?;
    let order = Order {
        tenant: TenantId::default_tenant(),
        sender: Sender::system(),
        command: Command::KeyCreated {
            key: record.id.clone(),
            agent: None,
            owner: None,
            scopes: Text::redacted(&record.scopes.as_names().join(" ")),
        },
        then: None,
        ledger: vec![record.put()],
    };
    core.order(order).await.map_err(StartError::FirstKey)?;
    keys.insert(record);
    Ok(secret)
}

/// Counts alerts as they open. Where it lags behind, some are not counted: it is a metric.
async fn count_alerts(core: Core, metrics: Metrics, mut stopping: watch::Receiver<bool>) {
    let mut news = core.news();
    loop {
        let next = tokio::select! {
            next = news.recv() => next,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        match next {
            Ok(news) if news.change == Change::Opened => {
                metrics.alert_opened(news.alert.detector.as_str(), news.alert.severity);
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// A server that runs. Dropping it does not stop it gracefully: call [`Running::stop`].
#[derive(Debug)]
pub struct Running {
    url: String,
    admin_key: Option<Secret>,
    core: Core,
    tls: Option<Tls>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    /// What goes on beside.
    beside: Vec<JoinHandle<()>>,
    webhooks: Arc<Webhooks>,
    able: Able,
}

impl Running {
    /// Where it listens, such as `http://127.0.0.1:1780`; `https://…` with TLS.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The first key, where this start made it.
    #[must_use]
    pub const fn admin_key(&self) -> Option<&Secret> {
        self.admin_key.as_ref()
    }

    /// The core, for those who embed the server.
    #[must_use]
    pub const fn core(&self) -> &Core {
        &self.core
    }

    /// Takes nothing new, finishes what is under way, commits and snapshots.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.serving.await;
        for work in self.beside {
            let _ = work.await;
        }
        self.core.stop().await;
        tracing::info!("stopped");
    }

    /// Puts the settings of `config` in force (modules, detectors, delegations, enforcement), as records of the journal.
    /// A renewed certificate counts for connections from now on. Addresses, data directory, tenants and Token Vault stay
    /// as they were until the next start.
    ///
    /// # Errors
    /// [`StartError`] where they have no meaning: the last good ones stay in force.
    pub async fn reload(&self, config: &Config) -> Result<bool, StartError> {
        // Before anything changes: what stops a start must not slip in by a reload.
        check_detectors(&config.settings, self.core.assemble())?;
        self.able.check(&config.settings, &config.hooks)?;
        if let (Some(tls), Some(files)) = (&self.tls, &config.tls) {
            tls.renew(files)?;
        }
        // A tenant that the configuration no longer has stays as it was until the next start.
        let with = |tenant: TenantId| config.settings_of(&tenant).map(|settings| (tenant, settings));
        let tenants: Vec<(TenantId, Settings)> = self.core.tenants().into_iter().filter_map(with).collect();
        for (tenant, settings) in &tenants {
            self.core.check_settings(tenant, settings)?;
        }
        know(&self.webhooks, &config.hooks);
        let mut changed = false;
        for (tenant, settings) in &tenants {
            changed |= self.core.reconfigure(tenant, settings).await?;
        }
        Ok(changed)
    }

    /// Runs until the process is told to end (SIGINT, SIGTERM), then stops. SIGHUP reads the configuration again.
    pub async fn wait_for_signal_and_stop(self, read: impl Fn() -> Result<Config, String>) {
        self.stop_on(Signals::listen(), read).await;
    }

    /// The same, for whoever has been listening for signals since before it said that the server is there.
    pub(crate) async fn stop_on(self, mut signals: Signals, read: impl Fn() -> Result<Config, String>) {
        loop {
            tokio::select! {
                _ = heard(&mut signals.interrupt) => break,
                _ = heard(&mut signals.terminate) => break,
                _ = heard(&mut signals.hang_up) => self.read_again(&read).await,
            }
        }
        self.stop().await;
    }

    async fn read_again(&self, read: &impl Fn() -> Result<Config, String>) {
        let reloaded = match read() {
            Ok(config) => self.reload(&config).await.map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        match reloaded {
            Ok(changed) => tracing::info!(changed, "configuration reloaded"),
            Err(why) => tracing::error!(why, "the configuration cannot be used, the last good one stays in force"),
        }
    }
}

/// What the process may be told. From here on no signal ends it without a word.
pub(crate) struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
    hang_up: Option<Signal>,
}

impl Signals {
    pub(crate) fn listen() -> Self {
        let [interrupt, terminate, hang_up] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(|kind| signal(kind).ok());
        Self { interrupt, terminate, hang_up }
    }
}

/// The next signal; never, where the system gives none.
async fn heard(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;

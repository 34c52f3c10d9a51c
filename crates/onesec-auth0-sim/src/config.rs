//! How a simulated tenant starts.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use onesec_telemetry::{Secret, Timestamp};

/// Where the tenant's first signing key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// One RSA key per process, shared by all tenants that ask for it: cheap, for tests.
    Shared,
    /// A key of its own, for demos and for tests that need two tenants that do not trust each other.
    Fresh,
}

/// What a tenant is started with.
#[derive(Clone)]
pub struct SimConfig {
    pub(crate) domain: String,
    pub(crate) tls: bool,
    pub(crate) loopback_issuer: bool,
    pub(crate) api_key: Option<Secret>,
    pub(crate) keys: KeySource,
    pub(crate) clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl SimConfig {
    /// Plain HTTP, the process-wide key, the machine's clock.
    #[must_use]
    pub fn new(domain: &str) -> Self {
        Self {
            domain: domain.to_owned(),
            tls: false,
            loopback_issuer: false,
            api_key: None,
            keys: KeySource::Shared,
            clock: Arc::new(machine_time),
        }
    }

    /// Speaks HTTPS with a certificate for `127.0.0.1`, `localhost` and the domain, signed by a CA of its own.
    #[must_use]
    pub const fn with_tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Its address is its issuer, so that strangers find it by discovery: `http://127.0.0.1:<port>/`, or `https://…`.
    #[must_use]
    pub const fn with_loopback_issuer(mut self) -> Self {
        self.loopback_issuer = true;
        self
    }

    /// Stands behind a custom domain with self-managed certificates: the domain is the issuer, and a request without
    /// this `cname-api-key` gets 403.
    #[must_use]
    pub fn with_custom_domain(mut self, domain: &str, api_key: &str) -> Self {
        self.domain = domain.to_owned();
        self.api_key = Some(Secret::new(api_key.to_owned()));
        self
    }

    /// Where the first signing key comes from.
    #[must_use]
    pub const fn with_keys(mut self, keys: KeySource) -> Self {
        self.keys = keys;
        self
    }

    /// Another clock, such as one that a test moves.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl fmt::Debug for SimConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimConfig").field("domain", &self.domain).field("tls", &self.tls).finish_non_exhaustive()
    }
}

/// The simulator stands for another machine, and that machine has a clock.
#[expect(clippy::disallowed_methods, reason = "stands in for the clock of a remote machine")]
fn machine_time() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Why the simulator cannot do what it is told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// No socket, no port.
    #[error("the simulated tenant cannot listen on loopback")]
    Listen(#[source] std::io::Error),
    /// No key or certificate could be made.
    #[error("the simulated tenant cannot make its keys")]
    Keys,
    /// No such user.
    #[error("no user `{0}` in the simulated tenant")]
    UnknownUser(String),
    /// No such client.
    #[error("no client `{0}` in the simulated tenant")]
    UnknownClient(String),
    /// No such account.
    #[error("no connected account `{0}` in the simulated tenant")]
    UnknownAccount(String),
    /// More than Auth0 lets a worker have.
    #[error("a worker has at most 5 connections and 20 scopes")]
    WorkerGrants,
    /// Scopes that RFC 6749 does not allow.
    #[error("malformed scopes")]
    Scopes(#[from] onesec_telemetry::ScopeError),
}

//! The one place that makes an HTTP client.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::config::ConfigError;
use crate::origin::OriginOptions;

/// Which certificate authorities are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Those of this system.
    System,
    /// Only those in this PEM text.
    Pem(String),
    /// Those of this system, and those in this PEM text.
    SystemAndPem(String),
    /// None: plain HTTP to loopback only.
    None,
}

/// What speaks to Auth0. Made by [`http_client`] only.
pub type HttpClient = reqwest::Client;

/// How the client behaves.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// For TCP and TLS.
    pub connect_timeout: Duration,
    /// From the request to the last byte of the answer.
    pub total_timeout: Duration,
    /// Idle connections kept per host.
    pub pool_idle: usize,
    /// Whom to trust.
    pub roots: Roots,
    /// The origin behind a custom domain, where it is what the client speaks to: it answers those only who show its key.
    pub origin: Option<OriginOptions>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        let (connect_timeout, total_timeout) = (seconds(3), seconds(10));
        Self { connect_timeout, total_timeout, pool_idle: 32, roots: Roots::System, origin: None }
    }
}

/// Why there is no HTTP client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The system has no trusted certificates.
    #[error("no trusted certificates found on this system: install them or configure a CA file")]
    NoRoots,
    /// The PEM text has no certificate.
    #[error("no certificate found in the given PEM text")]
    Pem,
    /// The TLS library refused its configuration.
    #[error("the TLS client cannot be set up")]
    Tls,
    /// The HTTP library refused its configuration.
    #[error("the HTTP client cannot be set up")]
    Client,
    /// Name or key of the origin cannot be sent.
    #[error("the origin of the custom domain cannot be used: {0}")]
    Origin(#[source] ConfigError),
}

/// A client that follows no redirects, asks no proxy, and gives up in bounded time. TLS is rustls with aws-lc-rs,
/// given explicitly, so that no process-wide provider is needed or touched.
///
/// # Errors
/// [`HttpError`].
pub fn http_client(options: &HttpOptions) -> Result<reqwest::Client, HttpError> {
    builder(options)?.build().map_err(|_| HttpError::Client)
}

/// The same, where somebody else looks names up, and may refuse what they lead to.
///
/// # Errors
/// [`HttpError`].
pub fn http_client_resolving(
    options: &HttpOptions,
    resolver: Arc<dyn reqwest::dns::Resolve>,
) -> Result<reqwest::Client, HttpError> {
    builder(options)?.dns_resolver(resolver).build().map_err(|_| HttpError::Client)
}

fn builder(options: &HttpOptions) -> Result<reqwest::ClientBuilder, HttpError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| HttpError::Tls)?
        .with_root_certificates(root_store(&options.roots)?)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let always = options.origin.as_ref().map(OriginOptions::headers).transpose().map_err(HttpError::Origin)?;
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .connect_timeout(options.connect_timeout)
        .timeout(options.total_timeout)
        .pool_max_idle_per_host(options.pool_idle)
        .pool_idle_timeout(IDLE)
        .tcp_nodelay(true)
        .user_agent(concat!("onesec/", env!("CARGO_PKG_VERSION")))
        .default_headers(always.unwrap_or_default()))
}

/// Shorter than the keep-alive of common load balancers: a connection they are about to close is not reused.
const IDLE: Duration = Duration::from_secs(30);

fn root_store(roots: &Roots) -> Result<RootCertStore, HttpError> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::None => {}
        Roots::System => add_system(&mut store)?,
        Roots::Pem(pem) => add_pem(&mut store, pem)?,
        Roots::SystemAndPem(pem) => {
            add_system(&mut store)?;
            add_pem(&mut store, pem)?;
        }
    }
    Ok(store)
}

fn add_system(store: &mut RootCertStore) -> Result<(), HttpError> {
    let (added, _unreadable) = store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 { Err(HttpError::NoRoots) } else { Ok(()) }
}

fn add_pem(store: &mut RootCertStore, pem: &str) -> Result<(), HttpError> {
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        store.add(certificate.map_err(|_| HttpError::Pem)?).map_err(|_| HttpError::Pem)?;
        found = true;
    }
    if found { Ok(()) } else { Err(HttpError::Pem) }
}

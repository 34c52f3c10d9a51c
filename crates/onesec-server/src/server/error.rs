//! Why a server does not start.

use std::net::SocketAddr;
use std::path::PathBuf;

use onesec_auth0::HttpError;
use onesec_engine::SetupError;
use onesec_journal::JournalError;
use onesec_telemetry::TenantId;

use crate::core::CoreError;
use crate::http::TlsError;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Keys would cross the network in clear.
    #[error("`{0}` is not a loopback address: configure `server.tls`, or listen on loopback behind a proxy with TLS")]
    PublicWithoutTls(SocketAddr),
    /// Certificate and key cannot be used.
    #[error("cannot use `{}` for TLS: {why}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The system gives too few file descriptors.
    #[error("the system gives {limit} file descriptors, and at least {least} are needed: raise `ulimit -n`")]
    Descriptors {
        /// So many there are.
        limit: u64,
        /// So many there must be.
        least: u64,
    },
    /// The address is taken or not ours.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A file cannot be read or written.
    #[error("cannot use `{}`", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The core does not start.
    #[error(transparent)]
    Core(#[from] crate::core::StartError),
    /// A setting has no meaning.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// Keys cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The first key cannot be kept.
    #[error("the first key cannot be kept: {0}")]
    FirstKey(CoreError),
    /// No randomness for the first key.
    #[error(transparent)]
    Randomness(#[from] onesec_identity::ApiKeyError),
    /// Our keys for delegations cannot be used.
    #[error("delegations cannot be signed: {0}")]
    Signing(String),
    /// An issuer of agents' tokens cannot be used as configured.
    #[error("issuer `{issuer}` of agents' tokens: {why}")]
    Issuer {
        /// Which.
        issuer: String,
        /// Why.
        why: String,
    },
    /// Messages cannot be sent.
    #[error("messages cannot be sent: {0}")]
    Messages(#[from] HttpError),
    /// Auth0 cannot be used as configured.
    #[error("token vault of tenant `{tenant}`: {why}")]
    TokenVault {
        /// Whose.
        tenant: TenantId,
        /// Why.
        why: String,
    },
}

impl From<TlsError> for StartError {
    fn from(error: TlsError) -> Self {
        Self::Tls { path: error.path, why: error.why }
    }
}

//! TLS: a certificate and its key, read at start and again when asked to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, version};
use tokio_rustls::TlsAcceptor;

use super::client_certificates;
use crate::config::{ClientCertificates, TlsFiles};
use crate::identity::PeerCertificate;

/// Why a certificate cannot be used. Holds nothing of the key.
#[derive(Debug, thiserror::Error)]
#[error("cannot use `{}` for TLS: {why}", path.display())]
pub(crate) struct TlsError {
    pub(crate) path: PathBuf,
    pub(crate) why: String,
}

/// What we prove ourselves with. Clones share it: a renewal counts for every connection that comes after it.
#[derive(Clone)]
pub(crate) struct Tls(Arc<RwLock<InUse>>);

#[derive(Clone)]
struct InUse {
    config: Arc<ServerConfig>,
    clients: ClientCertificates,
}

impl Tls {
    pub(crate) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(read(files)?))))
    }

    /// Reads the files again. Where they are no good, the last good ones stay in use.
    pub(crate) fn renew(&self, files: &TlsFiles) -> Result<(), TlsError> {
        let renewed = read(files)?;
        *self.0.write() = renewed;
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.read().config.clone())
    }

    /// The certificate that the client showed on this connection.
    pub(super) fn shown(&self, chain: Option<&[CertificateDer<'_>]>) -> Option<PeerCertificate> {
        client_certificates::shown(chain, &self.0.read().clients)
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

fn read(files: &TlsFiles) -> Result<InUse, TlsError> {
    let (chain, key) = (chain(&files.cert)?, key(&files.key)?);
    // The provider is named here: one that is set for the whole process could be somebody else's.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = client_certificates::verifier(&files.clients, &provider)?;
    let builder = ServerConfig::builder_with_provider(provider);
    let config = builder.with_protocol_versions(&[&version::TLS13, &version::TLS12]).and_then(|builder| {
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        builder.with_single_cert(chain, key)
    });
    let mut config = config.map_err(|error| unusable(&files.cert, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(InUse { config: Arc::new(config), clients: files.clients.clone() })
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = contents(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(unusable(path, "it has no certificate")),
        Ok(chain) => Ok(chain),
        Err(_) => Err(unusable(path, "it is no PEM file")),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&contents(path)?).map_err(|_| unusable(path, "it has no private key"))
}

pub(super) fn contents(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| unusable(path, error.to_string()))
}

pub(super) fn unusable(path: &Path, why: impl Into<String>) -> TlsError {
    TlsError { path: path.to_owned(), why: why.into() }
}

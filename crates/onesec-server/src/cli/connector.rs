//! How the client reaches a server: in clear, or over TLS with the authorities it trusts.

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::error::CliError;

pub(super) type Connector = HttpsConnector<HttpConnector>;

/// A connector. Without `tls` nobody is trusted, and reading the system's authorities is saved.
pub(super) fn connector(tls: bool, ca: Option<&Path>) -> Result<Connector, CliError> {
    let mut roots = RootCertStore::empty();
    if tls {
        let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        ca.map(|ca| add(&mut roots, ca)).transpose()?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| CliError::refused(error.to_string()))?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let builder = HttpsConnectorBuilder::new().with_tls_config(config);
    // A server with TLS is never spoken to in clear.
    Ok(if tls { builder.https_only().enable_http1().build() } else { builder.https_or_http().enable_http1().build() })
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), CliError> {
    let unusable = |why: &str| CliError::usage(format!("--ca: cannot use `{}`: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|error| unusable(&error.to_string()))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let read = read.map_err(|_| unusable("it is no PEM file"))?;
    if read.is_empty() {
        return Err(unusable("it has no certificate"));
    }
    read.into_iter().try_for_each(|authority| roots.add(authority)).map_err(|error| unusable(&error.to_string()))
}

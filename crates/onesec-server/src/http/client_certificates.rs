//! Certificates of clients (RFC 8705): asked for in the handshake, never demanded; who must have one is decided later.

use std::path::Path;
use std::sync::Arc;

use onesec_telemetry::Thumbprint;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};

use super::tls::{TlsError, contents, unusable};
use crate::config::ClientCertificates;
use crate::identity::PeerCertificate;

/// What asks for certificates; `None` where none is wanted.
pub(super) fn verifier(
    wanted: &ClientCertificates,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    match wanted {
        ClientCertificates::None => Ok(None),
        ClientCertificates::Any => Ok(Some(Arc::new(AnyCertificate(provider.clone())))),
        ClientCertificates::Authority(path) => {
            let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider.clone());
            let verifier = builder.allow_unauthenticated().build();
            verifier.map(|verifier| Some(verifier as _)).map_err(|error| unusable(path, error.to_string()))
        }
    }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let (pem, mut roots) = (contents(path)?, RootCertStore::empty());
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| unusable(path, "it is no PEM file"))?;
        roots.add(certificate).map_err(|error| unusable(path, error.to_string()))?;
    }
    if roots.is_empty() { Err(unusable(path, "it has no certificate")) } else { Ok(roots) }
}

/// The certificate that a client showed. Its names count only where our authority vouches for them.
pub(super) fn shown(chain: Option<&[CertificateDer<'_>]>, wanted: &ClientCertificates) -> Option<PeerCertificate> {
    let leaf = chain?.first()?;
    let vouched = matches!(wanted, ClientCertificates::Authority(_));
    let names = if vouched { names(leaf) } else { Vec::new() };
    Some(PeerCertificate { thumbprint: Thumbprint::of(leaf), names })
}

/// DNS names and URIs of the certificate (RFC 5280, section 4.2.1.6).
fn names(leaf: &CertificateDer<'_>) -> Vec<String> {
    let Ok(leaf) = webpki::EndEntityCert::try_from(leaf) else { return Vec::new() };
    let dns = leaf.valid_dns_names().map(str::to_owned);
    // A wildcard names many, and an agent is one.
    dns.filter(|name| !name.contains('*')).chain(leaf.valid_uri_names().map(str::to_owned)).collect()
}

/// Takes any certificate whose key the client holds: it is a name for that key, and registration says whose.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        // RFC 8705, section 2.2: the chain says nothing. It must be one that can be read, or no key could be checked.
        match webpki::EndEntityCert::try_from(leaf) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(_) => Err(rustls::Error::InvalidCertificate(rustls::CertificateError::BadEncoding)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

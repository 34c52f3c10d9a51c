//! The same server behind TLS.

use std::net::Ipv4Addr;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::config::{ClientCertificates, TlsFiles};

/// A certificate for loopback, written where a server finds it.
fn certificate(files: &TlsFiles) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("certificate");
    std::fs::write(&files.cert, made.cert.pem()).expect("written");
    std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("written");
    made.cert.der().clone()
}

fn with_tls(dir: &Path) -> (Config, TlsFiles, CertificateDer<'static>) {
    let clients = ClientCertificates::None;
    let files = TlsFiles { cert: dir.join("cert.pem"), key: dir.join("key.pem"), clients };
    let certificate = certificate(&files);
    let mut config = config(dir, "");
    config.tls = Some(files.clone());
    (config, files, certificate)
}

fn address(running: &Running) -> SocketAddr {
    let authority = running.url().strip_prefix("https://").expect("TLS shows in the address");
    let mut address: SocketAddr = authority.parse().expect("address");
    address.set_ip(Ipv4Addr::LOCALHOST.into());
    address
}

async fn handshake(
    at: SocketAddr,
    trusted: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).expect("versions");
    let mut client = client.with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::from(at.ip());
    TlsConnector::from(Arc::new(client)).connect(name, TcpStream::connect(at).await?).await
}

async fn https(at: SocketAddr, trusted: &CertificateDer<'static>, path: &str, key: &Secret) -> String {
    let mut stream = handshake(at, trusted, &TLS13).await.expect("trusted");
    let key = key.expose_to_wire();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n",
        at.port()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}

#[tokio::test]
async fn a_public_address_is_served_over_tls_and_needs_a_key_as_ever() {
    let dir = tempfile::tempdir().expect("directory");
    let (mut config, _, certificate) = with_tls(dir.path());
    config.listen = SocketAddr::from(([0, 0, 0, 0], 0));
    let running = Server::builder(config).start().await.expect("starts");
    let (at, admin) = (address(&running), running.admin_key().cloned().expect("made"));
    assert!(https(at, &certificate, "/api/v1/status", &admin).await.starts_with("HTTP/1.1 200"));
    let wrong = Secret::new("os_abcdefgh_wrong".to_owned());
    assert!(https(at, &certificate, "/api/v1/status", &wrong).await.starts_with("HTTP/1.1 401"));
    for version in [&TLS12, &TLS13] {
        let stream = handshake(at, &certificate, version).await.expect("spoken");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    }
    running.stop().await;
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told_so() {
    let dir = tempfile::tempdir().expect("directory");
    let (config, ..) = with_tls(dir.path());
    let running = Server::builder(config).start().await.expect("starts");
    for request in [&b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"[..], b"\0\0\0\0rubbish\r\n\r\n"] {
        let mut stream = TcpStream::connect(address(&running)).await.expect("connects");
        stream.write_all(request).await.expect("sent");
        let mut answer = Vec::new();
        // A reset counts as refused, too; without a refusal this would wait for ever.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains("200 OK"), "{answer}");
        assert_eq!(answer.contains("400 Bad Request") && answer.ends_with("use https"), request.starts_with(b"GET"));
    }
    running.stop().await;
}

#[tokio::test]
async fn a_stalled_handshake_blocks_nobody_is_ended_and_does_not_delay_the_end() {
    let dir = tempfile::tempdir().expect("directory");
    let (config, _, certificate) = with_tls(dir.path());
    let mut builder = Server::builder(config);
    builder.limits.handshake = Duration::from_millis(200);
    let running = builder.start().await.expect("starts");
    let (at, admin) = (address(&running), running.admin_key().cloned().expect("made"));
    let mut stalled = TcpStream::connect(at).await.expect("connects");
    stalled.write_all(&[22, 3, 1]).await.expect("sent");
    let mut silent = TcpStream::connect(at).await.expect("connects");
    assert!(https(at, &certificate, "/healthz", &admin).await.starts_with("HTTP/1.1 200"));
    // Without the limit these would wait for ever.
    for stream in [&mut stalled, &mut silent] {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(!rest.starts_with(b"HTTP"));
    }
    running.stop().await;

    let (config, ..) = with_tls(dir.path());
    let running = Server::builder(config).start().await.expect("starts");
    let _silent = TcpStream::connect(address(&running)).await.expect("connects");
    // With the drain time of thirty seconds the test would be noticed.
    running.stop().await;
}

#[tokio::test]
async fn a_renewed_certificate_counts_at_once_and_a_broken_one_changes_nothing() {
    let dir = tempfile::tempdir().expect("directory");
    let (config, files, old) = with_tls(dir.path());
    let running = Server::builder(config.clone()).start().await.expect("starts");
    let at = address(&running);
    let renewed = certificate(&files);
    assert!(handshake(at, &renewed, &TLS13).await.is_err(), "nobody has read it yet");
    running.reload(&config).await.expect("read");
    assert!(handshake(at, &old, &TLS13).await.is_err());
    handshake(at, &renewed, &TLS13).await.expect("renewed");

    std::fs::write(&files.cert, "rubbish").expect("written");
    assert!(matches!(running.reload(&config).await, Err(StartError::Tls { .. })));
    handshake(at, &renewed, &TLS13).await.expect("the last good one");
    running.stop().await;
}

#[tokio::test]
async fn a_key_that_is_not_the_certificates_stops_the_start_and_is_not_shown() {
    let dir = tempfile::tempdir().expect("directory");
    let (config, files, _) = with_tls(dir.path());
    let other = rcgen::KeyPair::generate().expect("key").serialize_pem();
    std::fs::write(&files.key, &other).expect("written");
    let refused = Server::builder(config.clone()).start().await.expect_err("another's key").to_string();
    assert!(refused.contains("cert.pem") && !refused.contains("PRIVATE"), "{refused}");
    std::fs::write(&files.key, "-----BEGIN NOTHING-----").expect("written");
    let refused = Server::builder(config).start().await.expect_err("no key").to_string();
    assert!(refused.contains("key.pem") && refused.contains("no private key"), "{refused}");
    assert!(!dir.path().join("data").exists(), "nothing was touched");
}

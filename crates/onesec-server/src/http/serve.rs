//! Connections: accepted within bounds, served with time limits, ended gracefully.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::server::TlsStream;
use tower::ServiceExt as _;

use super::gate::Peer;
use super::tls::Tls;
use crate::identity::PeerCertificate;
use crate::metrics::Metrics;

/// How much one may ask of us.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServeLimits {
    /// Connections at once; further ones wait in the kernel's queue.
    pub(crate) connections: usize,
    /// The longest that a TLS handshake may take.
    pub(crate) handshake: Duration,
    /// The longest that a request's head may take.
    pub(crate) header_read: Duration,
    /// The largest head of a request, in bytes.
    pub(crate) head_bytes: usize,
    /// The longest that requests under way may take once we stop.
    pub(crate) drain: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            handshake: Duration::from_secs(10),
            header_read: Duration::from_secs(20),
            head_bytes: 64 * 1024,
            drain: Duration::from_secs(30),
        }
    }
}

/// What answers, and how it is reached.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) router: Router,
    pub(crate) metrics: Metrics,
    /// Plain HTTP where absent.
    pub(crate) tls: Option<Tls>,
}

/// Serves until `stopping` turns true; then finishes what is under way.
pub(crate) async fn serve(
    listener: TcpListener,
    service: Service,
    limits: ServeLimits,
    mut stopping: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    loop {
        let next = tokio::select! {
            next = accept(&listener, &slots, &service.metrics) => next,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        let Some((stream, slot)) = next else { continue };
        let (serving, watcher, stopping) = (service.clone(), graceful.watcher(), stopping.clone());
        service.metrics.connected();
        tokio::spawn(async move {
            serving.connection(stream, limits, (watcher, stopping)).await;
            serving.metrics.disconnected();
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    metrics: &Metrics,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    if slots.available_permits() == 0 {
        metrics.turned_away();
    }
    let slot = slots.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, slot)),
        Err(error) => {
            // Out of file descriptors, most likely: trying again at once would only burn the processor.
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

impl Service {
    async fn connection(
        &self,
        stream: TcpStream,
        limits: ServeLimits,
        (watcher, mut stopping): (Watcher, watch::Receiver<bool>),
    ) {
        let Ok(peer) = stream.peer_addr() else { return };
        // Small answers must not wait for the acknowledgement of earlier ones.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return self.requests((stream, (Peer(peer), None)), limits, watcher).await;
        };
        // Nothing is under way before the handshake is done: stopping waits for none.
        let handshake = tokio::time::timeout(limits.handshake, shake_hands(stream, tls));
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        match shaken {
            Ok(Ok(Some(stream))) => {
                let certificate = tls.shown(stream.get_ref().1.peer_certificates());
                self.requests((*stream, (Peer(peer), certificate)), limits, watcher).await;
            }
            Ok(Ok(None)) | Err(_) => {}
            Ok(Err(error)) => tracing::trace!(%error, "a handshake failed"),
        }
    }

    async fn requests(
        &self,
        (stream, (peer, certificate)): (impl AsyncRead + AsyncWrite + Unpin + 'static, (Peer, Option<PeerCertificate>)),
        limits: ServeLimits,
        watcher: Watcher,
    ) {
        let router = self.router.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(certificate.clone());
            }
            let router = router.clone();
            async move {
                let response: Result<Response<Body>, Infallible> = router.oneshot(request.map(Body::new)).await;
                response
            }
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_read)
            .max_buf_size(limits.head_bytes)
            .keep_alive(true)
            .serve_connection(TokioIo::new(stream), service);
        // A client that goes away or talks nonsense is its own affair.
        if let Err(error) = watcher.watch(serving).await {
            tracing::trace!(%error, "a connection ended early");
        }
    }
}

/// `None` where the client speaks plain HTTP: it is told so. What it sent may have been a key in clear, and the sooner
/// somebody notices, the better.
async fn shake_hands(mut stream: TcpStream, tls: &Tls) -> std::io::Result<Option<Box<TlsStream<TcpStream>>>> {
    let mut first = [0; 1];
    stream.peek(&mut first).await?;
    // A TLS record of a handshake begins with 22; a request begins with the name of its method.
    if first.first().is_some_and(u8::is_ascii_alphabetic) {
        // Read before we close: with unread bytes the answer would be lost to a reset.
        let mut head = [0; 4096];
        while stream.try_read(&mut head).is_ok_and(|read| read > 0) {}
        stream.write_all(PLAIN_HTTP).await?;
        stream.shutdown().await?;
        return Ok(None);
    }
    tls.acceptor().accept(stream).await.map(|stream| Some(Box::new(stream)))
}

const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 31\r\n\
Connection: close\r\n\r\nthis port speaks TLS: use https";

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
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt as _;

use super::gate::Peer;
use crate::metrics::Metrics;

/// How much one may ask of us.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServeLimits {
    /// Connections at once; further ones wait in the kernel's queue.
    pub(crate) connections: usize,
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
            header_read: Duration::from_secs(20),
            head_bytes: 64 * 1024,
            drain: Duration::from_secs(30),
        }
    }
}

/// Serves until `stopping` turns true; then finishes what is under way.
pub(crate) async fn serve(
    listener: TcpListener,
    (router, metrics): (Router, Metrics),
    limits: ServeLimits,
    mut stopping: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    loop {
        let next = tokio::select! {
            next = accept(&listener, &slots, &metrics) => next,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        let Some(accepted) = next else { continue };
        connection(accepted, (&router, &metrics), limits, &graceful);
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

fn connection(
    (stream, slot): (TcpStream, OwnedSemaphorePermit),
    (router, metrics): (&Router, &Metrics),
    limits: ServeLimits,
    graceful: &GracefulShutdown,
) {
    let Ok(peer) = stream.peer_addr() else { return };
    // Small answers must not wait for the acknowledgement of earlier ones.
    let _ = stream.set_nodelay(true);
    let router = router.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
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
    let serving = graceful.watch(serving);
    let metrics = metrics.clone();
    metrics.connected();
    tokio::spawn(async move {
        // A client that goes away or talks nonsense is its own affair.
        if let Err(error) = serving.await {
            tracing::trace!(%error, "a connection ended early");
        }
        metrics.disconnected();
        drop(slot);
    });
}

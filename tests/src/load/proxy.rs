//! A bare reverse proxy: what the least that stands in front of Auth0 adds.
#![expect(clippy::expect_used, reason = "a program for measuring: what does not work must stop it")]

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use onesec_auth0::{HttpClient, HttpOptions, http_client};

/// A running proxy, until it is dropped.
pub(crate) struct Proxy {
    pub(crate) url: String,
    _runtime: tokio::runtime::Runtime,
}

impl Proxy {
    /// In front of `upstream`, with as many threads as the server has.
    pub(crate) fn start(upstream: &str) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
        let http = http_client(&HttpOptions::default()).expect("a client");
        let app = Router::new().fallback(pass).with_state((http, upstream.to_owned()));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { url, _runtime: runtime }
    }
}

async fn pass(State((http, upstream)): State<(HttpClient, String)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    let url = format!("{upstream}{}", parts.uri);
    let mut forwarded = http.request(parts.method, url).body(body);
    if let Some(kind) = parts.headers.get("content-type") {
        forwarded = forwarded.header("content-type", kind);
    }
    let answer = forwarded.send().await.expect("an answer");
    let status = answer.status();
    let body = answer.bytes().await.expect("a body");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}

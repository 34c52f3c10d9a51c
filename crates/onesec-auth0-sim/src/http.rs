//! Serving: sockets, TLS, routes.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{delete, get, post};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use onesec_telemetry::{Secret, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::fault::{CloseConnection, Endpoint};
use crate::state::{RequestKind, State};
use crate::{accounts, answer, connect, grants, logs, management, revocation, setup};

/// What handlers and the handle share.
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    pub(crate) clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// What every request must carry, where there is a custom domain.
    pub(crate) api_key: Option<Secret>,
}

const MAX_BODY_BYTES: usize = 64 * 1024;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/oauth/token", post(token))
        .route("/.well-known/jwks.json", get(jwks))
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/me/v1/connected-accounts/connect", post(connect::connect))
        .route("/me/v1/connected-accounts/complete", post(connect::complete))
        .route("/connect", get(connect::browser))
        .route("/me/v1/connected-accounts/accounts", get(accounts::list_mine))
        .route("/me/v1/connected-accounts/accounts/{id}", delete(accounts::delete_mine))
        .route("/api/v2/users/{id}/connected-accounts", get(accounts::list_as_admin))
        .route("/api/v2/users/{id}/refresh-tokens", get(management::refresh_tokens).delete(management::refresh_tokens))
        .route("/api/v2/refresh-tokens/{id}", delete(management::delete_refresh_token))
        .route("/api/v2/users/{id}/revoke-access", post(revocation::revoke_access))
        .route("/api/v2/users/{id}/sessions", get(revocation::sessions).delete(revocation::sessions))
        .route("/api/v2/grants", get(revocation::grants).delete(revocation::grants))
        .route("/api/v2/users/{id}", get(management::user).patch(management::change_user))
        .route("/api/v2/users", get(management::users))
        .route("/api/v2/logs", get(logs::list))
        .route("/api/v2/clients", get(setup::clients))
        .route("/api/v2/clients/{id}", get(setup::client))
        .route("/api/v2/resource-servers/{id}", get(setup::api))
        .route("/api/v2/guardian/policies", get(setup::mfa_policies))
        .route("/api/v2/client-grants", get(setup::client_grants))
        .route("/api/v2/connections", get(setup::connections))
        .route("/api/v2/connections/{id}/clients", get(setup::connection_clients))
        .route("/api/v2/log-streams", get(setup::log_streams))
        .route("/api/v2/custom-domains", get(setup::custom_domains))
        .route("/api/v2/network-acls", get(setup::network_acls))
        .fallback(other)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(Arc::clone(&shared), through_custom_domain))
        .with_state(shared)
}

/// Lets pass who knows the key of the custom domain.
async fn through_custom_domain(Extract(shared): Extract<Arc<Shared>>, request: Request, next: Next) -> Response {
    let presented = request.headers().get("cname-api-key").map_or(&[][..], HeaderValue::as_bytes);
    let wrong = |key: &Secret| !bool::from(key.expose_to_wire().as_bytes().ct_eq(presented));
    if shared.api_key.as_ref().is_some_and(wrong) {
        shared.state.lock().count(RequestKind::WithoutKey);
        return answer::problem(StatusCode::FORBIDDEN, "Forbidden");
    }
    next.run(request).await
}

async fn token(Extract(shared): Extract<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    grants::token(shared, headers, body).await
}

async fn jwks(Extract(shared): Extract<Arc<Shared>>) -> Response {
    let fault = {
        let mut state = shared.state.lock();
        state.count(RequestKind::Jwks);
        state.faults.next(Endpoint::Jwks)
    };
    match fault.instead().await {
        Some(answer) => answer,
        None => answer::json(StatusCode::OK, &shared.state.lock().jwks()),
    }
}

async fn discovery(Extract(shared): Extract<Arc<Shared>>) -> Response {
    let (fault, issuer) = {
        let mut state = shared.state.lock();
        state.count(RequestKind::Discovery);
        (state.faults.next(Endpoint::Discovery), state.issuer())
    };
    match fault.instead().await {
        Some(answer) => answer,
        None => answer::json(StatusCode::OK, &document(&issuer)),
    }
}

fn document(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}authorize"),
        "token_endpoint": format!("{issuer}oauth/token"),
        "userinfo_endpoint": format!("{issuer}userinfo"),
        "jwks_uri": format!("{issuer}.well-known/jwks.json"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
    })
}

async fn other(Extract(shared): Extract<Arc<Shared>>, request: Request) -> Response {
    let stolen = request.uri().path() == "/stolen";
    shared.state.lock().count(if stolen { RequestKind::Stolen } else { RequestKind::Unknown });
    answer::problem(StatusCode::NOT_FOUND, "Not Found")
}

/// Accepts until aborted; connections die with it.
pub(crate) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, tls.clone(), router.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router) {
    let _best_effort = stream.set_nodelay(true);
    match tls {
        None => serve(stream, router).await,
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, router).await;
            }
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, router: Router) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let answer = router.oneshot(request).await.unwrap_or_else(|never: Infallible| match never {});
            match answer.extensions().get::<CloseConnection>() {
                Some(_) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
                None => Ok(answer),
            }
        }
    });
    let _client_went_away =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

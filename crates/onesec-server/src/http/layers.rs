//! What every request goes through: host, origin, key, scope, parameters, and a net for panics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONNECTION, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use futures_util::FutureExt as _;

use super::App;
use super::custom_domain;
use super::gate::{check_framing, choose_tenant};
use super::params::Params;
use super::problem::{Problem, documented};
use super::routes::{Access, Route};
use super::who::{Head, who};
use crate::keys::Caller;

/// Around the whole router: wrong hosts and foreign pages do not get further, panics do not get out.
pub(super) fn around(router: Router<Arc<App>>, app: Arc<App>) -> Router {
    let hosts = app.clone();
    let outer = from_fn(move |request: Request, next: Next| {
        let app = hosts.clone();
        async move {
            if let Some(tenant) = custom_domain::asked_for(&app, request.headers()) {
                return caught(custom_domain::serve(&app, tenant, request)).await;
            }
            let checked = app
                .hosts
                .check(request.uri(), request.headers())
                .and_then(|()| app.hosts.check_origin(request.method(), request.headers()))
                .and_then(|()| check_framing(request.headers()));
            // RFC 9112, section 6.1: a length beside `Transfer-Encoding` is how requests are smuggled. It does not get as far
            // as this, so that nothing that follows such a body on its connection counts as a request.
            let chunked = request.headers().contains_key(TRANSFER_ENCODING);
            let mut response = match checked {
                Ok(()) => documented(caught(next.run(request)).await),
                Err(problem) => problem.into_response(),
            };
            let headers = response.headers_mut();
            headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
            headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            if chunked {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    });
    router.layer(outer).with_state(app)
}

/// A handler that panics answers 500 and says nothing more.
async fn caught(response: impl Future<Output = Response>) -> Response {
    match AssertUnwindSafe(response).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!("a request handler panicked");
            Problem::internal().into_response()
        }
    }
}

/// Around one route: its key, its scope, its parameters, its time.
pub(super) fn guarded(route: &'static Route, app: &Arc<App>) -> MethodRouter<Arc<App>> {
    let app = app.clone();
    let inner = from_fn(move |mut request: Request, next: Next| {
        let app = app.clone();
        async move {
            let start = Instant::now();
            let response = match admit(&app, route, &mut request).await {
                Ok(()) => next.run(request).await,
                Err(problem) if route.oauth => super::exchange::oauth_problem(&problem),
                Err(problem) => problem.into_response(),
            };
            app.metrics.answered((route.method, route.path), response.status().as_u16(), start.elapsed());
            response
        }
    });
    (route.handler)().route_layer(inner)
}

/// Checks key and parameters, and leaves both for the handler.
async fn admit(app: &App, route: &Route, request: &mut Request) -> Result<(), Problem> {
    let known = match route.access {
        Access::Open | Access::Client(_) | Access::LogStream | Access::Signed => None,
        Access::Key(scope) => Some(who(app, route, scope, Head::of(request)).await?),
    };
    let params = Params::read(request.uri().query().unwrap_or_default(), route.query)?;
    if let Some((caller, evidence)) = known {
        let caller: Caller = choose_tenant(app, caller, &params)?;
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(evidence);
    }
    request.extensions_mut().insert(params);
    Ok(())
}

/// What nobody knows.
pub(super) async fn nothing_here() -> Problem {
    Problem::of_status(StatusCode::NOT_FOUND)
}

//! A custom domain of the tenant, with certificates of our own (Auth0: self-managed certificates): we stand in front of
//! it. The issuer stays what it was. All requests go to the tenant as they came, but those that ask for a token.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use onesec_auth0::{Forwarded, Origin, ToForward};
use onesec_telemetry::TenantId;
use percent_encoding::percent_decode_str;

use super::App;
use super::body;
use super::exchange::origin;
use super::problem::Problem;
use super::token;

/// The domain, and where the tenant is really reached.
pub(crate) struct CustomDomain {
    pub(crate) domain: String,
    pub(crate) origin: Origin,
}

/// The tenant whose custom domain was asked for; `None` where it is we who are asked.
pub(super) fn asked_for(app: &App, headers: &HeaderMap) -> Option<TenantId> {
    let mut hosts = headers.get_all(HOST).iter();
    let (host, None) = (hosts.next()?.to_str().ok()?.to_ascii_lowercase(), hosts.next()) else { return None };
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    let named = |domain: &CustomDomain| domain.domain == host || domain.domain == name;
    let mut vaults = app.vaults.iter();
    vaults.find(|(_, vault)| vault.proxy.as_ref().is_some_and(named)).map(|(tenant, _)| tenant.clone())
}

/// Serves a request for the custom domain.
pub(super) async fn serve(app: &Arc<App>, tenant: TenantId, request: Request) -> Response {
    // The one address where tokens are made of tokens is ours to judge; whatever is asked there in another way than by
    // POST gets the tenant's own answer.
    let path = request.uri().path();
    if path == TOKEN_ENDPOINT && request.method() == axum::http::Method::POST {
        return token::post_for(app, tenant, request).await;
    }
    if path != TOKEN_ENDPOINT && plain(path) == TOKEN_ENDPOINT {
        // Whether the tenant would read it as the same address is not for us to find out.
        return Problem::not_found("address").into_response();
    }
    match forward(app, &tenant, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

/// The path as a lenient server reads it: decoded, in small letters, without empty segments, parameters and dots.
fn plain(path: &str) -> String {
    let mut text = path.to_owned();
    for _ in 0..MOST_DECODINGS {
        let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if decoded == text {
            break;
        }
        text = decoded;
    }
    let mut kept: Vec<String> = Vec::new();
    for segment in text.split(['/', '\\']) {
        let bare = segment.split([';', '?', '#', '\0']).next().unwrap_or_default().trim().to_ascii_lowercase();
        match bare.as_str() {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(bare),
        }
    }
    format!("/{}", kept.join("/"))
}

/// What is not for the tenant: credentials of ours, and words by which some servers take one request for another.
fn is_for_tenant(name: &HeaderName, value: &HeaderValue) -> bool {
    let text = String::from_utf8_lossy(value.as_bytes());
    let ours = text.split([' ', ',']).any(|word| word.starts_with("os_"));
    let credential = *name == AUTHORIZATION || name.as_str() == "x-api-key";
    !(CHANGE_THE_REQUEST.contains(&name.as_str()) || (credential && ours))
}

async fn forward(app: &App, tenant: &TenantId, request: Request) -> Result<Response, Problem> {
    let from = origin(app, &request);
    let (parts, body) = request.into_parts();
    let domain = app.vaults.get(tenant).and_then(|vault| vault.proxy.as_ref()).ok_or_else(Problem::internal)?;
    let body: Bytes = body::read(body, &parts.headers, MAX_BODY_BYTES).await?;
    let kept = parts.headers.iter().filter(|(name, value)| is_for_tenant(name, value));
    let headers: Vec<(String, Vec<u8>)> =
        kept.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    let path = parts.uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    let method = parts.method.as_str();
    let to_forward = ToForward { method, path_and_query: path, headers: &headers, body, forwarded_for: from };
    let forwarded = domain.origin.forward(to_forward).await.map_err(|error| {
        let status = if error.is_outage() { StatusCode::BAD_GATEWAY } else { StatusCode::BAD_REQUEST };
        Problem::new(status, "not-forwarded", "the tenant gave no proper answer")
    })?;
    Ok(answered(forwarded))
}

fn answered(forwarded: Forwarded) -> Response {
    let status = StatusCode::from_u16(forwarded.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = (status, axum::body::Body::from(forwarded.body.into_wire())).into_response();
    let headers = response.headers_mut();
    headers.clear();
    for (name, value) in forwarded.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(&value)) {
            headers.append(name, value);
        }
    }
    response
}

const MAX_BODY_BYTES: usize = 1024 * 1024;
const TOKEN_ENDPOINT: &str = "/oauth/token";
/// So often a path may be encoded over and over.
const MOST_DECODINGS: usize = 4;
const CHANGE_THE_REQUEST: [&str; 5] =
    ["x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_endpoint_is_known_in_any_disguise() {
        for disguised in [
            "/oauth/token/",
            "/oauth//token",
            "/OAuth/Token",
            "/oauth/%74oken",
            "/oauth/%2574oken",
            "/oauth%2ftoken",
            "/oauth\\token",
            "/oauth/token;x=1",
            "/oauth/./token",
            "/oauth/x/../token",
            "/x/..;/oauth/token",
            "/oauth/token%00",
            "/oauth/token%20",
            "/oauth/token%3fx",
        ] {
            assert_eq!(plain(disguised), TOKEN_ENDPOINT, "{disguised}");
        }
        for other in ["/", "/oauth/tokens", "/oauth/revoke", "/oauth/token/x", "/token", "/userinfo"] {
            assert_ne!(plain(other), TOKEN_ENDPOINT, "{other}");
        }
    }
}

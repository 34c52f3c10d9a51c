//! Discovery: what clients read that take us for their Auth0 domain (RFC 8414, OpenID Connect Discovery).

use axum::extract::Request;
use axum::http::header::HOST;
use serde_json::json;

use super::answer::{self, Answer};
use super::problem::Problem;
use super::token::GRANT;

/// `GET /.well-known/openid-configuration`
pub(super) async fn openid_configuration(request: Request) -> Answer {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    // Checked before anything is routed: it is one of our own names.
    let host = host.or_else(|| request.uri().authority().map(axum::http::uri::Authority::as_str));
    let host = host.ok_or_else(|| Problem::bad_request("bad-request", "there is no `Host`"))?;
    // Clients compare the issuer with `https://<domain>/`, letter by letter. They speak TLS always: to us, or to the
    // proxy in front of us.
    let issuer = format!("https://{}/", host.to_ascii_lowercase());
    answer::ok(&json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}oauth/token"),
        "jwks_uri": format!("{issuer}.well-known/jwks.json"),
        "grant_types_supported": [GRANT],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

/// `GET /.well-known/jwks.json`: we sign nothing that others would check.
pub(super) async fn jwks() -> Answer {
    answer::ok(&json!({"keys": []}))
}

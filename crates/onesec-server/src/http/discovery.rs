//! Discovery: what clients read that take us for their Auth0 domain (RFC 8414, OpenID Connect Discovery).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::HOST;
use serde_json::json;

use super::App;
use super::answer::{self, Answer};
use super::problem::Problem;
use crate::gateway::VAULT_GRANT;

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
        "grant_types_supported": [VAULT_GRANT],
        "token_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"],
        "token_endpoint_auth_signing_alg_values_supported": ["EdDSA", "ES256", "PS256", "RS256"],
        "dpop_signing_alg_values_supported": ["EdDSA", "ES256", "PS256", "RS256"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

/// `GET /.well-known/jwks.json`: our keys for delegations.
pub(super) async fn jwks(State(app): State<Arc<App>>) -> Answer {
    answer::ok(app.identity.signer.keys().jwks())
}

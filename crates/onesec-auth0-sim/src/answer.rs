//! Answers in Auth0's shape.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

/// Status, `error`, `error_description`.
pub(crate) type Refusal = (u16, &'static str, &'static str);

pub(crate) const TOKEN_NOT_FOUND: Refusal =
    (401, "federated_connection_refresh_token_not_found", "Federated connection Refresh Token not found.");
pub(crate) const REFRESH_FLOW_FAILED: Refusal =
    (401, "federated_connection_refresh_token_flow_failed", "Refresh Token flow for the Federated Connection failed");
pub(crate) const USER_NOT_FOUND: Refusal = (401, "user_not_found", "Identity User not found.");
pub(crate) const INVALID_GRANT: Refusal = (403, "invalid_grant", "Unknown or invalid refresh token.");
pub(crate) const BAD_ASSERTION: Refusal = (401, "invalid_client", "Unauthorized");
pub(crate) const BAD_CREDENTIALS: Refusal = (401, "access_denied", "Unauthorized");

pub(crate) fn raw(status: u16, content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    raw(status.as_u16(), "application/json", Body::from(body.to_string()))
}

pub(crate) fn error(status: u16, error: &str, description: &str) -> Response {
    let body = json!({"error": error, "error_description": description});
    raw(status, "application/json", Body::from(body.to_string()))
}

pub(crate) fn refuse((status, code, description): Refusal) -> Response {
    error(status, code, description)
}

/// The error shape of My Account and Management API.
pub(crate) fn problem(status: StatusCode, title: &str) -> Response {
    let status_code = status.as_u16();
    let body = json!({"type": "about:blank", "status": status_code, "title": title, "detail": title});
    raw(status_code, "application/problem+json", Body::from(body.to_string()))
}

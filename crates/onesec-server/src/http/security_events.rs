//! Security events by push (RFC 8935).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use onesec_identity::MAX_TOKEN_BYTES;
use onesec_telemetry::Secret;
use serde_json::json;

use super::App;
use super::body;
use crate::signals::NotTaken;

/// `POST /api/v1/security-events`: 202 once what the event asks for is durable. The same token again is taken as well, and
/// changes nothing.
pub(super) async fn receive(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !is_event(&parts.headers) {
        return refused(StatusCode::BAD_REQUEST, "invalid_request", "`Content-Type` must be application/secevent+jwt");
    }
    let text = match body::read(body, &parts.headers, MAX_TOKEN_BYTES).await {
        Ok(bytes) => String::from_utf8(bytes.into()).unwrap_or_default(),
        Err(problem) => {
            return refused(problem.parts().0, "invalid_request", "the body cannot be read, or is too long");
        }
    };
    let authorization = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let authorization = authorization.map(|text| Secret::new(text.to_owned()));
    let token = Secret::new(text.trim_ascii_end().to_owned());
    match app.transmitters.take(&token, authorization.as_ref()).await {
        Ok(_) => StatusCode::ACCEPTED.into_response(),
        Err(why) => not_taken(&why),
    }
}

fn not_taken(why: &NotTaken) -> Response {
    let status = match why {
        NotTaken::Unauthenticated => StatusCode::UNAUTHORIZED,
        NotTaken::Keys | NotTaken::Unrecorded => {
            let mut answer = refused(StatusCode::SERVICE_UNAVAILABLE, "unavailable", &why.to_string());
            answer.headers_mut().insert(axum::http::header::RETRY_AFTER, 5.into());
            return answer;
        }
        _ => StatusCode::BAD_REQUEST,
    };
    refused(status, why.code().unwrap_or("invalid_request"), &why.to_string())
}

fn is_event(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = value.split(';').next().unwrap_or_default();
    media.trim().eq_ignore_ascii_case("application/secevent+jwt")
}

/// RFC 8935, section 2.3.
fn refused(status: StatusCode, err: &str, description: &str) -> Response {
    let body = json!({"err": err, "description": description}).to_string();
    let headers = [(CONTENT_TYPE, "application/json"), (axum::http::header::CONTENT_LANGUAGE, "en")];
    (status, headers, body).into_response()
}

//! Errors as clients see them: `application/problem+json` (RFC 9457) with a stable `code`.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use onesec_journal::JournalError;
use serde_json::{Map, Value};

use crate::core::CoreError;

/// Why a request was not served. Holds nothing that the client did not send or may not know.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: String,
    retry_after: Option<Duration>,
    challenge: Option<&'static str>,
    more: Map<String, Value>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { status, code: code.into(), detail: detail.into(), retry_after: None, challenge: None, more: Map::new() }
    }

    pub(super) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// Understood, and impossible as stated.
    pub(super) fn unprocessable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("there is no such {what}"))
    }

    pub(super) fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    pub(super) fn unauthorised() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "give an API key as `Authorization: Bearer os_…`")
    }

    pub(super) fn too_large(max_bytes: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", format!("the body must not exceed {max_bytes} bytes"))
    }

    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed to answer")
    }

    /// One more member of the document.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// How to authenticate instead (RFC 9110, section 11.6.1).
    pub(super) const fn challenge(mut self, challenge: &'static str) -> Self {
        self.challenge = Some(challenge);
        self
    }

    pub(super) const fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The document for a status that some layer answered without one.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let (code, detail) = match status {
            StatusCode::NOT_FOUND => ("not-found", "there is nothing at this address"),
            StatusCode::METHOD_NOT_ALLOWED => ("method-not-allowed", "this address does not know the method"),
            StatusCode::BAD_REQUEST => ("bad-request", "the request cannot be read"),
            _ => ("error", "the request was not served"),
        };
        Self::new(status, code, detail)
    }

    /// Status, code and words, for those who wrap them in a document of their own.
    pub(super) fn parts(&self) -> (StatusCode, &str, &str) {
        (self.status, &self.code, &self.detail)
    }

    /// How to authenticate, where that is the problem.
    pub(super) fn challenged(&self) -> Option<HeaderValue> {
        let challenge = || HeaderValue::from_static(self.challenge.unwrap_or("Bearer"));
        (self.status == StatusCode::UNAUTHORIZED).then(challenge)
    }

    pub(super) const fn wait(&self) -> Option<Duration> {
        self.retry_after
    }

    #[cfg(test)]
    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    #[cfg(test)]
    pub(super) fn code(&self) -> &str {
        &self.code
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let challenge = self.challenged();
        let mut body = Map::new();
        body.insert("type".into(), format!("urn:onesec:problem:{}", self.code).into());
        body.insert("title".into(), self.status.canonical_reason().unwrap_or("Error").into());
        body.insert("status".into(), self.status.as_u16().into());
        body.insert("detail".into(), self.detail.into());
        body.insert("code".into(), self.code.into_owned().into());
        body.extend(self.more);
        let mut response = (self.status, Value::Object(body).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(after) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response
    }
}

impl From<CoreError> for Problem {
    fn from(error: CoreError) -> Self {
        let second = Duration::from_secs(1);
        match error {
            CoreError::Busy => Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", error.to_string()).retry_after(second),
            CoreError::Journal => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "journal", error.to_string()).retry_after(second)
            }
            CoreError::Stopping => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", error.to_string()).retry_after(second)
            }
            CoreError::UnknownTenant => Self::not_found("tenant"),
        }
    }
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        if matches!(error, JournalError::BadCursor) {
            return Self::bad_request("bad-cursor", "`cursor` is none that this listing gave");
        }
        tracing::error!(%error, "the journal cannot be read");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "journal", "the journal cannot be read")
    }
}

/// Gives a document to refusals that have none, such as the router's own.
pub(super) fn documented(response: Response) -> Response {
    let status = response.status();
    let typed = response.headers().contains_key(CONTENT_TYPE)
        && response.headers().get(CONTENT_TYPE).is_none_or(|t| !t.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || typed {
        return response;
    }
    let mut documented = Problem::of_status(status).into_response();
    if let Some(allow) = response.headers().get(ALLOW) {
        documented.headers_mut().insert(ALLOW, allow.clone());
    }
    documented
}

pub(super) const PROBLEM_JSON: &str = "application/problem+json";

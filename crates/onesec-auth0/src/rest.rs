//! One call of one of Auth0's REST interfaces: bounded in time and size, with a token that is not ours to keep.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use onesec_telemetry::Secret;
use reqwest::header::AUTHORIZATION;
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::body::{Body, TimedOut, read_capped};
use crate::endpoint::retry_after;
use crate::error::{ExchangeError, OAuthCode};
use crate::pass_through::secret_header;

/// The most bytes of an answer that are read.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// For one call with all its retries.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often a call is made again. All that are made here may be: doing them twice is doing them once.
const RETRIES: usize = 2;
/// A longer `Retry-After` is passed on to the caller instead of being waited for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(2);

/// Why a call gave nothing. No variant holds a body or a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// Our own client got no token to call with.
    #[error("no token for the call: {0}")]
    NoToken(#[source] ExchangeError),
    /// The tenant said no.
    #[error("the tenant answered {status} with `{code}`")]
    Refused {
        /// HTTP status.
        status: u16,
        /// `errorCode`, or what the status is called.
        code: OAuthCode,
    },
    /// There is no such user, token or account at the tenant.
    #[error("the tenant knows no such thing (404)")]
    NotFound,
    /// 429: too many requests of ours.
    #[error("the tenant limits our rate")]
    RateLimited {
        /// When to come back, where that was said.
        retry_after: Option<Duration>,
    },
    /// 5xx.
    #[error("the tenant failed with {status}")]
    Down {
        /// HTTP status.
        status: u16,
    },
    /// Cut off, too long, no JSON, or not what was asked for.
    #[error("the tenant answered {status} with {body_len} undecodable bytes")]
    Undecodable {
        /// HTTP status.
        status: u16,
        /// Bytes read, up to the cap.
        body_len: usize,
    },
    /// No answer.
    #[error("the tenant gave no answer{}", if *timed_out { " in time" } else { "" })]
    Unreachable {
        /// Whether a time limit ran out.
        timed_out: bool,
    },
    /// The token handed in is none of the user's for this interface.
    #[error("the token does not count: {0}")]
    NotTheUsers(&'static str),
    /// Not even asked: an id that cannot stand in a path, or a token that cannot stand in a header.
    #[error("the request is malformed and was not sent")]
    Unsendable,
}

impl ApiError {
    /// Whether the same call may go better later.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Down { .. } | Self::Undecodable { .. } | Self::Unreachable { .. } => true,
            Self::NoToken(error) => error.is_outage(),
            Self::Refused { .. } | Self::NotFound | Self::NotTheUsers(_) | Self::Unsendable => false,
        }
    }

    /// When to come back, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => *retry_after,
            Self::NoToken(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// One call.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Option<&'a Value>,
}

/// What was answered with 2xx. No `Debug`: it is about a person.
pub(crate) struct Reply {
    status: u16,
    body: Body,
}

impl Reply {
    pub(crate) fn decode<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ApiError> {
        let undecodable = ApiError::Undecodable { status: self.status, body_len: self.body.bytes.len() };
        if !self.body.complete {
            return Err(undecodable);
        }
        serde_json::from_slice(&self.body.bytes).map_err(|_| undecodable)
    }
}

/// The address of what `parts` name below `base`, each a segment of its own whatever characters it has.
pub(crate) fn below(mut base: Url, parts: &[&str]) -> Result<Url, ApiError> {
    // Dots are not escaped and would lead elsewhere.
    if parts.iter().any(|part| part.is_empty() || *part == "." || *part == "..") {
        return Err(ApiError::Unsendable);
    }
    base.path_segments_mut().map_err(|()| ApiError::Unsendable)?.clear().extend(parts);
    Ok(base)
}

/// Makes a call that may be made twice.
pub(crate) async fn call(http: &reqwest::Client, token: &Secret, call: &Call<'_>) -> Result<Reply, ApiError> {
    let deadline = Instant::now() + DEADLINE;
    let backoff = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(1))
        .with_max_times(RETRIES);
    let pause = |error: &ApiError, planned: Option<Duration>| {
        let planned = planned?; // no attempts left
        let pause = error.retry_after().map_or(planned, |asked| asked + planned / 4);
        (Instant::now() + pause < deadline).then_some(pause)
    };
    let attempts = (|| attempt(http, token, call)).retry(backoff).when(may_retry).adjust(pause);
    let late = ApiError::Unreachable { timed_out: true };
    tokio::time::timeout_at(deadline, attempts).await.unwrap_or(Err(late))
}

fn may_retry(error: &ApiError) -> bool {
    match error {
        ApiError::RateLimited { retry_after } => retry_after.is_some_and(|pause| pause <= MAX_RETRY_AFTER),
        ApiError::Down { .. } | ApiError::Unreachable { timed_out: false } => true,
        _ => false,
    }
}

async fn attempt(http: &reqwest::Client, token: &Secret, call: &Call<'_>) -> Result<Reply, ApiError> {
    let bearer = Secret::new(format!("Bearer {}", token.expose_to_wire()));
    let authorization = secret_header(&bearer).map_err(|_| ApiError::Unsendable)?;
    let request: RequestBuilder =
        http.request(call.method.clone(), call.url.clone()).header(AUTHORIZATION, authorization);
    let request = match call.body {
        Some(body) => request.json(body),
        None => request,
    };
    let sent = request.send().await;
    let response = sent.map_err(|error| ApiError::Unreachable { timed_out: error.is_timeout() })?;
    let (status, retry_after) = (response.status().as_u16(), retry_after(response.headers()));
    let body = read_capped(response, MAX_ANSWER_BYTES).await;
    let body = body.map_err(|TimedOut| ApiError::Unreachable { timed_out: true })?;
    match status {
        200..=299 => Ok(Reply { status, body }),
        404 => Err(ApiError::NotFound),
        429 => Err(ApiError::RateLimited { retry_after }),
        500.. => Err(ApiError::Down { status }),
        _ => Err(ApiError::Refused { status, code: code_of(status, &body.bytes) }),
    }
}

/// `errorCode` of the Management API, or the last part of the `type` of a problem document; a word for the status
/// where there is neither.
fn code_of(status: u16, body: &[u8]) -> OAuthCode {
    #[derive(Deserialize)]
    struct Said {
        #[serde(rename = "errorCode")]
        error_code: Option<String>,
    }
    let said = serde_json::from_slice::<Said>(body).ok().and_then(|said| said.error_code);
    OAuthCode::new(said.as_deref().unwrap_or(match status {
        401 => "unauthorized",
        403 => "forbidden",
        300..=399 => "redirect",
        _ => "bad_request",
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_one_segment_of_the_path() {
        let base = || Url::parse("https://t.auth0.com/").expect("a URL");
        let path = |id: &str| below(base(), &["api", "v2", "users", id]).map(|url| url.path().to_owned());
        assert_eq!(path("auth0|ana").as_deref(), Ok("/api/v2/users/auth0|ana"));
        assert_eq!(path("a/../../b?c#d").as_deref(), Ok("/api/v2/users/a%2F..%2F..%2Fb%3Fc%23d"));
        for bad in ["", ".", ".."] {
            assert_eq!(path(bad), Err(ApiError::Unsendable), "{bad:?}");
        }
    }

    #[test]
    fn what_the_tenant_says_is_a_word() {
        assert_eq!(code_of(403, br#"{"errorCode":"insufficient_scope"}"#).as_str(), "insufficient_scope");
        assert_eq!(code_of(403, b"<html>").as_str(), "forbidden");
        assert_eq!(code_of(400, br#"{"errorCode":"eyJhbGciOiJSUzI1NiJ9.e30.x"}"#).as_str(), "unrecognised");
    }
}

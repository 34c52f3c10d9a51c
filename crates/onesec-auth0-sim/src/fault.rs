//! What can go wrong at Auth0, one switch each.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;

use crate::answer;

/// Where a fault applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Token Vault exchanges at `/oauth/token`.
    TokenExchange,
    /// `refresh_token` grants at `/oauth/token`.
    RefreshGrant,
    /// `client_credentials` grants at `/oauth/token`.
    ClientCredentials,
    /// Standard token exchanges and JWT assertions at `/oauth/token`.
    Governed,
    /// `/.well-known/jwks.json`.
    Jwks,
    /// `/.well-known/openid-configuration`.
    Discovery,
    /// `/api/v2/…`: refresh tokens and metadata of users.
    Management,
    /// `/api/v2/…/sessions` and `…/revoke-access`; where nothing is set, as [`Endpoint::Management`].
    Sessions,
    /// `/api/v2/grants`; where nothing is set, as [`Endpoint::Management`].
    Grants,
    /// `/me/v1/connected-accounts/accounts…`.
    MyAccount,
}

/// One way to fail, or to succeed wrongly.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// None: answers as documented.
    None,
    /// This status with an OAuth error body.
    Status(u16),
    /// 429 with `Retry-After` in seconds.
    RateLimited {
        /// Value of the header.
        retry_after_s: u64,
    },
    /// 503 with `Retry-After` in seconds.
    Unavailable {
        /// Value of the header.
        retry_after_s: u64,
    },
    /// 200 and nothing.
    EmptyBody,
    /// 200 and no JSON.
    Garbage,
    /// Never answers.
    Hang,
    /// Headers at once, then a byte now and then, without end.
    SlowBody,
    /// Promises more bytes than it sends, then closes.
    Truncated,
    /// 200 and 64 MiB.
    HugeBody,
    /// 307 to `/stolen` of the same server.
    Redirect,
    /// A proper answer labelled `text/html`.
    WrongContentType,
    /// 200 with everything but `access_token`.
    MissingAccessToken,
    /// Closes the connection instead of answering.
    Disconnect,
    /// 401 `federated_connection_refresh_token_not_found`.
    TokenNotFound,
    /// 401 `federated_connection_refresh_token_flow_failed`.
    RefreshFlowFailed,
    /// 401 `user_not_found`.
    UserNotFound,
    /// 403 `invalid_grant`.
    InvalidGrant,
    /// 403 `unauthorized_client`.
    UnauthorizedClient,
    /// 403 `access_denied`.
    AccessDenied,
    /// 403 `mfa_required` with an `mfa_token`.
    MfaRequired,
    /// 401 `invalid_client`.
    InvalidClient,
    /// A proper answer, late.
    Latency(Duration),
    /// The refresh grant answers without `id_token`.
    NoIdToken,
    /// The ID token names another issuer.
    WrongIdTokenIssuer,
    /// The provider token has one scope more than the account.
    ScopeWiderThanAccount,
    /// Management API: 403 `insufficient_scope`.
    InsufficientScope,
    /// Management and My Account API: says that it is done, and does nothing.
    Lie,
    /// Exactly this status and body, as `application/json`.
    Custom {
        /// HTTP status.
        status: u16,
        /// Body.
        body: String,
    },
}

/// Which fault is set where, and for how many more requests.
#[derive(Default)]
pub(crate) struct Faults(HashMap<Endpoint, (Fault, Option<usize>)>);

impl Faults {
    pub(crate) fn set(&mut self, endpoint: Endpoint, fault: Fault, requests: Option<usize>) {
        self.0.insert(endpoint, (fault, requests));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault for the next request to `endpoint`; counts down.
    pub(crate) fn next(&mut self, endpoint: Endpoint) -> Fault {
        match self.0.get_mut(&endpoint) {
            None | Some((_, Some(0))) => Fault::None,
            Some((fault, None)) => fault.clone(),
            Some((fault, Some(left))) => {
                *left -= 1;
                fault.clone()
            }
        }
    }
}

/// Marks an answer that must never be sent: the connection closes instead.
#[derive(Clone, Copy)]
pub(crate) struct CloseConnection;

impl Fault {
    /// The answer that replaces the proper one, if this fault is of that kind. May take its time.
    pub(crate) async fn instead(&self) -> Option<Response> {
        match self {
            Self::Hang => std::future::pending().await,
            Self::Latency(delay) => {
                tokio::time::sleep(*delay).await;
                None
            }
            Self::Status(_) | Self::RateLimited { .. } | Self::Unavailable { .. } | Self::Custom { .. } => {
                self.status()
            }
            Self::EmptyBody | Self::Garbage | Self::SlowBody | Self::Truncated | Self::HugeBody => self.body(),
            Self::Redirect | Self::MissingAccessToken | Self::Disconnect => self.misleading(),
            _ => self.oauth_error(),
        }
    }

    fn status(&self) -> Option<Response> {
        let retry = |status: u16, error: &str, after: u64| {
            let mut answer = answer::error(status, error, "Global limit has been reached");
            answer.headers_mut().insert(header::RETRY_AFTER, after.into());
            answer.headers_mut().insert("x-ratelimit-remaining", 0.into());
            Some(answer)
        };
        match self {
            Self::Status(status) => Some(answer::error(*status, "server_error", "Simulated failure")),
            Self::RateLimited { retry_after_s } => retry(429, "too_many_requests", *retry_after_s),
            Self::Unavailable { retry_after_s } => retry(503, "temporarily_unavailable", *retry_after_s),
            Self::Custom { status, body } => Some(answer::raw(*status, "application/json", Body::from(body.clone()))),
            _ => None,
        }
    }

    fn body(&self) -> Option<Response> {
        let json = |body| Some(answer::raw(200, "application/json", body));
        match self {
            Self::EmptyBody => json(Body::empty()),
            Self::Garbage => json(Body::from("<html>\u{fffd} not json {\"access_token\":")),
            Self::SlowBody => json(slow_body()),
            Self::HugeBody => json(huge_body()),
            Self::Truncated => {
                let mut answer = answer::raw(200, "application/json", half_a_body());
                answer.headers_mut().insert(header::CONTENT_LENGTH, 4096.into());
                Some(answer)
            }
            _ => None,
        }
    }

    fn misleading(&self) -> Option<Response> {
        match self {
            Self::Redirect => {
                let mut answer = answer::raw(307, "text/html", Body::empty());
                answer.headers_mut().insert(header::LOCATION, header::HeaderValue::from_static("/stolen"));
                Some(answer)
            }
            Self::MissingAccessToken => {
                Some(answer::json(StatusCode::OK, &json!({"token_type": "Bearer", "expires_in": 60})))
            }
            Self::Disconnect => {
                let mut answer = answer::raw(500, "text/plain", Body::empty());
                answer.extensions_mut().insert(CloseConnection);
                Some(answer)
            }
            _ => None,
        }
    }

    fn oauth_error(&self) -> Option<Response> {
        let (status, error, description) = match self {
            Self::TokenNotFound => answer::TOKEN_NOT_FOUND,
            Self::RefreshFlowFailed => answer::REFRESH_FLOW_FAILED,
            Self::UserNotFound => answer::USER_NOT_FOUND,
            Self::InvalidGrant => answer::INVALID_GRANT,
            Self::UnauthorizedClient => (403, "unauthorized_client", "Grant type not allowed for the client."),
            Self::AccessDenied => (403, "access_denied", "Access denied."),
            Self::InvalidClient => (401, "invalid_client", "Unauthorized"),
            Self::MfaRequired => {
                let body = json!({"error": "mfa_required", "error_description": "Multifactor authentication required",
                    "mfa_token": "Fe26.2*simulated-mfa-token", "mfa_requirements": {}});
                return Some(answer::json(StatusCode::FORBIDDEN, &body));
            }
            _ => return None,
        };
        Some(answer::error(status, error, description))
    }
}

/// Some bytes, time for them to leave, then a broken connection.
fn half_a_body() -> Body {
    Body::from_stream(stream::unfold(true, |first| async move {
        if first {
            return Some((Ok(Bytes::from_static(b"{\"access_token\":\"ya29.half")), false));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted)), false))
    }))
}

fn slow_body() -> Body {
    Body::from_stream(stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
    }))
}

fn huge_body() -> Body {
    const CHUNK: Bytes = Bytes::from_static(&[b' '; 64 * 1024]);
    Body::from_stream(stream::iter((0..1024).map(|_| Ok::<_, std::io::Error>(CHUNK))))
}

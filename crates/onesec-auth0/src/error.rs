//! What a token endpoint can answer instead of a token.

use std::fmt;
use std::time::Duration;

use oauth2::basic::BasicErrorResponseType;
use oauth2::{ErrorResponseType, StandardErrorResponse};
use onesec_telemetry::Secret;

use crate::sanitise;

/// An OAuth `error` code as upstream sent it, Auth0's own ones included. Never token text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OAuthCode(String);

const MAX_CODE_BYTES: usize = 64;

impl OAuthCode {
    /// Anything that is no plain word becomes `unrecognised`: an error code is printed, so it must be harmless.
    #[must_use]
    pub fn new(code: &str) -> Self {
        let plain = code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.".contains(&b));
        let fine = plain && !code.is_empty() && code.len() <= MAX_CODE_BYTES && !sanitise::has_token(code);
        Self(if fine { code } else { "unrecognised" }.to_owned())
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OAuthCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OAuthCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why there is no token. No variant holds a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// Auth0 said no, in OAuth's words.
    #[error("the token endpoint answered {status} with `{error}`")]
    Refused {
        /// HTTP status; Auth0 uses 401 and 403 where RFC 6749 has 400.
        status: u16,
        /// Branch on this, never on the status alone.
        error: OAuthCode,
        /// Sanitised: no control characters, nothing that looks like a token, at most 256 characters.
        error_description: Option<String>,
        /// When upstream asked to come back.
        retry_after: Option<Duration>,
    },
    /// 429: too many requests of ours.
    #[error("the token endpoint limits our rate with `{error}`")]
    RateLimited {
        /// Usually `too_many_requests`.
        error: OAuthCode,
        /// Sanitised as above.
        error_description: Option<String>,
        /// When upstream asked to come back.
        retry_after: Option<Duration>,
    },
    /// The answer was neither a token nor an OAuth error: cut off, too long, no JSON, wrong content type, no token.
    #[error("the token endpoint answered {status} with {body_len} undecodable bytes")]
    Undecodable {
        /// HTTP status.
        status: u16,
        /// Bytes read, up to the cap.
        body_len: usize,
    },
    /// No answer.
    #[error("the token endpoint gave no answer{}", if *timed_out { " in time" } else { "" })]
    Unreachable {
        /// Whether a time limit ran out.
        timed_out: bool,
        /// Whether the request may have reached the endpoint, so that it may have been acted on.
        maybe_sent: bool,
    },
    /// Not even asked: it failed too often just now.
    #[error("the token endpoint failed repeatedly and is not asked for now")]
    CircuitOpen {
        /// When it will be asked again.
        retry_after: Duration,
    },
    /// Not even asked: what was wanted must be signed by our client, and our client has a secret only.
    #[error("our client has no private key to sign with")]
    NoClientKey,
    /// Not even asked: the key would not sign, or this machine has no randomness.
    #[error("the request cannot be signed")]
    Unsigned,
    /// Not even asked: a header, path or parameter is none that may be sent.
    #[error("the request is malformed and was not sent")]
    Unsendable,
}

impl ExchangeError {
    /// Whether upstream is down or overloaded, as opposed to having judged the request.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status >= 500,
            Self::RateLimited { .. }
            | Self::Undecodable { .. }
            | Self::Unreachable { .. }
            | Self::CircuitOpen { .. } => true,
            Self::NoClientKey | Self::Unsigned | Self::Unsendable => false,
        }
    }

    /// Whether upstream rejected our own client, or it cannot even sign, so that only an operator can help.
    #[must_use]
    pub fn is_client_rejected(&self) -> bool {
        match self {
            Self::Refused { status, error, .. } => match error.as_str() {
                "invalid_client" | "unauthorized_client" => true,
                "access_denied" => *status == 401, // how Auth0 answers bad client credentials
                _ => false,
            },
            Self::NoClientKey | Self::Unsigned => true,
            _ => false,
        }
    }

    /// Auth0's `error`, where there is one.
    #[must_use]
    pub const fn code(&self) -> Option<&OAuthCode> {
        match self {
            Self::Refused { error, .. } | Self::RateLimited { error, .. } => Some(error),
            _ => None,
        }
    }

    /// When to come back, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } | Self::RateLimited { retry_after, .. } => *retry_after,
            Self::CircuitOpen { retry_after } => Some(*retry_after),
            _ => None,
        }
    }

    /// Reads an error body (RFC 6749, section 5.2); `secrets` are cut out of its description.
    pub(crate) fn from_body(status: u16, body: &[u8], retry_after: Option<Duration>, secrets: &[&Secret]) -> Self {
        type Body = StandardErrorResponse<BasicErrorResponseType>;
        let parsed = serde_json::from_slice::<Body>(body).ok();
        // A broken limiter in front of Auth0 may answer 429 with a page; it is a rate limit all the same.
        let Some((code, description)) = parsed.map(|body| {
            let description = body.error_description().map(|text| sanitise::description(text, secrets));
            (code_of(body.error()), description)
        }) else {
            let error = OAuthCode::new("too_many_requests");
            return match status {
                429 => Self::RateLimited { error, error_description: None, retry_after },
                _ => Self::Undecodable { status, body_len: body.len() },
            };
        };
        match status {
            429 => Self::RateLimited { error: code, error_description: description, retry_after },
            400.. => Self::Refused { status, error: code, error_description: description, retry_after },
            _ => Self::Undecodable { status, body_len: body.len() },
        }
    }
}

fn code_of(error: &(impl ErrorResponseType + AsRef<str>)) -> OAuthCode {
    OAuthCode::new(error.as_ref())
}

//! Somebody else's token request, forwarded with their credentials and never with ours.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use onesec_telemetry::Secret;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::body::{TimedOut, read_capped};
use crate::bytes::SecretBytes;
use crate::circuit::Outcome;
use crate::endpoint::{TokenEndpoint, retry_after, unreachable_because};
use crate::error::ExchangeError;
use crate::vault::{IssuedToken, issued_in};

/// The most bytes of an answer that are passed on.
const MAX_ANSWER_BYTES: usize = 256 * 1024;
const DPOP: HeaderName = HeaderName::from_static("dpop");
const DPOP_NONCE: &str = "dpop-nonce";
const FORWARDED_FOR: HeaderName = HeaderName::from_static("auth0-forwarded-for");

/// A token request of somebody else's client. Mute: it is full of secrets.
#[derive(Clone, Copy)]
pub struct PassThrough<'a> {
    /// The parameters, their client's own credentials included.
    pub form: &'a [(&'a str, &'a str)],
    /// Their `Authorization`, as it came.
    pub authorization: Option<&'a Secret>,
    /// Their `DPoP` proof (RFC 9449, section 5), as it came: it must be made for Auth0's token endpoint.
    pub dpop: Option<&'a Secret>,
    /// Where the request came from, for Auth0's attack protection.
    pub forwarded_for: Option<IpAddr>,
}

impl fmt::Debug for PassThrough<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassThrough").field("params", &self.form.len()).finish_non_exhaustive()
    }
}

/// What upstream answered, whatever it was.
pub struct PassedThrough {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// When upstream asked to come back.
    pub retry_after: Option<Duration>,
    /// `DPoP-Nonce` for the next proof (RFC 9449, section 8).
    pub dpop_nonce: Option<String>,
    /// The body, as it came.
    pub body: SecretBytes,
}

impl fmt::Debug for PassedThrough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassedThrough").field("status", &self.status).field("body", &self.body).finish_non_exhaustive()
    }
}

impl PassedThrough {
    /// The token of a Token Vault exchange that was passed through.
    ///
    /// # Errors
    /// [`ExchangeError::Refused`], [`ExchangeError::RateLimited`] with Auth0's own words, from which `secrets` are cut
    /// out; [`ExchangeError::Undecodable`] where a 200 is no proper token answer.
    pub fn issued_token(&self, secrets: &[&Secret]) -> Result<IssuedToken, ExchangeError> {
        let body = self.body.expose_to_wire();
        if self.status != 200 {
            return Err(ExchangeError::from_body(self.status, body, self.retry_after, secrets));
        }
        issued_in(body).ok_or(ExchangeError::Undecodable { status: self.status, body_len: body.len() })
    }
}

impl TokenEndpoint {
    /// Forwards a token request once, within the time limit and the circuit breaker of this endpoint. A refusal is an
    /// answer; 5xx is one, too, but counts as a failure of upstream.
    ///
    /// # Errors
    /// [`ExchangeError::Unsendable`] where a header cannot be sent; [`ExchangeError::Undecodable`] where the answer
    /// breaks off or is longer than 256 KiB; [`ExchangeError::Unreachable`]; [`ExchangeError::CircuitOpen`].
    pub async fn pass_through(&self, request: PassThrough<'_>) -> Result<PassedThrough, ExchangeError> {
        let headers = headers_of(&request)?;
        let judge = |answer: &PassedThrough| if answer.status >= 500 { Outcome::Failed } else { Outcome::Healthy };
        let result = self.guarded_once(self.forward_once(request.form, headers), judge).await;
        if let Err(error) = &result {
            tracing::debug!(domain = self.config().domain(), %error, "token request not passed through");
        }
        result
    }

    async fn forward_once(&self, form: &[(&str, &str)], headers: HeaderMap) -> Result<PassedThrough, ExchangeError> {
        let sent = self.http().post(self.config().url("/oauth/token")).headers(headers).form(form).send().await;
        let response = sent.map_err(|error| unreachable_because(&error))?;
        let status = response.status().as_u16();
        let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (content_type, dpop_nonce) = (text(CONTENT_TYPE.as_str()), text(DPOP_NONCE));
        let retry_after = retry_after(response.headers());
        let body = read_capped(response, MAX_ANSWER_BYTES).await;
        let body = body.map_err(|TimedOut| ExchangeError::Unreachable { timed_out: true, maybe_sent: true })?;
        if !body.complete {
            return Err(ExchangeError::Undecodable { status, body_len: body.bytes.len() });
        }
        Ok(PassedThrough { status, content_type, retry_after, dpop_nonce, body: SecretBytes::new(body.bytes) })
    }
}

fn headers_of(request: &PassThrough<'_>) -> Result<HeaderMap, ExchangeError> {
    let mut headers = HeaderMap::new();
    for (name, secret) in [(AUTHORIZATION, request.authorization), (DPOP, request.dpop)] {
        if let Some(secret) = secret {
            headers.insert(name, secret_header(secret)?);
        }
    }
    if let Some(address) = request.forwarded_for {
        let value = HeaderValue::from_str(&address.to_string()).map_err(|_| ExchangeError::Unsendable)?;
        headers.insert(FORWARDED_FOR, value);
    }
    Ok(headers)
}

/// Marked, so that no HTTP library logs it.
pub(crate) fn secret_header(secret: &Secret) -> Result<HeaderValue, ExchangeError> {
    let mut value = HeaderValue::from_str(secret.expose_to_wire()).map_err(|_| ExchangeError::Unsendable)?;
    value.set_sensitive(true);
    Ok(value)
}

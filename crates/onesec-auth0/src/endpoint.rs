//! One tenant's token endpoint: time limits, careful retries, a circuit breaker.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use onesec_telemetry::{Secret, Timestamp};
use parking_lot::Mutex;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use tokio::time::Instant;

use crate::body::{Body, TimedOut, read_capped};
use crate::circuit::{Circuit, CircuitSettings, Outcome, Permit};
use crate::clock::Clock;
use crate::config::Auth0Config;
use crate::error::ExchangeError;

/// The most bytes of an answer that are read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// How patient the endpoint's client is.
#[derive(Debug, Clone, Copy)]
pub struct EndpointOptions {
    /// For one grant with all its retries.
    pub deadline: Duration,
    /// How often a request that was certainly not acted on is sent again.
    pub retries: usize,
    /// A longer `Retry-After` is passed on to the caller instead of being waited for.
    pub max_retry_after: Duration,
    /// When to stop asking.
    pub circuit: CircuitSettings,
}

impl Default for EndpointOptions {
    fn default() -> Self {
        let circuit = CircuitSettings::default();
        Self { deadline: Duration::from_secs(10), retries: 2, max_retry_after: Duration::from_secs(2), circuit }
    }
}

/// The token endpoint of one tenant, as one client. To be shared: the circuit breaker is the upstream's.
pub struct TokenEndpoint {
    config: Auth0Config,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    options: EndpointOptions,
    circuit: Mutex<Circuit>,
}

/// The parameters of one grant, but for the token that it is asked for.
pub(crate) struct Grant<'a> {
    pub(crate) params: &'a [(&'a str, &'a str)],
    pub(crate) token_name: &'static str,
    pub(crate) token: TokenSource<'a>,
}

/// Where the token of a grant comes from.
pub(crate) enum TokenSource<'a> {
    /// It was presented to us.
    Given(&'a Secret),
    /// We sign it, anew for each attempt: it can be used once.
    Signed(&'a (dyn Fn() -> Result<Secret, ExchangeError> + Sync)),
    /// The grant takes none: our client asks for itself.
    None,
}

impl TokenSource<'_> {
    fn token(&self) -> Result<Option<Secret>, ExchangeError> {
        match self {
            Self::Given(token) => Ok(Some((*token).clone())),
            Self::Signed(sign) => sign().map(Some),
            Self::None => Ok(None),
        }
    }
}

/// A 200 with a JSON body. No `Debug`: it holds tokens.
pub(crate) struct Answer {
    status: u16,
    body: Body,
}

impl Answer {
    /// Reads it as `T`; whatever the parser complains about is dropped, for it may quote the body.
    pub(crate) fn decode<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, ExchangeError> {
        serde_json::from_slice(&self.body.bytes).map_err(|_| self.undecodable())
    }

    pub(crate) fn undecodable(&self) -> ExchangeError {
        ExchangeError::Undecodable { status: self.status, body_len: self.body.bytes.len() }
    }
}

impl TokenEndpoint {
    /// With the default patience.
    #[must_use]
    pub fn new(config: Auth0Config, http: reqwest::Client, clock: Arc<dyn Clock>) -> Self {
        Self {
            config,
            http,
            clock,
            options: EndpointOptions::default(),
            circuit: Circuit::new(CircuitSettings::default()).into(),
        }
    }

    /// With another patience.
    #[must_use]
    pub fn with_options(mut self, options: EndpointOptions) -> Self {
        self.circuit = Circuit::new(options.circuit).into();
        self.options = options;
        self
    }

    /// The tenant and client.
    #[must_use]
    pub const fn config(&self) -> &Auth0Config {
        &self.config
    }

    /// Whether the circuit breaker lets requests through freely.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.circuit.lock().is_closed()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) const fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Sends one grant; its token and our credentials are cut out of whatever upstream says about them.
    pub(crate) async fn grant(&self, grant: &Grant<'_>) -> Result<Answer, ExchangeError> {
        let deadline = Instant::now() + self.options.deadline;
        let result = self.guarded(self.attempts(grant, deadline), deadline, |_| Outcome::Healthy).await;
        if let Err(error) = &result {
            tracing::debug!(domain = self.config.domain(), %error, "token endpoint gave no token");
        }
        result
    }

    /// For what has no retries.
    pub(crate) async fn guarded_once<T>(
        &self,
        work: impl Future<Output = Result<T, ExchangeError>>,
        judge: impl FnOnce(&T) -> Outcome,
    ) -> Result<T, ExchangeError> {
        self.guarded(work, Instant::now() + self.options.deadline, judge).await
    }

    /// Within the time limit, and only where the circuit breaker lets it; `judge` says what an answer tells of upstream.
    async fn guarded<T>(
        &self,
        work: impl Future<Output = Result<T, ExchangeError>>,
        deadline: Instant,
        judge: impl FnOnce(&T) -> Outcome,
    ) -> Result<T, ExchangeError> {
        let admitted = self.circuit.lock().admit(self.clock.now());
        let permit = admitted.map_err(|retry_after| ExchangeError::CircuitOpen { retry_after })?;
        let mut report = Report { endpoint: self, permit: Some(permit), outcome: Outcome::Abandoned };
        let late = ExchangeError::Unreachable { timed_out: true, maybe_sent: true };
        let result = tokio::time::timeout_at(deadline, work).await.unwrap_or(Err(late));
        report.outcome = match &result {
            Ok(answer) => judge(answer),
            Err(error) => outcome_of(error),
        };
        drop(report);
        result
    }

    async fn attempts(&self, grant: &Grant<'_>, deadline: Instant) -> Result<Answer, ExchangeError> {
        let backoff = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(Duration::from_millis(50))
            .with_max_delay(Duration::from_secs(1))
            .with_max_times(self.options.retries);
        let pause = |error: &ExchangeError, planned: Option<Duration>| {
            let planned = planned?; // no attempts left
            let pause = error.retry_after().map_or(planned, |asked| asked + planned / 4);
            (Instant::now() + pause < deadline).then_some(pause)
        };
        (|| self.attempt(grant)).retry(backoff).when(|error| self.may_retry(error)).adjust(pause).await
    }

    /// Only where the request was certainly not acted on: never sent, or turned away with a time to come back.
    fn may_retry(&self, error: &ExchangeError) -> bool {
        match error {
            ExchangeError::Unreachable { maybe_sent, timed_out } => !maybe_sent && !timed_out,
            ExchangeError::RateLimited { retry_after, .. }
            | ExchangeError::Refused { status: 503, retry_after, .. } => {
                retry_after.is_some_and(|pause| pause <= self.options.max_retry_after)
            }
            ExchangeError::Refused { .. }
            | ExchangeError::Undecodable { .. }
            | ExchangeError::CircuitOpen { .. }
            | ExchangeError::NoClientKey
            | ExchangeError::Unsigned
            | ExchangeError::Unsendable => false,
        }
    }

    async fn attempt(&self, grant: &Grant<'_>) -> Result<Answer, ExchangeError> {
        let token = grant.token.token()?;
        let client_id = self.config.client_id();
        let shown = self.config.credentials().show(client_id, &self.config.issuer(), self.clock.now())?;
        let mut form = [grant.params, &[("client_id", client_id)]].concat();
        form.extend(token.as_ref().map(|token| (grant.token_name, token.expose_to_wire())));
        form.extend(shown.params());
        let sent = self.http.post(self.config.url("/oauth/token")).form(&form).send().await;
        let response = sent.map_err(|error| unreachable_because(&error))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let is_json = is_json(response.headers());
        let body = read_capped(response, MAX_ANSWER_BYTES).await;
        let body = body.map_err(|TimedOut| ExchangeError::Unreachable { timed_out: true, maybe_sent: true })?;
        if status == 200 {
            let answer = Answer { status, body };
            return if is_json && answer.body.complete { Ok(answer) } else { Err(answer.undecodable()) };
        }
        let secrets: Vec<&Secret> = token.iter().chain([shown.secret()]).collect();
        Err(ExchangeError::from_body(status, &body.bytes, retry_after, &secrets))
    }
}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Reports to the circuit breaker even if the caller goes away, so that a probe never stays under way for ever.
struct Report<'a> {
    endpoint: &'a TokenEndpoint,
    permit: Option<Permit>,
    outcome: Outcome,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.endpoint.circuit.lock().report(permit, self.outcome, self.endpoint.clock.now());
        }
    }
}

const fn outcome_of(error: &ExchangeError) -> Outcome {
    match error {
        // A rate limit is upstream's health: hammering is prevented by `Retry-After`, not by the breaker.
        ExchangeError::RateLimited { .. } => Outcome::Healthy,
        // Nobody was asked.
        ExchangeError::NoClientKey | ExchangeError::Unsigned | ExchangeError::Unsendable => Outcome::Abandoned,
        error if error.is_outage() => Outcome::Failed,
        _ => Outcome::Healthy,
    }
}

pub(crate) fn unreachable_because(error: &reqwest::Error) -> ExchangeError {
    ExchangeError::Unreachable { timed_out: error.is_timeout(), maybe_sent: !error.is_connect() }
}

/// Whole seconds; the date form (RFC 9110, section 10.2.3) is not used by Auth0.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_sent_tells_nothing_of_upstream() {
        for unsent in [ExchangeError::NoClientKey, ExchangeError::Unsigned, ExchangeError::Unsendable] {
            assert_eq!(outcome_of(&unsent), Outcome::Abandoned, "{unsent}");
        }
        let down = ExchangeError::Unreachable { timed_out: true, maybe_sent: true };
        assert_eq!(outcome_of(&down), Outcome::Failed);
        let limited = ExchangeError::RateLimited {
            error: crate::error::OAuthCode::new("too_many_requests"),
            error_description: None,
            retry_after: None,
        };
        assert_eq!(outcome_of(&limited), Outcome::Healthy);
    }
}

//! An issuer's key set: cached, refreshed by one at a time, usable for a while when the tenant is down.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use onesec_identity::{KeySet, TokenRefused};
use onesec_telemetry::Timestamp;
use parking_lot::Mutex;

use crate::clock::Clock;
use crate::config::{Auth0Config, ConfigError};
use crate::discovery::KeysAt;

/// How long keys are believed and how often they are asked for.
#[derive(Debug, Clone, Copy)]
pub struct JwksOptions {
    /// Older keys are fetched anew.
    pub ttl: Duration,
    /// How long past their fetching keys serve while fetching fails.
    pub stale: Duration,
    /// An unknown `kid` causes at most one fetch in this time: anybody can make up a `kid`.
    pub refetch_pause: Duration,
    /// After a failed fetch, how long stale keys are used without another try.
    pub failure_pause: Duration,
    /// For one fetch.
    pub timeout: Duration,
}

impl Default for JwksOptions {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            ttl: seconds(600),
            stale: seconds(3600),
            refetch_pause: seconds(30),
            failure_pause: seconds(5),
            timeout: seconds(5),
        }
    }
}

/// Why there are no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// No answer, or not in time.
    #[error("the key set cannot be fetched")]
    Unreachable,
    /// Another status than 200.
    #[error("the key set was answered with {status}")]
    Status {
        /// HTTP status.
        status: u16,
    },
    /// Too large, cut off, or no key set.
    #[error("the key set cannot be decoded")]
    Undecodable,
    /// The discovery document is another issuer's.
    #[error("the discovery document names another issuer")]
    OtherIssuer,
    /// The discovery document sends us where no keys are fetched: in clear, or not by HTTP at all.
    #[error("the discovery document names no usable key set")]
    UnusableUri,
    /// A key set without a single key that may verify.
    #[error("the key set has no usable key")]
    NoUsableKey,
}

/// Why a token was not verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The token is bad.
    #[error(transparent)]
    Token(#[from] TokenRefused),
    /// There are no keys to judge it by.
    #[error(transparent)]
    Keys(#[from] JwksError),
}

#[derive(Default)]
struct Cached {
    keys: Option<(Arc<KeySet>, Timestamp)>,
    failed: Option<(JwksError, Timestamp)>,
    last_refetch: Option<Timestamp>,
    /// Counts finished fetches, so that those who waited for one take its result.
    fetches: u64,
}

/// The keys of one issuer.
pub struct Jwks {
    http: reqwest::Client,
    at: KeysAt,
    clock: Arc<dyn Clock>,
    options: JwksOptions,
    cached: Mutex<Cached>,
    flight: tokio::sync::Mutex<()>,
}

impl Jwks {
    /// Fetches nothing yet.
    #[must_use]
    pub fn new(config: &Auth0Config, http: reqwest::Client, clock: Arc<dyn Clock>) -> Self {
        Self::over(KeysAt::Url(config.url("/.well-known/jwks.json")), http, clock)
    }

    /// The keys of any issuer: at `jwks_uri`, or where its discovery document says, which is read anew with the keys.
    /// Fetches nothing yet. `issuer` must be exactly what the document and tokens have.
    ///
    /// # Errors
    /// [`ConfigError::Issuer`], [`ConfigError::JwksUri`], [`ConfigError::PlainHttp`].
    pub fn for_issuer(
        issuer: &str,
        jwks_uri: Option<&str>,
        http: reqwest::Client,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        Ok(Self::over(KeysAt::of_issuer(issuer, jwks_uri)?, http, clock))
    }

    fn over(at: KeysAt, http: reqwest::Client, clock: Arc<dyn Clock>) -> Self {
        Self { http, at, clock, options: JwksOptions::default(), cached: Mutex::default(), flight: ().into() }
    }

    /// With other times.
    #[must_use]
    pub const fn with_options(mut self, options: JwksOptions) -> Self {
        self.options = options;
        self
    }

    /// Keys not older than the TTL, or stale ones while the tenant cannot be reached.
    ///
    /// # Errors
    /// [`JwksError`] where there are none at all, or only too old ones.
    pub async fn keys(&self) -> Result<Arc<KeySet>, JwksError> {
        let before = {
            let cached = self.cached.lock();
            if let Some(keys) = self.fresh(&cached) {
                return Ok(keys);
            }
            cached.fetches
        };
        let _one_at_a_time = self.flight.lock().await;
        {
            let cached = self.cached.lock();
            if let Some(keys) = self.fresh(&cached) {
                return Ok(keys);
            }
            if cached.fetches != before {
                return self.settle(&cached);
            }
        }
        self.fetch().await;
        self.settle(&self.cached.lock())
    }

    /// Verifies with cached keys; if the token names an unknown one, fetches once (if it may) and tries again.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub async fn verify<T>(&self, check: impl Fn(&KeySet) -> Result<T, TokenRefused>) -> Result<T, VerifyError> {
        self.verify_keyed(check).await.map(|(proof, _)| proof)
    }

    /// As [`Jwks::verify`], with the very key set that verified: a proof is as good as the keys that made it.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub async fn verify_keyed<T>(
        &self,
        check: impl Fn(&KeySet) -> Result<T, TokenRefused>,
    ) -> Result<(T, Arc<KeySet>), VerifyError> {
        let keys = self.keys().await?;
        match check(&keys) {
            Err(TokenRefused::UnknownKey) => {}
            judged => return Ok((judged?, keys)),
        }
        let keys = self.keys_other_than(&keys).await;
        Ok((check(&keys)?, keys))
    }

    /// Newer keys than `known`, if fetching is allowed and works; else `known` itself.
    async fn keys_other_than(&self, known: &Arc<KeySet>) -> Arc<KeySet> {
        let _one_at_a_time = self.flight.lock().await;
        let now = self.clock.now();
        {
            let mut cached = self.cached.lock();
            if let Some((keys, _)) = &cached.keys
                && !Arc::ptr_eq(keys, known)
            {
                return Arc::clone(keys);
            }
            if cached.last_refetch.is_some_and(|last| now.since(last) < self.options.refetch_pause) {
                return Arc::clone(known);
            }
            cached.last_refetch = Some(now);
        }
        self.fetch().await;
        self.cached.lock().keys.as_ref().map_or_else(|| Arc::clone(known), |(keys, _)| Arc::clone(keys))
    }

    /// Keys that need no fetching now: young ones, or stale ones shortly after a failure.
    fn fresh(&self, cached: &Cached) -> Option<Arc<KeySet>> {
        let (keys, fetched_at) = cached.keys.as_ref()?;
        let now = self.clock.now();
        let age = now.since(*fetched_at);
        let just_failed = cached.failed.is_some_and(|(_, at)| now.since(at) < self.options.failure_pause);
        let serves = age < self.options.ttl || (just_failed && age < self.options.stale);
        serves.then(|| Arc::clone(keys))
    }

    /// What is left after a fetch: its keys, else stale ones, else its error.
    fn settle(&self, cached: &Cached) -> Result<Arc<KeySet>, JwksError> {
        let usable = cached.keys.as_ref().filter(|(_, at)| self.clock.now().since(*at) < self.options.stale);
        match (usable, cached.failed) {
            (Some((keys, _)), _) => Ok(Arc::clone(keys)),
            (None, Some((error, _))) => Err(error),
            (None, None) => Err(JwksError::Unreachable),
        }
    }

    async fn fetch(&self) {
        let fetched = tokio::time::timeout(self.options.timeout, self.fetch_now()).await;
        let fetched = fetched.unwrap_or(Err(JwksError::Unreachable));
        let now = self.clock.now();
        let mut cached = self.cached.lock();
        cached.fetches += 1;
        match fetched {
            Ok(keys) => {
                cached.keys = Some((Arc::new(keys), now));
                cached.failed = None;
            }
            Err(error) => {
                tracing::warn!(host = self.at.host(), %error, "key set not refreshed");
                cached.failed = Some((error, now));
            }
        }
    }

    async fn fetch_now(&self) -> Result<KeySet, JwksError> {
        let body = self.at.fetch(&self.http).await?;
        let text = std::str::from_utf8(&body.bytes).map_err(|_| JwksError::Undecodable)?;
        let keys = KeySet::from_jwks_json(text).map_err(|_| JwksError::Undecodable)?;
        if keys.is_empty() { Err(JwksError::NoUsableKey) } else { Ok(keys) }
    }
}

impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwks").field("host", &self.at.host()).finish_non_exhaustive()
    }
}

//! `webhook`: a signed message to somebody's server.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use onesec_auth0::{Circuit, CircuitSettings, Clock, HttpClient, HttpError, Outcome as Ended, Permit};
use onesec_enforcement::{Action, ActionSpec, Job, Outcome, Template, Webhook, Working};
use onesec_telemetry::{Secret, Thumbprint};
use parking_lot::{Mutex, RwLock};
use reqwest::dns::Resolve;
use url::Url;

use guard::Reach;
use send::{Answer, Channel, Endpoint, Message, out_of_reach};

mod guard;
mod retry;
mod send;
mod signature;
mod template;
mod text;

/// Makes an HTTP client that asks the given resolver for every name, and otherwise is as `onesec_auth0::http_client` makes
/// them: no redirects, no proxies, 3 seconds to connect.
pub type ClientFor<'a> = dyn Fn(Arc<dyn Resolve>) -> Result<HttpClient, HttpError> + 'a;

/// A receiver as the configuration names it. What a job says of it is its digest alone.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Where messages go; a secret itself with most receivers.
    pub url: Secret,
    /// Signs them (Standard Webhooks); for PagerDuty, the routing key.
    pub secret: Option<Secret>,
}

impl Hook {
    /// The receiver that `spec` names, where it is a webhook with its address.
    #[must_use]
    pub fn of(spec: &ActionSpec) -> Option<Self> {
        let ActionSpec::Webhook(hook) = spec else { return None };
        Some(Self { url: hook.url.clone()?, secret: hook.secret.clone() })
    }
}

/// Sends messages: at least once, with an id that stays the same.
pub struct Webhooks {
    public: Channel,
    all: Channel,
    clock: Arc<dyn Clock>,
    random: Box<dyn Fn() -> u64 + Send + Sync>,
    dashboard: Option<Url>,
    /// Bounded by the configuration: replaced whole by [`Webhooks::set`].
    receivers: RwLock<HashMap<Thumbprint, Arc<Receiver>>>,
}

/// No `Debug`: its address is a secret.
struct Receiver {
    hook: Hook,
    /// Outlives a reload of the configuration.
    circuit: Arc<Mutex<Circuit>>,
}

impl Webhooks {
    /// Knows no receivers yet.
    ///
    /// # Errors
    /// What `client` says.
    pub fn new(client: &ClientFor<'_>, clock: Arc<dyn Clock>) -> Result<Self, HttpError> {
        Ok(Self {
            public: Channel::new(client, Reach::Public)?,
            all: Channel::new(client, Reach::All)?,
            clock,
            // Without randomness there is no jitter, and nothing worse.
            random: Box::new(|| getrandom::u64().unwrap_or(u64::MAX / 2)),
            dashboard: None,
            receivers: RwLock::default(),
        })
    }

    /// Messages link to the alert below this address, which only ever opens a page.
    #[must_use]
    pub fn with_dashboard(mut self, base: Url) -> Self {
        self.dashboard = Some(base);
        self
    }

    /// Takes jitter from `random`, uniform over all of `u64`.
    #[must_use]
    pub fn with_randomness(mut self, random: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.random = Box::new(random);
        self
    }

    /// Replaces the receivers by `hooks`. Those that stay keep their circuit breaker; of two with one address, the last
    /// counts.
    pub fn set(&self, hooks: impl IntoIterator<Item = Hook>) {
        let mut receivers = self.receivers.write();
        let known = std::mem::take(&mut *receivers);
        for hook in hooks {
            let digest = hook.url.thumbprint();
            let circuit = known.get(&digest).map(|receiver| Arc::clone(&receiver.circuit));
            let circuit = circuit.unwrap_or_else(|| Arc::new(Mutex::new(Circuit::new(BREAKER))));
            receivers.insert(digest, Arc::new(Receiver { hook, circuit }));
        }
    }

    async fn attempt(&self, job: &Job, spec: &Webhook) -> Result<Outcome, String> {
        let receiver = self.receivers.read().get(&spec.digest).cloned();
        let receiver = receiver.ok_or_else(|| format!("no webhook to this address at {} is configured", spec.host))?;
        let endpoint = Endpoint::of(receiver.hook.url.expose_to_wire(), reach(spec))?;
        let host = endpoint.host();
        let message = self.message(job, (spec.template, &receiver.hook), endpoint)?;
        let leave = match Leave::ask(&receiver, &self.clock) {
            Ok(leave) => leave,
            Err(wait) => return Ok(self.held_back(job, &host, wait)),
        };
        let channel = match reach(spec) {
            Reach::Public => &self.public,
            Reach::All => &self.all,
        };
        let answer = channel.send(message).await;
        leave.end(if is_down(answer) { Ended::Failed } else { Ended::Healthy });
        Ok(self.settle(job, &host, answer))
    }

    fn message(&self, job: &Job, to: (Template, &Hook), endpoint: Endpoint) -> Result<Message, String> {
        let (template, hook) = to;
        let secret = hook.secret.as_ref();
        let in_body = template::carries_secret(template);
        if in_body && secret.is_none() {
            return Err(NO_ROUTING_KEY.to_owned());
        }
        let body = template::body(template, job, self.dashboard.as_ref(), secret);
        let body = serde_json::to_vec(&body).map_err(|_| "the alert cannot be written as JSON".to_owned())?;
        let (id, at) = (job.id.as_str().to_owned(), self.clock.now());
        let signed = secret.filter(|_| !in_body).map(|secret| signature::sign(secret, &id, at, &body));
        let signature = signed.transpose().map_err(|error| error.to_string())?;
        Ok(Message { endpoint, id, at, signature, body })
    }

    /// What an answer means for the job.
    fn settle(&self, job: &Job, host: &str, answer: Answer) -> Outcome {
        let failed = |why: String| Outcome::Failed { why };
        match answer {
            Answer::Status(status @ 200..=299, _) => Outcome::Succeeded { how: format!("{host} answered {status}") },
            Answer::Status(status @ 300..=399, _) => {
                failed(format!("{host} answered {status}, and redirects are not followed"))
            }
            Answer::Status(410, _) => failed(format!("{host} answered 410: it wants no more messages")),
            Answer::Status(status @ (408 | 425 | 429 | 500..), asked) => {
                self.again(job, format!("{host} answered {status}"), asked)
            }
            Answer::Status(status, _) => failed(format!("{host} answered {status}")),
            Answer::TimedOut => self.again(job, format!("{host} did not answer in time"), None),
            Answer::Unreachable => self.again(job, format!("{host} cannot be reached"), None),
            Answer::OutOfReach => failed(out_of_reach(host)),
            Answer::Unguarded => {
                failed("the HTTP client resolves names without asking whether they are public".to_owned())
            }
            Answer::Unsendable => failed(format!("the message to {host} cannot be put together")),
        }
    }

    /// Again later, or never: the receiver's wish counts where it is longer than ours.
    fn again(&self, job: &Job, why: String, asked: Option<Duration>) -> Outcome {
        if job.attempt >= retry::MOST_ATTEMPTS {
            return Outcome::Failed { why: format!("{why}; given up after {} attempts", job.attempt) };
        }
        let after = retry::backoff(job.attempt, (self.random)());
        Outcome::Retry { after: asked.map_or(after, |asked| asked.max(after)), why }
    }

    /// Nothing was sent, so that the last of the attempts is still to come; but not for ever.
    fn held_back(&self, job: &Job, host: &str, wait: Duration) -> Outcome {
        let why = format!("{host} has failed too often of late");
        if job.attempt >= MOST_HELD_BACK {
            return Outcome::Failed { why };
        }
        Outcome::Retry { after: wait + retry::backoff(1, (self.random)()), why }
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks").field("receivers", &self.receivers.read().len()).finish_non_exhaustive()
    }
}

impl Action for Webhooks {
    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn check(&self, spec: &ActionSpec) -> Result<(), String> {
        let ActionSpec::Webhook(spec) = spec else { return Err(NO_WEBHOOK.to_owned()) };
        // Read back from a record: it was checked with its address.
        let Some(url) = &spec.url else { return Ok(()) };
        Endpoint::of(url.expose_to_wire(), reach(spec))?;
        match (&spec.secret, template::carries_secret(spec.template)) {
            (None, true) => Err(NO_ROUTING_KEY.to_owned()),
            (Some(secret), false) => {
                signature::sign(secret, "", self.clock.now(), b"").map(drop).map_err(|error| error.to_string())
            }
            (None, false) | (Some(_), true) => Ok(()),
        }
    }

    fn run<'a>(&'a self, job: &'a Job) -> Working<'a> {
        Box::pin(async move {
            let ActionSpec::Webhook(spec) = &job.spec else { return Outcome::Failed { why: NO_WEBHOOK.to_owned() } };
            self.attempt(job, spec).await.unwrap_or_else(|why| Outcome::Failed { why })
        })
    }
}

/// Leave of a circuit breaker to send once. Dropped in the middle, it is given back: else a probe that nobody waited for
/// would block all that follow.
struct Leave {
    circuit: Arc<Mutex<Circuit>>,
    permit: Option<Permit>,
    clock: Arc<dyn Clock>,
}

impl Leave {
    fn ask(receiver: &Receiver, clock: &Arc<dyn Clock>) -> Result<Self, Duration> {
        let permit = receiver.circuit.lock().admit(clock.now())?;
        Ok(Self { circuit: Arc::clone(&receiver.circuit), permit: Some(permit), clock: Arc::clone(clock) })
    }

    fn end(mut self, ended: Ended) {
        self.report(ended);
    }

    fn report(&mut self, ended: Ended) {
        if let Some(permit) = self.permit.take() {
            self.circuit.lock().report(permit, ended, self.clock.now());
        }
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.report(Ended::Abandoned);
    }
}

fn reach(spec: &Webhook) -> Reach {
    if spec.allow_private { Reach::All } else { Reach::Public }
}

/// Whether the receiver seems to be down. One that refuses, or asks for patience, is up.
fn is_down(answer: Answer) -> bool {
    matches!(answer, Answer::Status(500.., _) | Answer::TimedOut | Answer::Unreachable)
}

/// Five failures in a row open it for a minute; then one message tries.
const BREAKER: CircuitSettings =
    CircuitSettings { failures: 5, cooldown: Duration::from_secs(60), max_cooldown: Duration::from_secs(60) };
/// Attempts of which most sent nothing: about an hour of an open breaker.
const MOST_HELD_BACK: u64 = 60;
const NO_WEBHOOK: &str = "this is no webhook";
const NO_ROUTING_KEY: &str = "a message to PagerDuty needs the routing key as the webhook's `secret`";

#[cfg(test)]
mod tests;

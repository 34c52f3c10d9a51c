//! One message on its way: bounded in time, never redirected, and no word of the answer kept.

use std::sync::Arc;
use std::time::Duration;

use onesec_auth0::{HttpClient, HttpError};
use onesec_telemetry::Timestamp;
use reqwest::dns::Resolve;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use url::{Host, Url};

use super::guard::{Guard, OutOfReach, PROBE, Reach};
use super::retry::retry_after;

/// A client and the guard that it asks.
#[derive(Debug)]
pub(super) struct Channel {
    client: HttpClient,
    guard: Arc<Guard>,
}

/// What is sent.
pub(super) struct Message {
    pub(super) endpoint: Endpoint,
    pub(super) id: String,
    pub(super) at: Timestamp,
    pub(super) signature: Option<String>,
    pub(super) body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// An answer with this status; the wait that it asked for.
    Status(u16, Option<Duration>),
    /// Nothing, for too long.
    TimedOut,
    /// No connection, or one that broke.
    Unreachable,
    /// The name leads to addresses that messages do not go to.
    OutOfReach,
    /// The HTTP client resolves names without asking.
    Unguarded,
    /// The message could not be put together.
    Unsendable,
}

impl Channel {
    /// A channel whose client is made by `client`, with a resolver that it must ask for every name.
    pub(super) fn new(client: &super::ClientFor<'_>, reach: Reach) -> Result<Self, HttpError> {
        let guard = Arc::new(Guard::new(reach));
        Ok(Self { client: client(Arc::clone(&guard) as Arc<dyn Resolve>)?, guard })
    }

    /// Sends it, once.
    pub(super) async fn send(&self, message: Message) -> Answer {
        if message.endpoint.is_named() && !self.is_guarded().await {
            return Answer::Unguarded;
        }
        let at = message.at;
        let mut request = self
            .client
            .post(message.endpoint.url)
            .timeout(TOTAL)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", at.as_secs());
        if let Some(signature) = message.signature {
            request = request.header("webhook-signature", signature);
        }
        // The error knows the address, which may be a secret: it is looked at and dropped.
        match request.body(message.body).send().await {
            Ok(response) => answer(response, at).await,
            Err(error) if error.is_builder() => Answer::Unsendable,
            Err(error) if OutOfReach::caused(&error) => Answer::OutOfReach,
            Err(error) if error.is_timeout() => Answer::TimedOut,
            Err(_) => Answer::Unreachable,
        }
    }

    /// Whether the client asks the guard: found out once, with a name that leads nowhere. A client that does not could
    /// connect anywhere, and so sends nothing to a name.
    async fn is_guarded(&self) -> bool {
        if !self.guard.was_asked() {
            let _unanswered = self.client.head(format!("http://{PROBE}/")).timeout(PATIENCE).send().await;
        }
        self.guard.was_asked()
    }
}

async fn answer(mut response: reqwest::Response, at: Timestamp) -> Answer {
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let answer = Answer::Status(response.status().as_u16(), asked.and_then(|value| retry_after(value, at)));
    // Read so that the connection can be used again; a long or slow body is not worth that.
    let drained = async {
        let mut left = MOST_READ;
        while let Ok(Some(chunk)) = response.chunk().await {
            let Some(less) = left.checked_sub(chunk.len()) else { return };
            left = less;
        }
    };
    let _late = tokio::time::timeout(PATIENCE, drained).await;
    answer
}

/// Where a message goes: an address that was looked at.
pub(super) struct Endpoint {
    url: Url,
}

impl Endpoint {
    /// Reads an address and judges what can be judged before its name is resolved.
    pub(super) fn of(url: &str, reach: Reach) -> Result<Self, String> {
        let Ok(url) = Url::parse(url) else { return Err("its address cannot be read".to_owned()) };
        let Some(host) = url.host() else { return Err("its address has no host".to_owned()) };
        let (local, literal) = match host {
            Host::Domain(name) => (name == "localhost", None),
            Host::Ipv4(address) => (address.is_loopback(), Some(address.into())),
            Host::Ipv6(address) => (address.is_loopback(), Some(address.into())),
        };
        match url.scheme() {
            "https" => {}
            "http" if local => {}
            _ => return Err(format!("the address at {host} is neither `https://` nor `http://` to this machine")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("the address at {host} has a user name in it"));
        }
        if literal.is_some_and(|address| !reach.includes(address)) {
            return Err(out_of_reach(&host.to_string()));
        }
        Ok(Self { url })
    }

    /// The host: all that may be said of an address.
    pub(super) fn host(&self) -> String {
        self.url.host().map(|host| host.to_string()).unwrap_or_default()
    }

    fn is_named(&self) -> bool {
        matches!(self.url.host(), Some(Host::Domain(_)))
    }
}

/// Says that addresses behind `host` are not public.
pub(super) fn out_of_reach(host: &str) -> String {
    format!("{host} is not at a public address; `allow_private` would allow it")
}

/// From the first step to the last byte of the answer.
const TOTAL: Duration = Duration::from_secs(10);
/// For what is a courtesy.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes of an answer that are read, to be thrown away.
const MOST_READ: usize = 4 * 1024;

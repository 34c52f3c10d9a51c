//! At the provider: the one place where an access token can be ended before its time.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use onesec_telemetry::Secret;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use url::{Host, Url, form_urlencoded};

use super::Answered;

/// Which provider, and by what we are known there.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Provider {
    /// `https://oauth2.googleapis.com/revoke`: ends the token and the whole grant behind it.
    Google,
    /// `DELETE /applications/{client_id}/token` of the application that the token was issued to.
    GitHub {
        /// The application's client at GitHub.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
    },
    /// `auth.revoke` of the Web API, called with the token itself.
    Slack,
}

/// Why a provider cannot be asked as configured, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProviderError(&'static str);

/// A provider that can be asked to end a token of its own.
#[derive(Debug, Clone)]
pub struct AtProvider {
    provider: Provider,
    url: Url,
    http: reqwest::Client,
}

/// What came back: status and JSON, or why nothing did.
type Reply = Result<(u16, Value), Answered>;

impl AtProvider {
    /// `url` stands in place of the provider's own address: `https://…`, or `http://` to this machine. `http` follows no
    /// redirects: a token must not go where we did not send it.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub fn new(provider: Provider, url: Option<&str>, http: reqwest::Client) -> Result<Self, ProviderError> {
        let own = match &provider {
            Provider::Google => "https://oauth2.googleapis.com/revoke",
            Provider::GitHub { .. } => "https://api.github.com",
            Provider::Slack => "https://slack.com/api/auth.revoke",
        };
        let mut url = checked(url.unwrap_or(own))?;
        if let Provider::GitHub { client_id, .. } = &provider {
            if client_id.is_empty() || client_id.chars().all(|c| c == '.') {
                return Err(ProviderError("its client must be named"));
            }
            let mut path = url.path_segments_mut().map_err(|()| ProviderError("its address has no path"))?;
            path.pop_if_empty().extend(["applications", client_id.as_str(), "token"]);
        }
        Ok(Self { provider, url, http })
    }

    /// Asks it to end `token`, then looks whether it did. A few times where it gives no answer.
    pub async fn revoke(&self, token: &Secret) -> Answered {
        let mut last = self.attempt(token).await;
        for pause in PAUSES {
            let Answered::Failed { after: None, .. } = &last else { break };
            tokio::time::sleep(pause).await;
            last = self.attempt(token).await;
        }
        last
    }

    async fn attempt(&self, token: &Secret) -> Answered {
        let done = match &self.provider {
            Provider::Google => self.google(token).await,
            Provider::GitHub { client_id, client_secret } => self.github(token, (client_id, client_secret)).await,
            Provider::Slack => self.slack(token).await,
        };
        done.unwrap_or_else(|answered| answered)
    }

    /// Asked a second time, Google knows no such token any more.
    async fn google(&self, token: &Secret) -> Result<Answered, Answered> {
        let ask = || {
            let form =
                form_urlencoded::Serializer::new(String::new()).append_pair("token", token.expose_to_wire()).finish();
            self.http.post(self.url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
        };
        let unknown = |body: &Value| body.get("error").and_then(Value::as_str) == Some("invalid_token");
        let (status, body) = send(ask()).await?;
        match status {
            400 if unknown(&body) => return Ok(Answered::Unneeded("the provider knows no such token any more".into())),
            200 => {}
            status => return Ok(refused(status)),
        }
        Ok(match send(ask()).await {
            Ok((400, body)) if unknown(&body) => Answered::Confirmed("ended, and unknown when asked again".into()),
            Ok(_) | Err(_) => Answered::Accepted("the provider says that it is ended; it may take a moment".into()),
        })
    }

    /// `POST` to the same address tells whether a token is good.
    async fn github(&self, token: &Secret, (id, secret): (&str, &Secret)) -> Result<Answered, Answered> {
        let ask = |method| {
            let pair = Secret::new(STANDARD.encode(format!("{id}:{}", secret.expose_to_wire())));
            let mut basic = HeaderValue::try_from(format!("Basic {}", pair.expose_to_wire()))
                .map_err(|_| Answered::Refused("the client's secret cannot be sent".into()))?;
            basic.set_sensitive(true);
            let request = self.http.request(method, self.url.clone());
            let request = request.header(AUTHORIZATION, basic).header(ACCEPT, "application/vnd.github+json");
            Ok::<_, Answered>(request.json(&json!({"access_token": token.expose_to_wire()})))
        };
        let (status, _) = send(ask(Method::DELETE)?).await?;
        match status {
            204 => {}
            // GitHub does not tell the one from the other.
            404 | 422 => {
                let why =
                    format!("the provider answered {status}: the token is gone, or is none of this application's");
                return Ok(Answered::Refused(why));
            }
            status => return Ok(refused(status)),
        }
        Ok(match send(ask(Method::POST)?).await {
            Ok((404 | 422, _)) => Answered::Confirmed("ended, and unknown when asked again".into()),
            Ok((200, _)) => {
                Answered::Failed { why: "the provider says that it is ended, and it is still good".into(), after: None }
            }
            Ok(_) | Err(_) => Answered::Accepted("the provider says that it is ended; nobody could look".into()),
        })
    }

    /// Slack answers 200 whatever it means; `ok` says it.
    async fn slack(&self, token: &Secret) -> Result<Answered, Answered> {
        let ask = || {
            let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose_to_wire()))
                .map_err(|_| Answered::Refused("the token cannot be sent".into()))?;
            bearer.set_sensitive(true);
            let request = self.http.post(self.url.clone()).header(AUTHORIZATION, bearer);
            Ok::<_, Answered>(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded"))
        };
        let gone = |body: &Value| {
            let error = body.get("error").and_then(Value::as_str).unwrap_or_default();
            ["token_revoked", "invalid_auth", "token_expired", "account_inactive", "not_authed"].contains(&error)
        };
        let (status, body) = send(ask()?).await?;
        if status != 200 {
            return Ok(refused(status));
        }
        if gone(&body) {
            return Ok(Answered::Unneeded("the provider knows no such token any more".into()));
        }
        let says = |name: &str| body.get(name).and_then(Value::as_bool) == Some(true);
        if !says("ok") || !says("revoked") {
            return Ok(Answered::Refused("the provider says that it did not end it".into()));
        }
        Ok(match send(ask()?).await {
            Ok((200, body)) if gone(&body) => Answered::Confirmed("ended, and unknown when asked again".into()),
            Ok(_) | Err(_) => Answered::Accepted("the provider says that it is ended; nobody could look".into()),
        })
    }
}

pub(super) fn checked(url: &str) -> Result<Url, ProviderError> {
    let url = Url::parse(url).map_err(|_| ProviderError("its address cannot be read"))?;
    let local = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && local) {
        return Err(ProviderError("its address must be `https://…`, or `http://` to this machine"));
    }
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if plain { Ok(url) } else { Err(ProviderError("its address must have no user name and no query")) }
}

/// The error knows the request: it is looked at and dropped.
async fn send(request: RequestBuilder) -> Reply {
    let failed = |why: &str| Answered::Failed { why: why.to_owned(), after: None };
    let mut response = match request.timeout(TOTAL).send().await {
        Ok(response) => response,
        Err(error) if error.is_builder() => return Err(Answered::Refused("the request cannot be sent".into())),
        // Not at once again: that it hangs will not be over in a moment.
        Err(error) if error.is_timeout() => {
            let why = "the provider gave no answer in time".to_owned();
            return Err(Answered::Failed { why, after: Some(Duration::ZERO) });
        }
        Err(_) => return Err(failed("the provider gave no answer")),
    };
    let status = response.status().as_u16();
    if status == 429 {
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let after = Some(Duration::from_secs(asked.unwrap_or(RATE_PAUSE)));
        return Err(Answered::Failed { why: "the provider limits our rate".into(), after });
    }
    if status >= 500 {
        return Err(failed(&format!("the provider failed with {status}")));
    }
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if body.len() + chunk.len() > MOST_READ {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

fn refused(status: u16) -> Answered {
    Answered::Refused(format!("the provider answered {status}"))
}

/// Between attempts that got no answer.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
/// For one request.
pub(super) const TOTAL: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const MOST_READ: usize = 16 * 1024;
/// Seconds, where the provider does not say.
const RATE_PAUSE: u64 = 30;

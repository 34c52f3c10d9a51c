//! The API's client: small, loopback first, never logs what it sends.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::rt::TokioExecutor;
use onesec_telemetry::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::connector::{Connector, connector};
use super::error::CliError;
use super::out::clean;

/// No answer of ours is larger.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A client of one server with one key.
#[derive(Clone)]
pub(crate) struct Client {
    http: Hyper<Connector, Full<Bytes>>,
    url: String,
    key: Option<Secret>,
    /// Whose an operator's calls are about; the key's own where it is not said.
    tenant: Option<String>,
}

/// What the server said.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// `Retry-After` in seconds.
    pub(crate) retry_after: Option<u64>,
    /// The body; `null` where it is no JSON.
    pub(crate) body: Value,
}

impl Client {
    /// A client for the server at `url`. With TLS, the authorities that the system trusts are trusted, and those in
    /// `ca`.
    pub(crate) fn new(url: &str, ca: Option<&Path>, key: Option<Secret>) -> Result<Self, CliError> {
        let url = url.trim_end_matches('/').to_owned();
        let parsed = url.parse::<Uri>().ok().filter(|uri| uri.host().is_some());
        let tls = match parsed.as_ref().and_then(Uri::scheme_str) {
            Some("http") => false,
            Some("https") => true,
            _ => {
                let shown = clean(&url, 200);
                return Err(CliError::usage(format!(
                    "`{shown}` is no URL: give http://HOST:PORT or https://HOST:PORT"
                )));
            }
        };
        Ok(Self { http: Hyper::builder(TokioExecutor::new()).build(connector(tls, ca)?), url, key, tenant: None })
    }

    /// The same server with another key.
    pub(crate) fn with_key(&self, key: Secret) -> Self {
        Self { key: Some(key), ..self.clone() }
    }

    /// The same, about one tenant.
    pub(crate) fn of_tenant(&self, tenant: Option<String>) -> Self {
        Self { tenant, ..self.clone() }
    }

    /// `GET`, and only a success is an answer.
    pub(crate) async fn get(&self, path: &str, query: &Query) -> Result<Value, CliError> {
        self.send(Method::GET, &format!("{path}{}", query.0), None).await?.success()
    }

    /// Any method with a JSON body, and only a success is an answer.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, CliError> {
        self.send(method, path, body).await?.success()
    }

    /// Any method; whatever comes back is an answer.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, CliError> {
        let exchange = async {
            let response = self.start(method, path, body).await?;
            let status = response.status().as_u16();
            let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let retry_after = header.and_then(|text| text.parse().ok());
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
            let body = body.map_err(|_| CliError::refused("the server's answer broke off"))?.to_bytes();
            Ok(Answer { status, retry_after, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
        };
        match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(CliError::refused(format!("{} did not answer within a minute", self.url))),
        }
    }

    /// An answer that goes on, such as a stream of alerts.
    pub(crate) async fn stream(&self, path: &str, query: &Query) -> Result<Incoming, CliError> {
        let response = self.start(Method::GET, &format!("{path}{}", query.0), None).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Err(Answer { status: status.as_u16(), retry_after: None, body }.refusal())
    }

    /// The path, with the tenant that it is about.
    fn about(&self, path: &str) -> String {
        let Some(tenant) = &self.tenant else { return path.to_owned() };
        let mark = if path.contains('?') { '&' } else { '?' };
        format!("{path}{mark}tenant={}", segment(tenant))
    }

    async fn start(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response<Incoming>, CliError> {
        let bytes = body.map(ToString::to_string).unwrap_or_default();
        let mut request = Request::builder().method(method).uri(format!("{}{}", self.url, self.about(path)));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(key) = &self.key {
            let value = HeaderValue::try_from(format!("Bearer {}", key.expose_to_wire()));
            let mut value = value.map_err(|_| CliError::usage("the key has characters that no key has"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.header(ACCEPT, "application/json, text/event-stream").body(Full::from(bytes));
        let request = request.map_err(|_| CliError::usage(format!("`{}` is no URL", clean(&self.url, 200))))?;
        let answer = self.http.request(request).await;
        answer.map_err(|error| {
            if error.is_connect() && self.url.starts_with("https:") {
                let hint = "is it up, and is its certificate known? name its authority with --ca";
                CliError::refused(format!("no server that can be trusted answers at {}: {hint}", self.url))
            } else if error.is_connect() {
                CliError::Unreachable { url: self.url.clone() }
            } else {
                CliError::refused(format!("the server at {} closed the connection", self.url))
            }
        })
    }
}

impl Answer {
    /// Whether the status is 2xx.
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// A member of the body as text, or nothing.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The body of a success.
    pub(crate) fn success(self) -> Result<Value, CliError> {
        if self.is_success() { Ok(self.body) } else { Err(self.refusal()) }
    }

    /// The refusal in words, with what to do about it.
    pub(crate) fn refusal(&self) -> CliError {
        let said = ["detail", "error_description", "title", "error"]
            .iter()
            .map(|name| self.text(name))
            .find(|t| !t.is_empty());
        let said = clean(said.unwrap_or("the server refused"), 400);
        let hint = match self.status {
            401 => ": give a key with --key or ONESEC_API_KEY",
            403 if said.contains("scope") => ": the key needs another scope; see `onesec keys list`",
            421 => ": use the address that the server listens on, or list the name under `server.hosts`",
            // What is not configured will not be in a moment.
            503 if self.text("code") == "not-configured" => "",
            429 | 503 => ": try again in a moment",
            _ => "",
        };
        CliError::Refused(format!("{said} ({}){hint}", self.status))
    }
}

/// A query string under construction.
#[derive(Debug, Default)]
pub(crate) struct Query(String);

impl Query {
    /// Adds `name=value` where there is a value.
    pub(crate) fn with(mut self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        if let Some(value) = value {
            self.0.push(if self.0.is_empty() { '?' } else { '&' });
            self.0.push_str(name);
            self.0.push('=');
            self.0.push_str(&segment(value.as_ref()));
        }
        self
    }
}

/// `text` as one segment of a path or value of a query.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// The key in a file, such as `admin.key`.
pub(crate) fn key_from(file: &Path) -> Option<Secret> {
    let text = std::fs::read_to_string(file).ok()?;
    let key = text.trim();
    (!key.is_empty()).then(|| Secret::new(key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_with_bars_and_slashes_stay_one_segment() {
        assert_eq!(segment("auth0|ana/..?x#y z"), "auth0%7Cana%2F..%3Fx%23y%20z");
        let query = Query::default().with("agent_id", Some("a&b")).with("user_id", None::<&str>).with("n", Some("1"));
        assert_eq!(query.0, "?agent_id=a%26b&n=1");
    }

    #[test]
    fn refusals_say_what_to_do() {
        let answer = |status, body| Answer { status, retry_after: None, body };
        let shown = answer(401, serde_json::json!({"title": "no key"})).refusal().to_string();
        assert!(shown.contains("--key"), "{shown}");
        let down = CliError::Unreachable { url: "http://127.0.0.1:1".into() }.to_string();
        assert!(down.contains("onesec up"), "{down}");
    }

    #[test]
    fn only_urls_of_servers_are_taken() {
        assert!(Client::new("http://127.0.0.1:1780/", None, None).is_ok());
        for wrong in ["127.0.0.1:1780", "ftp://host", "", "https://"] {
            assert!(matches!(Client::new(wrong, None, None), Err(CliError::Usage(_))), "{wrong}");
        }
    }
}

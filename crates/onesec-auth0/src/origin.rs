//! The origin behind a custom domain with self-managed certificates: a plain reverse proxy call.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use onesec_telemetry::Secret;
use reqwest::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response};
use url::{Position, Url};

use crate::body::{TimedOut, read_capped};
use crate::bytes::SecretBytes;
use crate::config::{ConfigError, base_url_of, domain_url};
use crate::endpoint::unreachable_because;
use crate::error::ExchangeError;
use crate::pass_through::secret_header;

/// The most bytes of an answer that are passed on.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
const API_KEY: HeaderName = HeaderName::from_static("cname-api-key");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// RFC 9110, section 7.6.1, and what proxies of old added: for this connection, not for the next.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-authentication-info",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Where the origin is, and what it knows us by.
#[derive(Debug, Clone)]
pub struct OriginOptions {
    /// `https://<edge host>`; plain HTTP to this machine only.
    pub base_url: String,
    /// The `Host` to send.
    pub host: String,
    /// Sent as `cname-api-key`.
    pub api_key: Secret,
}

impl OriginOptions {
    /// What the origin wants to see in every request: the name it goes by, and our key.
    pub(crate) fn headers(&self) -> Result<HeaderMap, ConfigError> {
        domain_url(&self.host)?;
        let host = HeaderValue::from_str(&self.host).map_err(|_| ConfigError::Domain)?;
        if self.api_key.is_empty() {
            return Err(ConfigError::ApiKey);
        }
        let api_key = secret_header(&self.api_key).map_err(|_| ConfigError::ApiKey)?;
        Ok(HeaderMap::from_iter([(HOST, host), (API_KEY, api_key)]))
    }
}

/// A request to be forwarded. Mute: its headers hold cookies and tokens.
#[derive(Clone)]
pub struct ToForward<'a> {
    /// The method; not `CONNECT`, which asks for a tunnel, nor `TRACE`, which would tell our key.
    pub method: &'a str,
    /// From the first `/` to the end of the query.
    pub path_and_query: &'a str,
    /// The client's headers. Those that are not for the origin are dropped.
    pub headers: &'a [(String, Vec<u8>)],
    /// The body.
    pub body: Bytes,
    /// The client's address: the only `X-Forwarded-For` that is sent, whatever the client says.
    pub forwarded_for: Option<IpAddr>,
}

impl fmt::Debug for ToForward<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToForward").field("body_len", &self.body.len()).finish_non_exhaustive()
    }
}

/// What the origin answered, a redirect included.
pub struct Forwarded {
    /// HTTP status.
    pub status: u16,
    /// Its headers, each as often as it came, but those of its connection.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: SecretBytes,
}

impl fmt::Debug for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarded").field("status", &self.status).field("body", &self.body).finish_non_exhaustive()
    }
}

/// The origin of one custom domain. Time limits are those of the HTTP client; nothing is tried twice.
pub struct Origin {
    base_url: Url,
    known_by: HeaderMap,
    http: reqwest::Client,
}

impl Origin {
    /// Connects nothing yet.
    ///
    /// # Errors
    /// [`ConfigError::BaseUrl`], [`ConfigError::PlainHttp`], [`ConfigError::Domain`] for the host,
    /// [`ConfigError::ApiKey`].
    pub fn new(options: &OriginOptions, http: reqwest::Client) -> Result<Self, ConfigError> {
        Ok(Self { base_url: base_url_of(&options.base_url)?, known_by: options.headers()?, http })
    }

    /// Forwards one request and gives back whatever was answered; no redirect is followed.
    ///
    /// # Errors
    /// [`ExchangeError::Unsendable`] where method, path or headers must not be sent;
    /// [`ExchangeError::Undecodable`] where the answer breaks off or is longer than 4 MiB;
    /// [`ExchangeError::Unreachable`].
    pub async fn forward(&self, request: ToForward<'_>) -> Result<Forwarded, ExchangeError> {
        let result = self.forward_now(request).await;
        if let Err(error) = &result {
            tracing::debug!(host = self.base_url.host_str(), %error, "request not forwarded");
        }
        result
    }

    async fn forward_now(&self, request: ToForward<'_>) -> Result<Forwarded, ExchangeError> {
        let method = method_of(request.method)?;
        let url = self.url(request.path_and_query)?;
        let mut headers = end_to_end(&given(request.headers)?, &[CONTENT_LENGTH, ACCEPT_ENCODING]);
        for (name, value) in &self.known_by {
            headers.insert(name, value.clone());
        }
        headers.remove(FORWARDED_FOR);
        if let Some(address) = request.forwarded_for {
            let value = HeaderValue::from_str(&address.to_string()).map_err(|_| ExchangeError::Unsendable)?;
            headers.insert(FORWARDED_FOR, value);
        }
        let sent = self.http.request(method, url).headers(headers).body(request.body).send().await;
        answered(sent.map_err(|error| unreachable_because(&error))?).await
    }

    /// Below our base URL, and spelled as it came: what a caller has judged by its path is what is asked for.
    fn url(&self, path_and_query: &str) -> Result<Url, ExchangeError> {
        let rooted = path_and_query.starts_with('/') && !path_and_query.starts_with("//");
        let strange = |c: char| c == '\\' || c == '#' || c.is_control() || c.is_whitespace();
        if !rooted || path_and_query.contains(strange) {
            return Err(ExchangeError::Unsendable);
        }
        let url = self.base_url.join(path_and_query).map_err(|_| ExchangeError::Unsendable)?;
        let path = path_and_query.split('?').next().unwrap_or_default();
        let ours = url[..Position::BeforePath] == self.base_url[..Position::BeforePath];
        if ours && url.path() == path { Ok(url) } else { Err(ExchangeError::Unsendable) }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("host", &self.base_url.host_str()).finish_non_exhaustive()
    }
}

fn method_of(text: &str) -> Result<Method, ExchangeError> {
    let method = Method::from_bytes(text.as_bytes()).map_err(|_| ExchangeError::Unsendable)?;
    if [Method::CONNECT, Method::TRACE].contains(&method) { Err(ExchangeError::Unsendable) } else { Ok(method) }
}

fn given(headers: &[(String, Vec<u8>)]) -> Result<HeaderMap, ExchangeError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| ExchangeError::Unsendable)?;
        let value = HeaderValue::from_bytes(value).map_err(|_| ExchangeError::Unsendable)?;
        map.append(name, value);
    }
    Ok(map)
}

/// Without what concerns one connection only, be it by name or because `Connection` says so, and without `also`.
fn end_to_end(headers: &HeaderMap, also: &[HeaderName]) -> HeaderMap {
    let options = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<String> =
        options.flat_map(|list| list.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect();
    let dropped = |name: &HeaderName| {
        HOP_BY_HOP.contains(&name.as_str()) || also.contains(name) || named.iter().any(|n| n == name.as_str())
    };
    let kept = headers.iter().filter(|(name, _)| !dropped(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

async fn answered(response: Response) -> Result<Forwarded, ExchangeError> {
    let status = response.status().as_u16();
    let headers = end_to_end(response.headers(), &[]);
    let headers = headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    let body = read_capped(response, MAX_ANSWER_BYTES).await;
    let body = body.map_err(|TimedOut| ExchangeError::Unreachable { timed_out: true, maybe_sent: true })?;
    if !body.complete {
        return Err(ExchangeError::Undecodable { status, body_len: body.bytes.len() });
    }
    Ok(Forwarded { status, headers, body: SecretBytes::new(body.bytes) })
}

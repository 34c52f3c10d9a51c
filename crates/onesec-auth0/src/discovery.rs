//! Where an issuer's keys are: as configured, or as its discovery document says (OpenID Connect Discovery, section 4).

use onesec_identity::MAX_JWKS_BYTES;
use serde::Deserialize;
use url::Url;

use crate::body::{Body, TimedOut, read_capped};
use crate::config::{ConfigError, encrypted};
use crate::jwks::JwksError;

/// The largest discovery document that is read.
const MAX_DOCUMENT_BYTES: usize = 64 * 1024;

/// Where a key set is found.
pub(crate) enum KeysAt {
    /// Here.
    Url(Url),
    /// Where the issuer's document says, read anew each time: an issuer may move its keys.
    Discovered { issuer: String, document: Url },
}

impl KeysAt {
    /// Checks the issuer, and the URI where one is given.
    pub(crate) fn of_issuer(issuer: &str, jwks_uri: Option<&str>) -> Result<Self, ConfigError> {
        let base = clear_url(issuer, ConfigError::Issuer)?;
        if base.query().is_some() {
            return Err(ConfigError::Issuer);
        }
        if let Some(uri) = jwks_uri {
            return clear_url(uri, ConfigError::JwksUri).map(Self::Url);
        }
        let document = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let document = Url::parse(&document).map_err(|_| ConfigError::Issuer)?;
        Ok(Self::Discovered { issuer: issuer.to_owned(), document })
    }

    pub(crate) fn host(&self) -> Option<&str> {
        match self {
            Self::Url(url) | Self::Discovered { document: url, .. } => url.host_str(),
        }
    }

    /// The text of the key set.
    pub(crate) async fn fetch(&self, http: &reqwest::Client) -> Result<Body, JwksError> {
        match self {
            Self::Url(url) => get(http, url, MAX_JWKS_BYTES).await,
            Self::Discovered { issuer, document } => {
                let body = get(http, document, MAX_DOCUMENT_BYTES).await?;
                let url = jwks_uri_of(&body, issuer, document)?;
                get(http, &url, MAX_JWKS_BYTES).await
            }
        }
    }
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

/// The document must speak of the very issuer (OpenID Connect Discovery, section 4.3).
fn jwks_uri_of(body: &Body, issuer: &str, document: &Url) -> Result<Url, JwksError> {
    let said: Document = serde_json::from_slice(&body.bytes).map_err(|_| JwksError::Undecodable)?;
    if said.issuer != issuer {
        return Err(JwksError::OtherIssuer);
    }
    let url = clear_url(&said.jwks_uri, ConfigError::JwksUri).map_err(|_| JwksError::UnusableUri)?;
    // An issuer elsewhere must not send us to what listens on this machine.
    if url.scheme() == "http" && document.scheme() != "http" {
        return Err(JwksError::UnusableUri);
    }
    Ok(url)
}

/// HTTPS, or plain HTTP to this machine; a host, no user, no fragment, nothing that a parser would repair.
fn clear_url(text: &str, otherwise: ConfigError) -> Result<Url, ConfigError> {
    let url = Url::parse(text).map_err(|_| otherwise)?;
    let repaired = text.contains(|c: char| c == '\\' || c.is_control() || c.is_whitespace());
    let user = !url.username().is_empty() || url.password().is_some();
    if repaired || user || !url.has_host() || url.fragment().is_some() {
        return Err(otherwise);
    }
    encrypted(url, otherwise)
}

async fn get(http: &reqwest::Client, url: &Url, cap: usize) -> Result<Body, JwksError> {
    let response = http.get(url.clone()).send().await.map_err(|_| JwksError::Unreachable)?;
    let status = response.status().as_u16();
    if status != 200 {
        return Err(JwksError::Status { status });
    }
    let body = read_capped(response, cap).await.map_err(|TimedOut| JwksError::Unreachable)?;
    if body.complete { Ok(body) } else { Err(JwksError::Undecodable) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(issuer: &str, jwks_uri: Option<&str>) -> Result<String, ConfigError> {
        KeysAt::of_issuer(issuer, jwks_uri).map(|at| match at {
            KeysAt::Url(url) | KeysAt::Discovered { document: url, .. } => url.to_string(),
        })
    }

    #[test]
    fn the_document_is_below_the_issuer_with_one_slash() {
        let table = [
            ("https://t.eu.auth0.com/", "https://t.eu.auth0.com/.well-known/openid-configuration"),
            ("https://accounts.example", "https://accounts.example/.well-known/openid-configuration"),
            ("https://id.example/realms/a", "https://id.example/realms/a/.well-known/openid-configuration"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/.well-known/openid-configuration"),
        ];
        for (issuer, want) in table {
            assert_eq!(at(issuer, None).as_deref(), Ok(want));
        }
        assert_eq!(at("https://x", Some("https://keys.example/k?v=1")).as_deref(), Ok("https://keys.example/k?v=1"));
    }

    #[test]
    fn nothing_travels_in_clear_beyond_this_machine() {
        assert_eq!(at("http://10.0.0.1/", None), Err(ConfigError::PlainHttp));
        assert_eq!(at("https://x/", Some("http://10.0.0.1/keys")), Err(ConfigError::PlainHttp));
        for bad in ["", "x", "ftp://x/", "https://u@x/", "https://x/#f", "https://x/?q", "https:\\\\x", "https://x/ "] {
            assert_eq!(at(bad, None), Err(ConfigError::Issuer), "{bad}");
        }
        for bad in ["", "keys", "file:///keys", "https://u:p@x/", "https://x/#f"] {
            assert_eq!(at("https://x/", Some(bad)), Err(ConfigError::JwksUri), "{bad}");
        }
    }
}

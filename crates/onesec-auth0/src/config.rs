//! Which tenant, and as which client.

use oauth2::ClientId;
use onesec_telemetry::Secret;
use url::{Host, Url};

use crate::credentials::{ClientKey, Credentials};

/// One client of one Auth0 tenant.
#[derive(Debug, Clone)]
pub struct Auth0Config {
    domain: String,
    base_url: Url,
    client_id: ClientId,
    credentials: Credentials,
}

/// Why a tenant cannot be used as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not a bare host name.
    #[error("the domain must be a host name such as `tenant.eu.auth0.com`, without scheme or path")]
    Domain,
    /// No client.
    #[error("client id, client secret or key id must not be empty")]
    Credentials,
    /// Not an absolute http(s) URL without credentials, query and path.
    #[error("the base URL must be `https://host[:port]`")]
    BaseUrl,
    /// Not an absolute http(s) URL without credentials, query and fragment.
    #[error("the issuer must be `https://host[:port][/path]`")]
    Issuer,
    /// Not an absolute http(s) URL without credentials and fragment.
    #[error("the URI of the key set must be an https URL")]
    JwksUri,
    /// Nothing, or not fit for a header.
    #[error("the key of the custom domain must not be empty and must be plain text")]
    ApiKey,
    /// Plain HTTP beyond this machine would show every token to the network.
    #[error("plain http is allowed on loopback addresses only")]
    PlainHttp,
}

impl Auth0Config {
    /// The tenant at `https://<domain>/`, which is also the expected issuer.
    ///
    /// # Errors
    /// [`ConfigError::Domain`], [`ConfigError::Credentials`].
    pub fn new(domain: &str, client_id: &str, client_secret: Secret) -> Result<Self, ConfigError> {
        Self::with_credentials(domain, client_id, Credentials::Secret(client_secret))
    }

    /// As [`Auth0Config::new`], for a client that signs what it asks for (`private_key_jwt`: RFC 7523, section 2.2):
    /// no secret travels.
    ///
    /// # Errors
    /// [`ConfigError::Domain`], [`ConfigError::Credentials`].
    pub fn with_private_key(domain: &str, client_id: &str, key: ClientKey) -> Result<Self, ConfigError> {
        Self::with_credentials(domain, client_id, Credentials::Key(key))
    }

    fn with_credentials(domain: &str, client_id: &str, credentials: Credentials) -> Result<Self, ConfigError> {
        let base_url = domain_url(domain)?;
        if client_id.is_empty() || credentials.is_empty() {
            return Err(ConfigError::Credentials);
        }
        let client_id = ClientId::new(client_id.to_owned());
        Ok(Self { domain: domain.to_owned(), base_url, client_id, credentials })
    }

    /// Sends requests elsewhere, such as to a simulated tenant. The expected issuer stays `https://<domain>/`.
    ///
    /// # Errors
    /// [`ConfigError::BaseUrl`], [`ConfigError::PlainHttp`].
    pub fn with_base_url(mut self, base_url: &str) -> Result<Self, ConfigError> {
        self.base_url = base_url_of(base_url)?;
        Ok(self)
    }

    /// The tenant's domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// `https://<domain>/`, with the trailing slash that Auth0's `iss` has.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("https://{}/", self.domain)
    }

    /// Our client.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    pub(crate) const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        url.set_path(path);
        url
    }
}

/// `https://<domain>/`.
pub(crate) fn domain_url(domain: &str) -> Result<Url, ConfigError> {
    let text = format!("https://{domain}/");
    let url = Url::parse(&text).map_err(|_| ConfigError::Domain)?;
    // What the parser had to change was no plain host name: a path, a user, another spelling.
    if url.as_str() == text && bare(&url) && !domain.is_empty() { Ok(url) } else { Err(ConfigError::Domain) }
}

/// `https://host[:port]`, or plain HTTP to this machine.
pub(crate) fn base_url_of(text: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(text).map_err(|_| ConfigError::BaseUrl)?;
    if bare(&url) { encrypted(url, ConfigError::BaseUrl) } else { Err(ConfigError::BaseUrl) }
}

/// Lets HTTPS pass, and plain HTTP to this machine; another scheme is `otherwise`.
pub(crate) fn encrypted(url: Url, otherwise: ConfigError) -> Result<Url, ConfigError> {
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(ConfigError::PlainHttp),
        _ => Err(otherwise),
    }
}

/// Scheme, host and port only.
fn bare(url: &Url) -> bool {
    let nothing_else = url.username().is_empty() && url.password().is_none() && url.path() == "/";
    url.has_host() && nothing_else && url.query().is_none() && url.fragment().is_none()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(domain: &str) -> Result<Auth0Config, ConfigError> {
        Auth0Config::new(domain, "id", Secret::new("secret".into()))
    }

    #[test]
    fn only_bare_host_names_are_domains() {
        assert_eq!(config("tenant.eu.auth0.com").map(|c| c.issuer()), Ok("https://tenant.eu.auth0.com/".into()));
        assert_eq!(config("localhost:8443").map(|c| c.issuer()), Ok("https://localhost:8443/".into()));
        for bad in
            ["", "https://t.auth0.com", "t.auth0.com/", "t.auth0.com/x", "u@t.auth0.com", "T.auth0.com", "a b", "t?q"]
        {
            assert_eq!(config(bad).err(), Some(ConfigError::Domain), "{bad}");
        }
    }

    #[test]
    fn tokens_never_travel_in_clear_beyond_this_machine() {
        let with = |url| config("t.auth0.com").and_then(|c| c.with_base_url(url)).map(|_| ());
        for good in ["http://127.0.0.1:8080", "http://[::1]:80/", "http://localhost:1", "https://proxy.example"] {
            assert_eq!(with(good), Ok(()), "{good}");
        }
        for bad in ["http://10.0.0.1", "http://t.auth0.com", "http://localhost.example"] {
            assert_eq!(with(bad), Err(ConfigError::PlainHttp), "{bad}");
        }
        for bad in ["", "ftp://127.0.0.1", "https://u:p@x", "https://x/path", "https://x/?q=1", "127.0.0.1:80"] {
            assert_eq!(with(bad), Err(ConfigError::BaseUrl), "{bad}");
        }
    }
}

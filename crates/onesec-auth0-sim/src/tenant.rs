//! The handle: starts, stops and administers a simulated tenant.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use onesec_identity::{Algorithm, SigningKey};
use onesec_telemetry::{ScopeSet, Secret, Thumbprint};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::config::{SimConfig, SimError};
use crate::fault::{Endpoint, Fault};
use crate::http::{self, Shared};
use crate::pause::Pause;
use crate::specs::{AccessTokenSpec, AccountSpec, ClientSpec};
use crate::state::{Account, RefreshToken, RequestKind, State, random_text};

/// A running simulated tenant. Dropping it stops it.
pub struct SimTenant {
    pub(crate) shared: Arc<Shared>,
    base_url: String,
    domain: String,
    issuer: String,
    ca_pem: Option<String>,
    server: JoinHandle<()>,
}

impl SimTenant {
    /// Starts on a free port of 127.0.0.1. Needs a running tokio runtime.
    ///
    /// # Errors
    /// [`SimError::Listen`] or [`SimError::Keys`].
    pub async fn start(config: SimConfig) -> Result<Self, SimError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(SimError::Listen)?;
        let address = listener.local_addr().map_err(SimError::Listen)?;
        let (tls, ca_pem) =
            if config.tls { tls_for(&config.domain).map(|(t, pem)| (Some(t), Some(pem)))? } else { (None, None) };
        let scheme = if config.tls { "https" } else { "http" };
        let base_url = format!("{scheme}://{address}");
        let issuer =
            if config.loopback_issuer { format!("{base_url}/") } else { format!("https://{}/", config.domain) };
        let state = State::new(issuer.clone(), config.keys)?;
        let shared = Arc::new(Shared { state: state.into(), clock: config.clock, api_key: config.api_key });
        let server = tokio::spawn(http::accept(listener, tls, http::router(Arc::clone(&shared))));
        Ok(Self { shared, base_url, domain: config.domain, issuer, ca_pem, server })
    }

    /// Where it listens, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The tenant's domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// `https://<domain>/` unless started with [`SimConfig::with_loopback_issuer`], as tokens and discovery have it.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.issuer.clone()
    }

    /// The certificate of its CA, where it speaks HTTPS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Stops and closes every connection.
    pub async fn shutdown(mut self) {
        self.server.abort();
        let _aborted = (&mut self.server).await;
    }

    /// Creates or replaces a client.
    pub fn create_client(&self, spec: ClientSpec) {
        self.shared.state.lock().clients.insert(spec.id.clone(), spec);
    }

    /// Creates a user; `sub` is its id, such as `auth0|ana`.
    pub fn create_user(&self, sub: &str) {
        self.shared.state.lock().users.insert(sub.to_owned());
    }

    /// Connects an account. Gives its id (`cac_…`).
    ///
    /// # Errors
    /// [`SimError::UnknownUser`], [`SimError::Scopes`].
    pub fn connect_account(&self, spec: AccountSpec) -> Result<String, SimError> {
        let scopes = ScopeSet::parse(&spec.scopes)?;
        let created_at = (self.shared.clock)();
        let mut state = self.shared.state.lock();
        if !state.users.contains(&spec.user) {
            return Err(SimError::UnknownUser(spec.user));
        }
        let number = state.next_number();
        let id = spec.id.unwrap_or_else(|| format!("cac_sim{number}"));
        state.accounts.push(Account {
            id: id.clone(),
            user: spec.user,
            connection: spec.connection,
            scopes,
            login_hint: spec.login_hint,
            created_at,
            revoked_at_provider: false,
            cached: None,
        });
        Ok(id)
    }

    /// Removes an account from the vault. As at Auth0, tokens already issued live on at the provider.
    ///
    /// # Errors
    /// [`SimError::UnknownAccount`].
    pub fn disconnect_account(&self, id: &str) -> Result<(), SimError> {
        let mut state = self.shared.state.lock();
        let before = state.accounts.len();
        state.accounts.retain(|account| account.id != id);
        if state.accounts.len() == before { Err(SimError::UnknownAccount(id.to_owned())) } else { Ok(()) }
    }

    /// The provider stops honouring the stored refresh token of an account, and the cached token is gone.
    ///
    /// # Errors
    /// [`SimError::UnknownAccount`].
    pub fn revoke_at_provider(&self, id: &str) -> Result<(), SimError> {
        let mut state = self.shared.state.lock();
        let account = state.accounts.iter_mut().find(|account| account.id == id);
        let account = account.ok_or_else(|| SimError::UnknownAccount(id.to_owned()))?;
        account.revoked_at_provider = true;
        let cached = account.cached.take();
        if let Some((token, _)) = cached {
            let print = token.thumbprint();
            state.provider_tokens.retain(|(issued, _)| *issued != print);
        }
        Ok(())
    }

    /// A refresh token of `user` for `client`; it does not rotate.
    ///
    /// # Errors
    /// [`SimError::UnknownUser`], [`SimError::UnknownClient`].
    pub fn issue_refresh_token(&self, user: &str, client: &str) -> Result<Secret, SimError> {
        let token = Secret::new(format!("v1.sim-refresh-{}", random_text()?));
        let mut state = self.shared.state.lock();
        if !state.users.contains(user) {
            return Err(SimError::UnknownUser(user.to_owned()));
        }
        if !state.clients.contains_key(client) {
            return Err(SimError::UnknownClient(client.to_owned()));
        }
        let session = format!("sess-{}", state.next_number());
        let id = format!("rt_{:08}", state.next_number());
        let stored = RefreshToken { id, user: user.to_owned(), client: client.to_owned(), session };
        state.refresh_tokens.insert(token.thumbprint(), stored);
        Ok(token)
    }

    /// Revokes a refresh token; unknown ones are none of its business.
    pub fn revoke_refresh_token(&self, token: &Secret) {
        self.shared.state.lock().refresh_tokens.remove(&token.thumbprint());
    }

    /// How many refresh tokens `user` has, of all clients or of one.
    #[must_use]
    pub fn refresh_tokens_of(&self, user: &str, client: Option<&str>) -> usize {
        let state = self.shared.state.lock();
        let of = |token: &&RefreshToken| token.user == user && client.is_none_or(|client| token.client == client);
        state.refresh_tokens.values().filter(of).count()
    }

    /// `app_metadata` of `user`.
    #[must_use]
    pub fn app_metadata(&self, user: &str) -> serde_json::Value {
        self.shared.state.lock().metadata.get(user).cloned().unwrap_or_default().into()
    }

    /// Sets one member of `app_metadata` of `user`, as somebody else would.
    pub fn set_app_metadata(&self, user: &str, name: &str, value: serde_json::Value) {
        self.shared.state.lock().metadata.entry(user.to_owned()).or_default().insert(name.to_owned(), value);
    }

    /// The connected accounts of `user`, by id.
    #[must_use]
    pub fn accounts_of(&self, user: &str) -> Vec<String> {
        let state = self.shared.state.lock();
        state.accounts.iter().filter(|account| account.user == user).map(|account| account.id.clone()).collect()
    }

    /// The tokens of the Management API that were given out, for tests that look where they must not be.
    #[must_use]
    pub fn management_tokens_issued(&self) -> Vec<String> {
        let state = self.shared.state.lock();
        state.management_texts.iter().map(|token| token.expose_to_wire().to_owned()).collect()
    }

    /// The tenant forgets every token of the Management API that it gave out.
    pub fn forget_management_tokens(&self) {
        self.shared.state.lock().management_tokens.clear();
    }

    /// Mints an access token, as honest or as wrong as the spec has it.
    ///
    /// # Errors
    /// [`SimError::Keys`].
    pub fn mint_access_token(&self, spec: &AccessTokenSpec) -> Result<Secret, SimError> {
        let now = (self.shared.clock)();
        self.shared.state.lock().mint(spec, now)
    }

    /// How long new provider tokens live; an hour unless told otherwise.
    pub fn set_provider_token_lifetime(&self, lifetime: Duration) {
        self.shared.state.lock().provider_token_lifetime = lifetime;
    }

    /// Signs with a new key from now on. The old ones stay published, as at Auth0, until
    /// [`SimTenant::drop_previous_keys`].
    ///
    /// # Errors
    /// [`SimError::Keys`].
    pub fn rotate_signing_key(&self) -> Result<(), SimError> {
        let key = SigningKey::generate(Algorithm::Rs256).map_err(|_| SimError::Keys)?;
        self.shared.state.lock().push_key(Arc::new(key));
        Ok(())
    }

    /// Publishes the current key only.
    pub fn drop_previous_keys(&self) {
        self.shared.state.lock().keys.truncate(1);
    }

    /// Sets what goes wrong with every Token Vault exchange from now on.
    pub fn set_fault(&self, fault: Fault) {
        self.set_fault_on(Endpoint::TokenExchange, fault);
    }

    /// Sets what goes wrong at `endpoint` from now on.
    pub fn set_fault_on(&self, endpoint: Endpoint, fault: Fault) {
        self.shared.state.lock().faults.set(endpoint, fault, None);
    }

    /// Sets what goes wrong with the next `requests` requests to `endpoint`.
    pub fn set_fault_for(&self, endpoint: Endpoint, fault: Fault, requests: usize) {
        self.shared.state.lock().faults.set(endpoint, fault, Some(requests));
    }

    /// Everything works again.
    pub fn clear_faults(&self) {
        self.shared.state.lock().faults.clear();
    }

    /// Holds the answers of all exchanges until the guard is released or dropped.
    #[must_use]
    pub fn pause_exchanges(&self) -> Pause {
        let (pause, gate) = Pause::new();
        self.shared.state.lock().gate = Some(gate);
        pause
    }

    /// How many requests of this kind were seen.
    #[must_use]
    pub fn requests(&self, kind: RequestKind) -> usize {
        self.shared.state.lock().seen.get(&kind).copied().unwrap_or(0)
    }

    /// The provider tokens issued so far (the last 65 536), oldest first. A cached one counts once.
    #[must_use]
    pub fn provider_tokens_issued(&self) -> Vec<Thumbprint> {
        self.shared.state.lock().provider_tokens.iter().map(|(print, _)| *print).collect()
    }

    /// Whether the provider would honour this token now.
    #[must_use]
    pub fn is_live(&self, provider_token: &Secret) -> bool {
        let (now, print) = ((self.shared.clock)(), provider_token.thumbprint());
        self.shared.state.lock().provider_tokens.iter().any(|(issued, until)| *issued == print && *until > now)
    }
}

impl Drop for SimTenant {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl fmt::Debug for SimTenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimTenant")
            .field("domain", &self.domain)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// A CA of its own and a certificate for loopback and the domain.
fn tls_for(domain: &str) -> Result<(TlsAcceptor, String), SimError> {
    let made = certificates(domain).map_err(|_: rcgen::Error| SimError::Keys)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(made.chain, made.key))
        .map_err(|_| SimError::Keys)?;
    Ok((TlsAcceptor::from(Arc::new(config)), made.ca_pem))
}

struct Certificates {
    chain: Vec<rustls_pki_types::CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    ca_pem: String,
}

fn certificates(domain: &str) -> Result<Certificates, rcgen::Error> {
    let mut authority = rcgen::CertificateParams::new(Vec::new())?;
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "simulated tenant CA");
    let authority = rcgen::CertifiedIssuer::self_signed(authority, rcgen::KeyPair::generate()?)?;
    let key = rcgen::KeyPair::generate()?;
    let names = ["127.0.0.1", "localhost", domain].map(str::to_owned);
    let leaf = rcgen::CertificateParams::new(names)?.signed_by(&key, &authority)?;
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok(Certificates { chain: vec![leaf.der().clone()], key: der, ca_pem: authority.pem() })
}

//! What the tenant knows.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onesec_identity::{Algorithm, KeySet, ReplayCache, SigningKey};
use onesec_telemetry::{ScopeSet, Secret, Thumbprint, Timestamp};
use serde_json::{Map, Value, json};

use crate::config::{KeySource, SimError};
use crate::fault::Faults;
use crate::logs::Log;
use crate::pause::Gate;
use crate::setup::Setup;
use crate::specs::{AccessTokenSpec, ClientSpec};

/// What kind of request was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// A Token Vault exchange.
    TokenExchange,
    /// A `refresh_token` grant.
    RefreshGrant,
    /// A `client_credentials` grant.
    ClientCredentials,
    /// A standard token exchange (RFC 8693) or JWT assertion (RFC 7523, section 2.1).
    Governed,
    /// Any other request to `/oauth/token`.
    OtherGrant,
    /// The key set.
    Jwks,
    /// The discovery document.
    Discovery,
    /// The My Account API.
    MyAccount,
    /// The Management API.
    Management,
    /// One without the key of the custom domain.
    WithoutKey,
    /// Where [`crate::Fault::Redirect`] points to: must stay zero.
    Stolen,
    /// Any other path.
    Unknown,
}

pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) connection: String,
    pub(crate) scopes: ScopeSet,
    pub(crate) login_hint: Option<String>,
    pub(crate) created_at: Timestamp,
    /// The provider no longer honours the stored refresh token.
    pub(crate) revoked_at_provider: bool,
    pub(crate) cached: Option<(Secret, Timestamp)>,
}

pub(crate) struct RefreshToken {
    /// What listings call it.
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) client: String,
    pub(crate) session: String,
}

pub(crate) struct State {
    issuer: String,
    pub(crate) keys: Vec<(String, Arc<SigningKey>)>,
    pub(crate) clients: HashMap<String, ClientSpec>,
    pub(crate) users: HashSet<String>,
    /// The same, oldest first.
    pub(crate) signed_up: Vec<(Timestamp, String)>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) refresh_tokens: HashMap<Thumbprint, RefreshToken>,
    /// Connections that were begun, by their session.
    pub(crate) connecting: BTreeMap<String, crate::connect::Connecting>,
    /// Sessions and their users.
    pub(crate) sessions: BTreeMap<String, String>,
    /// Consents by id: the user and the client.
    pub(crate) grants: BTreeMap<String, (String, String)>,
    /// `POST …/revoke-access` is there.
    pub(crate) can_revoke_access: bool,
    /// Until when they count, and for what; for everything where that is not said.
    pub(crate) management_tokens: HashMap<Thumbprint, (Timestamp, Option<Vec<String>>)>,
    /// The same, as they were given out, so that a test can look for them where they must not be.
    pub(crate) management_texts: Vec<Secret>,
    /// `app_metadata` by user.
    pub(crate) metadata: HashMap<String, Map<String, Value>>,
    pub(crate) provider_tokens: VecDeque<(Thumbprint, Timestamp)>,
    pub(crate) assertions: ReplayCache,
    pub(crate) worker_requests: ReplayCache,
    pub(crate) faults: Faults,
    pub(crate) gate: Option<Arc<Gate>>,
    pub(crate) seen: HashMap<RequestKind, usize>,
    pub(crate) log: Log,
    pub(crate) setup: Setup,
    pub(crate) provider_token_lifetime: Duration,
    made: u64,
}

/// How many issued provider tokens are remembered.
const MAX_PROVIDER_TOKENS: usize = 65_536;
/// How many assertions, and how many worker requests, are remembered while they could be used again.
const MAX_ONE_TIME_TOKENS: usize = 65_536;

impl State {
    pub(crate) fn new(issuer: String, source: KeySource) -> Result<Self, SimError> {
        let mut state = Self {
            issuer,
            keys: Vec::new(),
            clients: HashMap::new(),
            users: HashSet::new(),
            signed_up: Vec::new(),
            accounts: Vec::new(),
            refresh_tokens: HashMap::new(),
            connecting: BTreeMap::new(),
            sessions: BTreeMap::new(),
            grants: BTreeMap::new(),
            can_revoke_access: true,
            management_tokens: HashMap::new(),
            management_texts: Vec::new(),
            metadata: HashMap::new(),
            provider_tokens: VecDeque::new(),
            assertions: ReplayCache::new(MAX_ONE_TIME_TOKENS),
            worker_requests: ReplayCache::new(MAX_ONE_TIME_TOKENS),
            faults: Faults::default(),
            gate: None,
            seen: HashMap::new(),
            log: Log::default(),
            setup: Setup::default(),
            provider_token_lifetime: Duration::from_secs(3600),
            made: 0,
        };
        let key = match source {
            KeySource::Shared => shared_key()?,
            KeySource::Fresh => Arc::new(SigningKey::generate(Algorithm::Rs256).map_err(|_| SimError::Keys)?),
        };
        state.push_key(key);
        Ok(state)
    }

    pub(crate) fn issuer(&self) -> String {
        self.issuer.clone()
    }

    pub(crate) fn push_key(&mut self, key: Arc<SigningKey>) {
        let kid = format!("sim-key-{}", self.next_number());
        self.keys.insert(0, (kid, key));
    }

    pub(crate) fn next_number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    pub(crate) fn count(&mut self, kind: RequestKind) {
        *self.seen.entry(kind).or_default() += 1;
    }

    pub(crate) fn jwks(&self) -> Value {
        let keys: Vec<Value> = self.keys.iter().map(|(kid, key)| key.public_jwk(kid)).collect();
        json!({ "keys": keys })
    }

    pub(crate) fn key_set(&self) -> KeySet {
        KeySet::from_jwks_json(&self.jwks().to_string()).unwrap_or_default()
    }

    /// Signs with the current key.
    pub(crate) fn sign(&self, claims: &Value, typ: &str) -> Result<Secret, SimError> {
        let (kid, key) = self.keys.first().ok_or(SimError::Keys)?;
        key.sign(claims, typ, kid).map_err(|_| SimError::Keys)
    }

    pub(crate) fn mint(&mut self, spec: &AccessTokenSpec, now: Timestamp) -> Result<Secret, SimError> {
        let mut claims = json!({
            "iss": self.issuer(), "sub": spec.user, "aud": spec.audience, "scope": spec.scopes,
            "iat": now.as_secs(), "exp": (now + spec.lifetime).as_secs(),
        });
        let Value::Object(members) = &mut claims else {
            return Err(SimError::Keys);
        };
        if spec.typ == "JWT" {
            members.insert("azp".into(), spec.client.clone().into());
            members.insert("gty".into(), "authorization_code".into());
        } else {
            members.insert("client_id".into(), spec.client.clone().into());
            members.insert("jti".into(), format!("jti-{}", self.next_number()).into());
        }
        for (name, value) in &spec.claims {
            match value {
                Value::Null => members.remove(name),
                other => members.insert(name.clone(), other.clone()),
            };
        }
        self.sign(&claims, &spec.typ)
    }

    /// The provider's token for an account: the cached one while it lives, else a new one.
    pub(crate) fn provider_token(&mut self, at: usize, now: Timestamp) -> Result<(Secret, Duration), SimError> {
        let account = self.accounts.get(at).ok_or(SimError::Keys)?;
        if let Some((token, expires_at)) = &account.cached
            && *expires_at > now + Duration::from_secs(1)
        {
            return Ok((token.clone(), expires_at.since(now)));
        }
        let connection = account.connection.clone();
        let (token, lifetime) = self.new_provider_token(&connection, now)?;
        if let Some(account) = self.accounts.get_mut(at) {
            account.cached = Some((token.clone(), now + lifetime));
        }
        Ok((token, lifetime))
    }

    /// A new token of the provider, whatever is cached.
    pub(crate) fn new_provider_token(
        &mut self,
        connection: &str,
        now: Timestamp,
    ) -> Result<(Secret, Duration), SimError> {
        let lifetime = self.provider_token_lifetime;
        let token = Secret::new(format!("{}{}", provider_prefix(connection), random_text()?));
        if self.provider_tokens.len() == MAX_PROVIDER_TOKENS {
            self.provider_tokens.pop_front();
        }
        self.provider_tokens.push_back((token.thumbprint(), now + lifetime));
        Ok((token, lifetime))
    }
}

/// Tokens that look like the provider's, so that redaction can be tested on them.
fn provider_prefix(connection: &str) -> &'static str {
    match connection {
        "google-oauth2" => "ya29.sim",
        "github" => "gho_sim",
        "slack" => "xoxp-sim",
        _ => "provider-sim",
    }
}

pub(crate) fn random_text() -> Result<String, SimError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| SimError::Keys)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn shared_key() -> Result<Arc<SigningKey>, SimError> {
    static KEY: OnceLock<Option<Arc<SigningKey>>> = OnceLock::new();
    let make = || SigningKey::generate(Algorithm::Rs256).ok().map(Arc::new);
    KEY.get_or_init(make).clone().ok_or(SimError::Keys)
}

//! The gateway: who asks, for whom, is it right; then the exchange; then the question once more before release.

mod answer;
mod chain;
mod exchange;
mod governed;
mod lanes;
mod subject;
mod theirs;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use onesec_actions::HeldTokens;
use onesec_auth0::{Auth0Config, HttpError, HttpOptions, Jwks, SubjectKind, SubjectResolver, http_client};
use onesec_journal::LedgerWrite;
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{
    AgentId, ConnectionName, KeyId, Name, ScopeSet, Secret, TaskId, TenantId, Thumbprint, Timestamp,
};
use quick_cache::sync::Cache;

pub use answer::{GatewayAnswer, GatewayBody, Issued, Problem};
pub use governed::{Governed, PassRule, PassedOn, TokenRequest};
pub use lanes::{ClientUse, LaneOptions};

use crate::core::Core;
use crate::identity::{Identity, Registered, Shown};
use lanes::Lanes;

/// What kind of token comes in (RFC 8693, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectTokenType {
    /// `urn:ietf:params:oauth:token-type:refresh_token`
    RefreshToken,
    /// `urn:ietf:params:oauth:token-type:access_token`
    AccessToken,
    /// `urn:ietf:params:oauth:token-type:jwt`: privileged workers.
    Jwt,
}

impl SubjectTokenType {
    /// By its URN.
    #[must_use]
    pub fn from_urn(urn: &str) -> Option<Self> {
        match urn.strip_prefix("urn:ietf:params:oauth:token-type:")? {
            "refresh_token" => Some(Self::RefreshToken),
            "access_token" => Some(Self::AccessToken),
            "jwt" => Some(Self::Jwt),
            _ => None,
        }
    }

    /// The URN.
    #[must_use]
    pub const fn urn(self) -> &'static str {
        match self {
            Self::RefreshToken => SubjectKind::RefreshToken.urn(),
            Self::AccessToken => SubjectKind::AccessToken.urn(),
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
        }
    }
}

/// One exchange that an agent asks for. No field names the user: only the token can.
#[derive(Debug, Clone)]
pub struct ExchangeRequest {
    /// The user's Auth0 token.
    pub subject_token: Secret,
    /// What it is.
    pub subject_token_type: SubjectTokenType,
    /// Whose token is wanted.
    pub connection: ConnectionName,
    /// Picks one of several accounts.
    pub login_hint: Option<String>,
    /// What the agent means to use; all the account holds where absent.
    pub scopes: Option<ScopeSet>,
    /// The task it is for.
    pub task_id: Option<TaskId>,
    /// A signed delegation from the user down to the agent, links joined by `~`.
    pub delegation: Option<Secret>,
    /// Where the request came from.
    pub network: Option<IpAddr>,
    /// Our own names, as the client may have them: for whom a worker's request must be signed.
    pub audiences: Vec<String>,
}

/// The agent that asks, as its credential proves.
#[derive(Debug, Clone)]
pub struct AskingAgent {
    /// The agent.
    pub agent: AgentId,
    /// The key it used.
    pub key: Option<KeyId>,
    /// Who answers for it.
    pub owner: Option<Name>,
    /// What was registered about it.
    pub(crate) registered: Option<Arc<Registered>>,
    /// What the request shows besides the credential.
    pub(crate) shown: Shown,
    /// Rows that keep used what the request used up.
    pub(crate) ledger: Vec<LedgerWrite>,
}

/// What becomes of an exchange whose refresh token names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnprovenSubject {
    /// It is refused.
    #[default]
    Refuse,
    /// It goes on with an unknown user, whom no delegation covers. For migrations.
    Alert,
}

/// What a gateway is made of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GatewayOptions {
    /// Whose.
    pub tenant: TenantId,
    /// Our client at Auth0, for what no other client is named for.
    pub auth0: Auth0Config,
    /// Further clients, by use and audience.
    pub clients: Vec<LaneOptions>,
    /// Other grants that may pass through, with the caller's own credentials.
    pub pass_through: Vec<PassRule>,
    /// APIs whose access tokens prove a user.
    pub audiences: Vec<String>,
    /// What becomes of unproven subjects.
    pub unproven: UnprovenSubject,
    /// Time-outs, pool, trust.
    pub http: HttpOptions,
    /// Where tokens of these connections are held while they live, so that they can be taken back.
    pub held: Option<(Arc<HeldTokens>, BTreeSet<ConnectionName>)>,
    /// Scopes.
    pub catalogue: Arc<Catalogue>,
}

impl GatewayOptions {
    /// For `tenant`, as this client, with defaults.
    #[must_use]
    pub fn new(tenant: TenantId, auth0: Auth0Config) -> Self {
        Self {
            tenant,
            auth0,
            clients: Vec::new(),
            pass_through: Vec::new(),
            audiences: Vec::new(),
            unproven: UnprovenSubject::default(),
            http: HttpOptions::default(),
            held: None,
            catalogue: Arc::new(Catalogue::builtin().clone()),
        }
    }
}

/// The gateway of one tenant. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    tenant: TenantId,
    core: Core,
    identity: Arc<Identity>,
    lanes: Lanes,
    resolver: SubjectResolver,
    jwks: Arc<Jwks>,
    /// Clients that Auth0 vouched for lately.
    shown: Cache<Thumbprint, Timestamp>,
    unproven: UnprovenSubject,
    pass_through: Vec<PassRule>,
    held: Option<(Arc<HeldTokens>, BTreeSet<ConnectionName>)>,
    catalogue: Arc<Catalogue>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("tenant", &self.0.tenant).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Connects nothing yet: Auth0 is first asked at the first exchange.
    ///
    /// # Errors
    /// [`HttpError`] where no HTTP client can be made.
    pub(crate) fn new(core: Core, identity: Arc<Identity>, options: GatewayOptions) -> Result<Self, HttpError> {
        let http = http_client(&options.http)?;
        let clock = core.clock();
        let clock: Arc<dyn onesec_auth0::Clock> = Arc::new(move || clock.now());
        let jwks = Arc::new(Jwks::new(&options.auth0, http.clone(), clock.clone()));
        let lanes = Lanes::new((options.auth0, options.clients), &http, &clock);
        let audiences: Vec<String> = options.audiences.into_iter().chain(lanes.audiences()).collect();
        let resolver = SubjectResolver::new(lanes.refresh().endpoint.clone(), jwks.clone(), &audiences);
        Ok(Self(Arc::new(Inner {
            tenant: options.tenant,
            core,
            identity,
            lanes,
            resolver,
            jwks,
            shown: Cache::new(REMEMBERED_CLIENTS),
            unproven: options.unproven,
            pass_through: options.pass_through,
            held: options.held,
            catalogue: options.catalogue,
        })))
    }

    /// Whether upstream answers: `closed` where it does, `open` where it failed too often.
    #[must_use]
    pub fn circuit(&self) -> &'static str {
        if self.0.lanes.are_healthy() { "closed" } else { "open" }
    }

    /// The tenant's Auth0 domain.
    #[must_use]
    pub fn auth0_domain(&self) -> &str {
        self.0.lanes.refresh().endpoint.config().domain()
    }

    /// Exchanges, if everything is right. Runs to its end even if nobody waits for it any more: a token that was issued
    /// is recorded.
    pub async fn exchange(&self, agent: AskingAgent, request: ExchangeRequest) -> GatewayAnswer {
        let inner = self.0.clone();
        let task = tokio::spawn(async move { inner.exchange(agent, request, None).await });
        task.await.unwrap_or_else(|_| GatewayAnswer::unavailable("guard-down", None))
    }
}

/// How many clients of a custom domain are known again, and how long: within it a rotated secret must show.
const REMEMBERED_CLIENTS: usize = 10_000;
const REMEMBER_CLIENTS: Duration = Duration::from_secs(300);
/// Auth0's grant for Token Vault.
pub const VAULT_GRANT: &str = "urn:auth0:params:oauth:grant-type:token-exchange:federated-connection-access-token";
/// How long a client is told to wait when we do not know better.
const DEFAULT_RETRY: Duration = Duration::from_secs(5);

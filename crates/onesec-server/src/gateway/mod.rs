//! The gateway: who asks, for whom, is it right; then the exchange; then the question once more before release.

mod answer;
mod subject;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use onesec_auth0::{
    Auth0Config, ExchangeRequest as UpstreamRequest, HttpError, HttpOptions, IssuedToken, Jwks, SubjectKind,
    SubjectResolver, TokenEndpoint, TokenVault, http_client,
};
use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::event::{TokenExchange, TokenExchangeResponse};
use onesec_telemetry::{
    AgentId, Common, ConnectionName, Details, Event, EventId, ExchangeId, KeyId, Name, ScopeSet, Secret, Sender,
    Subject, TaskId, TenantId, Text, UserId,
};

pub use answer::{GatewayAnswer, GatewayBody, Issued, Problem};

use crate::core::{Core, CoreError, Draft, Durable, Ruling};
use subject::Proven;

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
    /// Where the request came from.
    pub network: Option<IpAddr>,
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
    /// Our client at Auth0.
    pub auth0: Auth0Config,
    /// APIs whose access tokens prove a user.
    pub audiences: Vec<String>,
    /// What becomes of unproven subjects.
    pub unproven: UnprovenSubject,
    /// Time-outs, pool, trust.
    pub http: HttpOptions,
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
            audiences: Vec::new(),
            unproven: UnprovenSubject::default(),
            http: HttpOptions::default(),
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
    vault: TokenVault,
    endpoint: Arc<TokenEndpoint>,
    resolver: SubjectResolver,
    unproven: UnprovenSubject,
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
    pub fn new(core: Core, options: GatewayOptions) -> Result<Self, HttpError> {
        let http = http_client(&options.http)?;
        let clock = core.clock();
        let clock: Arc<dyn onesec_auth0::Clock> = Arc::new(move || clock.now());
        let jwks = Arc::new(Jwks::new(&options.auth0, http.clone(), clock.clone()));
        let endpoint = Arc::new(TokenEndpoint::new(options.auth0, http, clock));
        let resolver = SubjectResolver::new(endpoint.clone(), jwks, &options.audiences);
        Ok(Self(Arc::new(Inner {
            tenant: options.tenant,
            core,
            vault: TokenVault::new(endpoint.clone()),
            endpoint,
            resolver,
            unproven: options.unproven,
            catalogue: options.catalogue,
        })))
    }

    /// Whether upstream answers: `closed` where it does, `open` where it failed too often.
    #[must_use]
    pub fn circuit(&self) -> &'static str {
        if self.0.endpoint.is_healthy() { "closed" } else { "open" }
    }

    /// The tenant's Auth0 domain.
    #[must_use]
    pub fn auth0_domain(&self) -> &str {
        self.0.endpoint.config().domain()
    }

    /// Exchanges, if everything is right. Runs to its end even if nobody waits for it any more: a token that was issued
    /// is recorded.
    pub async fn exchange(&self, agent: AskingAgent, request: ExchangeRequest) -> GatewayAnswer {
        let inner = self.0.clone();
        let task = tokio::spawn(async move { inner.exchange(agent, request).await });
        task.await.unwrap_or_else(|_| GatewayAnswer::unavailable("guard-down", None))
    }
}

/// One exchange on its way.
struct Way {
    agent: AskingAgent,
    request: ExchangeRequest,
    id: ExchangeId,
    user: Option<UserId>,
    subject: Subject,
}

impl Way {
    fn draft(&self, event_id: &str, details: Details) -> Result<Draft, CoreError> {
        let common = Common {
            agent_id: Some(self.agent.agent.clone()),
            user_id: self.user.clone(),
            connection: Some(self.request.connection.clone()),
            task_id: self.request.task_id.clone(),
            ..Common::default()
        };
        let id = EventId::new(event_id).map_err(|_| CoreError::UnknownTenant)?;
        let AskingAgent { agent, key, owner } = self.agent.clone();
        let mut draft = Draft::new(Event::new(id, common, details), Sender::gateway(agent, key, owner));
        draft.subject = self.subject.clone();
        draft.network = self.request.network;
        Ok(draft)
    }
}

impl Inner {
    async fn exchange(&self, agent: AskingAgent, request: ExchangeRequest) -> GatewayAnswer {
        let id = new_exchange_id();
        let kind = match request.subject_token_type {
            SubjectTokenType::RefreshToken => SubjectKind::RefreshToken,
            SubjectTokenType::AccessToken => SubjectKind::AccessToken,
            SubjectTokenType::Jwt => return GatewayAnswer::unsupported_subject(id),
        };
        let mut way = Way { agent, request, id, user: None, subject: Subject::Unknown };
        match self.prove(&way.request, kind).await {
            Ok(Proven { user, subject }) => (way.user, way.subject) = (user, subject),
            Err(problem) => {
                self.record_failure(&way, &problem.error).await;
                return problem.into_answer(way.id);
            }
        }
        let (ruling, durable) = match self.ask(&way).await {
            Ok(asked) => asked,
            Err(answer) => return answer,
        };
        if !ruling.answer.applies.passes() {
            return GatewayAnswer::refused(way.id, &ruling, false);
        }
        let upstream = UpstreamRequest {
            subject_token: way.request.subject_token.clone(),
            subject: kind,
            connection: way.request.connection.clone(),
            login_hint: way.request.login_hint.clone(),
        };
        match self.vault.exchange(&upstream).await {
            Ok(token) => self.release(&way, durable, token).await,
            Err(error) => {
                let problem = Problem::from_upstream(&error);
                if !error.is_outage() {
                    // Whoever's token this was, upstream no longer agrees. An outage says nothing about it; and asking
                    // anew each time would keep the circuit closed.
                    self.resolver.forget(&way.request.subject_token.thumbprint());
                }
                self.record_failure(&way, &problem.error).await;
                problem.into_answer(way.id)
            }
        }
    }

    /// The question before the act. The exchange may begin while the answer becomes durable: only the release waits.
    async fn ask(&self, way: &Way) -> Result<(Ruling, Durable), GatewayAnswer> {
        let scopes = way.request.scopes.as_ref().map(|scopes| self.canonical(way, scopes));
        let details = Details::TokenExchange(TokenExchange {
            subject_token_type: Name::new(way.request.subject_token_type.urn()).ok(),
            scopes,
            exchange_id: Some(way.id.clone()),
            login_hint: way.request.login_hint.as_deref().map(Text::redacted),
            audience: None,
            resource: None,
            actor: None,
            is_privileged_worker: None,
            account_id: None,
        });
        let asked = match way.draft(way.id.as_str(), details) {
            Ok(draft) => self.core.request_early(&self.tenant, draft).await,
            Err(error) => Err(error),
        };
        asked.map_err(|_| GatewayAnswer::unavailable("journal", Some(way.id.clone())))
    }

    /// The question before release: revoked or suspended meanwhile means withheld.
    async fn release(&self, way: &Way, asked: Durable, token: IssuedToken) -> GatewayAnswer {
        let returned = token.scopes.as_ref().map(|scopes| self.canonical(way, scopes));
        let details = Details::TokenExchangeResponse(TokenExchangeResponse {
            success: true,
            error: None,
            error_description: None,
            scopes: returned,
            expires_in: token.expires_in.and_then(|d| i64::try_from(d.as_secs()).ok()),
            exchange_id: Some(way.id.clone()),
            issued_token_type: token.issued_token_type.and_then(|kind| Name::new(kind.uri()).ok()),
            token_thumbprint: Some(token.access_token.thumbprint()),
            account_id: None,
        });
        let told = self.tell(way, &format!("{}-issued", way.id), details).await;
        match asked.wait().await.and(told) {
            Err(_) => GatewayAnswer::unavailable("journal", Some(way.id.clone())),
            Ok(ruling) if !ruling.answer.applies.passes() => GatewayAnswer::refused(way.id.clone(), &ruling, true),
            Ok(_) => GatewayAnswer::issued(Issued { token, exchange_id: way.id.clone() }),
        }
    }

    /// A failure is remembered, too. That it cannot be is no reason to answer otherwise: no token is at stake.
    async fn record_failure(&self, way: &Way, error: &str) {
        let details = Details::TokenExchangeResponse(TokenExchangeResponse {
            success: false,
            error: Some(Text::redacted(error)),
            error_description: None,
            scopes: None,
            expires_in: None,
            exchange_id: Some(way.id.clone()),
            issued_token_type: None,
            token_thumbprint: None,
            account_id: None,
        });
        if let Err(error) = self.tell(way, &format!("{}-failed", way.id), details).await {
            tracing::warn!(exchange = %way.id, %error, "a failed exchange could not be recorded");
        }
    }

    async fn tell(&self, way: &Way, event_id: &str, details: Details) -> Result<Ruling, CoreError> {
        self.core.request(&self.tenant, way.draft(event_id, details)?).await
    }

    fn canonical(&self, way: &Way, scopes: &ScopeSet) -> ScopeSet {
        let provider = self.catalogue.provider_of_connection(way.request.connection.as_str());
        self.catalogue.canonical(provider, scopes)
    }
}

fn new_exchange_id() -> ExchangeId {
    id_from(&format!("ex_{}", ulid::Ulid::generate().to_string().to_lowercase()))
}

#[expect(clippy::expect_used, reason = "a ULID with a prefix is short ASCII")]
fn id_from(text: &str) -> ExchangeId {
    ExchangeId::new(text).expect("short ASCII")
}

/// How long a client is told to wait when we do not know better.
const DEFAULT_RETRY: Duration = Duration::from_secs(5);

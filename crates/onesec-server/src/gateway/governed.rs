//! Other grants at our token endpoint: refused, unless an allow-list lets them pass with the caller's own credentials.
//!
//! Exchanges that give an agent a right elsewhere (ID-JAG for Cross-App Access, on behalf of a user, the JWT bearer grant)
//! are *governed*: judged and recorded like any exchange, as if the audience were a connection.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use onesec_auth0::{PassThrough, PassedThrough, SecretBytes};
use onesec_identity::claimed_client;
use onesec_telemetry::event::{TokenExchange, TokenExchangeResponse};
use onesec_telemetry::redact::redact_text;
use onesec_telemetry::{ConnectionName, Details, Name, ScopeSet, Secret, Subject, Text};
use serde::Deserialize;

use super::answer::{GatewayAnswer, Problem};
use super::exchange::{Way, new_exchange_id};
use super::{AskingAgent, ExchangeRequest, Gateway, Inner, SubjectTokenType};
use crate::core::{CoreError, Draft, Ruling};

/// A grant that may pass, for one audience.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PassRule {
    /// `grant_type`.
    pub grant: String,
    /// `audience` or `resource`; `*` is any, absent only where the request names none.
    pub audience: Option<String>,
}

impl PassRule {
    /// This grant for this audience.
    #[must_use]
    pub const fn new(grant: String, audience: Option<String>) -> Self {
        Self { grant, audience }
    }

    fn allows(&self, request: &TokenRequest) -> bool {
        let targets = request.targets();
        let audience = match self.audience.as_deref() {
            Some("*") => true,
            Some(only) => !targets.is_empty() && targets.iter().all(|target| *target == only),
            None => targets.is_empty(),
        };
        request.text("grant_type") == Some(self.grant.as_str()) && audience
    }
}

/// A token request as it came. Mute: it is full of secrets.
pub struct TokenRequest {
    /// Its parameters, each name once.
    pub parameters: Vec<(String, Secret)>,
    /// The caller's own `Authorization` for upstream.
    pub authorization: Option<Secret>,
    /// The caller's own DPoP proof for upstream.
    pub dpop: Option<Secret>,
    /// Where it came from.
    pub network: Option<IpAddr>,
}

impl std::fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenRequest").field("parameters", &self.parameters.len()).finish_non_exhaustive()
    }
}

impl TokenRequest {
    fn text(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.expose_to_wire())
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.expose_to_wire()))
    }

    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.parameters.iter().map(|(_, value)| value).chain(&self.authorization)
    }

    /// What the token is wanted for (RFC 8693, section 2.1; RFC 8707).
    fn targets(&self) -> Vec<&str> {
        [self.text("audience"), self.text("resource")].into_iter().flatten().collect()
    }

    /// Which governed grant it is; `None` where it is none.
    #[must_use]
    pub fn governed(&self) -> Option<Governed> {
        match self.text("grant_type")? {
            TOKEN_EXCHANGE if self.text("requested_token_type") == Some(ID_JAG) => Some(Governed::IdJag),
            TOKEN_EXCHANGE => Some(Governed::OnBehalfOf),
            JWT_BEARER => Some(Governed::JwtBearer),
            _ => None,
        }
    }

    /// The clients that the caller may be, as it says: Auth0 asks for a proof.
    fn clients(&self) -> Vec<String> {
        let header = self.authorization.as_ref().and_then(|header| basic(header.expose_to_wire()));
        let name = header.as_deref().and_then(|text| text.split_once(':')).map(|(name, _)| name.to_owned());
        let signed = self.parameters.iter().find(|(name, _)| name == "client_assertion");
        let signed = signed.and_then(|(_, assertion)| claimed_client(assertion).ok()).map(|client| client.to_string());
        self.text("client_id").map(str::to_owned).into_iter().chain(name).chain(signed).collect()
    }

    /// As upstream is to get it. The caller's credentials are the caller's; what is for us never leaves.
    ///
    /// # Errors
    /// [`Problem`] where a credential of ours stands where one of Auth0's belongs.
    pub(super) fn forwarded(&self) -> Result<Vec<(&str, &str)>, Problem> {
        let header = self.authorization.as_ref().map(Secret::expose_to_wire);
        if self.texts().any(|(_, value)| is_key(value)) || header.is_some_and(|header| !is_for_auth0(header)) {
            let why = "give your own credentials for Auth0, and the key of onesec as `X-API-Key`";
            return Err(Problem::invalid(why));
        }
        Ok(self.texts().filter(|(name, _)| *name != "onesec_delegation").collect())
    }
}

fn is_key(text: &str) -> bool {
    text.trim_start().starts_with("os_")
}

/// At Auth0's token endpoint clients authenticate by Basic or in the body: any other scheme was meant for us.
fn is_for_auth0(header: &str) -> bool {
    basic(header).is_some_and(|decoded| !decoded.split(':').any(is_key))
}

/// Name and secret of Basic credentials, as one text.
fn basic(header: &str) -> Option<String> {
    let (scheme, credentials) = header.split_once(' ')?;
    let decoded = STANDARD.decode(credentials.trim()).unwrap_or_default();
    scheme.eq_ignore_ascii_case("basic").then(|| String::from_utf8_lossy(&decoded).into_owned())
}

/// Grants that give an agent a right elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Governed {
    /// An identity assertion for another application (Cross-App Access).
    IdJag,
    /// A standard token exchange (RFC 8693): on behalf of a user, for another API.
    OnBehalfOf,
    /// An assertion for an access token (RFC 7523, section 2.1).
    JwtBearer,
}

impl Governed {
    /// As reasons and records name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IdJag => "id-jag",
            Self::OnBehalfOf => "on-behalf-of",
            Self::JwtBearer => "jwt-bearer",
        }
    }
}

/// What upstream answered, on its way to the caller.
#[derive(Debug)]
pub struct PassedOn {
    /// HTTP status.
    pub status: u16,
    /// When a retry makes sense.
    pub retry_after: Option<Duration>,
    /// `DPoP-Nonce` for the caller's next proof.
    pub dpop_nonce: Option<String>,
    /// The body.
    pub body: SecretBytes,
}

impl Gateway {
    /// Whether the allow-list has this grant for this audience.
    #[must_use]
    pub fn may_pass(&self, request: &TokenRequest) -> bool {
        self.0.pass_through.iter().any(|rule| rule.allows(request))
    }

    /// Forwards a request that may pass and is not governed.
    ///
    /// # Errors
    /// The answer that says why not.
    pub async fn pass(&self, request: TokenRequest) -> Result<PassedOn, GatewayAnswer> {
        let inner = self.0.clone();
        inner.forward(&request).await.map_err(|problem| problem.into_answer(new_exchange_id()))
    }

    /// Judges and records a governed grant, and forwards it where the allow-list and the verdict let it pass.
    ///
    /// # Errors
    /// The answer that says why not.
    pub async fn govern(
        &self,
        agent: AskingAgent,
        (grant, request): (Governed, TokenRequest),
    ) -> Result<PassedOn, GatewayAnswer> {
        let (inner, may_pass) = (self.0.clone(), self.may_pass(&request));
        let task = tokio::spawn(async move { inner.govern(agent, (grant, request), may_pass).await });
        task.await.unwrap_or_else(|_| Err(GatewayAnswer::unavailable("guard-down", None)))
    }
}

impl Inner {
    async fn govern(
        self: Arc<Self>,
        agent: AskingAgent,
        (grant, request): (Governed, TokenRequest),
        may_pass: bool,
    ) -> Result<PassedOn, GatewayAnswer> {
        let mut way = self.governed_way(agent, &request).map_err(|problem| problem.into_answer(new_exchange_id()))?;
        if let Err(problem) = self.prove_governed(&mut way, &request).await {
            self.record_failure(&way, &problem.error).await;
            return Err(problem.into_answer(way.id));
        }
        let ruling = self.ask_governed(&mut way, (grant, &request)).await;
        let ruling = ruling.map_err(|_| GatewayAnswer::unavailable("journal", Some(way.id.clone())))?;
        if !ruling.answer.applies.passes() {
            return Err(GatewayAnswer::refused(way.id, &ruling, false));
        }
        if !may_pass {
            self.record_failure(&way, "access_denied").await;
            return Err(Problem::not_allowed(grant).into_answer(way.id));
        }
        match self.forward(&request).await {
            Ok(passed) if (200..300).contains(&passed.status) => self.release_governed(&way, passed).await,
            Ok(refused) => {
                self.record_failure(&way, "refused_upstream").await;
                Ok(refused)
            }
            Err(problem) => {
                self.record_failure(&way, &problem.error).await;
                Err(problem.into_answer(way.id))
            }
        }
    }

    /// The request in the terms of an exchange: its audience stands where a connection would.
    fn governed_way(&self, agent: AskingAgent, request: &TokenRequest) -> Result<Way, Problem> {
        let target = request.targets().join(" ");
        let named =
            if target.is_empty() { "audience:none".to_owned() } else { format!("audience:{}", redact_text(&target)) };
        let connection = ConnectionName::new(&named).map_err(|_| Problem::invalid("`audience` is no identifier"))?;
        let scopes = request.text("scope").map(|text| ScopeSet::parse(&redact_text(text))).transpose();
        let request = ExchangeRequest {
            subject_token: Secret::new(request.text("subject_token").unwrap_or_default().to_owned()),
            subject_token_type: SubjectTokenType::AccessToken,
            connection,
            login_hint: None,
            scopes: scopes.map_err(|_| Problem::invalid("the scopes are no scopes"))?,
            task_id: None,
            delegation: None,
            network: request.network,
            audiences: Vec::new(),
        };
        Ok(Way { agent, request, id: new_exchange_id(), user: None, subject: Subject::Unknown })
    }

    /// An access token of ours proves its user, and so does an ID token of the caller's client. Subjects of a tenant's own
    /// types are Auth0's to read, and then nobody is proven.
    async fn prove_governed(&self, way: &mut Way, request: &TokenRequest) -> Result<(), Problem> {
        let Some(kind) = request.text("subject_token_type") else { return Ok(()) };
        if kind == SubjectTokenType::AccessToken.urn() {
            let proven = self.prove(&way.agent, &way.request).await?;
            (way.user, way.subject) = (proven.user, proven.subject);
        } else if kind == ID_TOKEN {
            way.subject = self.prove_id_token(&way.request.subject_token, &request.clients()).await?;
            way.user = way.subject.user().cloned();
        } else if kind.starts_with(STANDARD_TYPES) {
            return Err(Problem::bad_subject("the subject token is of a type that proves nobody here"));
        }
        Ok(())
    }

    async fn ask_governed(
        &self,
        way: &mut Way,
        (grant, request): (Governed, &TokenRequest),
    ) -> Result<Ruling, CoreError> {
        let text = |name| request.text(name).map(Text::redacted);
        let details = Details::TokenExchange(TokenExchange {
            subject_token_type: Name::new(grant.as_str()).ok(),
            scopes: way.request.scopes.clone(),
            exchange_id: Some(way.id.clone()),
            login_hint: None,
            audience: text("audience"),
            resource: text("resource"),
            actor: None,
            is_privileged_worker: None,
            account_id: None,
        });
        let ledger = std::mem::take(&mut way.agent.ledger);
        let draft = Draft { ledger, ..way.draft(way.id.as_str(), details)? };
        self.core.request(&self.tenant, draft).await
    }

    /// The question before release; a token that upstream calls by another name is recorded by its thumbprint all the same.
    async fn release_governed(&self, way: &Way, passed: PassedOn) -> Result<PassedOn, GatewayAnswer> {
        let said: Issued<'_> = serde_json::from_slice(passed.body.expose_to_wire()).unwrap_or_default();
        let details = Details::TokenExchangeResponse(TokenExchangeResponse {
            success: true,
            error: None,
            error_description: None,
            scopes: said.scope.and_then(|scope| ScopeSet::parse(&redact_text(scope)).ok()),
            expires_in: said.expires_in,
            exchange_id: Some(way.id.clone()),
            issued_token_type: None,
            token_thumbprint: said.access_token.map(|token| token.thumbprint()),
            account_id: None,
        });
        match self.tell(way, &format!("{}-issued", way.id), details).await {
            Err(_) => Err(GatewayAnswer::unavailable("journal", Some(way.id.clone()))),
            Ok(ruling) if !ruling.answer.applies.passes() => Err(GatewayAnswer::refused(way.id.clone(), &ruling, true)),
            Ok(_) => Ok(passed),
        }
    }

    async fn forward(&self, request: &TokenRequest) -> Result<PassedOn, Problem> {
        let form = request.forwarded()?;
        let to_pass = PassThrough {
            form: &form,
            authorization: request.authorization.as_ref(),
            dpop: request.dpop.as_ref(),
            forwarded_for: request.network,
        };
        let answer = self.lanes.refresh().endpoint.pass_through(to_pass).await;
        let PassedThrough { status, retry_after, dpop_nonce, body, .. } =
            answer.map_err(|error| Problem::from_upstream(&error))?;
        Ok(PassedOn { status, retry_after, dpop_nonce, body })
    }
}

/// What of an answer is worth recording. The rest is not even read.
#[derive(Deserialize, Default)]
struct Issued<'a> {
    access_token: Option<Secret>,
    #[serde(borrow)]
    scope: Option<&'a str>,
    expires_in: Option<i64>,
}

/// RFC 8693, section 3.
const STANDARD_TYPES: &str = "urn:ietf:params:oauth:token-type:";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
/// RFC 8693, section 2.1.
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// RFC 7523, section 2.1.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// What Cross-App Access asks for.
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

//! One exchange: who, for whom, is it right; then upstream; then the question once more before release.

use std::sync::Arc;

use onesec_actions::Held;
use onesec_auth0::{ExchangeError, ExchangeRequest as UpstreamRequest, IssuedToken, SubjectKind, WorkerExchange};
use onesec_telemetry::event::{TokenExchange, TokenExchangeResponse};
use onesec_telemetry::{
    Common, ConnectionName, Details, Event, EventId, ExchangeId, Name, ScopeSet, Sender, Subject, Text, UserId,
};

use super::answer::{GatewayAnswer, Issued, Problem};
use super::governed::TokenRequest;
use super::lanes::Lane;
use super::subject::{Proven, Upstream};
use super::{AskingAgent, ExchangeRequest, Inner};
use crate::core::{CoreError, Draft, Durable, Ruling};

/// One exchange on its way.
pub(super) struct Way {
    pub(super) agent: AskingAgent,
    pub(super) request: ExchangeRequest,
    pub(super) id: ExchangeId,
    pub(super) user: Option<UserId>,
    pub(super) subject: Subject,
}

impl Way {
    pub(super) fn draft(&self, event_id: &str, details: Details) -> Result<Draft, CoreError> {
        let common = Common {
            agent_id: Some(self.agent.agent.clone()),
            user_id: self.user.clone(),
            connection: Some(self.request.connection.clone()),
            task_id: self.request.task_id.clone(),
            ..Common::default()
        };
        let id = EventId::new(event_id).map_err(|_| CoreError::UnknownTenant)?;
        let AskingAgent { agent, key, owner, .. } = self.agent.clone();
        let mut draft = Draft::new(Event::new(id, common, details), Sender::gateway(agent, key, owner));
        draft.subject = self.subject.clone();
        draft.network = self.request.network;
        Ok(draft)
    }
}

impl Inner {
    /// `theirs` is the caller's own request, where it goes upstream with its own credentials.
    pub(super) async fn exchange(
        self: Arc<Self>,
        agent: AskingAgent,
        request: ExchangeRequest,
        theirs: Option<TokenRequest>,
    ) -> GatewayAnswer {
        let mut way = Way { agent, request, id: new_exchange_id(), user: None, subject: Subject::Unknown };
        let upstream = match self.settle_parties(&mut way).await {
            Ok(upstream) => upstream,
            Err(problem) => {
                self.record_failure(&way, &problem.error).await;
                return problem.into_answer(way.id);
            }
        };
        let (ruling, durable) = match self.ask(&mut way, &upstream).await {
            Ok(asked) => asked,
            Err(answer) => return answer,
        };
        if !ruling.answer.applies.passes() {
            return GatewayAnswer::refused(way.id, &ruling, false);
        }
        let token = match &theirs {
            Some(request) => self.trade_theirs(request).await,
            None => self.upstream(&way, upstream).await,
        };
        match token {
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

    /// Who is the user, and what was delegated on the way. A worker's request is used up by it.
    async fn settle_parties(&self, way: &mut Way) -> Result<Upstream, Problem> {
        let Proven { user, subject, upstream, mut used } = self.prove(&way.agent, &way.request).await?;
        way.agent.ledger.append(&mut used);
        (way.user, way.subject) = (user, subject);
        if let Some(root) = self.introduce(way).await?
            && way.user.as_ref() != Some(&root)
        {
            way.subject.claim(root);
        }
        Ok(upstream)
    }

    async fn upstream(&self, way: &Way, upstream: Upstream) -> Result<IssuedToken, ExchangeError> {
        let connection = way.request.connection.clone();
        match upstream {
            Upstream::Token(lane, subject) => self.trade(lane.as_ref(), way, subject).await,
            Upstream::Worker(lane, user) => {
                // Stands in the tenant's log, where it leads to our record.
                let audit_context = format!("onesec {}", way.id);
                let scopes = way.request.scopes.clone().filter(|scopes| !scopes.is_empty());
                let request = WorkerExchange { user, connection, scopes, audit_context };
                lane.vault.worker_exchange(&request).await
            }
        }
    }

    async fn trade(&self, lane: &Lane, way: &Way, subject: SubjectKind) -> Result<IssuedToken, ExchangeError> {
        let request = UpstreamRequest {
            subject_token: way.request.subject_token.clone(),
            subject,
            connection: way.request.connection.clone(),
            login_hint: way.request.login_hint.clone(),
        };
        lane.vault.exchange(&request).await
    }

    /// The question before the act. The exchange may begin while the answer becomes durable: only the release waits.
    async fn ask(&self, way: &mut Way, upstream: &Upstream) -> Result<(Ruling, Durable), GatewayAnswer> {
        let worker = matches!(upstream, Upstream::Worker(..));
        let scopes = way.request.scopes.as_ref().map(|scopes| self.canonical(&way.request.connection, scopes));
        let details = Details::TokenExchange(TokenExchange {
            subject_token_type: Name::new(way.request.subject_token_type.urn()).ok(),
            scopes,
            exchange_id: Some(way.id.clone()),
            login_hint: way.request.login_hint.as_deref().map(Text::redacted),
            audience: None,
            resource: None,
            actor: actors(&way.subject),
            is_privileged_worker: worker.then_some(true),
            account_id: None,
        });
        let used = std::mem::take(&mut way.agent.ledger);
        let asked = match way.draft(way.id.as_str(), details) {
            Ok(draft) => self.core.request_early(&self.tenant, Draft { ledger: used, ..draft }).await,
            Err(error) => Err(error),
        };
        asked.map_err(|_| GatewayAnswer::unavailable("journal", Some(way.id.clone())))
    }

    /// The question before release: revoked or suspended meanwhile means withheld.
    async fn release(&self, way: &Way, asked: Durable, token: IssuedToken) -> GatewayAnswer {
        let returned = token.scopes.as_ref().map(|scopes| self.canonical(&way.request.connection, scopes));
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
        // Before the question: whoever takes the right back after the answer finds the token here.
        self.hold(way, &token);
        let told = self.tell(way, &format!("{}-issued", way.id), details).await;
        match asked.wait().await.and(told) {
            Err(_) => GatewayAnswer::unavailable("journal", Some(way.id.clone())),
            Ok(ruling) if !ruling.answer.applies.passes() => GatewayAnswer::refused(way.id.clone(), &ruling, true),
            Ok(_) => GatewayAnswer::issued(Issued { token, exchange_id: way.id.clone() }),
        }
    }

    /// Holds a token for as long as it lives, where its provider may be asked to end it.
    fn hold(&self, way: &Way, token: &IssuedToken) {
        let (Some((held, connections)), Some(user), Some(life)) = (&self.held, &way.user, token.expires_in) else {
            return;
        };
        if !connections.contains(&way.request.connection) {
            return;
        }
        let now = self.core.now();
        let it = Held {
            tenant: self.tenant.clone(),
            user: user.clone(),
            connection: way.request.connection.clone(),
            agent: way.agent.agent.clone(),
            token: token.access_token.clone(),
            until: now + life,
        };
        held.hold(it, now);
    }

    /// A failure is remembered, too. That it cannot be is no reason to answer otherwise: no token is at stake.
    pub(super) async fn record_failure(&self, way: &Way, error: &str) {
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

    pub(super) async fn tell(&self, way: &Way, event_id: &str, details: Details) -> Result<Ruling, CoreError> {
        self.core.request(&self.tenant, way.draft(event_id, details)?).await
    }

    fn canonical(&self, connection: &ConnectionName, scopes: &ScopeSet) -> ScopeSet {
        let provider = self.catalogue.provider_of_connection(connection.as_str());
        self.catalogue.canonical(provider, scopes)
    }
}

/// The chain of actors that the user's token names, as the contract shows it.
fn actors(subject: &Subject) -> Option<onesec_telemetry::event::Chain> {
    let actors = &subject.parties()?.actors;
    let names: Vec<Name> = actors.iter().filter_map(|party| party.sub.clone()).collect();
    (!names.is_empty()).then(|| onesec_telemetry::event::Chain(names))
}

pub(super) fn new_exchange_id() -> ExchangeId {
    id_from(&format!("ex_{}", ulid::Ulid::generate().to_string().to_lowercase()))
}

#[expect(clippy::expect_used, reason = "a ULID with a prefix is short ASCII")]
fn id_from(text: &str) -> ExchangeId {
    ExchangeId::new(text).expect("short ASCII")
}

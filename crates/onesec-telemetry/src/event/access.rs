//! What can be asked of any event without knowing its kind.

use super::kinds::Details;
use crate::id::{AccountId, AgentId, AppId, ExchangeId, Name, TaskId, UserId};
use crate::scope::ScopeSet;

impl Details {
    /// The scopes that the event names, where its kind has any.
    #[must_use]
    pub const fn scopes(&self) -> Option<&ScopeSet> {
        match self {
            Self::TokenExchange(d) => d.scopes.as_ref(),
            Self::TokenExchangeRequest(d) => d.scopes.as_ref(),
            Self::TokenExchangeResponse(d) => d.scopes.as_ref(),
            Self::ConnectedAccountLink(d) => d.scopes.as_ref(),
            Self::ConnectedAccountUsage(d) => d.scopes.as_ref(),
            Self::AgentIdentityDelegation(d) => d.scopes.as_ref(),
            Self::OauthToken(d) => d.scopes.as_ref(),
            Self::OauthGrant(d) => Some(&d.scopes),
            Self::OauthConsent(d) => Some(&d.scopes),
            _ => None,
        }
    }

    pub(super) const fn scopes_mut(&mut self) -> Option<&mut ScopeSet> {
        match self {
            Self::TokenExchange(d) => d.scopes.as_mut(),
            Self::TokenExchangeRequest(d) => d.scopes.as_mut(),
            Self::TokenExchangeResponse(d) => d.scopes.as_mut(),
            Self::ConnectedAccountLink(d) => d.scopes.as_mut(),
            Self::ConnectedAccountUsage(d) => d.scopes.as_mut(),
            Self::AgentIdentityDelegation(d) => d.scopes.as_mut(),
            Self::OauthToken(d) => d.scopes.as_mut(),
            Self::OauthGrant(d) => Some(&mut d.scopes),
            Self::OauthConsent(d) => Some(&mut d.scopes),
            _ => None,
        }
    }

    /// The exchange that the event is a view of.
    #[must_use]
    pub const fn exchange_id(&self) -> Option<&ExchangeId> {
        match self {
            Self::TokenExchange(d) => d.exchange_id.as_ref(),
            Self::TokenExchangeRequest(d) => d.exchange_id.as_ref(),
            Self::TokenExchangeResponse(d) => d.exchange_id.as_ref(),
            _ => None,
        }
    }

    /// The account of a connection that the event names.
    #[must_use]
    pub const fn account_id(&self) -> Option<&AccountId> {
        match self {
            Self::TokenExchange(d) => d.account_id.as_ref(),
            Self::TokenExchangeResponse(d) => d.account_id.as_ref(),
            Self::ConnectedAccountLink(d) => d.account_id.as_ref(),
            Self::ConnectedAccountUnlink(d) => d.account_id.as_ref(),
            Self::ConnectedAccountUsage(d) => d.account_id.as_ref(),
            Self::AgentIdentityDelegation(d) => d.account_id.as_ref(),
            _ => None,
        }
    }

    /// The agent and user that a kind names under names of its own.
    pub(super) fn named(&self) -> (Option<AgentId>, Option<UserId>) {
        match self {
            Self::AgentMessage(d) => (Some(d.from_agent.clone()), None),
            Self::OauthGrant(d) => (None, Some(d.username.clone())),
            Self::OauthConsent(d) => (None, Some(d.username.clone())),
            Self::OauthToken(d) => (None, Some(d.username.clone())),
            _ => (None, None),
        }
    }
}

/// Members that every kind takes, in one place, so that whoever reads an event need not know its kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Common {
    /// The agent that acted.
    pub agent_id: Option<AgentId>,
    /// The user on whose behalf.
    pub user_id: Option<UserId>,
    /// The connection concerned.
    pub connection: Option<crate::id::ConnectionName>,
    /// The task.
    pub task_id: Option<TaskId>,
    /// The session.
    pub session_id: Option<crate::id::SessionId>,
    /// The trace (W3C or the sender's own).
    pub trace_id: Option<Name>,
    /// The OAuth client.
    pub client_id: Option<AppId>,
}

impl Details {
    /// The members present that change trust, in a kind that as a whole does not. A member that already
    /// has its least trusted value claims nothing.
    pub(crate) fn trust_claims(&self) -> Vec<&'static str> {
        let claims: &[(bool, &'static str)] = match self {
            Self::TokenExchangeResponse(d) => &[(d.token_thumbprint.is_some(), "token_thumbprint")],
            Self::OauthGrant(d) => &[(d.publisher_verified == Some(true), "publisher_verified")],
            Self::OauthConsent(d) => &[(d.publisher_verified == Some(true), "publisher_verified")],
            Self::ContentIngest(d) => &[(d.trust.as_ref().is_some_and(|t| t.as_str() != "untrusted"), "trust")],
            Self::AgentMessage(d) => &[(d.signature_valid == Some(true), "signature_valid")],
            Self::AiApiCall(d) => &[(d.authorized == Some(true), "authorized")],
            Self::LlmApiCall(d) => &[(d.authorized == Some(true), "authorized")],
            Self::ModelInference(d) => &[(d.authorized == Some(true), "authorized")],
            _ => &[],
        };
        claims.iter().filter(|(present, _)| *present).map(|(_, name)| *name).collect()
    }
}

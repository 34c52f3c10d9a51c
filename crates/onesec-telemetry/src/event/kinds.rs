//! The kinds of the contract, version 1.0, as one table.

use compact_str::CompactString;
use serde_json::Value;

use super::field::{Chain, Json, Statement, Text, Texts};
use crate::id::{AccountId, AgentId, AppId, DelegationId, ExchangeId, Name, TaskId, UserId};
use crate::scope::ScopeSet;
use crate::secret::Thumbprint;
use crate::time::Timestamp;

/// The part of the system that a kind speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Category {
    /// Exchanges and connected accounts.
    TokenVault,
    /// Delegations, grants and consents.
    Delegation,
    /// Agents, tools, tasks, memory.
    Agents,
    /// Fetches and payments.
    AgenticWeb,
    /// Model calls.
    AiServices,
    /// Kinds of custom detectors.
    Custom,
}

impl Category {
    /// The name used by `?category=`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenVault => "token_vault",
            Self::Delegation => "delegation",
            Self::Agents => "agents",
            Self::AgenticWeb => "agentic_web",
            Self::AiServices => "ai_services",
            Self::Custom => "custom",
        }
    }
}

/// A field that many kinds share and that some cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// `agent_id`
    Agent,
    /// `user_id`
    User,
    /// `connection`
    Connection,
    /// `task_id`
    Task,
}

impl Need {
    /// The member's name.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Agent => "agent_id",
            Self::User => "user_id",
            Self::Connection => "connection",
            Self::Task => "task_id",
        }
    }
}

/// One field of one kind, as the catalogue describes it.
#[derive(Debug, Clone, Copy)]
pub struct FieldSpec {
    /// Canonical member name.
    pub name: &'static str,
    /// Other spellings that are accepted.
    pub aliases: &'static [&'static str],
    /// Type name in the contract.
    pub type_name: &'static str,
    /// Whether an event without it is rejected.
    pub required: bool,
    /// Whether it counts only with authority.
    pub changes_trust: bool,
    /// JSON Schema of what senders may write.
    pub schema: fn() -> Value,
}

/// One kind, as the catalogue describes it.
#[derive(Debug, Clone, Copy)]
pub struct KindSpec {
    /// Which one.
    pub kind: Kind,
    /// Which part of the system.
    pub category: Category,
    /// Lines of description.
    pub description: &'static [&'static str],
    /// Whether the whole event counts only with authority.
    pub changes_trust: bool,
    /// Common fields without which it is rejected.
    pub needs: &'static [Need],
    /// Fields beyond the common ones.
    pub fields: &'static [FieldSpec],
}

/// The details of a `custom.<name>` event: its name; the members are kept as they came, redacted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Custom {
    /// What follows `custom.`: `[a-z0-9_.-]{1,64}`.
    pub name: CompactString,
}

kinds! {
    /// An agent asked for a provider token of a connection.
    TokenVault TokenExchange "token_exchange" needs(Connection) {
        opt subject_token_type: Name,
        opt scopes: ScopeSet as "scope",
        opt exchange_id: ExchangeId,
        opt login_hint: Text,
        opt audience: Text,
        opt resource: Text,
        opt actor: Chain,
        opt is_privileged_worker: bool,
        opt account_id: AccountId,
    }
    /// The raw request of an exchange, for audit.
    TokenVault TokenExchangeRequest "token_exchange_request" needs(Connection) {
        opt subject_token_type: Name,
        opt grant_type: Name,
        opt scopes: ScopeSet as "scope",
        opt exchange_id: ExchangeId,
    }
    /// How an exchange ended.
    TokenVault TokenExchangeResponse "token_exchange_response" needs(Connection) {
        reqt success: bool,
        opt error: Text,
        opt error_description: Text,
        opt scopes: ScopeSet as "scope",
        opt expires_in: i64,
        opt exchange_id: ExchangeId,
        opt issued_token_type: Name,
        optt token_thumbprint: Thumbprint,
        opt account_id: AccountId,
    }
    /// A user connected an account.
    TokenVault ConnectedAccountLink "connected_account_link" trust true needs(User Connection) {
        opt scopes: ScopeSet as "scope",
        opt access_type: Name,
        opt account_id: AccountId,
    }
    /// A user disconnected an account: every authorisation on it ends.
    TokenVault ConnectedAccountUnlink "connected_account_unlink" trust true needs(User Connection) {
        opt account_id: AccountId,
    }
    /// A provider token was used on a connected account.
    TokenVault ConnectedAccountUsage "connected_account_usage" needs(User Connection) {
        opt action: Text,
        opt scopes: ScopeSet as "scope",
        opt token_thumbprint: Thumbprint,
        opt method: Name,
        opt resource: Text,
        opt status: i64,
        opt account_id: AccountId,
    }

    /// A user or an agent lets an agent act.
    Delegation AgentIdentityDelegation "agent_identity_delegation" trust true needs(Agent) {
        req delegated_by: Name,
        opt scopes: ScopeSet as "scope",
        opt expires_at: Timestamp,
        opt delegation_chain: Chain,
        opt attestation: Statement,
        opt delegation_id: DelegationId,
        opt parent_id: DelegationId,
        opt max_depth: i64,
        opt account_id: AccountId,
    }
    /// A delegation was taken back.
    Delegation AgentDelegationRevoked "agent_delegation_revoked" trust true needs(Agent) {
        req delegated_by: Name,
        opt delegation_id: DelegationId,
        opt reason: Text,
    }
    /// A user granted scopes to an application.
    Delegation OauthGrant "oauth_grant" needs() {
        req app_id: AppId,
        req scopes: ScopeSet as "scope",
        req username: UserId,
        opt app_name: Text,
        opt redirect_uri: Text,
        opt grant_type: Name,
        optt publisher_verified: bool,
        opt app_created_at: Timestamp,
    }
    /// A user consented to an application.
    Delegation OauthConsent "oauth_consent" needs() {
        req app_id: AppId,
        req scopes: ScopeSet as "scope",
        req username: UserId,
        opt app_name: Text,
        opt redirect_uri: Text,
        opt grant_type: Name,
        optt publisher_verified: bool,
        opt app_created_at: Timestamp,
    }
    /// An application got a token for a user.
    Delegation OauthToken "oauth_token" needs() {
        req app_id: AppId,
        req username: UserId,
        opt grant_type: Name,
        opt scopes: ScopeSet as "scope",
    }

    /// An agent came to life.
    Agents AgentSpawn "agent_spawn" | "agent_created" needs(Agent) {
        opt parent_id: AgentId as "parent_agent",
        opt capabilities: Texts,
        opt pid: i64,
        opt host: Name,
        opt owner: Name,
    }
    /// An agent ended.
    Agents AgentStop "agent_stop" trust true needs(Agent) {
        opt reason: Text,
    }
    /// A task began: its mandate.
    Agents TaskStart "task_start" trust true needs(Task Agent) {
        opt goal: Text,
        opt allowed_tools: Texts,
        opt allowed_connections: Texts,
        opt allowed_actions: Texts,
    }
    /// A task ended.
    Agents TaskEnd "task_end" trust true needs(Task Agent) {
        opt status: Name,
    }
    /// What an agent is after.
    Agents AgentGoal "agent_goal" needs(Agent) {
        opt goal: Text as "content",
        opt source: Text,
    }
    /// How an agent means to get there.
    Agents AgentPlan "agent_plan" needs(Agent) {
        opt plan: Text as "content",
        opt source: Text,
    }
    /// What an agent decided.
    Agents AgentDecision "agent_decision" needs(Agent) {
        opt decision: Text as "content",
        opt source: Text,
    }
    /// What an agent did.
    Agents AgentAction "agent_action" needs(Agent) {
        req action: Text,
        opt tool: Name,
        opt target: Text,
        opt arguments: Json,
        opt result: Text,
        opt status: Name,
    }
    /// An agent called a tool.
    Agents ToolCall "tool_call" needs(Agent) {
        req tool: Name,
        opt target: Text,
        opt action: Text,
        opt arguments: Json,
        opt result: Text,
        opt status: Name,
        opt server: Name,
        opt approval_id: Name,
    }
    /// An agent called a function.
    Agents FunctionCall "function_call" needs(Agent) {
        req tool: Name,
        opt target: Text,
        opt action: Text,
        opt arguments: Json,
        opt result: Text,
        opt status: Name,
        opt server: Name,
        opt approval_id: Name,
    }
    /// A tool's manifest appeared.
    Agents ToolRegister "tool_register" needs() {
        req tool_name: Name,
        opt server_name: Name,
        opt description: Text,
        opt parameters: Json,
        opt description_hash: Name,
    }
    /// A tool's manifest changed.
    Agents ToolUpdate "tool_update" needs() {
        req tool_name: Name,
        opt server_name: Name,
        opt description: Text,
        opt parameters: Json,
        opt description_hash: Name,
    }
    /// An MCP server listed its tools.
    Agents McpToolList "mcp_tool_list" needs() {
        req server_name: Name,
        req tools: Json,
    }
    /// An agent took in content.
    Agents ContentIngest "content_ingest" needs(Agent) {
        req content: Text,
        req source: Text,
        opt source_url: Text,
        optt trust: Name,
    }
    /// An agent wrote to its memory.
    Agents AgentMemoryWrite "agent_memory_write" needs(Agent) {
        req content: Text,
        opt memory_type: Name,
        opt source: Text,
        opt key: Name,
    }
    /// An agent's context was changed.
    Agents ContextUpdate "context_update" needs(Agent) {
        req content: Text,
        opt memory_type: Name,
        opt source: Text,
        opt key: Name,
    }
    /// A document entered a retrieval store.
    Agents RagInject "rag_inject" needs(Agent) {
        req content: Text,
        opt memory_type: Name,
        opt source: Text,
        opt key: Name,
    }
    /// An agent read from its memory.
    Agents AgentMemoryRead "agent_memory_read" needs(Agent) {
        req key: Name,
        opt source: Text,
    }
    /// An agent met an error.
    Agents AgentError "agent_error" needs(Agent) {
        opt error_type: Name,
        opt target_agent: AgentId,
        opt tool: Name,
    }
    /// An agent waited in vain.
    Agents AgentTimeout "agent_timeout" needs(Agent) {
        opt error_type: Name,
        opt target_agent: AgentId,
        opt tool: Name,
    }
    /// An agent tried again.
    Agents AgentRetry "agent_retry" needs(Agent) {
        opt error_type: Name,
        opt target_agent: AgentId,
        opt tool: Name,
    }
    /// An agent posed as a user.
    Agents AgentImpersonation "agent_impersonation" needs(Agent) {
        opt impersonated_user: UserId,
        opt approval_id: Name,
        opt action: Text,
    }
    /// An agent acted without the approval it needed.
    Agents ApprovalBypass "approval_bypass" needs(Agent) {
        opt impersonated_user: UserId,
        opt approval_id: Name,
        opt action: Text,
    }
    /// A message between agents.
    Agents AgentMessage "agent_message" needs() {
        req from_agent: AgentId,
        req to_agent: AgentId,
        req message_id: Name,
        optt signature_valid: bool,
        opt protocol: Name,
    }
    /// A person decided on an approval.
    Agents ApprovalDecision "approval_decision" trust true needs() {
        req approval_id: Name,
        req approver: Name,
        req decision: Name,
        opt opened_at: Timestamp,
        opt decided_at: Timestamp,
        opt shown_digest: Name,
        opt action_digest: Name,
    }

    /// An agent fetched a page.
    AgenticWeb AgentWebFetch "agent_web_fetch" needs(Agent) {
        req url: Text,
        opt method: Name,
        opt accept_header: Text,
        opt response_content_type: Text,
        opt status_code: i64,
        opt content_hash: Name,
        opt domain: Name,
        opt response_size: i64,
    }
    /// An agent read a site's llms.txt.
    AgenticWeb LlmsTxtAccess "llms_txt_access" needs() {
        req domain: Name,
        opt endpoint_url: Text as "url",
        opt content_hash: Name,
        opt response_size: i64,
    }
    /// An agent took in a markdown page.
    AgenticWeb AgentMarkdownIngest "agent_markdown_ingest" needs(Agent) {
        req content: Text,
        opt source_url: Text,
        opt domain: Name,
        opt content_hash: Name,
        opt content_length: i64,
        opt endpoint_type: Name,
    }
    /// An agent paid.
    AgenticWeb AgentPayment "agent_payment" needs(Agent) {
        req amount: f64,
        req recipient: Name,
        opt currency: Name,
        opt protocol: Name,
        opt merchant_id: Name,
        opt network: Name,
        opt delegated_by: Name,
        opt spending_limit: f64,
        opt wallet_id: Name,
    }
    /// A payment by HTTP 402.
    AgenticWeb X402Payment "x402_payment" needs() {
        req amount: f64,
        req recipient: Name,
        opt currency: Name,
        opt network: Name,
        opt status_code: i64,
        opt merchant_id: Name,
        opt wallet_id: Name,
        opt delegated_by: Name,
        opt spending_limit: f64,
    }

    /// A call to an AI service.
    AiServices AiApiCall "ai_api_call" needs() {
        req endpoint: Text,
        opt model: Name,
        opt user: Name,
        optt authorized: bool,
    }
    /// A call to a language model.
    AiServices LlmApiCall "llm_api_call" needs() {
        req endpoint: Text,
        opt model: Name,
        opt user: Name,
        optt authorized: bool,
    }
    /// A model ran.
    AiServices ModelInference "model_inference" needs() {
        req endpoint: Text,
        opt model: Name,
        opt user: Name,
        optt authorized: bool,
    }
    /// What a model was asked.
    AiServices LlmInput "llm_input" needs() {
        req prompt: Text,
    }
    /// What a model answered.
    AiServices LlmOutput "llm_output" needs() {
        req output: Text,
    }
    /// What it cost.
    AiServices LlmTokenUsage "llm_token_usage" needs(User) {
        req tokens_used: i64,
    }
    /// What was retrieved for a prompt.
    AiServices RagRetrieval "rag_retrieval" needs() {
        req query: Text,
        opt retrieved_content: Text,
        opt sources: Texts,
    }
    /// A connection to somewhere.
    AiServices NetworkRequest "network_request" needs() {
        req dest_host: Name,
        opt dest_port: i64,
        opt method: Name,
        opt bytes_out: i64,
    }
}

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

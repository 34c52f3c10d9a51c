//! The kinds of the contract, version 1.0, as one table.

use super::field::{Chain, Text, Texts};
use super::spec::{Category, Custom, FieldSpec, KindSpec, Need};
use super::values::{Json, Statement};
use crate::id::{AccountId, AgentId, AppId, DelegationId, ExchangeId, Name, UserId};
use crate::scope::ScopeSet;
use crate::secret::Thumbprint;
use crate::time::Timestamp;

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
    /// A provider token was used on a connected account. Who used it must be named: a use by nobody is no use to judge.
    TokenVault ConnectedAccountUsage "connected_account_usage" needs(Agent User Connection) {
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

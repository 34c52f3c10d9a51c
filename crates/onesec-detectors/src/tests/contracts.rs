//! The contract, for every detector.

use onesec_testkit::contract;

use crate::*;

fn settings() -> Settings {
    Settings::default()
}

contract!(agent_web_access, AgentWebAccess::new(settings().web));
contract!(cascading_failure, CascadingFailure::new());
contract!(confused_deputy, ConfusedDeputy::new());
contract!(consent_phishing, ConsentPhishing::new(settings().catalogue, settings().consent));
contract!(delegation_chain, DelegationChain::new());
contract!(exchange_rate, ExchangeRate::new());
contract!(goal_hijack, GoalHijack::new());
contract!(inter_agent_spoofing, InterAgentSpoofing::new(true));
contract!(memory_poisoning, MemoryPoisoning::new());
contract!(over_scoped_token, OverScopedToken::new(settings().catalogue));
contract!(revoked_access, RevokedAccess::new());
contract!(rogue_agent, RogueAgent::new(settings().rogue));
contract!(scope_escalation, ScopeEscalation::new(settings().catalogue));
contract!(tool_integrity, ToolIntegrity::new());
contract!(trust_exploitation, TrustExploitation::new());
contract!(tool_misuse, ToolMisuse::new(settings().tools));
contract!(unexpected_execution, UnexpectedExecution::new());
contract!(unauthorized_agent, UnauthorizedAgent::new());
contract!(untrusted_claim, UntrustedClaim::new());
contract!(canary, Canary::new());
contract!(clock_step, ClockStep::new());
contract!(connection_fan_out, ConnectionFanOut::new(settings().connections));
contract!(dormant_agent, DormantAgent::new(settings().catalogue, settings().waking_burst));
contract!(exchange_probing, ExchangeProbing::new());
contract!(gateway_bypass, GatewayBypass::new());
contract!(new_network, NewNetwork::new());
contract!(refresh_reuse, RefreshReuse::new());
contract!(refresh_storm, RefreshStorm::new(settings().storm));
contract!(state_lost, StateLost::new());
contract!(tenant_change, TenantChange::new(Vec::new()));
contract!(token_sharing, TokenSharing::new());
contract!(unlinked_exchange, UnlinkedExchange::new());
contract!(user_fan_out, UserFanOut::new(settings().users));

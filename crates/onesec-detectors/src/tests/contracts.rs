//! The contract, for every detector.

use onesec_testkit::contract;

use crate::*;

fn settings() -> Settings {
    Settings::default()
}

contract!(confused_deputy, ConfusedDeputy::new());
contract!(consent_phishing, ConsentPhishing::new(settings().catalogue, settings().consent));
contract!(delegation_chain, DelegationChain::new());
contract!(exchange_rate, ExchangeRate::new());
contract!(goal_hijack, GoalHijack::new());
contract!(memory_poisoning, MemoryPoisoning::new());
contract!(over_scoped_token, OverScopedToken::new(settings().catalogue));
contract!(revoked_access, RevokedAccess::new());
contract!(scope_escalation, ScopeEscalation::new(settings().catalogue));
contract!(tool_misuse, ToolMisuse::new(settings().tools));
contract!(unexpected_execution, UnexpectedExecution::new());
contract!(unauthorized_agent, UnauthorizedAgent::new());
contract!(untrusted_claim, UntrustedClaim::new());

//! The built-in detectors, one file each. They enter by the same door as yours: [`onesec_detector::Detector`].
//!
//! **What this is.** [`all`], the detectors that the server runs, and each of them by itself for those who embed one.
//!
//! **What it is not.** No state, no clock: every detector here holds its configuration and reads facts.
//!
//! ```
//! use onesec_detectors::{Settings, all};
//! let codes: Vec<&str> = all(&Settings::default()).iter().map(|d| d.descriptor().code).collect();
//! assert!(codes.contains(&"unauthorized-agent"));
//! ```
//!
//! **Invariants.** What a detector says depends on the record and its facts alone, and every finding names the record.
//!
//! **Where next.** `docs/detectors.md` tells what each sees and cannot see.

mod addresses;
mod agent_web_access;
mod canary;
mod cascading_failure;
mod clock_step;
mod confused_deputy;
mod connection_fan_out;
mod consent_phishing;
mod delegation_chain;
mod dormant_agent;
mod exchange_probing;
mod exchange_rate;
mod gateway_bypass;
mod goal_hijack;
mod inter_agent_spoofing;
mod memory_poisoning;
mod new_network;
mod over_scoped_token;
mod refresh_reuse;
mod refresh_storm;
mod revoked_access;
mod rogue_agent;
mod scope_escalation;
mod scopes;
mod settings;
mod state_lost;
mod tenant_change;
mod token_sharing;
mod tool_integrity;
mod tool_misuse;
mod trust_exploitation;
mod unauthorized_agent;
mod unexpected_execution;
mod unlinked_exchange;
mod untrusted_claim;
mod user_fan_out;
mod words;

use onesec_detector::Detector;

pub use agent_web_access::{AgentWebAccess, WebLimits};
pub use canary::Canary;
pub use cascading_failure::CascadingFailure;
pub use clock_step::ClockStep;
pub use confused_deputy::ConfusedDeputy;
pub use connection_fan_out::ConnectionFanOut;
pub use consent_phishing::{ConsentLimits, ConsentPhishing};
pub use delegation_chain::DelegationChain;
pub use dormant_agent::DormantAgent;
pub use exchange_probing::ExchangeProbing;
pub use exchange_rate::ExchangeRate;
pub use gateway_bypass::GatewayBypass;
pub use goal_hijack::GoalHijack;
pub use inter_agent_spoofing::InterAgentSpoofing;
pub use memory_poisoning::MemoryPoisoning;
pub use new_network::NewNetwork;
pub use over_scoped_token::OverScopedToken;
pub use refresh_reuse::RefreshReuse;
pub use refresh_storm::RefreshStorm;
pub use revoked_access::RevokedAccess;
pub use rogue_agent::{RogueAgent, RogueLimits};
pub use scope_escalation::ScopeEscalation;
pub use settings::Settings;
pub use state_lost::StateLost;
pub use tenant_change::TenantChange;
pub use token_sharing::TokenSharing;
pub use tool_integrity::ToolIntegrity;
pub use tool_misuse::{ToolLimits, ToolMisuse};
pub use trust_exploitation::TrustExploitation;
pub use unauthorized_agent::UnauthorizedAgent;
pub use unexpected_execution::UnexpectedExecution;
pub use unlinked_exchange::UnlinkedExchange;
pub use untrusted_claim::UntrustedClaim;
pub use user_fan_out::{UserFanOut, UserLimits};

/// Every built-in detector, set up by `settings`, in the order in which they judge.
#[must_use]
pub fn all(settings: &Settings) -> Vec<Box<dyn Detector>> {
    let catalogue = &settings.catalogue;
    vec![
        Box::new(RevokedAccess::new()),
        Box::new(ConfusedDeputy::new()),
        Box::new(UnauthorizedAgent::new()),
        Box::new(UnlinkedExchange::new()),
        Box::new(DelegationChain::new()),
        Box::new(ScopeEscalation::new(catalogue.clone())),
        Box::new(OverScopedToken::new(catalogue.clone())),
        Box::new(ExchangeRate::new()),
        Box::new(ConsentPhishing::new(catalogue.clone(), settings.consent)),
        Box::new(UntrustedClaim::new()),
        Box::new(TokenSharing::new()),
        Box::new(GatewayBypass::new()),
        Box::new(TenantChange::new(settings.tenant_provisioners.clone())),
        Box::new(RefreshReuse::new()),
        Box::new(ConnectionFanOut::new(settings.connections)),
        Box::new(UserFanOut::new(settings.users)),
        Box::new(ExchangeProbing::new()),
        Box::new(DormantAgent::new(catalogue.clone(), settings.waking_burst)),
        Box::new(NewNetwork::new()),
        Box::new(RefreshStorm::new(settings.storm)),
        Box::new(Canary::new()),
        Box::new(StateLost::new()),
        Box::new(ClockStep::new()),
        Box::new(GoalHijack::new()),
        Box::new(MemoryPoisoning::new()),
        Box::new(UnexpectedExecution::new()),
        Box::new(ToolMisuse::new(settings.tools.clone())),
        Box::new(ToolIntegrity::new()),
        Box::new(InterAgentSpoofing::new(settings.require_signatures)),
        Box::new(CascadingFailure::new()),
        Box::new(TrustExploitation::new()),
        Box::new(RogueAgent::new(settings.rogue.clone())),
        Box::new(AgentWebAccess::new(settings.web.clone())),
    ]
}

/// The stories that prove the detectors: `detector/name.yaml`, and what is in it. `onesec-testkit` runs them.
pub const SCENARIOS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));

#[cfg(test)]
mod tests;

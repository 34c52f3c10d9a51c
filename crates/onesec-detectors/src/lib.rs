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
mod cascading_failure;
mod confused_deputy;
mod consent_phishing;
mod delegation_chain;
mod exchange_rate;
mod goal_hijack;
mod inter_agent_spoofing;
mod memory_poisoning;
mod over_scoped_token;
mod revoked_access;
mod rogue_agent;
mod scope_escalation;
mod scopes;
mod settings;
mod tool_integrity;
mod tool_misuse;
mod trust_exploitation;
mod unauthorized_agent;
mod unexpected_execution;
mod untrusted_claim;
mod words;

use onesec_detector::Detector;

pub use agent_web_access::{AgentWebAccess, WebLimits};
pub use cascading_failure::CascadingFailure;
pub use confused_deputy::ConfusedDeputy;
pub use consent_phishing::{ConsentLimits, ConsentPhishing};
pub use delegation_chain::DelegationChain;
pub use exchange_rate::ExchangeRate;
pub use goal_hijack::GoalHijack;
pub use inter_agent_spoofing::InterAgentSpoofing;
pub use memory_poisoning::MemoryPoisoning;
pub use over_scoped_token::OverScopedToken;
pub use revoked_access::RevokedAccess;
pub use rogue_agent::{RogueAgent, RogueLimits};
pub use scope_escalation::ScopeEscalation;
pub use settings::Settings;
pub use tool_integrity::ToolIntegrity;
pub use tool_misuse::{ToolLimits, ToolMisuse};
pub use trust_exploitation::TrustExploitation;
pub use unauthorized_agent::UnauthorizedAgent;
pub use unexpected_execution::UnexpectedExecution;
pub use untrusted_claim::UntrustedClaim;

/// Every built-in detector, set up by `settings`, in the order in which they judge.
#[must_use]
pub fn all(settings: &Settings) -> Vec<Box<dyn Detector>> {
    let catalogue = &settings.catalogue;
    vec![
        Box::new(RevokedAccess::new()),
        Box::new(ConfusedDeputy::new()),
        Box::new(UnauthorizedAgent::new()),
        Box::new(DelegationChain::new()),
        Box::new(ScopeEscalation::new(catalogue.clone())),
        Box::new(OverScopedToken::new(catalogue.clone())),
        Box::new(ExchangeRate::new()),
        Box::new(ConsentPhishing::new(catalogue.clone(), settings.consent)),
        Box::new(UntrustedClaim::new()),
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

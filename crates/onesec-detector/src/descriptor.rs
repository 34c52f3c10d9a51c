//! What a detector says of itself.

use onesec_telemetry::Kind;

/// A group of detectors that can be switched off by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Module {
    /// Exchanges, accounts, delegations.
    TokenVault,
    /// Grants to applications.
    Consent,
    /// What agents do.
    AiContainment,
    /// Fetches and payments.
    AgenticWeb,
}

impl Module {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TokenVault, Self::Consent, Self::AiContainment, Self::AgenticWeb];

    /// The name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenVault => "token_vault",
            Self::Consent => "consent",
            Self::AiContainment => "ai_containment",
            Self::AgenticWeb => "agentic_web",
        }
    }
}

/// What happens to the kinds that a detector guards when it is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardClass {
    /// Requests of those kinds are refused: it must not be got round by breaking it.
    Closed,
    /// They go on without it, and somebody is told.
    Advisory,
}

/// What a detector says of itself: for the catalogue, for alerts, for the engine.
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// Stable code in kebab-case: configuration, API and alerts name it.
    pub code: &'static str,
    /// The module it is switched with.
    pub module: Module,
    /// One line, the title of its alerts.
    pub title: &'static str,
    /// OWASP ids, such as `ASI03` (Top 10 for Agentic Applications, 2026).
    pub owasp: &'static [&'static str],
    /// Standards and write-ups.
    pub references: &'static [&'static str],
    /// Kinds it reads; empty: every kind.
    pub kinds: &'static [Kind],
    /// Whether it is asked about people's commands, too, such as a decision on an approval.
    pub commands: bool,
    /// Novelty detectors judge milder while an entity is young. Never for authorisation, delegation or scopes.
    pub warm_up: bool,
    /// What happens when it is dead.
    pub guard: GuardClass,
    /// Whether it keeps no state of its own, so that questions can be put to it.
    pub stateless: bool,
    /// What it cannot see.
    pub blind_spot: &'static str,
    /// What to do about its alerts.
    pub mitigation: &'static str,
}

impl Descriptor {
    /// A descriptor with nothing but the necessary; set the public fields for more.
    #[must_use]
    pub const fn new(code: &'static str, module: Module, title: &'static str) -> Self {
        Self {
            code,
            module,
            title,
            owasp: &[],
            references: &[],
            kinds: &[],
            commands: false,
            warm_up: false,
            guard: GuardClass::Advisory,
            stateless: false,
            blind_spot: "",
            mitigation: "",
        }
    }

    /// Whether it reads records of this kind.
    #[must_use]
    pub fn reads(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}

//! What the catalogue says of a kind and its fields.

use compact_str::CompactString;
use serde_json::Value;

use super::kinds::Kind;

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

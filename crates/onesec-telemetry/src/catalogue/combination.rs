//! Scopes that are worse together.

use serde::{Deserialize, Serialize};

use super::data::Condition;
use super::{Catalogue, ProviderId, guess};
use crate::scope::{Scope, ScopeSet};

/// Scopes that together give a stranger more than a person means to give.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Combination {
    /// Stable name, such as `offline-mail`.
    pub name: String,
    /// One clause that says what they allow together.
    pub why: String,
    /// How bad it is by itself.
    pub severity: Severity,
    pub(super) provider: Option<ProviderId>,
    pub(super) all: Vec<Rule>,
}

/// How bad a combination is by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "there is nothing between them, and less is no combination")]
pub enum Severity {
    /// Worth a look.
    Medium,
    /// What consent phishing asks for.
    High,
}

/// A condition whose scopes have been checked.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    CoversAny(ScopeSet),
    Is(Condition),
}

impl Combination {
    pub(super) fn holds(&self, catalogue: &Catalogue, given: Option<ProviderId>, scopes: &ScopeSet) -> bool {
        let provider = self.provider.or(given);
        self.all.iter().all(|rule| match rule {
            Rule::CoversAny(wanted) => wanted.iter().any(|scope| catalogue.covers(provider, scopes, scope)),
            Rule::Is(Condition::Class(class)) => {
                scopes.iter().any(|scope| catalogue.classes(provider, scope).contains(*class))
            }
            Rule::Is(Condition::Words(words)) => scopes.iter().any(|scope| guess::has_word(scope.as_str(), words)),
            Rule::Is(Condition::Scopes(_)) => false, // became `CoversAny`
        })
    }
}

pub(super) fn rule(condition: &Condition) -> Result<Rule, crate::scope::ScopeError> {
    match condition {
        Condition::Scopes(scopes) => {
            scopes.iter().map(|scope| Scope::new(scope)).collect::<Result<ScopeSet, _>>().map(Rule::CoversAny)
        }
        Condition::Class(_) | Condition::Words(_) => Ok(Rule::Is(condition.clone())),
    }
}

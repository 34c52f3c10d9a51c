//! Mandates: what a task, or an agent where its task says nothing, is there to do.

use serde::{Deserialize, Serialize};

use crate::id::{ConnectionName, Name};

/// A kind of act, ascending by the harm that it can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever judges an act must judge every class of it")]
pub enum ActionClass {
    /// Looks at something.
    Read,
    /// Creates or changes something.
    Write,
    /// Speaks to somebody, or hands data to somebody.
    Send,
    /// Destroys something.
    Delete,
    /// Spends money.
    Pay,
    /// Runs code or commands, starts agents.
    Execute,
}

impl ActionClass {
    /// All of them, ascending.
    pub const ALL: [Self; 6] = [Self::Read, Self::Write, Self::Send, Self::Delete, Self::Pay, Self::Execute];

    /// The wire form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Send => "send",
            Self::Delete => "delete",
            Self::Pay => "pay",
            Self::Execute => "execute",
        }
    }

    /// From the wire form, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str().eq_ignore_ascii_case(name.trim()))
    }

    /// Whether it destroys, speaks, pays or runs something: what cannot be taken back.
    #[must_use]
    pub const fn is_grave(self) -> bool {
        matches!(self, Self::Send | Self::Delete | Self::Pay | Self::Execute)
    }
}

/// A set of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionSet(u8);

impl ActionSet {
    /// None.
    pub const EMPTY: Self = Self(0);

    /// With one more.
    #[must_use]
    pub const fn with(self, class: ActionClass) -> Self {
        Self(self.0 | 1 << class as u8)
    }

    /// Whether it is in the set.
    #[must_use]
    pub const fn contains(self, class: ActionClass) -> bool {
        self.0 & (1 << class as u8) != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What of it is not in `allowed`.
    #[must_use]
    pub const fn beyond(self, allowed: Self) -> Self {
        Self(self.0 & !allowed.0)
    }

    /// All of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// One after the other, ascending.
    pub fn iter(self) -> impl Iterator<Item = ActionClass> {
        ActionClass::ALL.into_iter().filter(move |class| self.contains(*class))
    }

    /// The one that can do most harm.
    #[must_use]
    pub fn gravest(self) -> Option<ActionClass> {
        self.iter().last()
    }
}

impl FromIterator<ActionClass> for ActionSet {
    fn from_iter<I: IntoIterator<Item = ActionClass>>(classes: I) -> Self {
        classes.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// What an agent may do in tasks that state nothing themselves. What is absent is not bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mandate {
    /// The only tools; a trailing `*` stands for any ending.
    #[serde(default)]
    pub tools: Option<Vec<Name>>,
    /// The only connections.
    #[serde(default)]
    pub connections: Option<Vec<ConnectionName>>,
    /// The only kinds of act.
    #[serde(default)]
    pub actions: Option<Vec<ActionClass>>,
}

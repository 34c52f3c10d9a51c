//! What a scope allows, and how much harm that can do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of thing that a scope allows, in ascending order of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "whoever judges a class must judge every class")]
pub enum Class {
    /// Who the person is.
    Identity,
    /// Reading data.
    Read,
    /// Access while the person is away (a refresh token).
    Offline,
    /// Creating or changing data.
    Write,
    /// Speaking in the name of the person.
    Send,
    /// Destroying data for good.
    Delete,
    /// Accounts, rights, or the data of other people.
    Admin,
}

impl Class {
    /// Every class, in ascending order of power.
    pub const ALL: [Self; 7] =
        [Self::Identity, Self::Read, Self::Offline, Self::Write, Self::Send, Self::Delete, Self::Admin];

    /// The name in the data file and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Read => "read",
            Self::Offline => "offline",
            Self::Write => "write",
            Self::Send => "send",
            Self::Delete => "delete",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of classes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ClassSet(u8);

impl ClassSet {
    /// The set of nothing.
    pub const EMPTY: Self = Self(0);

    /// The set with one more class.
    #[must_use]
    pub const fn with(self, class: Class) -> Self {
        Self(self.0 | 1 << class as u8)
    }

    /// All of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the class is among them.
    #[must_use]
    pub const fn contains(self, class: Class) -> bool {
        self.0 & 1 << class as u8 != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The most powerful class.
    #[must_use]
    pub fn highest(self) -> Option<Class> {
        self.iter().last()
    }

    /// Whether nothing but identity and reading is among them: all that a baseline may learn by itself.
    #[must_use]
    pub const fn is_passive(self) -> bool {
        self.0 & !Self::EMPTY.with(Class::Identity).with(Class::Read).0 == 0
    }

    /// Whether it can write, send, delete or administer.
    #[must_use]
    pub fn can_act(self) -> bool {
        self.highest().is_some_and(|class| class >= Class::Write)
    }

    /// In ascending order of power.
    pub fn iter(self) -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().filter(move |class| self.contains(*class))
    }
}

impl FromIterator<Class> for ClassSet {
    fn from_iter<I: IntoIterator<Item = Class>>(classes: I) -> Self {
        classes.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Display for ClassSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, class) in self.iter().enumerate() {
            write!(f, "{}{class}", if i == 0 { "" } else { "+" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for ClassSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

/// How much harm a scope can do in the wrong hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "whoever judges a risk must judge every risk")]
pub enum Risk {
    /// Hardly any.
    Low,
    /// Private but limited data, or small changes.
    Medium,
    /// Mail, files, conversations; speaking for the person.
    High,
    /// Everything of a person, or something of everybody.
    Critical,
}

impl Risk {
    /// What an unknown scope of these classes is worth.
    #[must_use]
    pub fn of_classes(classes: ClassSet) -> Self {
        match classes.highest() {
            Some(Class::Identity) => Self::Low,
            Some(Class::Read | Class::Offline) => Self::Medium,
            Some(Class::Write | Class::Send | Class::Delete) | None => Self::High,
            Some(Class::Admin) => Self::Critical,
        }
    }
}

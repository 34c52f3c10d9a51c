//! What the edge found in the free text of an event. Texts are scored once, before the record is made; the result is
//! part of the record, so that replay needs no model.

use serde::{Deserialize, Serialize};

use crate::id::Name;

/// Texts of one event that say something, strongest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TextScore {
    /// Version of weights and patterns.
    pub model: u16,
    /// At most [`MAX_TEXT_PARTS`](crate::limits::MAX_TEXT_PARTS), strongest first.
    pub parts: Vec<TextPart>,
}

/// One text of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextPart {
    /// JSON pointer into `details`, such as `/content`.
    pub field: Name,
    /// At which strictness it counts as an instruction.
    pub reach: Reach,
    /// 0 to 1000.
    pub value: u16,
    /// What is in it.
    pub signals: TextSignals,
    /// Where, strongest first.
    pub spans: Vec<TextSpan>,
    /// It was too long to be read whole.
    pub sampled: bool,
    /// Its length in bytes.
    pub len: u32,
}

/// A place in a text, and what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextSpan {
    /// First byte.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
    /// What it is.
    pub why: TextSignal,
    /// Its share, 0 to 1000.
    pub weight: u16,
}

/// How certain it is that a text tries to instruct an agent, as the strictness at which it counts. Ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "one threshold per strictness, and there are three")]
pub enum Reach {
    /// At none.
    #[default]
    None,
    /// Where `strict` is asked for.
    Strict,
    /// At the usual strictness.
    Standard,
    /// Even where `lenient` is asked for: hardly a doubt.
    Lenient,
}

impl Reach {
    /// `none`, `strict`, `standard` or `lenient`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Strict => "strict",
            Self::Standard => "standard",
            Self::Lenient => "lenient",
        }
    }
}

/// What a text does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TextSignal {
    /// Sets earlier instructions aside, announces new ones, or gives the agent another role.
    Override,
    /// A standing instruction or a trigger: "from now on always…", "whenever…, do…".
    Standing,
    /// Claims the authority of an administrator, developer, system or policy, or that permission was given.
    Authority,
    /// Asks for secrets, data or the prompt to be shown or sent somewhere.
    Exfiltration,
    /// Touches tokens, passwords, scopes, permissions.
    Credentials,
    /// Hides something from the person.
    Concealment,
    /// Hidden from the person's eye: invisible characters, encodings, comments.
    Hidden,
    /// Presses for haste or attention.
    Urgency,
    /// Says that money goes to another account from now on.
    PaymentChange,
    /// Has a tool called, or a command or code run.
    Tool,
    /// Has a link followed, or something downloaded and run.
    Fetch,
    /// The linear model alone.
    Model,
}

impl TextSignal {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Override,
        Self::Standing,
        Self::Authority,
        Self::Exfiltration,
        Self::Credentials,
        Self::Concealment,
        Self::Hidden,
        Self::Urgency,
        Self::PaymentChange,
        Self::Tool,
        Self::Fetch,
        Self::Model,
    ];

    /// The wire form, such as `payment-change`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Override => "override",
            Self::Standing => "standing",
            Self::Authority => "authority",
            Self::Exfiltration => "exfiltration",
            Self::Credentials => "credentials",
            Self::Concealment => "concealment",
            Self::Hidden => "hidden",
            Self::Urgency => "urgency",
            Self::PaymentChange => "payment-change",
            Self::Tool => "tool",
            Self::Fetch => "fetch",
            Self::Model => "model",
        }
    }
}

/// A set of signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TextSignals(u16);

impl TextSignals {
    /// None.
    pub const EMPTY: Self = Self(0);

    /// From [`TextSignals::bits`]; what is no signal is dropped.
    #[must_use]
    pub const fn from_bits_truncate(bits: u16) -> Self {
        Self(bits & ((1 << TextSignal::ALL.len()) - 1))
    }

    /// As bits, in the order of [`TextSignal::ALL`].
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Adds one.
    pub const fn insert(&mut self, signal: TextSignal) {
        self.0 |= 1 << signal as u16;
    }

    /// Whether it is there.
    #[must_use]
    pub const fn contains(self, signal: TextSignal) -> bool {
        self.0 & (1 << signal as u16) != 0
    }

    /// All of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the words override, claim authority, ask for data, secrets or money, or hide: what an agent should never
    /// take from others as a standing order.
    #[must_use]
    pub const fn is_grave(self) -> bool {
        self.contains(TextSignal::Override)
            || self.contains(TextSignal::Authority)
            || self.contains(TextSignal::Exfiltration)
            || self.contains(TextSignal::Credentials)
            || self.contains(TextSignal::Concealment)
            || self.contains(TextSignal::Hidden)
            || self.contains(TextSignal::PaymentChange)
    }

    /// One after the other.
    pub fn iter(self) -> impl Iterator<Item = TextSignal> {
        TextSignal::ALL.into_iter().filter(move |signal| self.contains(*signal))
    }
}

impl FromIterator<TextSignal> for TextSignals {
    fn from_iter<I: IntoIterator<Item = TextSignal>>(signals: I) -> Self {
        let mut set = Self::EMPTY;
        signals.into_iter().for_each(|signal| set.insert(signal));
        set
    }
}

impl TextScore {
    /// The furthest that any of the texts reaches.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.parts.iter().map(|part| part.reach).max().unwrap_or_default()
    }

    /// What is in the texts that count from `least` on.
    #[must_use]
    pub fn signals(&self, least: Reach) -> TextSignals {
        let counting = self.parts.iter().filter(|part| part.reach >= least);
        counting.fold(TextSignals::EMPTY, |all, part| all.union(part.signals))
    }
}

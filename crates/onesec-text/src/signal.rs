//! What a score is made of: the kinds of evidence a text can show.

/// One kind of evidence that a text gives orders to an agent.
///
/// Closed on purpose: whoever decides by signals must be made to think about a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Signal {
    /// Sets earlier instructions aside, announces new ones, or gives the agent another role.
    Override = 0,
    /// A standing instruction or a trigger: "from now on always…", "whenever…, do…".
    Standing = 1,
    /// Claims the authority of an administrator, developer, system or policy, or that permission was given.
    Authority = 2,
    /// Asks for secrets, data or the prompt to be shown or sent somewhere.
    Exfiltration = 3,
    /// Touches tokens, passwords, scopes or permissions.
    Credentials = 4,
    /// Asks for something to be kept from the user.
    Concealment = 5,
    /// Stands in characters nobody sees, in an encoding, or in a comment.
    Hidden = 6,
    /// Presses for haste or attention.
    Urgency = 7,
    /// Says that money goes to another account from now on.
    PaymentChange = 8,
    /// Has a tool called, or a command or code run.
    Tool = 9,
    /// Has a link followed, or something downloaded and run.
    Fetch = 10,
    /// The linear model alone.
    Model = 11,
}

impl Signal {
    /// Every signal, in the order of its bit.
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

    /// Its name in configuration, API and documents: lower case, words joined by `-`.
    #[must_use]
    pub const fn name(self) -> &'static str {
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

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of [`Signal`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Signals(u16);

impl Signals {
    /// No signal.
    pub const EMPTY: Self = Self(0);

    /// The set whose bits are `bits`; bits without a signal are dropped.
    #[must_use]
    pub const fn from_bits_truncate(bits: u16) -> Self {
        Self(bits & ((1 << Signal::ALL.len()) - 1))
    }

    /// One bit per signal, the first signal lowest. Stable: it is stored.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `signal` is one of them.
    #[must_use]
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & signal.bit() != 0
    }

    /// Adds `signal`.
    pub const fn insert(&mut self, signal: Signal) {
        self.0 |= signal.bit();
    }

    /// Those it has, in the order of [`Signal::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        Signal::ALL.into_iter().filter(move |signal| self.contains(*signal))
    }
}

impl FromIterator<Signal> for Signals {
    fn from_iter<I: IntoIterator<Item = Signal>>(signals: I) -> Self {
        let mut set = Self::EMPTY;
        signals.into_iter().for_each(|signal| set.insert(signal));
        set
    }
}

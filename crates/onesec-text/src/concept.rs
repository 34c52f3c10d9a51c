//! What words mean to the rules: groups of words of any language, one bit each.

macro_rules! concepts {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// A group of words that mean the same to the rules.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[expect(clippy::upper_case_acronyms, reason = "spelled as in the lexicon files")]
        pub(crate) enum Concept { $($(#[doc = $doc])+ $name,)+ }

        impl Concept {
            /// The concept that a line of a lexicon names.
            pub(crate) fn named(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)+
                    _ => None,
                }
            }
        }
    };
}

concepts! {
    /// Setting aside: ignore, disregard, forget. An imperative.
    IGNORE,
    /// Said of instructions: no longer apply, are void.
    VOID,
    /// Which instructions: previous, above, all, your.
    PRIOR,
    /// Instructions, rules, guidelines.
    INSTR,
    /// Everything before: "everything above", "what you were told".
    ALLPRIOR,
    /// New, following, additional.
    NEW,
    /// Task, goal, objective.
    TASK,
    /// Announces a task for the reader: "your new task is".
    NEWTASK,
    /// Important, critical, mandatory.
    IMPORTANT,
    /// Stop, attention, wait.
    STOP,
    /// Follow, obey, comply with. An imperative.
    FOLLOW,
    /// Show, print, repeat. An imperative.
    REVEAL,
    /// The system prompt, hidden instructions.
    PROMPT,
    /// The system prompt of the reader, whatever is done with it.
    YOURPROMPT,
    /// Send, forward, upload. An imperative.
    SEND,
    /// Showing word for word: repeat, recite.
    RECITE,
    /// What stands before: "the text above".
    ABOVE,
    /// Passwords, keys, tokens.
    SECRET,
    /// The conversation, the context, private data of the user.
    CONVO,
    /// An address on the network.
    DEST,
    /// Files that hold secrets.
    FILE,
    /// Another role: "you are now", "act as".
    BECOME,
    /// Without rules: unrestricted, jailbroken, uncensored.
    FREE,
    /// Safety, filters, restrictions.
    GUARD,
    /// Switching off: disable, bypass. An imperative.
    DISABLE,
    /// From now on, always, in future.
    ALWAYS,
    /// When the user asks, if anyone mentions.
    TRIGGER,
    /// Remember that, store in memory.
    REMEMBER,
    /// You, your.
    YOU,
    /// Assistant, agent, model.
    AI,
    /// Your response, your answer.
    REPLY,
    /// An answer as machines give it; people give a reply.
    ANSWER,
    /// Putting something into an answer. An imperative.
    WEAVE,
    /// Changing the form of an answer: translate, encode, rewrite. An imperative.
    SHAPE,
    /// Adding to an answer: include, mention, append. An imperative.
    ADD,
    /// What is added to an answer: a sentence, a link, the phrase.
    CONTENT,
    /// Keeping quiet: do not mention, secretly.
    HIDE,
    /// Keeping quiet towards the user, in one phrase.
    HIDEUSER,
    /// Done so that nobody sees: silently, secretly.
    SLY,
    /// The user, the customer, people.
    USER,
    /// Administrator, developer, security team.
    ADMIN,
    /// "I am the administrator", "this is a message from the developers".
    IAMADMIN,
    /// Authorised, approved, lifted.
    GRANT,
    /// Switched off: lifted, suspended.
    LIFTED,
    /// Immediately, urgent.
    URGENT,
    /// "Your account will be closed".
    THREAT,
    /// Bank details, account number.
    BANK,
    /// Have changed, have been updated.
    CHANGED,
    /// Our, my.
    OUR,
    /// Pay, transfer, wire. An imperative.
    PAY,
    /// Run, execute, call. An imperative.
    RUN,
    /// A tool, function, command, script.
    TOOL,
    /// Code that fetches and runs or destroys.
    CODE,
    /// Visit, open, download. An imperative.
    FETCH,
    /// Say, answer. An imperative.
    SAY,
    /// Only, exactly, nothing else.
    ONLY,
    /// Instead.
    INSTEAD,
    /// Without, skip.
    WITHOUT,
    /// Confirmation, approval.
    CONFIRM,
    /// Give, grant, allow. An imperative.
    GIVE,
    /// Access, permissions, scopes, roles.
    PERM,
    /// Marks that end the data or begin a turn: `<|im_start|>`, `[system]`.
    MARK,
    /// "Before using this tool".
    BEFORE,
    /// Must, have to.
    MUST,
    /// Not, never, before a verb.
    NEG,
    /// Not, after a verb.
    NEGAFTER,
    /// Somebody else does it: they, we, attackers.
    SUBJECT,
    /// Talk about attacks: prompt injection, attackers, phishing.
    TALK,
    /// Introduces a quotation: says, such as, the phrase.
    QUOTE,
    /// A question or a wish to understand: how, what, explain.
    ASK,
    /// What the agent was told before, and the place where that stands: "what you were given", "the paragraph above".
    TOLD,
    /// A way to tell a word without writing it: backwards, letter by letter, a hint.
    SPELL,
    /// What an agent is often told to keep: "the secret word", "the access code".
    KEYWORD,
    /// "Access granted", which some agents are told to keep as well.
    GRANTED,
    /// No refusal: "never break character", "do not apologise".
    NOREFUSE,
    /// A copy for somebody: "in bcc", "a copy of each".
    COPY,
    /// Automatically, without exception.
    AUTO,
    /// The parameter of an address that takes what is added: `?q=`, `={`.
    QUERY,
    /// What loads an address when it is shown: an image, a style sheet, a link.
    PICTURE,
    /// What is to be put into something: "followed by", "replace TEXT".
    PUT,
    /// Fiction and thought experiments: imagine, hypothetical, novel.
    FICTION,
    /// The limits that the agent itself has: "your guidelines", "your safety training".
    OWNGUARD,
    /// Words addressed to a machine in what people write to each other: "note to AI", "if your agent".
    NOTEAI,
    /// What such a note may ask for: rank, approve, reply. An imperative.
    ACTON,
    /// What hides text on a page: `display:none`, `font-size:0`.
    UNSEEN,
    /// The one order that is to count: "this directive alone".
    THISONE,
    /// What is said to have been agreed before: "in our previous session", "you acknowledged".
    AGREED,
    /// Where an agent finds what it is asked for: "your environment", "that you can see".
    INREACH,
    /// A word of English, whose verbs look like its nouns: only their place tells an order.
    ENGLISH,
}

impl Concept {
    /// The set with this concept alone.
    pub(crate) const fn mask(self) -> u128 {
        1 << self as u128
    }
}

/// The set of `concepts`.
pub(crate) const fn any(concepts: &[Concept]) -> u128 {
    let mut mask = 0;
    let mut rest = concepts;
    while let [first, others @ ..] = rest {
        mask |= first.mask();
        rest = others;
    }
    mask
}

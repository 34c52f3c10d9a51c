//! Which concepts together, and how near to each other, are evidence of what.
//!
//! Rules know no language: words are the business of the lexicon. A weight says how likely a text that confirms the
//! rule gives orders to an agent, in thousandths; [`Strictness`](crate::Strictness) draws the line.

use crate::Signal;
use crate::concept::{Concept, Concept::*, any};

/// Evidence if each of `needs` is found within `near` bytes of the first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) signal: Signal,
    pub(crate) weight: u16,
    pub(crate) near: usize,
    /// The first is the core: its place decides whether it is quoted, or talked about.
    pub(crate) needs: &'static [u128],
    /// Whether the words must stand in the order of `needs`.
    pub(crate) order: Order,
}

/// The order of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// None.
    Free,
    /// That of the rule where the core is English, whose verbs stand before their objects.
    English,
    /// That of the rule.
    Given,
}

const fn rule(signal: Signal, weight: u16, near: usize, needs: &'static [u128]) -> Rule {
    Rule { signal, weight, near, needs, order: Order::Free }
}

const fn ordered(signal: Signal, weight: u16, near: usize, needs: &'static [u128]) -> Rule {
    Rule { signal, weight, near, needs, order: Order::Given }
}

const fn verb_first(signal: Signal, weight: u16, near: usize, needs: &'static [u128]) -> Rule {
    Rule { signal, weight, near, needs, order: Order::English }
}

const fn one(concept: Concept) -> u128 {
    concept.mask()
}

const DO: u128 = any(&[SEND, RUN, REVEAL, PAY, FETCH, GIVE, DISABLE, IGNORE, SAY, SHAPE, ADD, FOLLOW]);
/// What a trigger may set off; a user who clicks is everywhere.
const ACT: u128 = any(&[SEND, RUN, REVEAL, PAY, GIVE, DISABLE, IGNORE, ADD, FOLLOW]);
/// Verbs that do harm when obeyed.
pub(crate) const HARM: u128 = any(&[SEND, RUN, PAY, GIVE, DISABLE, IGNORE, FETCH]);
const PRIVATE: u128 = any(&[SECRET, PROMPT, CONVO, FILE]);
const LOUD: u128 = any(&[IMPORTANT, URGENT, STOP]);

/// Verbs that count only where they are orders: not denied, and not said of somebody else.
pub(crate) const VERBS: u128 =
    any(&[IGNORE, REVEAL, SEND, SAY, RUN, FETCH, DISABLE, PAY, SHAPE, ADD, GIVE, FOLLOW, REMEMBER, WEAVE, ACTON]);

/// What the cores of all rules are made of: a sentence without any of it confirms none.
pub(crate) const CORES: u128 = {
    let (mut mask, mut rules) = (0, RULES);
    while let [rule, rest @ ..] = rules {
        if let [core, ..] = rule.needs {
            mask |= *core;
        }
        rules = rest;
    }
    mask
};

/// The core of each rule, side by side: most sentences begin no rule, and are through with these.
#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
pub(crate) static CORE_OF: [u128; RULES.len()] = {
    let (mut cores, mut nth) = ([0; RULES.len()], 0);
    while nth < RULES.len() {
        cores[nth] = RULES[nth].needs[0];
        nth += 1;
    }
    cores
};

/// Every rule.
pub(crate) const RULES: &[Rule] = &[
    // Setting aside what was said before.
    rule(Signal::Override, 820, 60, &[one(IGNORE), one(INSTR), one(PRIOR)]),
    rule(Signal::Override, 470, 60, &[one(VOID), one(INSTR), one(PRIOR)]),
    rule(Signal::Override, 640, 89, &[one(VOID), any(&[INSTR, TASK]), any(&[AI, YOU, FOLLOW, ONLY])]),
    rule(Signal::Override, 560, 110, &[one(THISONE), any(&[IGNORE, VOID]), any(&[ALLPRIOR, INSTR, TASK])]),
    rule(Signal::Override, 520, 110, &[one(THISONE), any(&[ALLPRIOR, IGNORE]), any(&[YOU, ONLY, FOLLOW])]),
    rule(Signal::Override, 540, 89, &[one(VOID), one(INSTR), one(ALWAYS)]),
    rule(Signal::Override, 540, 140, &[one(AGREED), any(&[GUARD, FREE]), any(&[YOU, AI])]),
    rule(Signal::Override, 700, 50, &[one(IGNORE), one(PROMPT)]),
    rule(Signal::Override, 340, 36, &[one(IGNORE), one(INSTR)]),
    rule(Signal::Override, 600, 36, &[one(IGNORE), one(ALLPRIOR)]),
    rule(Signal::Override, 640, 60, &[any(&[IGNORE, DISABLE]), one(GUARD), any(&[YOU, AI])]),
    rule(Signal::Override, 400, 40, &[any(&[IGNORE, DISABLE]), one(GUARD)]),
    rule(Signal::Override, 640, 30, &[any(&[IGNORE, DISABLE]), one(OWNGUARD)]),
    rule(Signal::Override, 560, 60, &[one(OWNGUARD), one(VOID)]),
    rule(Signal::Override, 620, 90, &[one(IGNORE), any(&[ALLPRIOR, TASK, INSTR]), one(INSTEAD)]),
    // New instructions.
    rule(Signal::Override, 560, 0, &[one(NEWTASK)]),
    rule(Signal::Override, 400, 50, &[one(NEW), one(INSTR), LOUD]),
    rule(Signal::Override, 320, 50, &[one(NEW), one(TASK), LOUD]),
    rule(Signal::Override, 460, 90, &[one(INSTR), one(URGENT), one(IMPORTANT), any(&[YOU, STOP])]),
    rule(Signal::Override, 560, 110, &[one(NEW), any(&[INSTR, TASK]), one(IMPORTANT), any(&[URGENT, STOP])]),
    rule(Signal::Override, 540, 110, &[one(NEW), any(&[INSTR, TASK]), LOUD, one(YOU)]),
    rule(Signal::Override, 380, 60, &[one(NEW), one(INSTR), any(&[YOU, FOLLOW])]),
    rule(Signal::Override, 360, 90, &[any(&[INSTR, TASK]), one(URGENT), any(&[STOP, FOLLOW, IMPORTANT])]),
    // Another role, without rules.
    rule(Signal::Override, 720, 300, &[one(BECOME), one(FREE)]),
    rule(Signal::Override, 420, 60, &[one(BECOME), one(ALWAYS)]),
    rule(Signal::Override, 180, 0, &[one(BECOME)]),
    rule(Signal::Override, 440, 60, &[one(FREE), one(AI)]),
    rule(Signal::Override, 520, 60, &[one(FREE), any(&[LIFTED, GUARD, INSTR]), any(&[AI, YOU, MARK, ADMIN])]),
    rule(Signal::Override, 420, 60, &[one(FREE), one(YOU)]),
    // Marks that pretend that the data ends here.
    rule(Signal::Override, 300, 0, &[one(MARK)]),
    rule(Signal::Override, 640, 200, &[one(MARK), DO | any(&[FREE, GRANT, LIFTED, BECOME, NEWTASK])]),
    ordered(Signal::Override, 560, 90, &[one(NOTEAI), DO | any(&[ACTON])]),
    rule(Signal::Override, 540, 90, &[one(NOTEAI), any(&[VOID, LIFTED])]),
    rule(Signal::Override, 560, 120, &[one(UNSEEN), one(AI), DO | any(&[ACTON])]),
    // Telling the answer what to be.
    ordered(Signal::Override, 540, 32, &[one(SHAPE), one(REPLY)]),
    rule(Signal::Override, 560, 60, &[one(ADD), one(REPLY), one(CONTENT)]),
    verb_first(Signal::Override, 510, 50, &[one(WEAVE), one(ANSWER)]),
    rule(Signal::Override, 380, 50, &[one(ADD), one(REPLY)]),
    rule(Signal::Override, 360, 24, &[one(SAY), one(ONLY)]),
    rule(Signal::Override, 540, 60, &[one(SAY), one(CONTENT), one(ONLY)]),
    rule(Signal::Override, 540, 120, &[one(SAY), one(ONLY), any(&[IGNORE, INSTEAD, ALWAYS, TRIGGER])]),
    rule(
        Signal::Override,
        460,
        90,
        &[one(INSTEAD), any(&[SAY, REVEAL, SEND, RUN]), any(&[YOU, AI, ALLPRIOR, INSTR, USER])],
    ),
    // Refusing to refuse.
    rule(Signal::Override, 600, 200, &[one(NOREFUSE), one(FREE)]),
    rule(Signal::Override, 540, 120, &[one(NOREFUSE), one(NOREFUSE)]),
    rule(Signal::Override, 520, 120, &[one(NOREFUSE), any(&[GUARD, BECOME]), any(&[YOU, AI])]),
    // The answer that a game with access codes is about.
    verb_first(Signal::Override, 540, 40, &[any(&[SAY, REVEAL, RECITE]), one(GRANTED)]),
    rule(Signal::Override, 540, 120, &[one(SAY), one(KEYWORD), any(&[ALWAYS, TRIGGER, IGNORE, MARK, BECOME])]),
    rule(Signal::Override, 520, 120, &[one(GRANTED), any(&[IGNORE, ONLY, INSTEAD, BECOME, MARK])]),
    // Standing orders and triggers.
    ordered(Signal::Standing, 560, 160, &[one(TRIGGER), ACT, any(&[YOU, AI, REPLY, ONLY, ALWAYS, SECRET, DEST, HIDE])]),
    rule(Signal::Standing, 400, 120, &[one(TRIGGER), ACT]),
    rule(Signal::Standing, 540, 120, &[one(ALWAYS), DO, one(REPLY)]),
    rule(Signal::Standing, 420, 90, &[one(ALWAYS), ACT, one(AI)]),
    rule(Signal::Standing, 540, 120, &[one(ALWAYS), one(TRIGGER), ACT]),
    rule(Signal::Standing, 340, 90, &[one(ALWAYS), DO]),
    rule(
        Signal::Standing,
        600,
        120,
        &[any(&[ALWAYS, TRIGGER, REMEMBER]), any(&[SEND, RUN, PAY, GIVE]), any(&[SECRET, CONVO, BANK])],
    ),
    rule(Signal::Standing, 600, 120, &[any(&[ALWAYS, TRIGGER, REMEMBER]), any(&[SEND, PAY]), one(DEST)]),
    rule(Signal::Standing, 560, 80, &[any(&[TRIGGER, REMEMBER]), any(&[GIVE, DISABLE, IGNORE]), one(PERM)]),
    rule(
        Signal::Standing,
        580,
        160,
        &[one(REMEMBER), any(&[GRANT, ADMIN, IAMADMIN]), any(&[AI, USER, PERM, GUARD, CONFIRM])],
    ),
    rule(Signal::Standing, 600, 160, &[any(&[REMEMBER, ALWAYS]), one(WITHOUT), one(CONFIRM)]),
    rule(Signal::Standing, 480, 120, &[one(REMEMBER), any(&[ALWAYS, TRIGGER]), DO]),
    rule(Signal::Standing, 580, 160, &[one(REMEMBER), one(GRANT), any(&[WITHOUT, ALWAYS, SECRET])]),
    rule(Signal::Standing, 420, 60, &[one(ALWAYS), one(GRANT), any(&[PERM, SECRET, WITHOUT])]),
    rule(Signal::Standing, 540, 160, &[one(REMEMBER), one(GRANT), one(AUTO)]),
    rule(Signal::Standing, 560, 160, &[any(&[REMEMBER, IAMADMIN]), one(LIFTED), any(&[CONFIRM, GUARD])]),
    rule(Signal::Standing, 600, 120, &[any(&[TRIGGER, REMEMBER]), one(COPY), one(DEST)]),
    rule(Signal::Standing, 460, 120, &[one(ALWAYS), one(COPY), one(DEST)]),
    rule(Signal::Standing, 520, 120, &[one(ALWAYS), any(&[ADD, FOLLOW, GIVE]), one(HIDE)]),
    rule(Signal::Standing, 160, 0, &[one(REMEMBER)]),
    // Authority.
    rule(Signal::Authority, 620, 160, &[one(IAMADMIN), any(&[DISABLE, REVEAL, IGNORE, GIVE, GRANT, RUN, SEND, GUARD])]),
    rule(Signal::Authority, 560, 140, &[one(IAMADMIN), one(WITHOUT), one(CONFIRM)]),
    rule(Signal::Authority, 360, 0, &[one(IAMADMIN)]),
    rule(Signal::Authority, 540, 140, &[one(GRANT), one(ADMIN), any(&[AI, GUARD])]),
    rule(Signal::Authority, 540, 140, &[one(GRANT), one(ADMIN), one(YOU), HARM | any(&[WITHOUT])]),
    rule(Signal::Authority, 560, 50, &[one(LIFTED), one(GUARD), any(&[ADMIN, AI, USER, YOU, PERM])]),
    verb_first(Signal::Authority, 540, 60, &[one(AI), one(GRANT), any(&[RUN, SEND, REVEAL, PAY, GIVE])]),
    rule(Signal::Authority, 440, 40, &[one(LIFTED), one(GUARD)]),
    rule(Signal::Authority, 560, 140, &[one(GRANT), any(&[YOU, AI]), one(WITHOUT), one(CONFIRM)]),
    // Asking for what is secret.
    verb_first(Signal::Exfiltration, 700, 50, &[one(REVEAL), one(PROMPT)]),
    ordered(Signal::Exfiltration, 540, 40, &[one(REVEAL), one(YOU), one(INSTR)]),
    rule(Signal::Exfiltration, 700, 160, &[one(SEND), PRIVATE, one(DEST)]),
    verb_first(Signal::Exfiltration, 600, 60, &[one(SEND), any(&[PROMPT, FILE])]),
    verb_first(Signal::Exfiltration, 440, 50, &[one(SEND), one(CONVO)]),
    verb_first(Signal::Exfiltration, 330, 50, &[any(&[SEND, REVEAL]), one(SECRET)]),
    rule(
        Signal::Exfiltration,
        560,
        80,
        &[any(&[SEND, REVEAL, FETCH]), PRIVATE, any(&[HIDE, TRIGGER, ALWAYS, IAMADMIN, BEFORE])],
    ),
    rule(
        Signal::Exfiltration,
        560,
        60,
        &[any(&[REVEAL, FETCH, RUN]), one(FILE), any(&[SEND, HIDE, BEFORE, DEST, TOOL])],
    ),
    rule(Signal::Exfiltration, 480, 120, &[any(&[ADD, SHAPE]), any(&[PROMPT, SECRET, CONVO]), one(REPLY)]),
    rule(Signal::Exfiltration, 480, 120, &[one(ADD), any(&[PROMPT, CONVO]), one(DEST)]),
    rule(Signal::Exfiltration, 560, 50, &[one(RECITE), one(ABOVE)]),
    rule(Signal::Exfiltration, 600, 120, &[one(YOURPROMPT), any(&[DEST, REPLY])]),
    rule(Signal::Exfiltration, 560, 90, &[one(YOURPROMPT), any(&[SEND, ADD, SHAPE, REVEAL])]),
    rule(Signal::Exfiltration, 560, 120, &[any(&[RUN, FETCH]), one(CONVO), one(DEST)]),
    rule(Signal::Exfiltration, 540, 60, &[one(SPELL), any(&[PROMPT, YOURPROMPT, TOLD]), any(&[YOU, PROMPT, RECITE])]),
    rule(Signal::Exfiltration, 520, 60, &[one(YOURPROMPT), any(&[SAY, SPELL])]),
    rule(Signal::Exfiltration, 560, 80, &[any(&[REVEAL, RECITE, SEND]), any(&[SECRET, FILE]), one(INREACH)]),
    rule(Signal::Exfiltration, 540, 80, &[any(&[PUT, ADD]), one(CONVO), one(INREACH)]),
    rule(Signal::Exfiltration, 540, 120, &[one(KEYWORD), one(LIFTED), one(REVEAL)]),
    rule(Signal::Exfiltration, 540, 60, &[one(RECITE), one(TOLD)]),
    ordered(Signal::Exfiltration, 510, 24, &[one(SHAPE), one(TOLD)]),
    ordered(Signal::Exfiltration, 520, 48, &[one(REVEAL), one(TOLD)]),
    rule(
        Signal::Exfiltration,
        540,
        60,
        &[any(&[REVEAL, RECITE, SHAPE, SAY]), one(KEYWORD), any(&[TOLD, SPELL, IGNORE])],
    ),
    rule(Signal::Exfiltration, 360, 30, &[any(&[REVEAL, RECITE]), one(KEYWORD)]),
    rule(Signal::Exfiltration, 560, 160, &[one(QUERY), one(PICTURE), any(&[CONVO, SECRET, REPLY, PROMPT])]),
    rule(Signal::Exfiltration, 560, 160, &[one(QUERY), one(PUT), any(&[CONVO, SECRET, PROMPT, FILE])]),
    // Keeping it from people.
    rule(Signal::Concealment, 600, 0, &[one(HIDEUSER)]),
    rule(Signal::Concealment, 440, 40, &[one(HIDE), one(USER)]),
    rule(Signal::Concealment, 580, 70, &[one(HIDE), HARM]),
    rule(Signal::Concealment, 580, 14, &[one(SLY), any(&[SEND, RUN, PAY, GIVE, DISABLE, FETCH, ADD])]),
    // Permissions and secrets.
    rule(Signal::Credentials, 540, 70, &[one(GIVE), one(PERM), any(&[WITHOUT, ALWAYS, URGENT])]),
    rule(Signal::Credentials, 420, 50, &[one(GIVE), one(PERM), any(&[AI, DEST])]),
    rule(Signal::Credentials, 540, 70, &[one(WITHOUT), one(CONFIRM), any(&[RUN, SEND, PAY, GIVE])]),
    rule(Signal::Credentials, 200, 40, &[any(&[SEND, REVEAL, GIVE]), any(&[SECRET, PERM])]),
    // Haste.
    rule(Signal::Urgency, 160, 0, &[one(URGENT)]),
    rule(Signal::Urgency, 300, 160, &[one(THREAT), any(&[URGENT, FETCH, SEND, PAY])]),
    // Money.
    rule(Signal::PaymentChange, 600, 90, &[one(BANK), one(CHANGED), one(OUR)]),
    rule(Signal::PaymentChange, 580, 140, &[one(PAY), one(BANK), one(CHANGED)]),
    // Tools and code.
    rule(Signal::Tool, 560, 120, &[one(BEFORE), DO, any(&[FILE, SECRET, CONVO])]),
    rule(Signal::Tool, 560, 120, &[one(BEFORE), any(&[SEND, ADD, SAY, IGNORE, DISABLE]), any(&[YOU, ADD, DEST, HIDE])]),
    rule(Signal::Tool, 300, 120, &[one(BEFORE), DO, any(&[YOU, TOOL])]),
    rule(Signal::Tool, 440, 40, &[one(RUN), one(CODE)]),
    rule(Signal::Tool, 560, 120, &[one(RUN), one(TOOL), any(&[HIDE, IGNORE, BEFORE, IAMADMIN])]),
    rule(Signal::Tool, 440, 80, &[one(RUN), one(TOOL), one(URGENT)]),
    rule(Signal::Tool, 300, 0, &[one(CODE)]),
    // Links.
    rule(Signal::Fetch, 560, 90, &[one(FETCH), one(DEST), any(&[FOLLOW, HIDE])]),
    rule(Signal::Fetch, 120, 50, &[one(FETCH), one(DEST)]),
];

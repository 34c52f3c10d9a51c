//! Facts about what agents do: acts, mandates, taint, memory.

use std::time::Duration;

use onesec_telemetry::{ActionClass, ActionSet, AgentId, EventId, Reach, TextSignals, Timestamp};

use super::{ApprovalFacts, LineageFacts, ManifestFacts, MessageFacts, PaymentFacts, SpreadFacts, WebFacts};

/// What an agent does, by what right, and under which influence.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct BehaviourFacts<'a> {
    /// What the record does, where it is an act.
    pub act: Option<Act<'a>>,
    /// The mandate that it is measured against.
    pub mandate: MandateFacts<'a>,
    /// Untrusted content that the agent took in; absent where there is none that still counts.
    pub taint: Option<TaintFacts<'a>>,
    /// What its texts say, where that counts at the strictness in force.
    pub text: Option<TextFacts>,
    /// How the agent used this tool before.
    pub usage: Option<UsageFacts>,
    /// About memory that is written or read.
    pub memory: Option<MemoryFacts<'a>>,
    /// About tools' manifests: one for each tool that the record shows or uses.
    pub manifests: Vec<ManifestFacts<'a>>,
    /// About the agents that came from one another.
    pub lineage: Option<LineageFacts<'a>>,
    /// About a message between agents.
    pub message: Option<MessageFacts<'a>>,
    /// How far errors, retries and the same act have spread.
    pub spread: Vec<SpreadFacts>,
    /// About a person's decision on an approval.
    pub approval: Option<ApprovalFacts>,
    /// About a page or file that was fetched.
    pub web: Option<WebFacts>,
    /// About a payment.
    pub payment: Option<PaymentFacts>,
}

/// What a record does, at the most harmful of what its kind, names and arguments say.
#[derive(Debug, Clone, Default)]
pub struct Act<'a> {
    /// Kinds of act; never empty.
    pub classes: ActionSet,
    /// Whether the record says so; what nothing is known of counts as a change.
    pub certain: bool,
    /// The tool.
    pub tool: Option<&'a str>,
    /// Its server.
    pub server: Option<&'a str>,
    /// What it acts on.
    pub target: Option<&'a str>,
    /// The strings among its arguments; at most 256.
    pub arguments: Vec<Argument>,
    /// There are more arguments than were read, or one that is carried out is longer than what was read of it.
    pub unread: bool,
    /// It is something that a tool, or the agent itself, does; rather than the use of an account.
    pub call: bool,
    /// It tells of a result: it has happened.
    pub done: bool,
}

/// A string among the arguments of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// The member that holds it, lower case.
    pub key: String,
    /// Its text, or the beginning of it: 64 KiB of all arguments together are kept.
    pub text: String,
    /// Whether the rest of it was left out.
    pub cut: bool,
}

impl Act<'_> {
    /// Whether it changes anything.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.classes.iter().any(|class| class != ActionClass::Read)
    }

    /// The kind of act that can do most harm.
    #[must_use]
    pub fn gravest(&self) -> ActionClass {
        self.classes.gravest().unwrap_or(ActionClass::Write)
    }

    /// The target and every string among the arguments.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.target.into_iter().chain(self.arguments.iter().map(|argument| argument.text.as_str()))
    }
}

/// The mandate of the task, or the agent's own, and whether the act is within it.
#[derive(Debug, Clone, Default)]
pub struct MandateFacts<'a> {
    /// Whose mandate counts.
    pub source: MandateSource,
    /// What of the act it does not cover; absent where it covers all, or the record is no act.
    pub outside: Option<Outside>,
    /// The task that the record names has ended.
    pub ended: Option<Timestamp>,
    /// The task that the record names is another agent's, and this agent does not come from it.
    pub foreign: Option<AgentId>,
    /// The task whose mandate counts.
    pub task: Option<&'a str>,
    /// What the task is for, in the words of who began it.
    pub goal: Option<&'a str>,
}

/// Whose mandate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MandateSource {
    /// Nobody stated one.
    #[default]
    None,
    /// The agent's own word: it binds the agent and excuses nothing.
    Claimed,
    /// The task's.
    Task,
    /// What was registered for the agent.
    Agent,
}

impl MandateSource {
    /// Whether somebody with authority stated it.
    #[must_use]
    pub const fn is_stated(self) -> bool {
        matches!(self, Self::Task | Self::Agent)
    }
}

/// What of an act its mandate does not cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outside {
    /// The tool.
    Tool,
    /// The connection.
    Connection,
    /// These kinds of act.
    Action(ActionSet),
}

/// Untrusted content that still counts.
#[derive(Debug, Clone)]
pub struct TaintFacts<'a> {
    /// When the agent or its task took it in.
    pub since: Timestamp,
    /// The event that says so.
    pub event: &'a EventId,
    /// Where it came from.
    pub source: &'a str,
    /// Of the task; else of the agent.
    pub of_task: bool,
    /// The newest of it that reads like an instruction, not more than ten acts ago.
    pub instructed: Option<Instructed<'a>>,
    /// Something was read since that is nobody else's business.
    pub sensitive: Option<&'a EventId>,
    /// The act's recipient was named by the content, and is not where the content came from.
    pub recipient_named: bool,
}

/// Content that reads like an instruction.
#[derive(Debug, Clone, Copy)]
pub struct Instructed<'a> {
    /// The event with it.
    pub event: &'a EventId,
    /// What is in it.
    pub signals: TextSignals,
    /// Acts since.
    pub steps: u32,
}

/// What the texts of the record say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextFacts {
    /// How certain.
    pub reach: Reach,
    /// 0 to 1000.
    pub value: u16,
    /// What is in them.
    pub signals: TextSignals,
}

/// How an agent used a tool before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageFacts {
    /// Acts of the agent so far.
    pub acts: u32,
    /// First of them.
    pub since: Option<Timestamp>,
    /// The agent has used the tool before; `None` where too many tools are known to say.
    pub known: Option<bool>,
    /// So often the same call came within two minutes, this one included.
    pub repeats: u32,
    /// First time that the agent runs something.
    pub first_run: bool,
}

/// Memory that is written, read, or acted upon.
#[derive(Debug, Clone)]
pub struct MemoryFacts<'a> {
    /// The key; empty where none was named.
    pub key: &'a str,
    /// Where what is written came from: untrusted content that the writer had taken in.
    pub from: Option<&'a EventId>,
    /// Something poisoned that was read, by this record or a little before it.
    pub poisoned: Option<PoisonFacts<'a>>,
}

/// A poisoned piece of memory that counts for this record.
#[derive(Debug, Clone)]
pub struct PoisonFacts<'a> {
    /// The write.
    pub event: &'a EventId,
    /// When.
    pub at: Timestamp,
    /// Who wrote it.
    pub writer: &'a str,
    /// The key that was read.
    pub key: &'a str,
    /// The reading, where it was before this record.
    pub read: Option<&'a EventId>,
    /// It was written for another user.
    pub other_user: bool,
    /// It was written in another task, or by another agent.
    pub other_task: bool,
    /// What is in it.
    pub signals: TextSignals,
}

/// How long content without an end of its own taints an agent.
pub const TAINT_OF_AGENT: Duration = Duration::from_secs(30 * 60);
/// How many acts after a text that reads like an instruction it is still thought to be behind them.
pub const TAINT_STEPS: u32 = 10;

/// Whether a source, as a sender names it, is the person or the agent itself, rather than the world.
#[must_use]
pub fn is_own_source(source: &str) -> bool {
    const OWN: [&str; 7] = ["user", "user_input", "user_message", "self", "agent", "system", "operator"];
    let source = source.trim();
    OWN.iter().any(|own| source.eq_ignore_ascii_case(own))
}

//! Facts about tools, agents among themselves, people and payments.

use std::time::Duration;

use onesec_telemetry::{EventId, Reach, TextSignals, Thumbprint, Timestamp};

/// A tool's manifest, as the record shows it or as the tool that it calls has it.
#[derive(Debug, Clone)]
pub struct ManifestFacts<'a> {
    /// The tool.
    pub tool: String,
    /// Its server; empty where none was named.
    pub server: String,
    /// SHA-256 of name, description and parameters.
    pub digest: Option<Thumbprint>,
    /// What became of it.
    pub state: ManifestState,
    /// The event that showed what differs, or what was shown first.
    pub event: Option<EventId>,
    /// Another server has an approved tool of this name.
    pub shadows: Option<String>,
    /// A tool of another name that a person could not tell from this one's.
    pub look_alike: Option<&'a str>,
    /// What its own words say.
    pub text: Option<(Reach, TextSignals)>,
    /// Changes whenever the manifest does.
    pub version: u64,
    /// The record calls the tool, rather than showing its manifest.
    pub called: bool,
}

/// What became of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManifestState {
    /// Nobody ever showed one.
    Unknown,
    /// Shown, and nobody with authority said anything.
    Pending,
    /// As approved.
    Approved,
    /// Not what was pinned, and nobody approved it since.
    Changed,
}

/// Who came from whom.
#[derive(Debug, Clone, Default)]
pub struct LineageFacts<'a> {
    /// The parent that the record names or that is known.
    pub parent: Option<&'a str>,
    /// How many stand above it.
    pub depth: u8,
    /// It stands above itself.
    pub cycle: bool,
    /// Children of the same parent within five minutes, this one included.
    pub siblings: u32,
    /// All that came from the same root within five minutes, this one included.
    pub swarm: u32,
    /// The agent was said to have ended.
    pub stopped: Option<Timestamp>,
}

/// A message between agents.
#[derive(Debug, Clone)]
pub struct MessageFacts<'a> {
    /// Somebody with authority checked the signature.
    pub signature: Option<bool>,
    /// Messages between the two were signed before.
    pub signed_before: bool,
    /// The same message came before: to the same agent.
    pub replayed: Option<&'a EventId>,
    /// The same message came before: to another agent, or from another.
    pub rerouted: Option<&'a EventId>,
    /// The protocol is another than the one the two spoke before.
    pub protocol_changed: bool,
    /// The key that sent it is bound to another agent than the one it says it is from.
    pub spoofed: bool,
    /// The sender has taken in untrusted content.
    pub tainted: bool,
    /// An agent known before whose id a person could not tell from the sender's.
    pub confusable_with: Option<&'a str>,
}

/// How far something has spread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpreadFacts {
    /// What.
    pub what: Spread,
    /// The task, tool, connection or act that is shared.
    pub name: String,
    /// Distinct agents within the window, this one included.
    pub agents: u32,
    /// Records within the window, this one included; capped.
    pub records: u32,
    /// The window.
    pub window: Duration,
}

/// What spreads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum Spread {
    /// Errors, time-outs and retries in one task.
    Task,
    /// At one tool.
    Tool,
    /// At one connection.
    Connection,
    /// Between the same two agents, to and fro.
    Pair,
    /// The same act by many agents.
    Act,
}

/// A person's decision on an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalFacts {
    /// The person.
    pub approver: String,
    /// What was done is not what was shown.
    pub mismatch: bool,
    /// Approvals by this person within the window, this one included; capped.
    pub count: u32,
    /// Median time from opening to decision of these.
    pub median_dwell: Duration,
    /// The window.
    pub window: Duration,
}

/// A page or file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebFacts {
    /// Its host, lower case, without port.
    pub host: String,
    /// It had other content before.
    pub changed: bool,
    /// The agent fetched from this host before.
    pub host_known: bool,
    /// The host was named by untrusted content that the agent took in.
    pub named_by_content: bool,
}

/// A payment.
#[derive(Debug, Clone, PartialEq)]
pub struct PaymentFacts {
    /// How much.
    pub amount: f64,
    /// Of what, upper case; empty where none was named.
    pub currency: String,
    /// What the agent paid in this currency within 24 hours, this included.
    pub in_day: f64,
    /// Payments of the agent within an hour, this included; capped.
    pub in_hour: u32,
    /// The agent has paid this recipient before.
    pub recipient_known: bool,
    /// The recipient was named by untrusted content that the agent took in.
    pub recipient_named: bool,
}

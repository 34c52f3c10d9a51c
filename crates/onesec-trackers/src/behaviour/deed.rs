//! What is left of a record's behaviour until it is known what became of it.

use compact_str::CompactString;
use onesec_telemetry::event::ContentIngest;
use onesec_telemetry::{ActionClass, AgentId, Channel, Details, Event, EventId, Record, Text, TextSignals, Timestamp};

use super::approvals::Decision;
use super::conduct::{DoneAct, digest};
use super::manifests::{ToolShown, tools_of};
use super::measure::Who;
use super::memory::{self, NewPiece, Write, key_of};
use super::messages::NewMessage;
use super::places::{all_places, places};
use super::spread::{Shares, shares};
use super::taint::{Dose, Mark, Poison};
use super::web::NewTrade;
use super::words::words;
use crate::facts::{Act, BehaviourFacts};
use crate::trackers::State;
use crate::window::Class;

/// What a record leaves behind, where it passes.
#[derive(Debug)]
pub(crate) struct Deed {
    pub(super) at: Timestamp,
    pub(super) event: EventId,
    pub(super) class: Class,
    pub(super) owner: Option<CompactString>,
    pub(super) agent: Option<CompactString>,
    pub(super) user: Option<CompactString>,
    pub(super) task: Option<CompactString>,
    pub(super) act: Option<DoneAct>,
    pub(super) dose: Option<Dose>,
    pub(super) write: Option<NewPiece>,
    pub(super) read: Option<Box<Poison>>,
    /// A message to this agent carries the sender's taint along, and whether somebody with authority tells of it.
    pub(super) tells: Option<(AgentId, bool)>,
    pub(super) shown: Vec<ToolShown>,
    /// Whether what is shown has authority, and whose word it is.
    pub(super) shown_by: (Class, bool),
    pub(super) message: Option<NewMessage>,
    pub(super) shares: Shares,
    pub(super) decision: Option<Decision>,
    pub(super) trade: Option<NewTrade>,
    pub(super) spawned: Option<Spawned>,
}

/// Where a new agent came from.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(super) parent: CompactString,
    /// The parent itself or somebody with authority says so.
    pub(super) vouched: bool,
    /// By the parent's own key.
    pub(super) by_parent: bool,
    /// By somebody with authority.
    pub(super) authority: bool,
}

impl State {
    /// What `record` will leave behind; `None` where it leaves nothing.
    pub(crate) fn deed(&self, who: Who<'_>, record: &Record, facts: Option<&BehaviourFacts<'_>>) -> Option<Box<Deed>> {
        let facts = facts?;
        let Some(event) = record.event().filter(|_| !record.late) else { return decided(record) };
        let act = facts.act.as_ref().filter(|_| facts.usage.is_some());
        let deed = Deed {
            at: record.at,
            event: event.id.clone(),
            class: who.class,
            owner: record.sender.key.as_ref().map(|key| CompactString::from(key.as_str())),
            agent: who.agent.map(|agent| CompactString::from(agent.as_str())),
            user: record.user().map(|user| CompactString::from(user.as_str())),
            task: event.common.task_id.as_ref().map(|task| CompactString::from(task.as_str())),
            act: act.map(|act| self.done_act(act, record, who)),
            dose: dose(record, event, facts.text.map(|text| text.signals)),
            write: self.new_piece(record, event, facts),
            read: self.poison_read(who, record, event),
            tells: match &event.details {
                Details::AgentMessage(message) => Some((message.to_agent.clone(), record.has_authority())),
                _ => None,
            },
            shown: tools_of(&event.details, record.text.as_deref(), self.behaviour.least).unwrap_or_default(),
            shown_by: (who.class, record.has_authority()),
            message: NewMessage::of(record),
            shares: shares(record, facts.act.as_ref()),
            decision: Decision::of(record),
            trade: NewTrade::of(record),
            spawned: spawned(record, event),
        };
        deed.matters().then(|| Box::new(deed))
    }

    fn poison_read(&self, who: Who<'_>, record: &Record, event: &Event) -> Option<Box<Poison>> {
        let Details::AgentMemoryRead(read) = &event.details else { return None };
        let poison = self.poisoned_piece(who, read.key.as_str());
        poison.filter(|poison| memory::is_others(poison, record)).cloned().map(Box::new)
    }

    fn done_act(&self, act: &Act<'_>, record: &Record, who: Who<'_>) -> DoneAct {
        let habits = self.conduct(who).and_then(|conduct| conduct.habits.get(who.class));
        DoneAct {
            at: record.at,
            digest: digest(act),
            tool: act.tool.map(CompactString::from),
            runs: act.classes.contains(ActionClass::Execute),
            asks: record.sender.channel == Channel::Decide,
            told: habits.is_some_and(|habits| habits.is_told(act)),
            sensitive: is_sensitive(act, record),
        }
    }

    fn new_piece(&self, record: &Record, event: &Event, facts: &BehaviourFacts<'_>) -> Option<NewPiece> {
        let write = Write::of(&event.details)?;
        let agent = record.agent()?.as_str();
        let tainted = facts.taint.is_some();
        let own = write.is_own() && !tainted;
        let signals = facts.text.map(|text| text.signals);
        let poison = signals.filter(|signals| memory::steers(*signals, own) && !facts.mandate_of_authority(record));
        Some(NewPiece {
            space: CompactString::from(write.space(agent)),
            key: key_of(&write),
            poison,
            from: facts.taint.as_ref().map(|taint| taint.event.clone()),
        })
    }
}

impl BehaviourFacts<'_> {
    /// Whether the words are those of somebody with authority, such as an operator's own system prompt.
    fn mandate_of_authority(&self, record: &Record) -> bool {
        record.sender.channel == Channel::Api && self.taint.is_none()
    }
}

impl Deed {
    fn matters(&self) -> bool {
        self.act.is_some()
            || self.dose.is_some()
            || self.write.is_some()
            || self.read.is_some()
            || self.tells.is_some()
            || self.spawned.is_some()
            || !self.shown.is_empty()
            || self.message.is_some()
            || !self.shares.is_empty()
            || self.decision.is_some()
            || self.trade.is_some()
    }
}

/// A person's decision at our own API.
fn decided(record: &Record) -> Option<Box<Deed>> {
    let decision = Decision::of(record).filter(|_| record.event().is_none())?;
    Some(Box::new(Deed {
        at: record.at,
        event: EventId::new(&format!("record-{}", record.seq)).ok()?,
        class: Class::Proved,
        owner: None,
        agent: None,
        user: None,
        task: None,
        act: None,
        dose: None,
        write: None,
        read: None,
        tells: None,
        shown: Vec::new(),
        shown_by: (Class::Proved, false),
        message: None,
        shares: Shares::new(),
        decision: Some(decision),
        trade: None,
        spawned: None,
    }))
}

fn spawned(record: &Record, event: &Event) -> Option<Spawned> {
    let Details::AgentSpawn(spawn) = &event.details else { return None };
    let parent = spawn.parent_id.as_ref()?;
    let by_parent = record.sender.agent.as_ref() == Some(parent);
    let authority = record.has_authority();
    let vouched = authority || by_parent;
    Some(Spawned { parent: CompactString::from(parent.as_str()), vouched, by_parent, authority })
}

/// What the event brings in from outside.
fn dose(record: &Record, event: &Event, text: Option<TextSignals>) -> Option<Dose> {
    let (content, source) = match &event.details {
        Details::ContentIngest(d) if is_untrusted(record, d) => {
            let source = d.source_url.as_ref().unwrap_or(&d.source);
            (Some(d.content.as_str()), source.as_str())
        }
        Details::AgentMarkdownIngest(d) => {
            (Some(d.content.as_str()), d.source_url.as_ref().map_or("markdown", Text::as_str))
        }
        Details::LlmsTxtAccess(d) => (None, d.domain.as_str()),
        Details::AgentWebFetch(d) => (None, d.url.as_str()),
        Details::ToolCall(d) if reads_outside(d.tool.as_str()) || text.is_some() => {
            (d.result.as_ref().map(Text::as_str), d.tool.as_str())
        }
        Details::FunctionCall(d) if reads_outside(d.tool.as_str()) || text.is_some() => {
            (d.result.as_ref().map(Text::as_str), d.tool.as_str())
        }
        Details::AgentAction(d) if text.is_some() => (d.result.as_ref().map(Text::as_str), d.action.as_str()),
        Details::RagRetrieval(d) if text.is_some() => (d.retrieved_content.as_ref().map(Text::as_str), "retrieval"),
        _ => return None,
    };
    // A call of which no result is known brought nothing in yet; a fetched page did.
    let fetched = matches!(event.details, Details::AgentWebFetch(_) | Details::LlmsTxtAccess(_));
    if content.is_none() && !fetched {
        return None;
    }
    let asked = record.sender.channel == Channel::Decide && fetched;
    let (named, more) = content.map(all_places).unwrap_or_default();
    (!asked).then(|| Dose {
        mark: Mark { at: record.at, event: event.id.clone(), source: CompactString::from(short(source)) },
        instructs: text,
        named,
        more,
        from: places(source),
    })
}

/// Without authority content is as untrusted as it can be.
fn is_untrusted(record: &Record, d: &ContentIngest) -> bool {
    let said = d.trust.as_ref().map_or("untrusted", |trust| trust.as_str());
    !(record.has_authority() && matches!(said, "trusted" | "internal"))
}

/// Whether what a tool gives back was written by somebody outside.
fn reads_outside(tool: &str) -> bool {
    words(tool).any(|word| {
        matches!(
            word.as_str(),
            "web"
                | "fetch"
                | "browse"
                | "browser"
                | "http"
                | "url"
                | "scrape"
                | "crawl"
                | "search"
                | "email"
                | "mail"
                | "inbox"
                | "gmail"
                | "outlook"
                | "imap"
                | "rss"
                | "news"
                | "page"
                | "website"
                | "download"
        )
    })
}

/// Whether what is read is nobody else's business: a connected account, or something that its name says is private.
fn is_sensitive(act: &Act<'_>, record: &Record) -> bool {
    let reads = act.classes.contains(ActionClass::Read);
    let private = |text: &str| words(text).take(64).any(|word| is_private(&word));
    reads
        && (record.connection().is_some()
            || act.tool.is_some_and(private)
            || act.texts().take(16).any(|text| text.len() < 512 && private(text)))
}

fn is_private(word: &str) -> bool {
    matches!(
        word,
        "secret"
            | "secrets"
            | "credential"
            | "credentials"
            | "password"
            | "passwords"
            | "passwd"
            | "shadow"
            | "token"
            | "tokens"
            | "apikey"
            | "private"
            | "confidential"
            | "customer"
            | "customers"
            | "payroll"
            | "salary"
            | "salaries"
            | "invoice"
            | "invoices"
            | "contacts"
            | "inbox"
            | "mailbox"
            | "emails"
            | "env"
            | "ssh"
            | "aws"
            | "keychain"
            | "vault"
            | "crm"
            | "patient"
            | "patients"
            | "medical"
            | "bank"
            | "ssn"
            | "passport"
    )
}

fn short(text: &str) -> &str {
    text.get(..text.floor_char_boundary(200)).unwrap_or_default()
}

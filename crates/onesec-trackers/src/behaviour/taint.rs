//! Taint: which untrusted content an agent or a task took in, and what it may have brought.

use compact_str::CompactString;
use onesec_telemetry::{EventId, Record, TextSignals, Timestamp};
use serde::{Deserialize, Serialize};

use crate::facts::{Instructed, PoisonFacts, TAINT_OF_AGENT, TAINT_STEPS, TaintFacts};
use crate::shared::Sym;

/// What untrusted content left behind, of an agent or of a task.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Taint {
    newest: Option<Mark>,
    instructed: Option<Instruction>,
    poison: Option<Poison>,
    sensitive: Option<(Timestamp, EventId)>,
    /// Hosts and addresses that the content named, and those that it came from: hashes that are the same everywhere.
    named: Vec<u64>,
    from: Vec<u64>,
    /// It named more than is remembered: anybody may be among them.
    more: bool,
    step: u32,
}

/// Content that came in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) at: Timestamp,
    pub(crate) event: EventId,
    pub(crate) source: CompactString,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Instruction {
    at: Timestamp,
    event: EventId,
    signals: TextSignals,
    step: u32,
}

/// Poisoned memory that was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Poison {
    pub(crate) event: EventId,
    pub(crate) at: Timestamp,
    pub(crate) writer: Sym,
    pub(crate) user: Option<Sym>,
    pub(crate) task: Option<Sym>,
    pub(crate) key: CompactString,
    pub(crate) signals: TextSignals,
    /// The reading, and how many acts there had been.
    read: Option<(Timestamp, EventId, u32)>,
}

/// What an event brings in.
#[derive(Debug, Clone)]
pub(crate) struct Dose {
    pub(crate) mark: Mark,
    pub(crate) instructs: Option<TextSignals>,
    pub(crate) named: Vec<u64>,
    /// It names more than these.
    pub(crate) more: bool,
    pub(crate) from: Vec<u64>,
}

impl Taint {
    /// What still counts at `now`: all of it for a task, half an hour of it for an agent.
    pub(crate) fn facts(&self, now: Timestamp, of_task: bool) -> Option<TaintFacts<'_>> {
        let newest = self.newest.as_ref().filter(|mark| of_task || now.since(mark.at) <= TAINT_OF_AGENT)?;
        let recent =
            |at: Timestamp, step: u32| now.since(at) <= TAINT_OF_AGENT && self.step.saturating_sub(step) <= TAINT_STEPS;
        let instructed = self.instructed.as_ref().filter(|i| recent(i.at, i.step));
        Some(TaintFacts {
            since: newest.at,
            event: &newest.event,
            source: &newest.source,
            of_task,
            instructed: instructed.map(|i| Instructed {
                event: &i.event,
                signals: i.signals,
                steps: self.step.saturating_sub(i.step),
            }),
            sensitive: self.sensitive.as_ref().filter(|(at, _)| *at >= newest.at).map(|(_, event)| event),
            recipient_named: false,
        })
    }

    /// Whether the content named one of these, and did not come from it.
    pub(crate) fn names(&self, places: &[u64]) -> bool {
        places.iter().any(|place| (self.more || self.named.contains(place)) && !self.from.contains(place))
    }

    /// The poisoned memory that `record` may be acting upon: another's, read a little while ago.
    pub(crate) fn poison(&self, record: &Record) -> Option<PoisonFacts<'_>> {
        let poison = self.poison.as_ref()?;
        let (read_at, read, step) = poison.read.as_ref()?;
        let recent = record.at.since(*read_at) <= TAINT_OF_AGENT && self.step.saturating_sub(*step) <= TAINT_STEPS;
        if !recent {
            return None;
        }
        Some(poison.facts(record, Some(read)))
    }

    pub(crate) fn take(&mut self, dose: &Dose) {
        // Events that come out of order must not make it seem older.
        if self.newest.as_ref().is_none_or(|mark| mark.at <= dose.mark.at) {
            self.newest = Some(dose.mark.clone());
        }
        if let Some(signals) = dose.instructs {
            let (at, event) = (dose.mark.at, dose.mark.event.clone());
            self.instructed = Some(Instruction { at, event, signals, step: self.step });
        }
        self.more |= dose.more || self.named.len() + dose.named.len() > MOST_PLACES;
        remember(&mut self.named, &dose.named);
        remember(&mut self.from, &dose.from);
    }

    pub(crate) fn read(&mut self, mut poison: Poison, record: (Timestamp, &EventId)) {
        poison.read = Some((record.0, record.1.clone(), self.step));
        self.poison = Some(poison);
    }

    /// An act was done.
    pub(crate) fn step(&mut self, at: Timestamp, event: &EventId, sensitive: bool) {
        self.step = self.step.saturating_add(1);
        if sensitive && self.newest.is_some() {
            self.sensitive = Some((at, event.clone()));
        }
    }

    /// A child is at least as tainted as its parent; nothing of its own is forgotten for it.
    pub(crate) fn inherit(&mut self, parent: &Self) {
        let Some(mark) = &parent.newest else { return };
        if self.newest.as_ref().is_none_or(|own| own.at < mark.at) {
            self.newest = Some(mark.clone());
        }
        if let Some(told) = &parent.instructed
            && self.instructed.as_ref().is_none_or(|own| own.at < told.at)
        {
            self.instructed = Some(Instruction { step: self.step, ..told.clone() });
        }
        if self.poison.is_none()
            && let Some(poison) = &parent.poison
        {
            let read = poison.read.as_ref().map(|(at, event, _)| (*at, event.clone(), self.step));
            self.poison = Some(Poison { read, ..poison.clone() });
        }
        self.more |= parent.more || self.named.len() + parent.named.len() > MOST_PLACES;
        remember(&mut self.named, &parent.named);
        remember(&mut self.from, &parent.from);
    }
}

impl Poison {
    pub(crate) fn new(
        mark: (EventId, Timestamp),
        by: (Sym, Option<Sym>, Option<Sym>),
        what: (CompactString, TextSignals),
    ) -> Self {
        let (event, at) = mark;
        let (key, signals) = what;
        let (writer, user, task) = by;
        Self { event, at, writer, user, task, key, signals, read: None }
    }

    pub(crate) fn facts<'a>(&'a self, record: &Record, read: Option<&'a EventId>) -> PoisonFacts<'a> {
        let common = record.event().map(|event| &event.common);
        let differs = |own: Option<&Sym>, other: Option<&str>| match (own, other) {
            (Some(own), Some(other)) => **own != *other,
            (own, other) => own.is_some() != other.is_some(),
        };
        let task = common.and_then(|common| common.task_id.as_ref()).map(AsRef::as_ref);
        let agent = record.agent().map(AsRef::as_ref);
        PoisonFacts {
            event: &self.event,
            at: self.at,
            writer: &self.writer,
            key: &self.key,
            read,
            other_user: differs(self.user.as_ref(), record.user().map(AsRef::as_ref)),
            other_task: differs(self.task.as_ref(), task) || agent.is_some_and(|agent| *self.writer != *agent),
            signals: self.signals,
        }
    }
}

/// The newest stay.
fn remember(known: &mut Vec<u64>, new: &[u64]) {
    for place in new {
        if !known.contains(place) {
            known.push(*place);
        }
    }
    let over = known.len().saturating_sub(MOST_PLACES);
    known.drain(..over);
}

/// Hosts and addresses that are remembered.
const MOST_PLACES: usize = 256;

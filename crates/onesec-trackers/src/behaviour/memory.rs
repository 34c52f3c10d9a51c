//! Memory: where each piece came from, and which of it is poisoned.

use compact_str::CompactString;
use onesec_telemetry::event::{AgentMemoryWrite, ContextUpdate, RagInject};
use onesec_telemetry::{Details, EventId, Name, Record, Text, TextSignals, Timestamp};
use serde::{Deserialize, Serialize};

use super::taint::Poison;
use crate::facts::is_own_source;
use crate::pool::Entry;
use crate::shared::{Seed, Sym};

/// The last write to one key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    /// Whose memory; empty where it is shared.
    pub(crate) space: Sym,
    /// The key; `*` where the write named none.
    pub(crate) key: Sym,
    pub(crate) proved: bool,
    pub(crate) at: Timestamp,
    pub(crate) poison: Option<Box<Poison>>,
    /// Untrusted content that the writer had taken in: the event, and what it was.
    pub(crate) from: Option<EventId>,
}

/// A write, whatever its kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) key: Option<&'a Name>,
    pub(crate) kind: Option<&'a Name>,
    pub(crate) source: Option<&'a Text>,
    /// A document that entered a store which everybody reads.
    pub(crate) document: bool,
}

impl<'a> Write<'a> {
    pub(crate) fn of(details: &'a Details) -> Option<Self> {
        let (key, kind, source, document) = match details {
            Details::AgentMemoryWrite(AgentMemoryWrite { key, memory_type, source, .. })
            | Details::ContextUpdate(ContextUpdate { key, memory_type, source, .. }) => {
                (key, memory_type, source, false)
            }
            Details::RagInject(RagInject { key, memory_type, source, .. }) => (key, memory_type, source, true),
            _ => return None,
        };
        Some(Self { key: key.as_ref(), kind: kind.as_ref(), source: source.as_ref(), document })
    }

    /// Whose memory is written: the agent's, or everybody's.
    pub(crate) fn space(&self, agent: &'a str) -> &'a str {
        let shared = self.document || self.kind.is_some_and(|kind| kind.as_str().eq_ignore_ascii_case("shared"));
        if shared { SHARED } else { agent }
    }

    /// Whether the source that the sender names is the person or the agent itself, rather than the world.
    pub(crate) fn is_own(&self) -> bool {
        self.source.is_some_and(|source| is_own_source(source.as_str()))
    }
}

/// Whether words of this kind, once remembered, would steer what an agent does later.
pub(crate) const fn steers(signals: TextSignals, own: bool) -> bool {
    // What a person asks to be remembered may be a standing wish.
    signals.is_grave() || !own
}

/// The piece of memory that a record reads: the agent's own before what is shared, under its key before none.
pub(crate) fn spaces<'a>(agent: &'a str, key: &'a str) -> [(&'a str, &'a str); 4] {
    [(agent, key), (SHARED, key), (agent, NO_KEY), (SHARED, NO_KEY)]
}

/// What a write leaves behind.
#[derive(Debug)]
pub(crate) struct NewPiece {
    pub(crate) space: CompactString,
    pub(crate) key: CompactString,
    pub(crate) poison: Option<TextSignals>,
    pub(crate) from: Option<EventId>,
}

/// The key under which a record's write is found.
pub(crate) fn key_of(write: &Write<'_>) -> CompactString {
    write.key.map_or_else(|| CompactString::const_new(NO_KEY), |key| CompactString::from(key.as_str()))
}

impl Entry for Piece {
    fn hash(&self, seed: &Seed) -> u64 {
        seed.pair(&self.space, &self.key)
    }
}

/// Whether `record` was poisoned by somebody else, or in another task.
pub(crate) fn is_others(poison: &Poison, record: &Record) -> bool {
    let facts = poison.facts(record, None);
    facts.other_user || facts.other_task
}

/// The memory that everybody reads.
pub(crate) const SHARED: &str = "\u{1}shared";
/// The key of what was written without one.
const NO_KEY: &str = "*";

//! How much room alerts take, and which go when there is no more.

use std::collections::{BTreeMap, BTreeSet};

use onesec_telemetry::{AlertId, KeyId, Timestamp};

use super::Entry;

/// Alerts that can be counted on at a time; beyond it one is closed early.
pub(super) const MAX_LIVE: usize = if cfg!(test) { 400 } else { 100_000 };
/// Of these, what rests on the word of one key alone.
const MAX_OF_KEY: usize = MAX_LIVE / 4;

type Due = (Timestamp, AlertId);

/// When each alert ceases to count, and which rest on hearsay.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// All of them, in the order in which they close; ties by id.
    closing: BTreeSet<Due>,
    /// Those behind which there is nothing but what others report.
    hearsay: BTreeSet<Due>,
    /// The same by the key that opened them.
    by_key: BTreeMap<KeyId, BTreeSet<Due>>,
}

impl Room {
    pub(super) fn add(&mut self, id: &AlertId, entry: &Entry) {
        let due = (entry.closes, id.clone());
        if entry.proved.is_none() {
            self.hearsay.insert(due.clone());
            if let Some(key) = &entry.opened_by_key {
                self.by_key.entry(key.clone()).or_default().insert(due.clone());
            }
        }
        self.closing.insert(due);
    }

    pub(super) fn remove(&mut self, id: &AlertId, entry: &Entry) {
        let due = (entry.closes, id.clone());
        self.closing.remove(&due);
        self.hearsay.remove(&due);
        let Some(key) = &entry.opened_by_key else { return };
        if let Some(own) = self.by_key.get_mut(key) {
            own.remove(&due);
            if own.is_empty() {
                self.by_key.remove(key);
            }
        }
    }

    /// The next that has had its time at `now`.
    pub(super) fn due(&self, now: Timestamp) -> Option<AlertId> {
        self.closing.first().filter(|(at, _)| *at <= now).map(|(_, id)| id.clone())
    }

    /// What has to go before one more is opened, by `key` where it is hearsay: nobody's word crowds out what was seen, and
    /// no key's word what others say.
    pub(super) fn crowded_out(&self, key: Option<&KeyId>) -> Option<AlertId> {
        let own = key.and_then(|key| self.by_key.get(key)).filter(|own| own.len() >= MAX_OF_KEY);
        let full = self.closing.len() >= MAX_LIVE;
        let oldest = || self.hearsay.first().or(self.closing.first()).filter(|_| full);
        own.and_then(BTreeSet::first).or_else(oldest).map(|(_, id)| id.clone())
    }
}

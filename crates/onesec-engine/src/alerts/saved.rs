//! Alerts as snapshots keep them.

use std::collections::BTreeSet;

use onesec_detector::{Entity, StateError, StateReader};
use onesec_enforcement::Barred;
use onesec_telemetry::{Alert, AlertId, EventId, KeyId, Seq, Severity, Timestamp};
use serde::{Deserialize, Serialize};

use super::{AlertBook, Entry};

/// An alert that still counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Live {
    key: (String, Entity),
    alert: StoredAlert,
    opened_by: Seq,
    opened_by_key: Option<KeyId>,
    closes: Timestamp,
    aspects: BTreeSet<String>,
    standing: Option<u64>,
    first: Vec<EventId>,
    last: Vec<EventId>,
    acknowledged_until: Option<Timestamp>,
    proved: Option<Severity>,
    reporters: Barred,
}

/// postcard cannot read JSON values back, so attributes are saved as text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredAlert(String);

impl AlertBook {
    /// In a stable order, for snapshots.
    pub(crate) fn to_saved(&self) -> Vec<impl Serialize + use<>> {
        let mut ids: Vec<&AlertId> = self.live.keys().collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| self.live.get(id)).map(Live::from).collect()
    }

    pub(crate) fn from_saved(state: StateReader<'_>) -> Result<Self, StateError> {
        let mut book = Self::default();
        let saved: Vec<Live> = state.get("alerts")?;
        book.live.reserve(saved.len());
        book.by_key.reserve(saved.len());
        for live in saved {
            let text = &live.alert.0;
            let undecodable = || StateError::Undecodable("alerts".into());
            let alert: Alert = serde_json::from_str(text).map_err(|_| undecodable())?;
            let id = alert.id.clone();
            book.by_key.insert(live.key.clone(), id.clone());
            let entry = Entry {
                key: live.key,
                alert,
                opened_by: live.opened_by,
                opened_by_key: live.opened_by_key,
                closes: live.closes,
                aspects: live.aspects,
                standing: live.standing,
                first: live.first,
                last: live.last,
                acknowledged_until: live.acknowledged_until,
                proved: live.proved,
                reporters: live.reporters,
            };
            book.room.add(&id, &entry);
            book.live.insert(id, entry);
        }
        Ok(book)
    }
}

impl From<&Entry> for Live {
    fn from(entry: &Entry) -> Self {
        Self {
            key: entry.key.clone(),
            alert: StoredAlert(serde_json::to_string(&entry.alert).unwrap_or_default()),
            opened_by: entry.opened_by,
            opened_by_key: entry.opened_by_key.clone(),
            closes: entry.closes,
            aspects: entry.aspects.clone(),
            standing: entry.standing,
            first: entry.first.clone(),
            last: entry.last.clone(),
            acknowledged_until: entry.acknowledged_until,
            proved: entry.proved,
            reporters: entry.reporters.clone(),
        }
    }
}

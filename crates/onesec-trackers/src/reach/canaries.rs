//! Decoys: a ledger, made by people only.

use std::collections::BTreeMap;

use onesec_telemetry::{Canary, CanaryKind, Name};
use serde::{Deserialize, Serialize};

/// All decoys. Looked up by what they are, not by id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Canaries {
    by_id: BTreeMap<Name, Canary>,
    /// One bit per kind.
    values: BTreeMap<String, u8>,
}

impl Canaries {
    pub(crate) fn add(&mut self, canary: &Canary) {
        self.remove(canary.id.as_str());
        if self.by_id.len() < MOST_CANARIES {
            *self.values.entry(canary.value.to_string()).or_default() |= bit(canary.what);
            self.by_id.insert(canary.id.clone(), canary.clone());
        }
    }

    pub(crate) fn remove(&mut self, id: &str) {
        let Some(gone) = self.by_id.keys().find(|known| known.as_str() == id).cloned() else { return };
        let Some(canary) = self.by_id.remove(&gone) else { return };
        // Another of the same value may be left.
        let left = self.by_id.values().filter(|known| known.value == canary.value);
        match left.fold(0, |bits, known| bits | bit(known.what)) {
            0 => drop(self.values.remove(canary.value.as_str())),
            bits => drop(self.values.insert(canary.value.to_string(), bits)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(crate) fn has(&self, what: CanaryKind, value: &str) -> bool {
        self.values.get(value).is_some_and(|bits| bits & bit(what) != 0)
    }
}

const fn bit(what: CanaryKind) -> u8 {
    match what {
        CanaryKind::User => 1,
        CanaryKind::Account => 2,
        CanaryKind::Client => 4,
    }
}

/// So many may be set.
pub(crate) const MOST_CANARIES: usize = 1_000;

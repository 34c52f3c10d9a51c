//! Access tokens whose signature was checked, so that the next request with the same one need not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use onesec_identity::{KeySet, VerifiedSubject};
use onesec_telemetry::{Thumbprint, Timestamp};
use quick_cache::sync::Cache;

/// Verified access tokens by their thumbprint. An entry is good while nothing that was looked at has changed.
pub(crate) struct CheckedTokens {
    entries: Cache<Thumbprint, Arc<Entry>>,
    hits: AtomicU64,
}

struct Entry {
    proof: VerifiedSubject,
    keys: Arc<KeySet>,
    at: Timestamp,
}

impl CheckedTokens {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: Cache::new(capacity), hits: AtomicU64::new(0) }
    }

    /// The proof, if it was made with the key set in force and the token has not expired since.
    pub(crate) fn get(&self, token: &Thumbprint, in_force: &Arc<KeySet>, now: Timestamp) -> Option<VerifiedSubject> {
        let entry = self.entries.get(token)?;
        let in_time = entry.at <= now && now < entry.proof.expires_at();
        if !in_time || !Arc::ptr_eq(&entry.keys, in_force) {
            return None;
        }
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(entry.proof.clone())
    }

    /// A token that is bound to a key is not remembered: whoever presents it must prove the key each time.
    pub(crate) fn remember(&self, token: Thumbprint, (proof, keys): (&VerifiedSubject, Arc<KeySet>), at: Timestamp) {
        if proof.bound_to().is_none() {
            self.entries.insert(token, Arc::new(Entry { proof: proof.clone(), keys, at }));
        }
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }
}

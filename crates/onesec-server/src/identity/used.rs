//! Proofs that may be used once: assertions, DPoP proofs, requests of workers. What was used stays used after a restart.

use std::collections::HashMap;
use std::fmt;

use onesec_identity::{ReplayCache, ReplayRefused};
use onesec_journal::{JournalError, LedgerFilter, LedgerRow, LedgerTable, LedgerWrite, Reader};
use onesec_telemetry::{TenantId, Thumbprint, Timestamp};
use parking_lot::Mutex;

/// What was used, per tenant: one cannot fill it for another.
#[derive(Default)]
pub(crate) struct UsedProofs(Mutex<HashMap<TenantId, ReplayCache>>);

impl fmt::Debug for UsedProofs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UsedProofs")
    }
}

impl UsedProofs {
    /// Reads what was used and could be used again.
    ///
    /// # Errors
    /// What reading says.
    pub(crate) fn load(reader: &Reader, tenants: &[TenantId], now: Timestamp) -> Result<Self, JournalError> {
        let used = Self::default();
        for tenant in tenants {
            let mut after = None;
            loop {
                let table = (LedgerTable::UsedJti, tenant);
                let page = reader.ledger(table, &LedgerFilter::default(), (after.as_ref(), PAGE))?;
                for row in &page.items {
                    let until = row.expires_at.unwrap_or(now);
                    // They were shortened when they were written.
                    let short = row.id.split_once('\u{1f}').unwrap_or(("", &row.id));
                    // Expired ones are refused without being remembered.
                    let _ = used.admit_short(tenant, short, (until, now));
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(used)
    }

    /// Takes a proof if it was never taken.
    ///
    /// # Errors
    /// [`ReplayRefused`].
    pub(crate) fn admit(
        &self,
        tenant: &TenantId,
        proof: (&str, &str),
        (until, now): (Timestamp, Timestamp),
    ) -> Result<(), ReplayRefused> {
        let (issuer, jti) = shortened(proof);
        self.admit_short(tenant, (&issuer, &jti), (until, now))
    }

    fn admit_short(
        &self,
        tenant: &TenantId,
        short: (&str, &str),
        (until, now): (Timestamp, Timestamp),
    ) -> Result<(), ReplayRefused> {
        let mut caches = self.0.lock();
        caches.entry(tenant.clone()).or_insert_with(|| ReplayCache::new(CAPACITY)).admit(short, until, now)
    }
}

/// The row that keeps it used over a restart, to be written with the record of what it was used for.
pub(crate) fn used_row(tenant: &TenantId, proof: (&str, &str), until: Timestamp) -> LedgerWrite {
    let (issuer, jti) = shortened(proof);
    LedgerWrite::Put {
        table: LedgerTable::UsedJti,
        row: LedgerRow {
            tenant: tenant.clone(),
            id: format!("{issuer}\u{1f}{jti}"),
            agent_id: None,
            user_id: None,
            connection: None,
            state: "used".to_owned(),
            updated_seq: 0,
            expires_at: Some(until),
            doc: "{}".to_owned(),
        },
    }
}

/// As digests: they are short, and nobody can smuggle anything into the file by a `jti`.
fn shortened((issuer, jti): (&str, &str)) -> (String, String) {
    let digest = |text: &str| Thumbprint::of(text.as_bytes()).to_base64url();
    (digest(issuer), digest(jti))
}

/// Proofs that are good at the same time. A minute each, mostly: 200 000 are 3 000 a second.
const CAPACITY: usize = 200_000;
const PAGE: u32 = 1_000;

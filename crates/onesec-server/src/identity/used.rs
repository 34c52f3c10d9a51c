//! Proofs that may be used once: assertions, DPoP proofs, requests of workers. What was used stays used after a restart.

use std::collections::{HashMap, VecDeque};
use std::fmt;

use onesec_identity::{ReplayCache, ReplayRefused};
use onesec_journal::{JournalError, LedgerFilter, LedgerRow, LedgerTable, LedgerWrite, Reader};
use onesec_telemetry::{TenantId, Thumbprint, Timestamp};
use parking_lot::Mutex;

/// What was used, per tenant: one cannot fill it for another, and no caller for the others of its tenant.
#[derive(Default)]
pub(crate) struct UsedProofs(Mutex<HashMap<TenantId, Used>>);

struct Used {
    proofs: ReplayCache,
    /// When what a caller used may be forgotten, in the order in which it came.
    by_caller: HashMap<String, VecDeque<Timestamp>>,
}

impl Default for Used {
    fn default() -> Self {
        Self { proofs: ReplayCache::new(CAPACITY), by_caller: HashMap::new() }
    }
}

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
                let mut tenants = used.0.lock();
                let proofs = &mut tenants.entry(tenant.clone()).or_default().proofs;
                for row in &page.items {
                    let (issuer, jti) = row.id.split_once('\u{1f}').unwrap_or(("", &row.id));
                    // Expired ones are refused without being remembered.
                    let _ = proofs.admit((issuer, jti), row.expires_at.unwrap_or(now), now);
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(used)
    }

    /// Takes a proof that `caller` shows if nobody of the tenant ever showed it.
    ///
    /// # Errors
    /// [`ReplayRefused`].
    pub(crate) fn admit(
        &self,
        (tenant, caller): (&TenantId, &str),
        proof: (&str, &str),
        (until, now): (Timestamp, Timestamp),
    ) -> Result<(), ReplayRefused> {
        let mut tenants = self.0.lock();
        let used = tenants.entry(tenant.clone()).or_default();
        used.make_room(caller, now)?;
        let (issuer, jti) = shortened(proof);
        used.proofs.admit((&issuer, &jti), until, now)?;
        used.by_caller.entry(caller.to_owned()).or_default().push_back(until);
        Ok(())
    }
}

impl Used {
    /// Forgets what expired of the caller's; who still has too many in use waits.
    fn make_room(&mut self, caller: &str, now: Timestamp) -> Result<(), ReplayRefused> {
        let Some(own) = self.by_caller.get_mut(caller) else {
            // Whoever went away leaves nothing behind.
            if self.by_caller.len() >= MOST_CALLERS {
                self.by_caller.retain(|_, untils| untils.back().is_some_and(|until| *until > now));
            }
            return Ok(());
        };
        while own.front().is_some_and(|until| *until <= now) {
            own.pop_front();
        }
        if own.len() < SHARE { Ok(()) } else { Err(ReplayRefused::Full) }
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

/// Proofs of one tenant that are good at the same time. A minute each, mostly.
const CAPACITY: usize = 1_000_000;
/// Of one caller: 6 000 a minute are 100 a second.
const SHARE: usize = 6_000;
/// Callers whose proofs are counted before those that went away are looked for.
const MOST_CALLERS: usize = 10_000;
const PAGE: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + seconds)
    }

    #[test]
    fn one_caller_cannot_use_up_the_room_of_others() {
        let (used, tenant) = (UsedProofs::default(), TenantId::default_tenant());
        let show = |caller: &str, jti: usize, now: i64| {
            let times = (at(now + 60), at(now));
            used.admit((&tenant, caller), ("key", &format!("{caller}-{jti}")), times)
        };
        for jti in 0..SHARE {
            assert_eq!(show("mole", jti, 0), Ok(()));
        }
        assert_eq!(show("mole", SHARE, 0), Err(ReplayRefused::Full));
        assert_eq!(show("bot", 0, 0), Ok(()));
        assert_eq!(show("mole", SHARE, 60), Ok(()), "a minute later there is room again");
    }

    #[test]
    fn what_one_caller_showed_nobody_else_of_the_tenant_can_show() {
        let (used, ours) = (UsedProofs::default(), TenantId::default_tenant());
        let theirs = TenantId::new("acme").expect("tenant");
        let times = (at(60), at(0));
        assert_eq!(used.admit((&ours, "a"), ("key", "j"), times), Ok(()));
        assert_eq!(used.admit((&ours, "b"), ("key", "j"), times), Err(ReplayRefused::Replayed));
        assert_eq!(used.admit((&theirs, "b"), ("key", "j"), times), Ok(()));
        assert_eq!(used.admit((&ours, "a"), ("other", "j"), times), Ok(()));
    }
}

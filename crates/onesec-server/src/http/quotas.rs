//! How much one tenant may ask of what all share. Who has no quota is held by the server's own limits only.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use onesec_telemetry::{TenantId, Timestamp};
use parking_lot::Mutex;

use super::problem::Problem;
use crate::config::Quotas as Limits;

/// The quotas of all tenants.
#[derive(Debug, Default)]
pub(crate) struct Quotas(BTreeMap<TenantId, [Option<Mutex<Bucket>>; 2]>);

/// What there is a quota of.
#[derive(Debug, Clone, Copy)]
enum Of {
    Events,
    Exchanges,
}

impl Quotas {
    pub(crate) fn new(limits: impl IntoIterator<Item = (TenantId, Limits)>) -> Self {
        let buckets = |limits: Limits| [limits.events_per_minute, limits.exchanges_per_minute].map(Bucket::of);
        Self(limits.into_iter().map(|(tenant, limits)| (tenant, buckets(limits))).collect())
    }

    /// Refuses where what there is for events is used up. What passes counts as one.
    pub(super) fn event(&self, tenant: &TenantId, now: Timestamp) -> Result<(), Problem> {
        self.admit(Of::Events, (tenant, now))
    }

    /// The same for exchanges.
    pub(super) fn exchange(&self, tenant: &TenantId, now: Timestamp) -> Result<(), Problem> {
        self.admit(Of::Exchanges, (tenant, now))
    }

    fn admit(&self, of: Of, (tenant, now): (&TenantId, Timestamp)) -> Result<(), Problem> {
        let Some(bucket) = self.bucket(of, tenant) else { return Ok(()) };
        bucket.lock().admit(now).map_err(|pause| {
            let detail = "the tenant's quota for a minute is used up";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "quota", detail).retry_after(pause)
        })
    }

    /// Counts events that came along with the one that was admitted: they are owed, and paid before anything else passes.
    pub(super) fn more_events(&self, tenant: &TenantId, more: usize) {
        if let Some(bucket) = self.bucket(Of::Events, tenant) {
            bucket.lock().left -= more as f64;
        }
    }

    fn bucket(&self, of: Of, tenant: &TenantId) -> Option<&Mutex<Bucket>> {
        let [events, exchanges] = self.0.get(tenant)?;
        match of {
            Of::Events => events.as_ref(),
            Of::Exchanges => exchanges.as_ref(),
        }
    }
}

/// Fills in a minute. May be owed something, so that one large batch is not refused for ever.
#[derive(Debug)]
struct Bucket {
    holds: f64,
    left: f64,
    at: Option<Timestamp>,
}

impl Bucket {
    fn of(per_minute: Option<u64>) -> Option<Mutex<Self>> {
        per_minute.map(|holds| Mutex::new(Self { holds: holds as f64, left: holds as f64, at: None }))
    }

    fn admit(&mut self, now: Timestamp) -> Result<(), Duration> {
        let per_second = self.holds / 60.0;
        let passed = self.at.map_or(Duration::ZERO, |at| now.since(at));
        self.left = self.holds.min(self.left + passed.as_secs_f64() * per_second);
        self.at = Some(now);
        if self.left < 1.0 {
            let pause = (1.0 - self.left) / per_second;
            return Err(Duration::try_from_secs_f64(pause).unwrap_or(LONGEST).min(LONGEST));
        }
        self.left -= 1.0;
        Ok(())
    }
}

/// Nobody is sent away for longer.
const LONGEST: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_800_000_000 + seconds)
    }

    #[test]
    fn a_minutes_worth_passes_at_once_and_then_one_at_a_time() {
        let limits = Limits { events_per_minute: Some(6), exchanges_per_minute: None };
        let (tenant, other) = (TenantId::default_tenant(), TenantId::new("acme").expect("tenant"));
        let quotas = Quotas::new([(tenant.clone(), limits)]);
        let admit = |of, tenant: &TenantId, now| quotas.admit(of, (tenant, at(now))).is_ok();
        assert!((0..6).all(|_| admit(Of::Events, &tenant, 0)));
        assert!(!admit(Of::Events, &tenant, 0) && !admit(Of::Events, &tenant, 9));
        assert!(admit(Of::Events, &tenant, 10) && !admit(Of::Events, &tenant, 10));
        // Nobody else's, nothing else's.
        assert!((0..100).all(|_| admit(Of::Events, &other, 10) && admit(Of::Exchanges, &tenant, 10)));
    }

    #[test]
    fn a_large_batch_passes_once_and_is_paid_for() {
        let limits = Limits { events_per_minute: Some(60), exchanges_per_minute: None };
        let tenant = TenantId::default_tenant();
        let quotas = Quotas::new([(tenant.clone(), limits)]);
        let admit = |now| quotas.admit(Of::Events, (&tenant, at(now)));
        assert!(admit(0).is_ok());
        quotas.more_events(&tenant, 179);
        let refused = admit(60).expect_err("it is owed still");
        assert_eq!((refused.status().as_u16(), refused.wait()), (429, Some(Duration::from_secs(61))));
        assert!(admit(121).is_ok());
    }
}

//! A tenant as the journal left it: newest valid snapshot and the records after it, judged silently.

use std::collections::BTreeMap;

use onesec_detector::StateReader;
use onesec_engine::{Assemble, Engine, Settings};
use onesec_journal::{JournalError, Reader};
use onesec_telemetry::{TenantId, Timestamp};

use super::codec::decode_record;
use super::dedup::{Dedup, HORIZON, LONG_HORIZON};
use super::options::{SharedAssemble, StartError};
use super::stats::ExchangeStats;

/// The section of a snapshot that counts exchanges.
pub(super) const EXCHANGES: &str = "exchanges";
/// Entries read at a time.
const PAGE: u32 = 10_000;

/// The engine after the newest record, and where that is.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) engine: Engine,
    pub(super) seq: u64,
    pub(super) observed_at: Timestamp,
    /// Records after the snapshot.
    pub(super) tail: u64,
    /// Exchanges through the gateway until then.
    pub(super) exchanges: ExchangeStats,
}

pub(super) fn boxed(assemble: &SharedAssemble) -> Assemble {
    let assemble = assemble.clone();
    Box::new(move |settings| assemble(settings))
}

/// Rebuilds a tenant's engine.
pub(super) fn recover(reader: &Reader, tenant: &TenantId, assemble: &SharedAssemble) -> Result<Recovered, StartError> {
    let last = reader.last_seq(tenant)?;
    let (mut engine, mut exchanges, from) = newest_snapshot(reader, tenant, assemble, last)?;
    let (mut seq, mut observed_at) = (from, Timestamp::EPOCH);
    feed(reader, tenant, from, |stored, record| {
        let output = engine.apply(&record);
        exchanges.count(&record, output.answer.as_ref(), |_| true);
        (seq, observed_at) = (stored, record.observed_at);
    })?;
    if seq == from {
        observed_at = reader.last_observed_at(tenant)?.unwrap_or_default();
    }
    Ok(Recovered { engine, seq, observed_at, tail: seq - from, exchanges })
}

/// Feeds every record after `from`, in order.
pub(super) fn feed(
    reader: &Reader,
    tenant: &TenantId,
    from: u64,
    mut each: impl FnMut(u64, onesec_telemetry::Record),
) -> Result<(), StartError> {
    for stored in reader.records_from(tenant, from + 1) {
        let stored = stored?;
        let record = decode_record(&stored.bytes)
            .ok_or_else(|| StartError::Unreadable { tenant: tenant.clone(), seq: stored.seq })?;
        each(stored.seq, record);
    }
    Ok(())
}

fn newest_snapshot(
    reader: &Reader,
    tenant: &TenantId,
    assemble: &SharedAssemble,
    last: u64,
) -> Result<(Engine, ExchangeStats, u64), StartError> {
    for snapshot in reader.snapshots(tenant)? {
        if snapshot.seq > last {
            continue; // of a future that never became durable
        }
        match load(reader, tenant, snapshot.seq, assemble) {
            Ok((engine, exchanges)) => return Ok((engine, exchanges, snapshot.seq)),
            Err(error) => {
                tracing::warn!(%tenant, seq = snapshot.seq, %error, "a snapshot cannot be used, trying an older one");
            }
        }
    }
    match reader.first_seq(tenant)? {
        None | Some(1) => {
            let engine = Engine::new(tenant.clone(), Settings::default(), boxed(assemble))?;
            Ok((engine, ExchangeStats::default(), 0))
        }
        Some(first) => Err(StartError::NoPast { tenant: tenant.clone(), first }),
    }
}

/// An engine from one snapshot.
pub(super) fn load(
    reader: &Reader,
    tenant: &TenantId,
    seq: u64,
    assemble: &SharedAssemble,
) -> Result<(Engine, ExchangeStats), StartError> {
    let sections: BTreeMap<String, Vec<u8>> = reader.load_snapshot(tenant, seq)?.into_iter().collect();
    let exchanges = StateReader::new(&sections).get(EXCHANGES).unwrap_or_default();
    Ok((Engine::load(tenant.clone(), boxed(assemble), &sections)?, exchanges))
}

/// What recognises repetitions, from the journal.
pub(super) fn dedup(reader: &Reader, tenant: &TenantId, now: Timestamp) -> Result<Dedup, JournalError> {
    let mut dedup = Dedup::default();
    for seen in reader.dedup_since(tenant, now.before(HORIZON))? {
        let seen = seen?;
        dedup.remember(seen.entry, seen.at);
    }
    let mut after = None;
    loop {
        let page = reader.dedup_long(tenant, now.before(LONG_HORIZON), (after, PAGE))?;
        for seen in &page {
            dedup.remember(seen.entry, seen.at);
        }
        match page.last() {
            Some(last) if page.len() >= PAGE as usize => after = Some(last.entry.key),
            _ => return Ok(dedup),
        }
    }
}

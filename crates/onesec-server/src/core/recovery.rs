//! A tenant as the journal left it: newest valid snapshot and the records after it, judged silently.

use std::collections::BTreeMap;

use onesec_detector::{StateReader, StateWriter};
use onesec_engine::{Assemble, Engine, Settings};
use onesec_journal::{JournalError, Reader};
use onesec_telemetry::{TenantId, Timestamp};

use super::codec::decode_record;
use super::dedup::{Dedup, HORIZON, LONG_HORIZON};
use super::options::{SharedAssemble, StartError};
use super::stats::ExchangeStats;

/// The section of a snapshot that counts exchanges.
const EXCHANGES: &str = "exchanges";
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
    /// The settings that the snapshot had are refused by this version; those of now are in force instead, and are yet to
    /// become a record.
    pub(super) unsettled: bool,
    /// Exchanges through the gateway until then.
    pub(super) exchanges: ExchangeStats,
}

pub(super) fn boxed(assemble: &SharedAssemble) -> Assemble {
    let assemble = assemble.clone();
    Box::new(move |settings| assemble(settings))
}

/// Rebuilds a tenant's engine.
pub(super) fn recover(
    reader: &Reader,
    (tenant, settings): (&TenantId, &Settings),
    assemble: &SharedAssemble,
) -> Result<Recovered, StartError> {
    let last = reader.last_seq(tenant)?;
    let past = newest_snapshot(reader, (tenant, settings), assemble, last)?;
    let Past { mut engine, mut exchanges, seq: from, unsettled } = past;
    let (mut seq, mut observed_at) = (from, Timestamp::EPOCH);
    feed(reader, tenant, from, |stored, record| {
        let output = engine.apply(&record);
        exchanges.count(&record, output.answer.as_ref(), |_| true);
        (seq, observed_at) = (stored, record.observed_at);
    })?;
    if seq == from {
        observed_at = reader.last_observed_at(tenant)?.unwrap_or_default();
    }
    Ok(Recovered { engine, seq, observed_at, tail: seq - from, unsettled, exchanges })
}

/// What a snapshot of a tenant consists of.
pub(super) fn sections(engine: &mut Engine, exchanges: &ExchangeStats) -> Vec<(String, Vec<u8>)> {
    let mut out = StateWriter::default();
    engine.save(&mut out);
    out.put(EXCHANGES, exchanges);
    out.into_sections()
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

/// Where recovery begins.
struct Past {
    engine: Engine,
    exchanges: ExchangeStats,
    seq: u64,
    unsettled: bool,
}

fn newest_snapshot(
    reader: &Reader,
    (tenant, settings): (&TenantId, &Settings),
    assemble: &SharedAssemble,
    last: u64,
) -> Result<Past, StartError> {
    // Those of a future that never became durable are none.
    let known: Vec<u64> = reader.snapshots(tenant)?.into_iter().map(|s| s.seq).filter(|seq| *seq <= last).collect();
    for seq in &known {
        match load(reader, tenant, *seq, assemble) {
            Ok((engine, exchanges)) => return Ok(Past { engine, exchanges, seq: *seq, unsettled: false }),
            Err(error) => tracing::warn!(%tenant, seq, %error, "a snapshot cannot be used, trying an older one"),
        }
    }
    // What was measured is worth more than the settings by which it was: a replay would not know those either.
    for seq in &known {
        match load_instead(reader, (tenant, settings), *seq, assemble) {
            Ok((engine, exchanges)) => return Ok(Past { engine, exchanges, seq: *seq, unsettled: true }),
            Err(error) => tracing::debug!(%tenant, seq, %error, "nor can it be used with the settings of now"),
        }
    }
    match reader.first_seq(tenant)? {
        None | Some(1) => {
            let engine = Engine::new(tenant.clone(), Settings::default(), boxed(assemble))?;
            Ok(Past { engine, exchanges: ExchangeStats::default(), seq: 0, unsettled: false })
        }
        Some(first) => Err(StartError::NoPast { tenant: tenant.clone(), first }),
    }
}

/// An engine from one snapshot, with other settings than it had.
fn load_instead(
    reader: &Reader,
    (tenant, settings): (&TenantId, &Settings),
    seq: u64,
    assemble: &SharedAssemble,
) -> Result<(Engine, ExchangeStats), StartError> {
    let sections: BTreeMap<String, Vec<u8>> = reader.load_snapshot(tenant, seq)?.into_iter().collect();
    let exchanges = StateReader::new(&sections).get(EXCHANGES).unwrap_or_default();
    let whose = (tenant.clone(), settings.clone());
    let (engine, dropped) = Engine::load_instead(whose, boxed(assemble), &sections)?;
    tracing::error!(
        %tenant, seq, mode = engine.mode().as_str(), preset = engine.preset().as_str(),
        "this version refuses the settings that were in force: those of the configuration are in force instead"
    );
    for policy in dropped {
        tracing::error!(%tenant, %policy, "a policy that was set by the API cannot be used any more, and is gone");
    }
    Ok((engine, exchanges))
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

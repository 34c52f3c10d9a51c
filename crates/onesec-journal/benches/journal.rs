//! Commits beside a raw append of the same bytes in the same run, replay, and indexing.
#![expect(clippy::expect_used, reason = "a benchmark may stop where it stands")]

use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use onesec_journal::{Batch, Column, DedupEntry, Journal, JournalOptions, RecordRow};
use onesec_telemetry::{TenantId, Timestamp};

const RECORD_BYTES: usize = 450;

fn batch(first: u64, count: u64) -> Batch {
    let record = |seq: u64| RecordRow {
        tenant: TenantId::default_tenant(),
        seq,
        observed_at: Timestamp::from_micros(1_767_225_600_000_000 + seq as i64),
        dedup: Some(DedupEntry { key: u128::from(seq).wrapping_mul(0x9e37_79b9_7f4a_7c15), content: seq, long: false }),
        bytes: vec![seq as u8; RECORD_BYTES].into(),
    };
    Batch { records: (first..first + count).map(record).collect(), ..Batch::default() }
}

fn commit(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut journal = Journal::open(dir.path(), JournalOptions::default()).expect("opens");
    let mut raw = File::create(dir.path().join("raw")).expect("creates");
    let tenant = TenantId::default_tenant();
    let mut group = c.benchmark_group("durable");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3)).sample_size(20);
    for count in [1, 64, 1_024_u64] {
        group.throughput(Throughput::Elements(count));
        let mut next = journal.writer.last_seq(&tenant) + 1;
        group.bench_function(format!("journal/{count}"), |b| {
            b.iter_batched(
                || {
                    next += count;
                    batch(next - count, count)
                },
                |batch| journal.writer.commit(&batch).expect("commits"),
                BatchSize::PerIteration,
            );
        });
        let bytes = vec![7_u8; RECORD_BYTES * count as usize];
        group.bench_function(format!("raw-append/{count}"), |b| {
            b.iter(|| {
                raw.write_all(&bytes).expect("writes");
                raw.sync_data().expect("syncs");
            });
        });
    }
    group.finish();
}

fn behind(c: &mut Criterion) {
    const COUNT: u64 = 102_400;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut journal = Journal::open(dir.path(), JournalOptions::default()).expect("opens");
    let tenant = TenantId::default_tenant();
    for first in (1..=COUNT).step_by(1_024) {
        journal.writer.commit(&batch(first, 1_024)).expect("commits");
    }
    let mut group = c.benchmark_group("behind");
    group.sample_size(10).throughput(Throughput::Elements(COUNT));
    group.bench_function("replay", |b| {
        b.iter(|| {
            journal.reader.records_from(&tenant, 1).map(|r| black_box(r.expect("intact")).bytes.len()).sum::<usize>()
        });
    });
    let since = Timestamp::EPOCH;
    group.bench_function("dedup", |b| b.iter(|| journal.reader.dedup_since(&tenant, since).expect("reads").count()));

    group.throughput(Throughput::Elements(1_024));
    let keys = |record: &[u8], sink: &mut dyn FnMut(Column, &str)| {
        let n = record.first().copied().unwrap_or(0);
        sink(Column::Kind, "token_exchange");
        sink(Column::Agent, &format!("agent-{n}"));
        sink(Column::User, &format!("auth0|{n}"));
        sink(Column::Connection, "google-oauth2");
        sink(Column::EventId, &format!("event-{n}-{}", record.len()));
    };
    let mut next = COUNT + 1;
    group.bench_function("index", |b| {
        while journal.indexer.step(&keys, 1_000).expect("indexes").blocks > 0 {}
        b.iter_batched(
            || {
                journal.writer.commit(&batch(next, 1_024)).expect("commits");
                next += 1_024;
            },
            |()| journal.indexer.step(&keys, 16).expect("indexes"),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, commit, behind);
criterion_main!(benches);

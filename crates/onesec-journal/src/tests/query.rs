//! The index finds what a naive scan finds, however far it has come.

use onesec_telemetry::{ConnectionName, UserId};
use proptest::prelude::*;

use super::*;
use crate::{Column, Cursor, JournalError, RecordFilter};

/// A record of the tests: `kind|agent|user|connection|id`, empty for none.
type Fields = [u8; 5];

fn encode(fields: Fields) -> Vec<u8> {
    let text = |n: u8| if n == 0 { String::new() } else { format!("v{n}") };
    fields.map(text).join("|").into_bytes()
}

const COLUMNS: [Column; 5] = [Column::Kind, Column::Agent, Column::User, Column::Connection, Column::EventId];

fn keys(record: &[u8], sink: &mut dyn FnMut(Column, &str)) {
    let text = std::str::from_utf8(record).expect("ours");
    for (column, value) in COLUMNS.into_iter().zip(text.split('|')) {
        if !value.is_empty() {
            sink(column, value);
        }
    }
}

fn filter(wanted: Fields, since: Option<u64>, until: Option<u64>) -> RecordFilter {
    let text = |n: u8| (n > 0).then(|| format!("v{n}"));
    RecordFilter {
        kind: text(wanted[0]),
        agent: text(wanted[1]).map(|t| AgentId::new(&t).expect("valid")),
        user: text(wanted[2]).map(|t| UserId::new(&t).expect("valid")),
        connection: text(wanted[3]).map(|t| ConnectionName::new(&t).expect("valid")),
        event_id: text(wanted[4]),
        since: since.map(at),
        until: until.map(at),
    }
}

fn pages(journal: &Opened, filter: &RecordFilter, limit: u32) -> Vec<u64> {
    let mut seen = Vec::new();
    let mut cursor: Option<Cursor> = None;
    loop {
        let page = journal.reader.query_records((&tenant(), filter), &keys, (cursor.as_ref(), limit)).expect("reads");
        assert!(page.items.len() <= limit as usize);
        seen.extend(page.items.iter().map(|record| record.seq));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return seen,
        }
    }
}

fn fields() -> impl Strategy<Value = Fields> {
    [0..4_u8, 0..4_u8, 0..3_u8, 0..3_u8, 0..20_u8]
}

fn wanted() -> impl Strategy<Value = Fields> {
    // Mostly one or two columns: five at once match nothing.
    prop::collection::vec((0..5_usize, 1..4_u8), 0..3).prop_map(|picked| {
        let mut wanted = [0; 5];
        picked.into_iter().for_each(|(column, value)| wanted[column] = value);
        wanted
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_a_scan_finds(
        commits in prop::collection::vec((prop::collection::vec(fields(), 1..90), 0..4_usize), 1..8),
        queries in prop::collection::vec((wanted(), any::<Option<u8>>(), any::<Option<u8>>(), 1..40_u32), 1..12),
    ) {
        let home = Home::new();
        let mut journal = home.open_with(JournalOptions { synchronous: crate::Synchronous::Off, ..JournalOptions::default() });
        let mut all: Vec<Fields> = Vec::new();
        for (rows, steps) in commits {
            let mut batch = Batch::default();
            for row in rows {
                all.push(row);
                batch.records.push(RecordRow { bytes: encode(row).into(), ..record(all.len() as u64) });
            }
            journal.writer.commit(&batch).expect("commits");
            if steps > 0 {
                journal.indexer.step(&keys, steps).expect("indexes");
            }
            for (wanted, since, until, limit) in &queries {
                let (since, until) = (since.map(u64::from), until.map(u64::from));
                let naive: Vec<u64> = (1..=all.len() as u64).rev().map(|seq| (&all[seq as usize - 1], seq))
                    .filter(|(row, _)| row.iter().zip(wanted).all(|(have, want)| *want == 0 || have == want))
                    .map(|(_, seq)| seq)
                    .filter(|seq| since.is_none_or(|s| *seq >= s) && until.is_none_or(|u| *seq < u))
                    .collect();
                prop_assert_eq!(pages(&journal, &filter(*wanted, since, until), *limit), naive);
            }
        }
    }
}

#[test]
fn buckets_join_without_a_seam() {
    let home = Home::new();
    let mut journal =
        home.open_with(JournalOptions { synchronous: crate::Synchronous::Off, ..JournalOptions::default() });
    const COUNT: u64 = 70_000;
    let row = |seq: u64| RecordRow {
        bytes: encode([1 + u8::from(seq.is_multiple_of(1_000)), 0, 0, 0, 0]).into(),
        dedup: None,
        ..record(seq)
    };
    for start in (1..=COUNT).step_by(5_000) {
        let batch = Batch { records: (start..start + 5_000).map(row).collect(), ..Batch::default() };
        journal.writer.commit(&batch).expect("commits");
        // Sometimes it ends in the middle of what a row holds.
        journal.indexer.step(&keys, start as usize % 4).expect("indexes");
    }
    while journal.indexer.step(&keys, 100).expect("indexes").blocks == 100 {}
    let rare = pages(&journal, &filter([2, 0, 0, 0, 0], None, None), 7);
    assert_eq!(rare, (1..=COUNT).rev().filter(|seq| seq % 1_000 == 0).collect::<Vec<_>>());
    let common = pages(&journal, &filter([1, 0, 0, 0, 0], None, None), 10_000);
    assert_eq!(common, (1..=COUNT).rev().filter(|seq| seq % 1_000 != 0).collect::<Vec<_>>());
    let window = pages(&journal, &filter([2, 0, 0, 0, 0], Some(64_000), Some(67_001)), 2);
    assert_eq!(window, [67_000, 66_000, 65_000, 64_000]);
}

#[test]
fn pages_hold_while_records_come_and_the_index_moves() {
    let home = Home::new();
    let mut journal = home.open();
    let row = |seq: u64| RecordRow { bytes: encode([1, 1, 0, 0, 0]).into(), ..record(seq) };
    journal.writer.commit(&Batch { records: (1..=300).map(row).collect(), ..Batch::default() }).expect("commits");
    let (mut seen, mut cursor, mut next) = (Vec::new(), None, 301);
    loop {
        let filter = filter([1, 1, 0, 0, 0], None, None);
        let page = journal.reader.query_records((&tenant(), &filter), &keys, (cursor.as_ref(), 23)).expect("reads");
        seen.extend(page.items.iter().map(|record| record.seq));
        journal.writer.commit(&Batch { records: vec![row(next)], ..Batch::default() }).expect("commits");
        next += 1;
        journal.indexer.step(&keys, 1).expect("indexes");
        match page.next {
            Some(after) => cursor = Some(after),
            None => break,
        }
    }
    assert_eq!(seen, (1..=300).rev().collect::<Vec<_>>());
}

#[test]
fn damage_is_reported_by_a_query_not_passed_over() {
    let home = Home::new();
    let mut journal = home.open();
    journal.writer.commit(&records(1..=64)).expect("commits");
    home.sql("UPDATE blocks SET body_crc = body_crc + 1");
    let got = journal.reader.query_records((&tenant(), &RecordFilter::default()), &keys, (None, 10));
    assert!(matches!(got, Err(JournalError::Corrupt { .. })));
    assert!(matches!(journal.indexer.step(&keys, 10), Err(JournalError::Corrupt { .. })));
}

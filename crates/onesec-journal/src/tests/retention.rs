//! Retention removes prefixes, leaves proof, and nothing that is still needed.

use super::*;
use crate::{AlertFilter, Column, JournalError, RecordFilter, RetentionCutoffs, verify};

fn cutoffs(before: Timestamp) -> RetentionCutoffs {
    RetentionCutoffs {
        tenant: tenant(),
        records_before: Some(before),
        alerts_before: Some(before),
        responses_before: Some(before),
        long_dedup_before: Some(before),
    }
}

fn filled(home: &Home) -> Opened {
    let mut journal = home.open();
    for n in 1..=10 {
        let mut batch = records((n - 1) * 100 + 1..=n * 100);
        batch.transitions.push(TransitionRow { at: at(n * 100), ..transition(n, "opened") });
        batch.alert_views.push(alert(n, if n == 6 { "open" } else { "resolved" }));
        batch.responses.push(ResponseRow { at: at(n * 100), ..response(n, "verified") });
        journal.writer.commit(&batch).expect("commits");
    }
    journal
}

#[test]
fn nothing_goes_that_a_snapshot_still_needs() {
    let home = Home::new();
    let mut journal = filled(&home);
    let gone = journal.maintenance.retain(&cutoffs(at(900)), at(2_000)).expect("retains");
    assert_eq!(gone.records, 0, "without a snapshot every record is needed");
    journal.snapshots.save((&tenant(), 450), at(450), &[("s", b"x")]).expect("saves");
    journal.snapshots.save((&tenant(), 800), at(800), &[("s", b"x")]).expect("saves");
    let gone = journal.maintenance.retain(&cutoffs(at(900)), at(2_000)).expect("retains");
    let first = journal.reader.first_seq(&tenant()).expect("reads").expect("there");
    assert!((401..=450).contains(&first), "{first}");
    assert_eq!(gone.records, first - 1);
    assert_eq!(journal.reader.records_from(&tenant(), 451).count(), 550);
    assert_eq!(journal.reader.record(&tenant(), 1).expect("reads"), None);
}

#[test]
fn what_is_left_still_verifies_and_goes_on() {
    let home = Home::new();
    let mut journal = filled(&home);
    let keys = |_: &[u8], sink: &mut dyn FnMut(Column, &str)| sink(Column::Kind, "k");
    while journal.indexer.step(&keys, 7).expect("indexes").blocks == 7 {}
    journal.snapshots.save((&tenant(), 950), at(950), &[("s", b"x")]).expect("saves");
    let gone = journal.maintenance.retain(&cutoffs(at(900)), at(2_000)).expect("retains");
    assert_eq!((gone.transitions, gone.response_steps), (5, 8), "alert 6 is open: it and what follows stays");
    assert!(gone.dedup_entries > 0);
    let left = journal.reader.alerts(&tenant(), &AlertFilter::default(), (None, 100)).expect("reads");
    assert_eq!(left.items.iter().map(|a| a.seq).collect::<Vec<_>>(), [10, 9, 8, 7, 6]);
    let filter = RecordFilter { kind: Some("k".into()), ..RecordFilter::default() };
    let found = journal.reader.query_records((&tenant(), &filter), &keys, (None, 10_000)).expect("reads");
    assert_eq!(found.items.last().map(|r| r.seq), journal.reader.first_seq(&tenant()).expect("reads"));
    assert_eq!(found.next, None);

    let report = verify(home.path()).expect("verifies");
    assert_eq!((report.faults, report.checkpoints), (vec![], 3));
    drop(journal);
    let mut journal = home.open();
    journal.writer.commit(&records(1_001..=1_100)).expect("goes on");
    let mut closed = opened(6, "resolved");
    closed.transitions[0].at = at(1_100);
    journal.writer.commit(&closed).expect("goes on");
    let gone = journal.maintenance.retain(&cutoffs(at(1_200)), at(2_000)).expect("retains again");
    assert_eq!((gone.transitions, gone.response_steps), (6, 2));
    assert_eq!(verify(home.path()).expect("verifies").faults, []);
    drop(journal);
    let mut journal = home.open();
    journal.writer.commit(&opened(20, "open")).expect("an emptied chain goes on");
    assert_eq!(verify(home.path()).expect("verifies").faults, []);
}

#[test]
fn a_tampered_checkpoint_is_found() {
    let home = Home::new();
    let mut journal = filled(&home);
    journal.snapshots.save((&tenant(), 950), at(950), &[("s", b"x")]).expect("saves");
    journal.maintenance.retain(&cutoffs(at(500)), at(2_000)).expect("retains");
    drop(journal);
    assert_eq!(verify(home.path()).expect("verifies").faults, []);
    for (sql, undo) in [
        ("UPDATE checkpoints SET removed = removed + 1", "UPDATE checkpoints SET removed = removed - 1"),
        ("UPDATE checkpoints SET pos = pos + 1", "UPDATE checkpoints SET pos = pos - 1"),
        ("UPDATE checkpoints SET at = at + 1", "UPDATE checkpoints SET at = at - 1"),
    ] {
        home.sql(sql);
        let report = verify(home.path()).expect("verifies");
        let of = ["records", "transitions", "responses"].map(|chain| format!("checkpoint of {chain}"));
        for place in of {
            assert!(report.faults.iter().any(|f| f.place.ends_with(&place)), "{sql}: {:?}", report.faults);
        }
        home.sql(undo);
    }
    home.sql("DELETE FROM checkpoints");
    let report = verify(home.path()).expect("verifies");
    assert!(report.faults.len() >= 3, "{:?}", report.faults);
}

#[test]
fn numbers_and_time_go_on_when_retention_took_every_record() {
    let home = Home::new();
    let mut journal = home.open();
    journal.writer.commit(&records(1..=100)).expect("commits");
    journal.writer.commit(&records(101..=110)).expect("commits");
    // A snapshot at the newest record keeps its block: the tail is never empty by retention alone.
    journal.snapshots.save((&tenant(), 110), at(110), &[("s", b"x")]).expect("saves");
    journal.maintenance.retain(&cutoffs(at(5_000)), at(6_000)).expect("retains");
    drop(journal);
    let mut journal = home.open();
    assert_eq!(journal.writer.last_seq(&tenant()), 110);
    assert_eq!(journal.writer.last_observed_at(&tenant()), Some(at(110)));
    assert!(matches!(journal.writer.commit(&records([1])), Err(JournalError::Gap { expected: 111, .. })));
    journal.writer.commit(&records([111])).expect("goes on");
}

#[test]
fn space_comes_back() {
    let home = Home::new();
    let mut journal = home.open();
    for n in 0..50 {
        let mut batch = records(n * 64 + 1..=n * 64 + 64);
        batch.records.iter_mut().for_each(|r| r.bytes = vec![1; 2_000].into());
        journal.writer.commit(&batch).expect("commits");
    }
    journal.snapshots.save((&tenant(), 3_200), at(3_200), &[("s", b"x")]).expect("saves");
    journal.maintenance.checkpoint().expect("checkpoints");
    let before = journal.maintenance.used_bytes().expect("reads");
    journal.maintenance.retain(&cutoffs(at(3_100)), at(4_000)).expect("retains");
    assert!(journal.maintenance.used_bytes().expect("reads") < before / 5);
    while journal.maintenance.vacuum(100).expect("vacuums") > 0 {}
    journal.maintenance.checkpoint().expect("checkpoints");
    let size = std::fs::metadata(home.path().join(DB_FILE)).expect("there").len();
    assert!(size < before / 5, "{size} of {before}");
}

//! Acknowledged means there; refused means not there.

use onesec_telemetry::{AgentId, UserId};

use super::*;
use crate::{
    AlertFilter, JournalError, KEY_FILE, Lane, LedgerFilter, LedgerRow, LedgerTable, LedgerWrite, OutboxOutcome,
    OutboxUpdate, ResponseFilter, SeverityFilter, verify,
};

fn ledger_row(id: &str, agent: &str) -> LedgerRow {
    LedgerRow {
        tenant: tenant(),
        id: id.into(),
        agent_id: Some(AgentId::new(agent).expect("valid")),
        user_id: Some(UserId::new("auth0|ann").expect("valid")),
        connection: None,
        state: "active".into(),
        updated_seq: 3,
        expires_at: Some(at(100)),
        doc: "{}".into(),
    }
}

/// The lane of [`wish`].
const MESSAGES: Lane = Lane { urgent: false, pace: crate::Pace::Messages };

#[test]
fn what_was_acknowledged_is_there_after_reopening() {
    let home = Home::new();
    let mut journal = home.open();
    assert!(journal.info.created);
    let batch = Batch {
        records: (1..=200).map(record).collect(),
        transitions: vec![transition(1, "opened"), transition(1, "raised")],
        alert_views: vec![alert(1, "open")],
        ledger: vec![LedgerWrite::Put { table: LedgerTable::Delegations, row: ledger_row("d1", "bot-1") }],
        outbox: vec![wish(1), wish(1)],
        responses: vec![response(1, "executing"), response(1, "verified")],
        dead_letters: vec![dead_letter(1)],
        ..Batch::default()
    };
    let info = journal.writer.commit(&batch).expect("commits");
    assert_eq!((info.records, info.blocks), (200, 4));
    drop(journal);

    let journal = home.open();
    assert!(!journal.info.created);
    assert_eq!(journal.info.tenants, vec![(tenant(), 200)]);
    let got: Vec<_> = journal.reader.records_from(&tenant(), 1).map(|r| r.expect("intact")).collect();
    assert_eq!(got.len(), 200);
    for (got, want) in got.iter().zip(&batch.records) {
        assert_eq!((got.seq, got.observed_at, &got.bytes), (want.seq, want.observed_at, &want.bytes));
    }
    assert_eq!(journal.reader.record(&tenant(), 77).expect("reads"), got.get(76).cloned());
    assert_eq!(journal.reader.record(&tenant(), 201).expect("reads"), None);
    assert_eq!(journal.reader.alert(&tenant(), &alert_id(1)).expect("reads"), Some(alert(1, "open")));
    let kinds: Vec<_> =
        journal.reader.transitions(&tenant(), &alert_id(1)).expect("reads").into_iter().map(|t| t.kind).collect();
    assert_eq!(kinds, ["opened", "raised"]);
    let row = journal.reader.ledger_row(LedgerTable::Delegations, &tenant(), "d1").expect("reads");
    assert_eq!(row, Some(ledger_row("d1", "bot-1")));
    assert_eq!(journal.outbox.due(MESSAGES, at(1), 10).expect("reads").len(), 1);
    let responses = journal.reader.responses(&tenant(), &ResponseFilter::default(), (None, 10)).expect("reads");
    assert_eq!(responses.items.iter().map(|r| (r.state.as_str(), r.open)).collect::<Vec<_>>(), [("verified", false)]);
    assert_eq!(journal.reader.response_steps(&tenant(), "response-1").expect("reads").len(), 2);
    let letters = journal.reader.dead_letters(&tenant(), (None, 10)).expect("reads");
    assert_eq!(letters.items[0].letter, dead_letter(1));
    assert_eq!(verify(home.path()).expect("verifies").faults, []);
}

#[test]
fn streams_start_anywhere_and_across_blocks_of_every_size() {
    let home = Home::new();
    let mut journal = home.open();
    let mut next = 1;
    for size in [1, 64, 65, 3, 200, 1, 1] {
        journal.writer.commit(&records(next..next + size)).expect("commits");
        next += size;
    }
    for from in 1..=next {
        let got: Vec<_> = journal.reader.records_from(&tenant(), from).map(|r| r.expect("intact").seq).collect();
        assert_eq!(got, (from..next).collect::<Vec<_>>());
    }
    let big = RecordRow { bytes: vec![7; 300 * 1024].into(), ..record(next) };
    journal
        .writer
        .commit(&Batch { records: vec![big.clone(), record(next + 1)], ..Batch::default() })
        .expect("commits");
    assert_eq!(journal.reader.record(&tenant(), next).expect("reads").expect("there").bytes, big.bytes);
}

#[test]
fn gaps_repeats_and_time_going_backwards_write_nothing() {
    let home = Home::new();
    let mut journal = home.open();
    journal.writer.commit(&records(1..=3)).expect("commits");
    let refused = |journal: &mut Opened, batch: &Batch| journal.writer.commit(batch).expect_err("refused");

    assert!(matches!(refused(&mut journal, &records([4, 6])), JournalError::Gap { expected: 5, found: 6, .. }));
    assert!(matches!(refused(&mut journal, &records([3])), JournalError::Gap { expected: 4, found: 3, .. }));
    let mut late = records([4]);
    late.records[0].observed_at = at(2);
    late.dead_letters.push(dead_letter(1));
    assert!(matches!(refused(&mut journal, &late), JournalError::TimeBackwards { seq: 4, .. }));

    assert_eq!(journal.writer.last_seq(&tenant()), 3);
    assert_eq!(all_seqs(&journal), [1, 2, 3]);
    assert_eq!(journal.reader.dead_letters(&tenant(), (None, 10)).expect("reads").items, []);
    journal.writer.commit(&records([4])).expect("the writer is still good");
}

#[test]
fn tenants_share_a_batch_but_no_numbers() {
    let home = Home::new();
    let mut journal = home.open();
    let mut batch = Batch::default();
    for seq in 1..=100 {
        batch.records.push(record(seq));
        batch.records.push(RecordRow { tenant: other(), ..record(seq) });
    }
    journal.writer.commit(&batch).expect("commits");
    assert_eq!(journal.reader.tenants().expect("reads"), [tenant(), other()]);
    for name in [tenant(), other()] {
        assert_eq!(journal.reader.last_seq(&name).expect("reads"), 100);
        assert_eq!(journal.reader.last_observed_at(&name).expect("reads"), Some(at(100)));
        assert_eq!(journal.reader.records_from(&name, 1).count(), 100);
    }
}

#[test]
fn a_second_opener_is_refused_until_every_handle_is_gone() {
    let home = Home::new();
    let journal = home.open();
    let refused = || Journal::open(home.path(), JournalOptions::default()).map(|_| ());
    assert!(matches!(refused(), Err(JournalError::Locked { .. })));
    let indexer = journal.indexer;
    drop((journal.writer, journal.outbox, journal.snapshots, journal.maintenance, journal.reader));
    assert!(matches!(refused(), Err(JournalError::Locked { .. })));
    drop(indexer);
    refused().expect("opens");
}

#[test]
fn files_are_for_the_owner_alone_and_the_key_must_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let mut journal = home.open();
    journal.writer.commit(&records([1])).expect("commits");
    for entry in std::fs::read_dir(home.path()).expect("reads") {
        let entry = entry.expect("reads");
        let mode = entry.metadata().expect("reads").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
    drop(journal);
    std::fs::remove_file(home.path().join(KEY_FILE)).expect("removes");
    let again = Journal::open(home.path(), JournalOptions::default()).map(|_| ());
    assert!(matches!(again, Err(JournalError::KeyMissing)));
}

#[test]
fn a_newer_file_is_left_alone() {
    let home = Home::new();
    drop(home.open());
    home.sql("PRAGMA user_version = 99");
    let again = Journal::open(home.path(), JournalOptions::default()).map(|_| ());
    assert!(matches!(again, Err(JournalError::NewerVersion { found: 99, supported: crate::schema::VERSION })));
}

#[test]
fn a_full_disk_refuses_whole_batches_and_leaves_the_writer_usable() {
    let home = Home::new();
    let mut journal = home.open();
    journal.writer.commit(&records([1])).expect("commits");
    let size = journal.reader.size_bytes().expect("reads");
    journal.writer.set_max_bytes(Some(size + 64 * 1024)).expect("sets");
    let mut big = records(2..=40);
    big.records.iter_mut().for_each(|r| r.bytes = vec![1; 100_000].into());
    big.alert_views.push(alert(1, "open"));
    for _ in 0..3 {
        assert!(matches!(journal.writer.commit(&big), Err(JournalError::Full)));
    }
    assert_eq!(journal.writer.last_seq(&tenant()), 1);
    assert_eq!(journal.reader.alert(&tenant(), &alert_id(1)).expect("reads"), None);
    journal.writer.commit(&records([2])).expect("a small one still fits");
    journal.writer.set_max_bytes(None).expect("sets");
    big.records.remove(0);
    journal.writer.commit(&big).expect("fits now");
    assert_eq!(all_seqs(&journal), (1..=40).collect::<Vec<_>>());
    assert_eq!(verify(home.path()).expect("verifies").faults.len(), 1, "an alert without a transition is a fault");
}

#[test]
fn dedup_entries_come_back_for_the_horizon_asked_for() {
    let home = Home::new();
    let mut journal = home.open();
    for start in (1..=300).step_by(30) {
        journal.writer.commit(&records(start..start + 30)).expect("commits");
    }
    for since in [0, 1, 17, 30, 31, 150, 299, 300, 301] {
        let got: Vec<_> = journal
            .reader
            .dedup_since(&tenant(), at(since))
            .expect("reads")
            .map(|seen| seen.map(|s| (s.seq, s.at, s.entry)).expect("intact"))
            .collect();
        let want: Vec<_> =
            (since.max(1)..=300).filter_map(|seq| record(seq).dedup.map(|entry| (seq, at(seq), entry))).collect();
        assert_eq!(got, want, "since {since}");
    }
    let long = journal.reader.dedup_long(&tenant(), at(101), (None, 1_000)).expect("reads");
    let want: Vec<_> = (101..=300).filter(|seq| seq % 10 == 5).collect();
    assert_eq!(long.iter().map(|seen| seen.seq).collect::<Vec<_>>(), want);
    assert_eq!(Some(long[0].entry), record(105).dedup);
    let rest = journal.reader.dedup_long(&tenant(), at(101), (Some(long[4].entry.key), 1_000)).expect("reads");
    assert_eq!(rest, long[5..]);
}

#[test]
fn the_outbox_takes_a_wish_once_and_hands_it_to_one() {
    let home = Home::new();
    let mut journal = home.open();
    let mut batch = opened(1, "open");
    batch.outbox = vec![wish(1), wish(2)];
    journal.writer.commit(&batch).expect("commits");
    let mut second = journal.outbox.another().expect("opens");

    assert_eq!(journal.outbox.due(MESSAGES, at(0), 10).expect("reads").len(), 0, "not due yet");
    assert!(journal.outbox.claim("wish-1", at(5)).expect("claims"));
    assert!(!second.claim("wish-1", at(5)).expect("somebody was faster"));
    assert_eq!(second.claimed(10).expect("reads")[0].row, wish(1));

    let update = |outcome| OutboxUpdate { id: "wish-1".into(), outcome, at: at(6), result: None };
    assert!(second.finish(&update(OutboxOutcome::Retry(at(60)))).expect("finishes"));
    assert_eq!(
        second.due(MESSAGES, at(59), 10).expect("reads").iter().map(|t| &*t.row.id).collect::<Vec<_>>(),
        ["wish-2"]
    );
    assert!(second.claim("wish-1", at(60)).expect("claims"));
    let receipt = Batch {
        responses: vec![response(1, "verified")],
        outbox_updates: vec![update(OutboxOutcome::Done)],
        ..Batch::default()
    };
    journal.writer.commit(&receipt).expect("commits");
    assert!(!second.finish(&update(OutboxOutcome::Failed)).expect("done is done"));
    // Recovery writes what it wrote before the crash: nothing happens again.
    journal.writer.commit(&Batch { outbox: vec![wish(1), wish(2)], ..Batch::default() }).expect("commits");
    assert_eq!(
        second.due(MESSAGES, at(99), 10).expect("reads").iter().map(|t| &*t.row.id).collect::<Vec<_>>(),
        ["wish-2"]
    );
    assert_eq!(journal.maintenance.purge_outbox(at(61), 10).expect("purges"), 1);
}

#[test]
fn dead_letters_are_bounded_and_counted() {
    let home = Home::new();
    let mut journal = home.open_with(JournalOptions { dead_letters_per_tenant: 5, ..JournalOptions::default() });
    journal.writer.commit(&Batch { dead_letters: (1..=4).map(dead_letter).collect(), ..Batch::default() }).expect("ok");
    let more = Batch { dead_letters: (5..=9).map(dead_letter).collect(), ..Batch::default() };
    assert_eq!(journal.writer.commit(&more).expect("commits").dead_letters_dropped, 4);
    let page = journal.reader.dead_letters(&tenant(), (None, 100)).expect("reads");
    assert_eq!(page.items.iter().map(|d| d.letter.size).collect::<Vec<_>>(), [9, 8, 7, 6, 5]);
    assert_eq!(journal.reader.dead_letter_counts(&tenant()).expect("reads"), (5, 4));
}

#[test]
fn ledger_rows_are_replaced_removed_filtered_and_purged() {
    let home = Home::new();
    let mut journal = home.open();
    for table in LedgerTable::ALL {
        let put = |id: &str, agent| LedgerWrite::Put { table, row: ledger_row(id, agent) };
        let remove = LedgerWrite::Remove { table, tenant: tenant(), id: "b".into() };
        let ledger = vec![put("a", "bot-1"), put("b", "bot-1"), put("c", "bot-2"), put("a", "bot-2"), remove];
        journal.writer.commit(&Batch { ledger, ..Batch::default() }).expect("commits");
        let ids = |agent: Option<&str>| {
            let filter =
                LedgerFilter { agent_id: agent.map(|a| AgentId::new(a).expect("valid")), ..Default::default() };
            let page = journal.reader.ledger((table, &tenant()), &filter, (None, 10)).expect("reads");
            page.items.into_iter().map(|row| row.id).collect::<Vec<_>>()
        };
        assert_eq!(
            (ids(None), ids(Some("bot-1")), ids(Some("bot-2"))),
            (vec!["a".into(), "c".into()], vec![], vec!["a".into(), "c".into()])
        );
        assert_eq!(journal.maintenance.purge_expired(table, at(100), 10).expect("purges"), 0);
        assert_eq!(journal.maintenance.purge_expired(table, at(101), 10).expect("purges"), 2);
    }
}

#[test]
fn members_of_a_row_are_changed_and_no_row_comes_of_it() {
    let home = Home::new();
    let mut journal = home.open();
    let table = LedgerTable::Agents;
    let row = LedgerRow { doc: r#"{"seen":"1","own":{"a":1}}"#.into(), ..ledger_row("a", "bot-1") };
    let merge = |id: &str| LedgerWrite::Merge {
        table,
        tenant: tenant(),
        id: id.into(),
        doc: r#"{"seen":"2"}"#.into(),
        updated_seq: 9,
    };
    let ledger = vec![LedgerWrite::Put { table, row: row.clone() }, merge("a"), merge("b")];
    journal.writer.commit(&Batch { ledger, ..Batch::default() }).expect("commits");
    let page = journal.reader.ledger((table, &tenant()), &LedgerFilter::default(), (None, 10)).expect("reads");
    let changed = LedgerRow { doc: r#"{"seen":"2","own":{"a":1}}"#.into(), updated_seq: 9, ..row };
    assert_eq!(page.items, [changed]);
}

#[test]
fn alerts_are_found_by_every_filter() {
    let home = Home::new();
    let mut journal = home.open();
    for n in 1..=30 {
        journal.writer.commit(&opened(n, if n % 4 == 0 { "resolved" } else { "open" })).expect("commits");
    }
    let found = |filter: AlertFilter| -> Vec<u64> {
        let page = journal.reader.alerts(&tenant(), &filter, (None, 100)).expect("reads");
        page.items.into_iter().map(|alert| alert.seq).collect()
    };
    let naive = |keep: fn(u64) -> bool| (1..=30).rev().filter(|n| keep(*n)).collect::<Vec<_>>();
    let any = AlertFilter::default;
    assert_eq!(found(any()), naive(|_| true));
    assert_eq!(found(AlertFilter { detector: Some("canary".into()), ..any() }), naive(|n| n % 2 == 1));
    assert_eq!(found(AlertFilter { severity: Some(SeverityFilter::Exactly(3)), ..any() }), naive(|n| n % 5 == 3));
    assert_eq!(found(AlertFilter { severity: Some(SeverityFilter::AtLeast(3)), ..any() }), naive(|n| n % 5 >= 3));
    assert_eq!(found(AlertFilter { status: Some("resolved".into()), ..any() }), naive(|n| n % 4 == 0));
    let bot = AgentId::new("bot-2").expect("valid");
    assert_eq!(found(AlertFilter { agent_id: Some(bot.clone()), ..any() }), naive(|n| n % 3 == 2));
    let both = AlertFilter { agent_id: Some(bot), since: Some(at(10)), ..any() };
    assert_eq!(found(both), naive(|n| n % 3 == 2 && n >= 10));
    let nobody = AlertFilter { user_id: Some(UserId::new("x").expect("valid")), ..any() };
    assert_eq!(found(nobody), naive(|_| false));
}

#[test]
fn commits_go_on_while_everybody_else_works() {
    let home = Home::new();
    let Opened { mut writer, reader, mut indexer, mut snapshots, mut outbox, mut maintenance, .. } = home.open();
    writer.commit(&records(1..=64)).expect("commits");
    let done = std::sync::atomic::AtomicBool::new(false);
    let working = || !done.load(std::sync::atomic::Ordering::Relaxed);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while working() {
                indexer.step(&|_, sink| sink(crate::Column::Kind, "k"), 4).expect("indexes");
            }
        });
        scope.spawn(|| {
            while working() {
                snapshots.save((&tenant(), 64), at(64), &[("s", &[1; 1_500_000])]).expect("saves");
                maintenance.checkpoint().expect("checkpoints");
                assert_eq!(outbox.due(MESSAGES, at(0), 1).expect("reads").len(), 0);
                assert!(!outbox.claim("nothing", at(0)).expect("claims"));
            }
        });
        for _ in 0..4 {
            scope.spawn(|| {
                while working() {
                    let seqs: Vec<_> = reader.records_from(&tenant(), 1).map(|r| r.expect("intact").seq).collect();
                    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
                }
            });
        }
        for n in 1..=100 {
            writer.commit(&records(n * 64 + 1..=n * 64 + 64)).expect("commits");
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(verify(home.path()).expect("verifies").faults, []);
    assert_eq!(reader.records_from(&tenant(), 1).count(), 101 * 64);
}

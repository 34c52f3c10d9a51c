//! Paging visits every row exactly once, while rows come and change.

use super::*;
use crate::{AlertFilter, Cursor, JournalError, LedgerFilter, LedgerRow, LedgerTable, LedgerWrite};

#[test]
fn alerts_page_without_repeats_while_alerts_come_and_change() {
    let home = Home::new();
    let mut journal = home.open();
    for n in 1..=50 {
        journal.writer.commit(&opened(n, "open")).expect("commits");
    }
    let mut seen = Vec::new();
    let mut cursor = None;
    let mut fresh = 100;
    loop {
        let page = journal.reader.alerts(&tenant(), &AlertFilter::default(), (cursor.as_ref(), 7)).expect("reads");
        seen.extend(page.items.iter().map(|alert| alert.seq));
        // A new alert, and one that was shown already or is still to come changes.
        journal.writer.commit(&opened(fresh, "open")).expect("commits");
        let changed = AlertRow { last_seen: at(fresh), ..alert(fresh % 50 + 1, "acknowledged") };
        journal.writer.commit(&Batch { alert_views: vec![changed], ..Batch::default() }).expect("commits");
        fresh += 1;
        match page.next {
            Some(next) => cursor = Some(Cursor::parse(&next.to_string()).expect("round trip")),
            None => break,
        }
    }
    assert_eq!(seen, (1..=50).rev().collect::<Vec<_>>());
}

#[test]
fn ledger_and_dead_letters_page_to_the_end() {
    let home = Home::new();
    let mut journal = home.open();
    let row = |n: u64| LedgerRow {
        tenant: tenant(),
        id: format!("{n:03}"),
        agent_id: None,
        user_id: None,
        connection: None,
        state: "active".into(),
        updated_seq: n,
        expires_at: None,
        doc: "{}".into(),
    };
    let batch = Batch {
        ledger: (0..21).map(|n| LedgerWrite::Put { table: LedgerTable::Agents, row: row(n) }).collect(),
        dead_letters: (0..21).map(dead_letter).collect(),
        ..Batch::default()
    };
    journal.writer.commit(&batch).expect("commits");
    let (mut rows, mut letters) = (Vec::new(), Vec::new());
    let (mut next_row, mut next_letter) = (None, None);
    for _ in 0..3 {
        let page = (next_row.as_ref(), 7);
        let page = journal.reader.ledger((LedgerTable::Agents, &tenant()), &LedgerFilter::default(), page).expect("ok");
        rows.extend(page.items.into_iter().map(|row| row.updated_seq));
        next_row = page.next;
        let page = journal.reader.dead_letters(&tenant(), (next_letter.as_ref(), 7)).expect("reads");
        letters.extend(page.items.into_iter().map(|d| d.letter.size));
        next_letter = page.next;
    }
    assert_eq!((next_row, next_letter), (None, None));
    assert_eq!(rows, (0..21).collect::<Vec<_>>());
    assert_eq!(letters, (0..21).rev().collect::<Vec<_>>());
}

#[test]
fn a_made_up_cursor_is_refused() {
    let home = Home::new();
    let journal = home.open();
    for text in ["", "zz", "../../etc", &"00".repeat(2_000)] {
        assert!(matches!(Cursor::parse(text), Err(JournalError::BadCursor)), "{text:?}");
    }
    let foreign = Cursor::parse(&hex::encode("\x02abc")).expect("well formed");
    let got = journal.reader.alerts(&tenant(), &AlertFilter::default(), (Some(&foreign), 7));
    assert!(matches!(got, Err(JournalError::BadCursor)));
}

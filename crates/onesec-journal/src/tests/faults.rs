//! A journal that is gone, cut short, or has a bit flipped anywhere: refused, found, or harmless, and never taken for whole.

use super::*;
use crate::{JournalError, verify};

fn refusal(home: &Home) -> Option<JournalError> {
    Journal::open(home.path(), JournalOptions::default()).err()
}

#[test]
fn a_journal_that_is_gone_is_missed() {
    let home = Home::new();
    let mut journal = home.open();
    journal.writer.commit(&records([1])).expect("commits");
    drop(journal);
    let db = home.path().join(DB_FILE);
    std::fs::write(&db, []).expect("emptied");
    assert!(matches!(refusal(&home), Some(JournalError::Missing)), "an empty file is no journal");
    std::fs::remove_file(&db).expect("removed");
    assert!(matches!(refusal(&home), Some(JournalError::Missing)));
    assert!(!db.exists(), "and nothing is put in its place");
}

/// The key is written first, under another name, then the file, then the key gets its own.
#[test]
fn a_first_start_may_end_anywhere() {
    let whole = Home::new();
    drop(whole.open());
    let key = std::fs::read(whole.path().join(crate::KEY_FILE)).expect("reads");
    let db = std::fs::read(whole.path().join(DB_FILE)).expect("reads");
    let fresh = "journal.key.new";
    for (n, files) in [
        vec![],
        vec![(fresh, &key[..10])],
        vec![(fresh, &key[..])],
        vec![(fresh, &key[..]), (DB_FILE, &[][..])],
        vec![(fresh, &key[..]), (DB_FILE, &db[..])],
        vec![(crate::KEY_FILE, &key[..]), (DB_FILE, &db[..])],
    ]
    .into_iter()
    .enumerate()
    {
        let home = Home::new();
        for (name, bytes) in files {
            std::fs::write(home.path().join(name), bytes).expect("writes");
        }
        let mut journal = home.open();
        journal.writer.commit(&opened(1, "open")).expect("commits");
        drop(journal);
        assert!(verify(home.path()).expect("verifies").is_clean(), "case {n}");
    }
}

/// Records, transitions and snapshots, as a reader has them.
fn everything(home: &Home) -> Result<Vec<String>, JournalError> {
    let journal = Journal::open(home.path(), JournalOptions::default())?;
    let mut all = Vec::new();
    for record in journal.reader.records_from(&tenant(), 1) {
        all.push(format!("{:?}", record?));
    }
    for n in 1..=20 {
        all.push(format!("{:?}", journal.reader.transitions(&tenant(), &alert_id(n))?));
    }
    for snapshot in journal.reader.snapshots(&tenant())? {
        all.push(format!("{:?}", journal.reader.load_snapshot(&tenant(), snapshot.seq)?));
    }
    Ok(all)
}

fn filled() -> Home {
    let home = Home::new();
    let mut journal = home.open();
    for start in [1, 65, 129] {
        journal.writer.commit(&records(start..start + 64)).expect("commits");
    }
    for n in 1..=20 {
        journal.writer.commit(&opened(n, "open")).expect("commits");
    }
    let state: Vec<u8> = (0..60_000_u32).map(|n| (n % 251) as u8).collect();
    journal.snapshots.save((&tenant(), 100), at(100), &[("engine", &state)]).expect("saves");
    drop(journal);
    home
}

/// A damaged copy must be refused, or found by `verify`, or read like the whole one: a bit may lie where nothing is.
fn check_damage(whole: &(Vec<String>, Vec<u8>, Vec<u8>), damaged: &[u8], what: &str) -> bool {
    let home = Home::new();
    std::fs::write(home.path().join(crate::KEY_FILE), &whole.2).expect("writes");
    std::fs::write(home.path().join(DB_FILE), damaged).expect("writes");
    let Ok(seen) = everything(&home) else { return true };
    let found = verify(home.path()).map_or(true, |report| !report.is_clean());
    assert!(found || seen == whole.0, "{what}: neither refused nor found, and it reads otherwise");
    found
}

fn whole() -> (Vec<String>, Vec<u8>, Vec<u8>) {
    let home = filled();
    let all = everything(&home).expect("reads");
    let read = |name| std::fs::read(home.path().join(name)).expect("reads");
    (all, read(DB_FILE), read(crate::KEY_FILE))
}

#[test]
fn a_bit_flipped_anywhere_is_refused_found_or_harmless() {
    let whole = whole();
    let mut noticed = 0;
    // A stride that is prime to the size of pages visits their headers, their cells and their gaps.
    let places: Vec<usize> = (0..whole.1.len()).step_by(4_999).collect();
    for (n, place) in places.iter().enumerate() {
        let mut damaged = whole.1.clone();
        damaged[*place] ^= 1 << (n % 8);
        noticed += usize::from(check_damage(&whole, &damaged, &format!("bit {} of byte {place}", n % 8)));
    }
    assert!(noticed * 10 > places.len(), "only {noticed} of {} were noticed: the file is empty", places.len());
}

#[test]
fn a_file_cut_short_or_a_page_half_written_is_refused_or_found() {
    let whole = whole();
    const PAGE: usize = 8_192;
    for cut in (0..whole.1.len()).step_by(PAGE).flat_map(|page| [page, page + 1, page + PAGE / 2]) {
        if cut < whole.1.len() {
            assert!(check_damage(&whole, &whole.1[..cut], &format!("cut at {cut}")), "cut at {cut}: nobody noticed");
        }
    }
    let mut noticed = 0;
    for page in (0..whole.1.len()).step_by(PAGE) {
        let mut damaged = whole.1.clone();
        damaged[page + PAGE / 2..page + PAGE].fill(0);
        noticed += usize::from(check_damage(&whole, &damaged, &format!("half of the page at {page}")));
    }
    assert!(noticed > 10, "{noticed}");
}

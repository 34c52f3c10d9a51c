//! What is kept against everything that ever happened.

use std::collections::BTreeSet;
use std::time::Duration;

use onesec_telemetry::Timestamp;
use proptest::prelude::*;

use crate::config::ProbingLimits;
use crate::facts::FAIL_WINDOW;
use crate::reach::{Attempt, Attempts, Peaks, Recent, Tale, Untold};
use crate::shared::Sym;

const WINDOW: Duration = Duration::from_secs(600);

proptest! {
    #[test]
    fn distinct_things_are_those_of_the_naive_model(
        steps in proptest::collection::vec((0_u64..9, 0_i64..300), 1..80),
        most in 3_usize..12,
    ) {
        let (mut recent, mut all) = (Recent::default(), Vec::<(i64, u64)>::new());
        let mut now = 0_i64;
        for (key, ahead) in steps {
            // Up to two minutes out of order.
            now += ahead;
            let at = Timestamp::from_secs(now - i64::try_from(key % 3).expect("small") * 40);
            let newest = all.iter().map(|(t, _)| *t).max().unwrap_or(i64::MIN).max(at.as_secs());
            let start = newest - 600;
            let mut distinct: BTreeSet<u64> = all.iter().filter(|(t, _)| *t > start).map(|(_, k)| *k).collect();
            if at.as_secs() > start {
                distinct.insert(key);
            }
            let counted = recent.count(at, Some(key), WINDOW) as usize;
            prop_assert_eq!(counted.min(most), distinct.len().min(most));
            recent.note(at, key, (WINDOW, most));
            all.push((at.as_secs(), key));
        }
    }

    #[test]
    fn failures_are_those_of_the_naive_model(
        steps in proptest::collection::vec((0_u64..8, 0_u64..3, any::<bool>(), 0_i64..60), 1..60),
    ) {
        let limits = ProbingLimits { failures: 10, distinct: 5, percent: 70 };
        let (mut attempts, mut all) = (Attempts::default(), Vec::<Attempt>::new());
        let mut now = 1_000_i64;
        for (user, connection, failed, ahead) in steps {
            now += ahead;
            let at = Timestamp::from_secs(now);
            let this = Attempt { at: at.as_micros(), user, connection, failed };
            all.push(this);
            let start = at.as_micros() - i64::try_from(FAIL_WINDOW.as_micros()).expect("small");
            let within: Vec<&Attempt> = all.iter().filter(|a| a.at > start).collect();
            let fails: Vec<&&Attempt> = within.iter().filter(|a| a.failed).collect();
            let users: BTreeSet<u64> = fails.iter().map(|a| a.user).collect();
            let connections: BTreeSet<u64> = fails.iter().map(|a| a.connection).collect();
            let tally = attempts.tally(at, Some(this), 0);
            prop_assert_eq!(tally.failed as usize, fails.len());
            prop_assert_eq!(tally.users as usize, users.len());
            let probing = fails.len() >= 10
                && (users.len().max(connections.len()) >= 5 || fails.len() * 100 >= within.len() * 70);
            prop_assert_eq!(tally.is_probing(&limits), probing);
            attempts.note(this, failed && probing);
        }
    }
}

#[test]
fn what_is_usual_is_the_percentile_and_needs_a_hundred_windows() {
    let mut peaks = Peaks::default();
    let minute = |i: i64| Timestamp::from_secs(i * 600);
    for i in 1..=100 {
        peaks.note(minute(i), 7, WINDOW);
    }
    assert_eq!(peaks.usual(), 0, "99 windows are over");
    for i in 101..=300 {
        peaks.note(minute(i), if i == 200 { 500 } else { 7 }, WINDOW);
    }
    assert_eq!(peaks.usual(), 7, "one window of 300 is no habit");
    for i in 301..=320 {
        peaks.note(minute(i), 40, WINDOW);
    }
    assert_eq!(peaks.usual(), 47, "twenty of 320 are one; four buckets to an octave");
}

#[test]
fn auth0_explains_exactly_one_exchange() {
    let at = |secs: i64| Timestamp::from_secs(10_000 + secs);
    let mut untold = Untold::new(Sym::lone("ada"), Sym::lone("github"));
    let tale = |secs: i64| Tale { at: at(secs), made: true, print: None };
    let found = |untold: &Untold, secs: i64| untold.find(&tale(secs), false).map(|(place, _)| place);
    untold.pass(at(0), 1);
    assert_eq!(found(&untold, 31), None);
    assert_eq!(found(&untold, -30), Some(0));
    untold.told(0);
    assert_eq!(found(&untold, 5), None, "the second entry of the log has nothing left to be about");
    for i in 0..1_000 {
        untold.pass(at(i), 2);
    }
    assert!(found(&untold, 999).is_some() && found(&untold, 100).is_none(), "bounded");
    assert!(!untold.is_whole_at(at(100)) && untold.is_whole_at(at(999)), "and it is known what is missing");
}

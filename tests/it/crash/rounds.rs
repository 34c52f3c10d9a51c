//! Rounds of crashes beside a model, a few of those that `cargo xtask crash` plays at length.

use onesec_e2e::crash::{Plan, Report, play};

fn few(rounds: u64, kills: bool) -> Report {
    let plan = Plan { program: super::SERVER.to_owned(), rounds, each: 15, seed: 1, kills, without_power: false };
    let report = play(&plan);
    assert_eq!(
        report.wrong,
        Vec::<String>::new(),
        "to repeat it: cargo xtask crash --fail-points 15 --seed and the seed that is named"
    );
    assert_eq!(report.rounds, rounds);
    report
}

/// Before and after append, sync, apply, answer, snapshot, outbox and receipt, and in the middle of a write.
#[test]
fn rounds_that_end_at_named_places_lose_and_double_nothing() {
    let report = few(75, false);
    let reached: u64 = report.ended.values().sum();
    assert!(reached > 35 && report.ended.len() > 8, "too few places were reached: {report:?}");
    assert!(report.acknowledged > 300 && report.actions > 30, "{report:?}");
}

#[test]
fn rounds_that_end_by_kill_9_lose_and_double_nothing() {
    let report = few(6, true);
    assert!(report.acknowledged > 50, "{report:?}");
}

//! One key that sends random names without end.

use onesec_e2e::flood::{control_group, little_room};

#[test]
fn random_names_from_one_key_change_nothing_that_is_said_of_others() {
    let outcome = control_group(&little_room(), 10);
    assert!(outcome.random > 5_000 && outcome.evicted > 1_000, "no flood: {outcome:?}");
    assert!(outcome.refused > 50, "the story is too tame: {outcome:?}");
    assert!(outcome.differing.is_empty(), "{outcome:#?}");
}

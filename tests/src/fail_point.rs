//! Tells a server under test where to end.

use onesec_journal::fail_points;

/// The variable that names the place and how often it is passed until then, such as `answer.before:3`.
pub const VARIABLE: &str = "ONESEC_TEST_FAIL_POINT";

/// Every place there is.
#[must_use]
pub fn all() -> Vec<&'static str> {
    fail_points::NAMES.into_iter().chain(onesec_server::core::FAIL_POINTS).collect()
}

/// Arms the place that the environment names; only servers under test call this.
///
/// # Panics
/// Where it names none: the test would test nothing.
#[expect(clippy::panic, reason = "a test harness")]
pub fn arm() {
    let Some(said) = std::env::var_os(VARIABLE) else { return };
    let said = said.to_string_lossy();
    let place = said.split_once(':').and_then(|(name, time)| Some((name, time.parse().ok()?)));
    match place {
        Some((name, time)) if all().contains(&name) => arm_one(name, time),
        _ => panic!("`{said}` names no place and time"),
    }
}

#[cfg(debug_assertions)]
fn arm_one(name: &str, time: u64) {
    fail_points::arm(name, time);
}

/// A release has none.
#[cfg(not(debug_assertions))]
const fn arm_one(_name: &str, _time: u64) {}

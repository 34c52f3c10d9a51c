//! End to end: what is true for a user.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on fails")]

mod actions;
mod api;
mod auth0_logs;
mod bypass;
mod containment;
mod contract;
mod crash;
mod detectors;
mod doctor;
mod enforce;
mod faults;
mod flood;
mod gateway;
mod identity;
mod reach;
mod recompute;
mod revocation;
mod secrets;
mod tenants;
mod ways;

/// The real binary in front of a simulated tenant.
fn plan() -> onesec_e2e::Plan {
    onesec_e2e::Plan::new(env!("CARGO_BIN_EXE_onesec-under-test"))
}

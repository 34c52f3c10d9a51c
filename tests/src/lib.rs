//! What end-to-end tests are made of: the real binary, real HTTP, a simulated tenant, a power failure.

use std::collections::BTreeMap;
use std::path::Path;

pub mod crash;
pub mod fail_point;
pub mod faults;
pub mod flood;
pub mod http;
pub mod logs;
pub mod power;
pub mod process;
pub mod proofs;
pub mod provider;
pub mod receiver;
pub mod tls;
pub mod world;

pub use http::{Answer, Http};
pub use process::{Process, Start};
pub use proofs::Key;
pub use provider::{Mood, Provider};
pub use receiver::{Receiver, Reply};
pub use world::{Agent, Plan, World};

/// Asks until there is an answer.
///
/// # Panics
/// Where there is none within a minute.
#[expect(clippy::panic, reason = "a test harness")]
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..3_000 {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("{what}: not within a minute")
}

/// How often each event stands in the journal at `dir`, by id.
///
/// # Panics
/// Where the journal does not open, or a record of it does not read.
#[must_use]
#[expect(clippy::panic, reason = "a test harness")]
pub fn journalled(dir: &Path) -> BTreeMap<String, usize> {
    let said = crash::observed::said(dir).unwrap_or_else(|why| panic!("{why}"));
    let mut seen = BTreeMap::new();
    for id in said.events {
        *seen.entry(id).or_default() += 1;
    }
    seen
}

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

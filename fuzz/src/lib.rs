//! Fuzz targets for every decoder, and the fuzzer that feeds them.
//!
//! **What this is.** A [`Target`] is a function over bytes that says what must hold for any of them; a [`Campaign`] feeds
//! it with inputs made from its corpus and keeps those that show something new. It needs no instrumented build: what is
//! new is told by the target ([`Trace`]), not by counters in the code. The same seed gives the same inputs.
//!
//! **What it is not.** Guided by coverage. Whoever has a nightly toolchain can hand the same functions to another fuzzer.
//!
//! `cargo xtask fuzz` runs it at length, the tests of this package for a moment.
#![expect(clippy::expect_used, reason = "a harness that cannot go on ends")]

mod campaign;
mod minimise;
mod mutate;
mod parts;
mod target;
mod trace;

pub use campaign::{Campaign, Failure, Limits, Report};
pub use parts::Parts;
pub use target::{Shape, TARGETS, Target};
pub use trace::Trace;

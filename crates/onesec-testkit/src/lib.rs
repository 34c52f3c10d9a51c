//! For detector authors: event builders, scenario files and the contract that every detector must keep.
//!
//! **What this is.** [`at`] and [`records`], which make records as the edge would; [`Scenario`], an attack and its benign
//! twin in YAML, with [`run_scenarios`]; [`contract!`], one line that tests whether a detector is fit for the engine.
//!
//! **What it is not.** No server, no clock, no network, and no detectors: yours are handed in.
//!
//! ```
//! use onesec_testkit::{at, records};
//!
//! let story = records([
//!     at("0s").trusted().link("ada", "github").scopes("repo"),
//!     at("1s").trusted().delegate("ada", "bot-7", "github"),
//!     at("9s").gateway("bot-7").exchange("ada", "github").scopes("repo"),
//! ]);
//! assert_eq!(story.len(), 3);
//! assert_eq!(story[2].agent().map(AsRef::as_ref), Some("bot-7"));
//! ```
//!
//! **Invariants.** Records pass through the decoder of the contract, so what a test says is what a sender could have
//! said. Everything is deterministic: the same seed makes the same records.
//!
//! **Where next.** `examples/custom-detector` is a detector in a crate of its own, tested with this.

pub mod contract;
mod draft;
mod offset;
mod rng;
pub mod scenario;

pub use draft::{Draft, DraftError, From, START, at, records};
pub use offset::{Offset, OffsetError};
pub use rng::Rng;
pub use scenario::{Case, Mismatch, Report, Role, Scenario, ScenarioError, list, read_scenarios, run, run_scenarios};

// What the macros expand to.
#[doc(hidden)]
pub use onesec_detector::Detector;

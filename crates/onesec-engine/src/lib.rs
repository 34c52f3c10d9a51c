//! The pure loop: records in, alerts and verdicts out.
//!
//! **What this is.** [`Engine`], one per tenant: trackers measure a record, detectors judge it, findings become alerts,
//! and a request gets its verdict.
//!
//! **What it is not.** It knows neither journal nor network nor clock, and none of the built-in detectors: they are
//! handed in.
//!
//! ```
//! use onesec_engine::{Engine, Settings};
//! use onesec_telemetry::TenantId;
//!
//! let engine = Engine::new(TenantId::default_tenant(), Settings::default(), Box::new(|_| Ok(Vec::new())))?;
//! assert_eq!(engine.alerts_open(), 0);
//! # Ok::<(), onesec_engine::SetupError>(())
//! ```
//!
//! **Invariants.** The same records give the same output, byte for byte. Every request is judged by its own findings;
//! merging is for people's eyes only. A late record raises nothing above LOW.
//!
//! **Where next.** `onesec-server` feeds one from sockets and writes what it says to the journal.

mod alerts;
mod chains;
mod doubted;
mod engine;
mod exceptions;
mod guard;
mod holds;
mod judge;
mod output;
mod processes;
mod respond;
mod restraints;
mod settings;
mod setup;
#[cfg(test)]
mod tests;

pub use chains::{CHAIN_DESCRIPTOR, ChainRule, chain_rules, chain_rules_of};
pub use engine::{Engine, NoRequest, unnamed};
pub use output::{Answer, Brief, Output, Reported};
pub use processes::ProcessBook;
pub use respond::{Queued, Step};
pub use restraints::{Restraint, Restraints};
pub use settings::{EnforcementSettings, Settings};
pub use setup::{Assemble, OwnPolicies, SetupError, policies};

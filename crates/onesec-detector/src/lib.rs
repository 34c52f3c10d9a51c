//! The plug: what a detector is, and what it reports.
//!
//! **What this is.** [`Detector`], the trait that built-in detectors and yours implement alike; [`Descriptor`], what a
//! detector says of itself; [`Finding`] and [`Evidence`], what it reports.
//!
//! **What it is not.** No engine, no runtime, no alerts: a detector judges one record at a time and reports findings;
//! merging them into alerts and deciding what to do is somebody else's business.
//!
//! ```
//! use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, Module, Record, Severity};
//!
//! /// Reports every exchange for a connection that is being phased out.
//! struct PhasedOut(Descriptor);
//!
//! impl Detector for PhasedOut {
//!     fn descriptor(&self) -> &Descriptor {
//!         &self.0
//!     }
//!     fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
//!         let legacy = record.connection().is_some_and(|c| c.as_str() == "legacy-crm");
//!         if facts.exchange.is_some() && legacy {
//!             out.report(Finding::about(record, Severity::Medium, "exchange for a connection that is phased out"));
//!         }
//!     }
//! }
//! # let _ = PhasedOut(Descriptor::new("phased-out", Module::TokenVault, "Exchange for a phased-out connection"));
//! ```
//!
//! **Invariants.** A detector is deterministic: no clock, no socket, no randomness. No finding without evidence:
//! [`Evidence`] cannot be empty. Late records raise nothing above LOW: the engine sees to it.
//!
//! **Where next.** `onesec-testkit` checks a detector with one line; `onesec-engine` runs it.

mod descriptor;
mod finding;

pub use descriptor::{Descriptor, GuardClass, Module};
pub use finding::{AttributeValue, Entity, Evidence, Finding, Findings};
pub use onesec_telemetry::{Attribution, Record, Severity, Timestamp};
pub use onesec_trackers::{Facts, StateError, StateReader, StateWriter};

/// Judges records by the facts that the trackers measured.
///
/// Built-in detectors hold only their configuration. One that keeps state of its own saves and loads it, so that it
/// survives a restart together with everything else.
pub trait Detector: Send {
    /// What it says of itself. The same every time.
    fn descriptor(&self) -> &Descriptor;

    /// Looks at one record and reports what is wrong with it. Called for the kinds that the descriptor names.
    fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings);

    /// Looks at the clock, for rules about absence. Ticks are records, about one a second.
    fn tick(&mut self, now: Timestamp, out: &mut Findings) {
        let _ = (now, out);
    }

    /// Saves state of its own.
    fn save(&self, out: &mut StateWriter) {
        let _ = out;
    }

    /// Takes saved state back.
    ///
    /// # Errors
    /// [`StateError`] where it cannot be used; the detector is then fed the records again.
    fn load(&mut self, state: StateReader<'_>) -> Result<(), StateError> {
        let _ = state;
        Ok(())
    }
}

//! The contract that every detector must keep, as checks and as one line of tests.
//!
//! ```
//! # use onesec_testkit::contract;
//! use onesec_detector::{Descriptor, Detector, Facts, Finding, Findings, Module, Record, Severity};
//!
//! struct PhasedOut(Descriptor);
//!
//! impl PhasedOut {
//!     fn new() -> Self {
//!         Self(Descriptor {
//!             blind_spot: "the same system under another name",
//!             mitigation: "Move the agent to the new system.",
//!             stateless: true,
//!             ..Descriptor::new("phased-out", Module::TokenVault, "Exchange for a phased-out connection")
//!         })
//!     }
//! }
//!
//! impl Detector for PhasedOut {
//!     fn descriptor(&self) -> &Descriptor {
//!         &self.0
//!     }
//!     fn judge(&mut self, record: &Record, facts: &Facts<'_>, out: &mut Findings) {
//!         if facts.exchange.is_some() && record.connection().is_some_and(|c| c.as_str() == "slack") {
//!             out.report(Finding::about(record, Severity::Medium, "exchange for a phased-out connection"));
//!         }
//!     }
//! }
//!
//! // In a test module, `onesec_testkit::contract!(PhasedOut::new());` makes a test of each of these:
//! for (name, check) in contract::CHECKS {
//!     assert!(check(&|| Box::new(PhasedOut::new())).is_ok(), "{name}");
//! }
//! ```

mod checks;
mod generate;
#[cfg(test)]
mod tests;

use onesec_detector::Detector;

pub use checks::{
    MAX_STATE_BYTES, descriptor_is_well_formed, evidence_names_events, late_raises_nothing, never_panics,
    same_after_restart, same_every_time, state_is_bounded,
};
pub use generate::{Mix, generate};

/// Makes the detector under test, anew each time.
pub type Make<'a> = &'a dyn Fn() -> Box<dyn Detector>;

/// One check of the contract.
pub type Check = fn(Make<'_>) -> Result<(), Breach>;

/// How a detector breaks the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Breach {
    /// What it says of itself cannot be used.
    #[error("descriptor: {0}")]
    Descriptor(String),
    /// Two of it, fed the same records, differ.
    #[error("two runs differ at record {at}: {first} versus {second}")]
    NotDeterministic {
        /// The record.
        at: u64,
        /// What the first said.
        first: String,
        /// What the second said.
        second: String,
    },
    /// It proves a finding by an event that it was never shown.
    #[error("a finding on record {at} names `{id}`, which was never fed")]
    UnknownEvidence {
        /// The record.
        at: u64,
        /// The id.
        id: String,
    },
    /// Its state grows with the traffic.
    #[error("{bytes} bytes of state after {records} records, more than {limit}")]
    Unbounded {
        /// How much state.
        bytes: usize,
        /// After how many records.
        records: usize,
        /// How much is in order.
        limit: usize,
    },
    /// It says that it keeps no state, and does.
    #[error("says that it is stateless, and saves {0} bytes")]
    NotStateless(usize),
    /// It panics.
    #[error("panics on record {at}: {what}")]
    Panics {
        /// The record.
        at: u64,
        /// What the record was.
        what: String,
    },
    /// It raises more than LOW on a late record.
    #[error("a late record {at} raised {severity}")]
    LateRaises {
        /// The record.
        at: u64,
        /// How much.
        severity: &'static str,
    },
    /// It does not take its own state back.
    #[error("does not load what it saved at record {at}: {why}")]
    NotLoaded {
        /// The record.
        at: u64,
        /// Why.
        why: String,
    },
    /// It forgets something on the way.
    #[error("saved and loaded at record {cut}, it differs at record {at}: {before} versus {after}")]
    Forgets {
        /// Where it was saved and loaded.
        cut: u64,
        /// Where it differs.
        at: u64,
        /// What it says without the restart.
        before: String,
        /// What it says after it.
        after: String,
    },
}

/// Every check, by the name of its test.
pub const CHECKS: [(&str, Check); 7] = [
    ("descriptor_is_well_formed", descriptor_is_well_formed),
    ("same_every_time", same_every_time),
    ("evidence_names_events", evidence_names_events),
    ("state_is_bounded", state_is_bounded),
    ("late_raises_nothing", late_raises_nothing),
    ("same_after_restart", same_after_restart),
    ("never_panics", never_panics),
];

/// Panics with what is wrong. What the tests of [`contract!`](crate::contract!) call.
///
/// # Panics
/// Where the check finds a breach.
#[track_caller]
#[expect(clippy::panic, reason = "called by tests")]
pub fn insist(check: Check, make: Make<'_>) {
    if let Err(breach) = check(make) {
        panic!("{breach}");
    }
}

/// Tests that a detector keeps the contract: `contract!(MyDetector::new());`, or with a name for the module of tests
/// where there are several, `contract!(my_detector, MyDetector::new());`.
#[macro_export]
macro_rules! contract {
    ($make:expr) => {
        $crate::contract!(keeps_the_contract, $make);
    };
    ($name:ident, $make:expr) => {
        mod $name {
            use super::*;

            fn make() -> Box<dyn $crate::Detector> {
                Box::new($make)
            }

            $crate::contract!(@tests descriptor_is_well_formed same_every_time evidence_names_events state_is_bounded
                late_raises_nothing same_after_restart never_panics);
        }
    };
    (@tests $($check:ident)*) => {
        $(
            #[test]
            fn $check() {
                $crate::contract::insist($crate::contract::$check, &make);
            }
        )*
    };
}

//! Verdicts: what a finding means for the request in flight.
//!
//! **What this is.** [`Verdict`], [`Preset`] and [`decide`]: from findings to one answer, by a table.
//!
//! **What it is not.** It carries nothing out and knows no network, clock or disk.
//!
//! ```
//! use onesec_enforcement::{Judged, Phase, Preset, Verdict, decide};
//! use onesec_telemetry::{Mode, Severity};
//!
//! let finding = Judged { detector: "scope-escalation", severity: Severity::High, binding: false, retry_after: None };
//! let decision = decide(Preset::Balanced, Mode::DryRun, Phase::Request, &[finding]);
//! assert_eq!((decision.applies, decision.would), (Verdict::Allow, Verdict::Deny));
//! ```
//!
//! **Invariants.** Dry run suspends what policy would do about detections, never a person's decision. The strongest
//! verdict of all findings counts.
//!
//! **Where next.** `onesec-engine` asks for verdicts, `onesec-server` carries them out.
#![deny(clippy::wildcard_enum_match_arm)]

mod preset;
mod verdict;

pub use preset::{Preset, never_waivable};
pub use verdict::{Decision, Judged, Phase, Verdict, decide};

//! What a finding means: a verdict for the request in flight, and actions.
//!
//! **What this is.** [`Verdict`], [`Preset`] and [`decide`]: from findings to one answer, by a table. [`Policy`]: data that
//! names verdicts and [actions](ActionSpec), read strictly. [`Planner`]: from a change of an alert to what is to be done,
//! to whom and how often. [`Approvals`]: what waits for a person. [`Action`]: the plug for what carries an action out.
//!
//! **What it is not.** It carries nothing out and knows no network, clock or disk.
//!
//! ```
//! use onesec_enforcement::{Judged, Phase, Preset, Verdict, decide};
//! use onesec_telemetry::{Mode, Severity};
//!
//! let finding = Judged { detector: "scope-escalation", severity: Severity::High, binding: false, retry_after: None, ruled: None };
//! let decision = decide(Preset::Balanced, Mode::DryRun, Phase::Request, &[finding]);
//! assert_eq!((decision.applies, decision.would), (Verdict::Allow, Verdict::Deny));
//! ```
//!
//! **Invariants.** Dry run suspends what policy would do about detections, never a person's decision. The strongest
//! verdict of all findings counts.
//!
//! **Where next.** `onesec-engine` asks for verdicts, `onesec-server` carries them out.
#![deny(clippy::wildcard_enum_match_arm)]

mod action;
mod approvals;
mod planner;
mod policy;
mod preset;
mod spec;
mod target;
mod verdict;

pub use action::{Action, Interrupted, Job, Outcome, Working};
pub use approvals::{Approval, ApprovalError, Approvals, Approver, Asked, Barred, FourEyes, Say};
pub use planner::{Fate, Occasion, Planned, Planner};
pub use policy::{Matching, Never, Policy, PolicyError, RequestRule, ruled};
pub use preset::{Preset, never_waivable};
pub use spec::{ActionSpec, Aim, KINDS, Template, Webhook};
pub use target::Target;
pub use verdict::{Decision, Judged, Phase, Verdict, decide};

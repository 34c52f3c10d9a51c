//! Carries actions out: messages, processes, addresses, programs.
//!
//! **What this is.** One [`Action`](onesec_enforcement::Action) per file.
//!
//! **What it is not.** No policy and no outbox: whoever calls decides whether, when and how often.
//!
//! **Invariants.** Nothing waits without a limit of time. Each looks whether what it did had effect, where that can be
//! seen. No secret is in what it says.
//!
//! **Where next.** `onesec-server` reads the outbox and calls.

mod command;
mod firewall;
mod log;
mod process;
mod webhook;

#[cfg(test)]
mod testing;

pub use command::RunCommand;
pub use firewall::Firewall;
pub use log::Log;
pub use process::{KillProcess, Process, Processes, identify};
pub use webhook::{ClientFor, Hook, Webhooks};

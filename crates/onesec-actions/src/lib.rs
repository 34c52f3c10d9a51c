//! Carries actions out: messages, processes, addresses, programs.
//!
//! **What this is.** One [`Action`](onesec_enforcement::Action) per file: [`Log`], [`Webhooks`], [`KillProcess`],
//! [`RunCommand`], and at Auth0 [`RevokeRefreshTokens`], [`RevokeConnectedAccount`], [`FlagUser`]; and [`Firewall`], of which
//! `block_ip` is made together with the gateway.
//! Beside them the stations of a revocation: [`end_sessions_and_tokens`], [`withdraw_grants`], [`AtProvider`].
//!
//! **What it is not.** No policy and no outbox: whoever calls decides whether, when and how often, has claimed the job
//! durably, and keeps the receipt.
//!
//! ```
//! use onesec_actions::RunCommand;
//! use onesec_enforcement::{Action, ActionSpec, Interrupted};
//! use std::time::Duration;
//!
//! let page = |program: &str| ActionSpec::Command { argv: vec![program.into()], timeout: Duration::from_secs(30) };
//! assert_eq!(RunCommand.check(&page("/bin/sh")), Ok(()));
//! assert!(RunCommand.check(&page("page-the-team")).is_err_and(|why| why.contains("not absolute")));
//! assert_eq!(RunCommand.interrupted(), Interrupted::Never);
//! ```
//!
//! **Invariants.** Nothing waits without a limit of time. Each looks whether what it did had effect, where that can be
//! seen. No secret is in what it says: of an address to which messages go, the host at most. Strangers' words in alerts
//! are words, in whatever they are written into. Messages go to addresses that were judged after the name was resolved;
//! signals go to processes that were recognised by their start; programs have nothing of our environment.
//!
//! **Where next.** `onesec-server` reads the outbox and calls. A stranger's action comes through the same door:
//! `onesec_enforcement::Action`.

mod command;
mod firewall;
mod log;
mod process;
mod revocation;
mod tenant;
mod webhook;

#[cfg(test)]
mod testing;

pub use command::RunCommand;
pub use firewall::Firewall;
pub use log::Log;
pub use process::{KillProcess, Process, Processes, identify, is_protected};
pub use revocation::{
    Answered, AtProvider, EventPush, Held, HeldTokens, Provider, ProviderError, Pushed, WhoseTokens,
    end_sessions_and_tokens, revoke_tokens_of, withdraw_grants,
};
pub use tenant::{Clients, FlagUser, RevokeConnectedAccount, RevokeRefreshTokens};
pub use webhook::{ClientFor, Hook, Webhooks};

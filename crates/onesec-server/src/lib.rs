//! The onesec server: edge, HTTP API, gateway, command line.
//!
//! **What this is.** [`server::Server`], everything that runs: it decodes and authenticates at the edge, feeds one engine
//! per tenant, makes records durable before anybody hears of them, and exchanges tokens. [`main_with`] is its whole
//! command line, with your detectors in it.
//!
//! **What it is not.** No identity provider and no general proxy. What judges is in `onesec-detectors` and
//! `onesec-engine`, which need none of this.
//!
//! ```no_run
//! use onesec_server::{config::Config, server::Server};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::from_yaml("server: {listen: 127.0.0.1:0, data_dir: /tmp/onesec}", &|_| None)?;
//! let running = Server::builder(config).start().await?;
//! println!("listening on {}", running.url());
//! running.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! **Invariants.** One writer per tenant. Nothing is answered before it is durable. Only this crate reads the clock, the
//! environment, the command line and configuration files. No token is logged or stored.
//!
//! **Where next.** `ARCHITECTURE.md` has the map; `core` is where records get their place.

mod auth0_logs;
mod causes;
mod cli;
pub mod clock;
pub mod config;
mod connect;
pub mod core;
mod demo;
mod enforce;
mod files;
pub mod gateway;
pub mod http;
mod identity;
pub mod keys;
pub mod metrics;
mod revoke;
pub mod server;
mod signals;

pub use cli::main_with;

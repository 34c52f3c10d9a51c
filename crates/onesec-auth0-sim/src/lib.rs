//! A simulated Auth0 tenant with Token Vault, for the demo and for tests.
//!
//! **What it is.** A real HTTP (or HTTPS) server on loopback that answers as Auth0's documentation says: token
//! endpoint with Auth0's own and the standard grants, key set, discovery, connected accounts, what the Management API can
//! revoke and note, the tenant's log, a custom domain's key.
//! Its administration is the handle, [`SimTenant`].
//!
//! **What it is not.** No library crate may depend on it. Where the documentation is silent it picks one answer;
//! nothing here proves how a live tenant behaves.
//!
//! ```
//! use onesec_auth0_sim::{AccountSpec, ClientSpec, SimConfig, SimTenant};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let sim = SimTenant::start(SimConfig::new("demo-tenant.eu.auth0.test")).await?;
//! sim.create_client(ClientSpec::regular("onesec", "s3cret"));
//! sim.create_user("auth0|ana");
//! sim.connect_account(AccountSpec::new("auth0|ana", "google-oauth2", "calendar.read"))?;
//! let refresh_token = sim.issue_refresh_token("auth0|ana", "onesec")?;
//! assert!(sim.base_url().starts_with("http://127.0.0.1:"));
//! # drop(refresh_token);
//! # sim.shutdown().await;
//! # Ok::<(), onesec_auth0_sim::SimError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Invariants.** Tokens are signed with real keys and checked by the same verifier as everybody's. Faults change
//! answers only while they are set.
//!
//! **Where next.** [`Fault`] lists what can go wrong, [`SetupFault`] what can be set up wrongly, [`Pause`] holds an answer back.

mod accounts;
mod answer;
mod clients;
mod config;
mod connect;
mod exchange;
mod fault;
mod form;
mod governed;
mod grants;
mod http;
mod jws;
mod logs;
mod management;
mod pause;
mod revocation;
mod setup;
mod setup_fault;
mod specs;
mod state;
mod tenant;
mod worker;

pub use config::{KeySource, SimConfig, SimError};
pub use fault::{Endpoint, Fault};
pub use logs::Thumbprints;
pub use pause::Pause;
pub use setup_fault::SetupFault;
pub use specs::{AccessTokenSpec, AccountSpec, ClientSpec, GrantType};
pub use state::RequestKind;
pub use tenant::SimTenant;

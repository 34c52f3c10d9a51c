//! Deterministic state that measures exchanges, connected accounts and delegations.
//!
//! **What this is.** [`Trackers`], one per tenant: a record goes in, [`Facts`] come out. Three trackers: exchanges
//! (statistics: rates, learned baselines, networks), connected accounts and delegation chains (a ledger: links,
//! delegations, tombstones, accepted scopes, suspensions).
//!
//! **What it is not.** It judges nothing, reads no clock, draws no random number, and does no input or output.
//!
//! ```
//! use onesec_telemetry::catalogue::Catalogue;
//! use onesec_trackers::{Settled, TrackerConfig, Trackers};
//! # use onesec_telemetry::*;
//! # let event = Event::new(EventId::new("e-1")?, Common::default(), Details::AgentStop(onesec_telemetry::event::AgentStop { reason: None }));
//! # let record = Record { tenant: TenantId::default_tenant(), seq: Seq(1), observed_at: Timestamp::EPOCH, at: Timestamp::EPOCH,
//! #     late: false, sender: Sender::replay(), subject: Subject::Unknown, attestation: Attestation::Absent, network: None, text: None,
//! #     body: Body::Event(event.into()) };
//! let mut trackers = Trackers::new(TrackerConfig::default(), Catalogue::builtin());
//! let facts = trackers.observe(&record);
//! assert!(facts.exchange.is_none());
//! trackers.settle(Settled::Passed);
//! # Ok::<(), IdError>(())
//! ```
//!
//! **Invariants.** The same records give the same facts, changes and saved bytes. The ledger is changed by authority
//! only and never evicted. Statistics are bounded, and what was merely reported never teaches what proved records are
//! judged by.
//!
//! **Where next.** `onesec-detector` is the plug for those who judge facts.

mod accounts;
mod behaviour;
mod chains;
pub mod change;
pub mod config;
mod exchange;
pub mod facts;
mod few;
mod names;
mod pool;
mod reach;
mod registry;
mod scopes;
mod shared;
pub mod state;
mod tokens;
mod trackers;
mod window;

pub use change::LedgerChange;
pub use config::{Connections, TrackerConfig, Unattested};
pub use facts::Facts;
pub use scopes::CatalogueRef;
pub use state::{StateError, StateReader, StateWriter};
pub use trackers::{Settled, TrackerStats, Trackers};

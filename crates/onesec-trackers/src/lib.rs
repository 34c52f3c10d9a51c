//! Deterministic state that measures exchanges, connected accounts and delegations.

pub mod change;
pub mod config;
pub mod facts;
pub mod state;

pub use change::LedgerChange;
pub use config::TrackerConfig;
pub use facts::Facts;
pub use state::{StateError, StateReader, StateWriter};

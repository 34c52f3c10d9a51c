//! The versioned contract between senders and onesec.

pub mod id;
pub mod limits;
pub mod scope;
pub mod secret;
pub mod time;

pub use id::{
    AccountId, AgentId, AlertId, AppId, ConnectionName, DelegationId, EventId, ExchangeId, IdError, KeyId, Name,
    SessionId, TaskId, TenantId, UserId,
};
pub use scope::{Scope, ScopeError, ScopeSet};
pub use secret::{Secret, Thumbprint};
pub use time::Timestamp;

//! The versioned contract between senders and onesec: what happened, who says so, and what became of it.
//!
//! **What this is.** Typed events ([`Event`], [`Kind`]), records ([`Record`]: an event plus what the edge decided
//! about it), alerts ([`Alert`]), canonical identifiers and scopes, the scope catalogue, time, secrets and redaction.
//!
//! **What it is not.** It measures nothing, judges nothing, and does no input or output.
//!
//! ```
//! use onesec_telemetry::{DecodeOptions, EventId, KnownConnections, catalogue::Catalogue, decode_event};
//!
//! let text = r#"{"type": "token_exchange", "details": {"connection": "github", "agent_id": "bot-7", "scopes": "repo, read:org"}}"#;
//! let connections = KnownConnections::default();
//! let options = DecodeOptions { connections: &connections, catalogue: Catalogue::builtin(), bound_agent: None };
//! let (event, warnings) = decode_event(text, options, &EventId::new("e-1")?)?;
//! assert_eq!(event.common.agent_id.as_ref().map(AsRef::<str>::as_ref), Some("bot-7"));
//! assert!(warnings.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Invariants.** Decoding ends with redaction: no secret is in an [`Event`]. Identifiers are canonical. Equal sets of
//! scopes are equal values. Time is an argument.
//!
//! **Where next.** `onesec-trackers` measures records, `onesec-detector` is the plug for those who judge them.

pub mod alert;
pub mod catalogue;
pub mod command;
pub mod event;
pub mod id;
pub mod limits;
pub mod mandate;
pub mod network;
pub mod record;
pub mod redact;
pub mod registration;
pub mod scope;
pub mod secret;
pub mod severity;
pub mod strict_json;
pub mod suggest;
pub mod text;
pub mod time;

pub use alert::{Alert, AlertStatus, Change, Response, ResponseStatus, Transition};
pub use command::{Canary, CanaryKind, Command, Decided, Exception, Mode, ProcessId};
pub use event::{
    BodyError, BodyFormat, Code, Common, DecodeOptions, Details, Event, Item, Kind, KnownConnections, Rejection, Text,
    Warning, decode_body, decode_event,
};
pub use id::{
    AccountId, AgentId, AlertId, AppId, ConnectionName, DelegationId, EventId, ExchangeId, IdError, KeyId, Name,
    SessionId, TaskId, TenantId, UserId,
};
pub use mandate::{ActionClass, ActionSet, Mandate};
pub use record::{
    Attestation, Attested, Authority, Body, Channel, Party, Record, Sender, Seq, Subject, TokenParties, VerifiedLink,
};
pub use registration::{AgentClass, AgentRegistration, Possession, RegisteredKey};
pub use scope::{Scope, ScopeError, ScopeSet};
pub use secret::{Secret, Thumbprint};
pub use severity::{Attribution, Severity};
pub use text::{Reach, TextPart, TextScore, TextSignal, TextSignals, TextSpan};
pub use time::Timestamp;

//! Shared signals: what others tell of our users (RFC 8417, RFC 8935), and what comes of it.

mod receive;
mod respond;
mod transmit;

pub(crate) use receive::{NotTaken, Transmitters};
pub(crate) use respond::Known;
pub use respond::SignalPart;
pub(crate) use transmit::{Happened, Receiver, Stream, Teller, What};

use std::path::PathBuf;
use std::time::Duration;

use onesec_telemetry::{ConnectionName, Secret};

/// One who may tell us of what happened to users.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TransmitterConfig {
    /// Exactly as `iss` has it.
    pub issuer: String,
    /// Whom it speaks to: one of these must be in `aud`.
    pub audiences: Vec<String>,
    /// Where its keys are.
    pub keys: TransmitterKeys,
    /// The issuer of its subjects, where that is not itself.
    pub subject_issuer: Option<String>,
    /// What a subject becomes a user's id with, such as `google-oauth2|`.
    pub user_prefix: String,
    /// Its opaque subjects are users' ids.
    pub opaque_users: bool,
    /// What it tells is about accounts at this connection only.
    pub connection: Option<ConnectionName>,
    /// Its tokens have no `typ`.
    pub untyped: bool,
    /// What its requests must carry as `Authorization`.
    pub authorization: Option<Secret>,
}

/// Where a transmitter's keys are.
#[derive(Debug, Clone)]
pub enum TransmitterKeys {
    /// At this address (RFC 7517).
    At(String),
    /// In this file, a key set.
    In(PathBuf),
}

/// Who is believed, and what is done about what they tell.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SignalsConfig {
    /// Who.
    pub transmitters: Vec<TransmitterConfig>,
    /// By event, in place of what is usual.
    pub responses: Vec<(String, Vec<SignalPart>)>,
    /// How long after `iat` an event is still taken.
    pub max_age: Option<Duration>,
    /// Who is told what we did.
    pub receivers: Vec<ReceiverConfig>,
    /// Our own name in what we tell.
    pub issuer: Option<String>,
}

/// One who is told what we did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReceiverConfig {
    /// Its name; who fetches by itself has a key whose owner is called so.
    pub name: String,
    /// What `aud` says.
    pub audience: String,
    /// Where tokens are pushed to; it fetches by itself where absent.
    pub url: Option<String>,
    /// Sent along as `Authorization`.
    pub authorization: Option<Secret>,
}

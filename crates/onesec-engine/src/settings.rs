//! The settings that can change a finding. They are a record of their own, so that replay has them.

use std::collections::BTreeMap;

use onesec_enforcement::{FourEyes, Preset};
use onesec_telemetry::{Mode, Reach};
use onesec_trackers::Unattested;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What of the configuration the engine and its detectors depend on. Compared and journalled by digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Modules that are switched off.
    pub modules_off: Vec<String>,
    /// Detectors that are switched off, by code.
    pub detectors_off: Vec<String>,
    /// `detectors.<code>.<setting>`, as written.
    pub detectors: BTreeMap<String, BTreeMap<String, Value>>,
    /// Connections that a delegation without one covers.
    pub default_connections: Vec<String>,
    /// Deepest delegation.
    pub max_depth: u8,
    /// What becomes of delegations that telemetry reports without a signature.
    pub unattested: Unattested,
    /// The user's additions to the scope catalogue: JSON text.
    pub catalogue: Option<String>,
    /// From which certainty on a text counts as an instruction.
    pub instruction_from: Reach,
    /// Connections at which every exchange goes through the gateway; `*` is all.
    pub exclusive: Vec<String>,
    /// Auth0's log comes in: it tells of every exchange, the gateway's among them.
    pub told_by_auth0: bool,
    /// The gateway's own clients at Auth0; empty where others' pass through it, too.
    pub gateway_clients: Vec<String>,
    /// Connections whose links are all known; `*` is all. People may mark others by the API.
    pub ledger_complete: Vec<String>,
    /// What is enforced.
    pub enforcement: EnforcementSettings,
}

/// What is enforced as the configuration says; the API may change mode and preset later.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EnforcementSettings {
    /// Dry run or live.
    pub mode: Mode,
    /// The table of verdicts.
    pub preset: Preset,
    /// Policies of the user's own, as [`Policy::to_json`](onesec_enforcement::Policy::to_json) has them: no secrets.
    pub policies: Vec<Value>,
    /// The `webhook` action that policies mean which name no address of their own; likewise without secrets.
    pub webhook: Option<Value>,
    /// Whether whoever asked may approve.
    pub four_eyes: FourEyes,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            modules_off: Vec::new(),
            detectors_off: Vec::new(),
            detectors: BTreeMap::new(),
            default_connections: Vec::new(),
            max_depth: 3,
            unattested: Unattested::default(),
            catalogue: None,
            instruction_from: Reach::Standard,
            exclusive: Vec::new(),
            told_by_auth0: false,
            gateway_clients: Vec::new(),
            ledger_complete: Vec::new(),
            enforcement: EnforcementSettings::default(),
        }
    }
}

impl Settings {
    /// As canonical JSON: the same settings are the same text.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}

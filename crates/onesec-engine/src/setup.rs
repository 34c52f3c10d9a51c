//! From settings to detectors and trackers' settings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use onesec_detector::{Detector, GuardClass, Module, StateError};
use onesec_enforcement::{Policy, Preset};
use onesec_telemetry::Name;
use onesec_telemetry::catalogue::Catalogue;
use onesec_trackers::{Connections, TrackerConfig};
use serde_json::Value;

use crate::guard::Guarded;
use crate::settings::Settings;

/// Makes detectors and trackers' settings from settings: at the start, and again whenever they change.
pub type Assemble = Box<dyn Fn(&Settings) -> Result<Vec<Box<dyn Detector>>, SetupError> + Send + Sync>;

/// Why an engine cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A setting has no meaning.
    #[error("`{setting}`: {why}")]
    Setting {
        /// Which.
        setting: String,
        /// Why.
        why: String,
    },
    /// Two detectors have the same code, or one has none in kebab-case.
    #[error("detector code `{0}` is taken twice or is no kebab-case name")]
    Code(String),
    /// Saved state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
}

pub(crate) fn assembled(settings: &Settings, assemble: &Assemble) -> Result<Vec<Guarded>, SetupError> {
    let mut detectors: Vec<Guarded> = Vec::new();
    for detector in assemble(settings)? {
        let descriptor = detector.descriptor();
        let code = descriptor.code;
        let kebab = !code.is_empty()
            && code.len() <= 64
            && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !kebab || Name::new(code).is_err() || detectors.iter().any(|g| g.descriptor().code == code) {
            return Err(SetupError::Code(code.to_owned()));
        }
        let off = settings.detectors_off.iter().any(|c| c == code) || module_off(settings, descriptor.module);
        let guards = descriptor.guard == GuardClass::Closed;
        match (off, guards) {
            (false, _) => detectors.push(Guarded::new(detector)),
            (true, true) => detectors.push(Guarded::new(detector).muted()),
            (true, false) => {}
        }
    }
    Ok(detectors)
}

fn module_off(settings: &Settings, module: Module) -> bool {
    settings.modules_off.iter().any(|m| m == module.as_str())
}

/// Policies that people set by the API, by name, as they were written.
pub type OwnPolicies = BTreeMap<Name, Value>;

/// The policies in force with these settings, this preset and what people set: the configuration's first, each in its
/// place with what people set under its name; then what else they set; then what the preset brings, but for names that
/// are taken.
///
/// # Errors
/// [`SetupError`] that says what one lacks: the preset's may lack an address for their messages.
pub fn policies(settings: &Settings, preset: Preset, set: &OwnPolicies) -> Result<Vec<Policy>, SetupError> {
    let hook = settings.enforcement.webhook.as_ref();
    let read = |list: &Value, path: &str| {
        Policy::read_all(list, path, hook)
            .map_err(|e| SetupError::Setting { setting: path.to_owned(), why: e.to_string() })
    };
    let mut left = set.clone();
    let written = settings.enforcement.policies.iter();
    let mut own: Vec<Value> = written
        .map(|policy| {
            let name = policy.get("name").and_then(Value::as_str).and_then(|name| Name::new(name).ok());
            name.and_then(|name| left.remove(&name)).unwrap_or_else(|| policy.clone())
        })
        .collect();
    own.extend(left.into_values());
    let mut policies = read(&Value::from(own), "enforcement.policies")?;
    for policy in read(&preset.policies(), "enforcement.preset")? {
        if policies.iter().all(|own| own.name != policy.name) {
            policies.push(policy);
        }
    }
    Ok(policies)
}

/// The code of the alert that enforcement was switched off.
pub(crate) const SWITCHED_OFF: &str = "enforcement-off";

pub(crate) fn catalogue(settings: &Settings) -> Result<Arc<Catalogue>, SetupError> {
    match &settings.catalogue {
        None => Ok(Arc::new(Catalogue::builtin().clone())),
        Some(text) => Catalogue::with_additions(text)
            .map(Arc::new)
            .map_err(|e| SetupError::Setting { setting: "catalogue".to_owned(), why: e.to_string() }),
    }
}

pub(crate) fn tracker_config(settings: &Settings) -> Result<TrackerConfig, SetupError> {
    let mut config = TrackerConfig {
        max_depth: settings.max_depth,
        unattested: settings.unattested,
        instruction_from: settings.instruction_from,
        exclusive: Connections::of(&settings.exclusive),
        told_by_auth0: settings.told_by_auth0,
        gateway_clients: settings.gateway_clients.iter().cloned().collect(),
        ledger_complete: Connections::of(&settings.ledger_complete),
        ..TrackerConfig::default()
    };
    let wrong = |setting: &str, why: &str| SetupError::Setting { setting: setting.to_owned(), why: why.to_owned() };
    for name in &settings.default_connections {
        let name = onesec_telemetry::ConnectionName::new(name)
            .map_err(|e| wrong("delegations.default_connections", &e.to_string()))?;
        config.default_connections.push(name);
    }
    measures(settings, &mut config)?;
    Ok(config)
}

/// By what the trackers measure, as the detectors' settings say.
fn measures(settings: &Settings, config: &mut TrackerConfig) -> Result<(), SetupError> {
    let number = |code: &str, name: &str, range: std::ops::RangeInclusive<u64>, why: &str| {
        let Some(value) = settings.detectors.get(code).and_then(|said| said.get(name)) else { return Ok(None) };
        let setting = || format!("detectors.{code}.{}", name.trim_end_matches("_seconds"));
        let wrong = || SetupError::Setting { setting: setting(), why: why.to_owned() };
        value.as_u64().filter(|n| range.contains(n)).map(Some).ok_or_else(wrong)
    };
    let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    if let Some(limit) = number("exchange-rate", "limit", 1..=10_000, "must be 1 to 10 000")? {
        config.exchange_rate.limit = small(limit);
    }
    if let Some(seconds) = number("exchange-rate", "window_seconds", 1..=86_400, "must be 1s to 24h")? {
        config.exchange_rate.window = Duration::from_secs(seconds);
    }
    if let Some(failures) = number("exchange-probing", "failures", 1..=60, "must be 1 to 60")? {
        config.probing.failures = small(failures);
    }
    if let Some(distinct) = number("exchange-probing", "distinct", 1..=60, "must be 1 to 60")? {
        config.probing.distinct = small(distinct);
    }
    if let Some(percent) = number("exchange-probing", "percent", 1..=100, "must be 1 to 100")? {
        config.probing.percent = small(percent);
    }
    if let Some(seconds) = number("dormant-agent", "after_seconds", 3_600..=31_536_000, "must be 1h to 365d")? {
        config.rest_after = Duration::from_secs(seconds);
    }
    // For stories about forgetting. The server has no such setting: what is kept does not change while it runs.
    if let Some(kept) = number("state-lost", "kept", 1..=1_000_000, "must be 1 to 1 000 000")? {
        let kept = usize::try_from(kept).unwrap_or(usize::MAX);
        let bounds = &mut config.bounds;
        (bounds.agents, bounds.pairs, bounds.conducts, bounds.tasks) = (kept, kept, kept, kept);
    }
    Ok(())
}

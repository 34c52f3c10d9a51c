//! The detectors that a server runs, and whether their settings mean anything.

mod builtin;

use std::sync::Arc;

use onesec_engine::{Settings, SetupError};
use onesec_telemetry::suggest::did_you_mean;

use self::builtin::BUILTIN_SETTINGS;
pub use self::builtin::builtin_detectors;
#[cfg(test)]
pub(crate) use self::builtin::builtin_settings;
use crate::core::SharedAssemble;

/// The built-in detectors, then strangers'.
pub(super) fn assemble(more: SharedAssemble) -> SharedAssemble {
    Arc::new(move |settings| {
        let mut detectors = builtin_detectors(settings)?;
        detectors.extend(more(settings)?);
        Ok(detectors)
    })
}

/// Settings of a detector that nobody brings are a misspelling.
pub(super) fn check_detectors(settings: &Settings, assemble: &SharedAssemble) -> Result<(), SetupError> {
    let detectors = assemble(settings)?;
    let mut codes: Vec<&str> = detectors.iter().map(|detector| detector.descriptor().code).collect();
    codes.push("attack-chain");
    for code in settings.detectors.keys().chain(&settings.detectors_off) {
        if !codes.contains(&code.as_str()) {
            let hint = did_you_mean(code, codes.iter().copied()).map(|c| format!(", did you mean `{c}`?"));
            let why = format!("there is no such detector{}", hint.unwrap_or_default());
            return Err(SetupError::Setting { setting: format!("detectors.{code}"), why });
        }
    }
    check_policies(settings, &codes)?;
    check_chains(settings, &codes)?;
    for detector in builtin_detectors(settings)? {
        let code = detector.descriptor().code;
        let known = BUILTIN_SETTINGS.iter().find(|(known, _)| *known == code).map_or(&[][..], |(_, names)| *names);
        let said = settings.detectors.get(code).into_iter().flat_map(|own| own.keys());
        if let Some(name) = said.into_iter().find(|name| !known.contains(&name.as_str())) {
            let setting = format!("detectors.{code}.{name}");
            return Err(SetupError::Setting { setting, why: "this detector has no such setting".to_owned() });
        }
    }
    Ok(())
}

/// A stage that waits for a detector that nobody brings would wait for ever.
fn check_chains(settings: &Settings, codes: &[&str]) -> Result<(), SetupError> {
    let rules = onesec_engine::chain_rules_of(settings)?;
    for rule in rules.iter() {
        if let Some(unknown) = rule.detectors().find(|named| !codes.contains(named)) {
            let hint = did_you_mean(unknown, codes.iter().copied()).map(|code| format!(", did you mean `{code}`?"));
            let why = format!("`{}`: there is no detector `{unknown}`{}", rule.name, hint.unwrap_or_default());
            return Err(SetupError::Setting { setting: "detectors.attack-chain.rules".to_owned(), why });
        }
    }
    let known = ["off", "rules"];
    let said = settings.detectors.get("attack-chain").into_iter().flat_map(|own| own.keys());
    match said.into_iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(SetupError::Setting {
            setting: format!("detectors.attack-chain.{name}"),
            why: "attack chains have no such setting".to_owned(),
        }),
    }
}

/// A policy about a detector that nobody brings would never act.
fn check_policies(settings: &Settings, codes: &[&str]) -> Result<(), SetupError> {
    let known = || codes.iter().copied().chain(["enforcement-off"]);
    for (index, policy) in settings.enforcement.policies.iter().enumerate() {
        let named = policy.pointer("/match/detectors").and_then(serde_json::Value::as_array).into_iter().flatten();
        for name in named.filter_map(serde_json::Value::as_str) {
            if !known().any(|code| code == name) {
                let hint = did_you_mean(name, known()).map(|code| format!(", did you mean `{code}`?"));
                let why = format!("there is no such detector{}", hint.unwrap_or_default());
                return Err(SetupError::Setting {
                    setting: format!("enforcement.policies[{index}].match.detectors"),
                    why,
                });
            }
        }
    }
    Ok(())
}

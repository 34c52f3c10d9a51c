//! Configuration: any text gives a configuration or the place of a fault, never a value.

use std::collections::BTreeMap;

use onesec_engine::{Engine, Settings};
use onesec_server::config::{Config, DEFAULT_CONFIG};
use onesec_telemetry::TenantId;

use super::secrets::SECRETS;
use crate::trace::Trace;

const MORE: [&str; 3] = [
    include_str!("../../corpus/config/vault.yaml"),
    include_str!("../../corpus/config/enforcement.yaml"),
    include_str!("../../corpus/config/terse.yaml"),
];

/// The default file, and some that say more.
pub(super) fn corpus() -> Vec<Vec<u8>> {
    std::iter::once(DEFAULT_CONFIG).chain(MORE).map(|text| text.as_bytes().to_vec()).collect()
}

/// A fault tells the place and no value; what is taken is taken again as the same, and its settings survive the journal.
pub(super) fn run(input: &[u8], trace: &mut Trace) {
    let Ok(text) = std::str::from_utf8(input) else { return trace.saw("not UTF-8") };
    match Config::from_yaml(text, &|_| None) {
        Err(error) => {
            let said = error.to_string();
            // Without names, which senders make up.
            trace.saw(&said.split('`').step_by(2).collect::<String>());
            // Quoted, it stands alone, as a name or as a value.
            let whole = |secret: &&&str| text.contains(&format!("\"{secret}\""));
            for secret in SECRETS.iter().filter(whole) {
                assert!(!said.contains(secret), "a secret is in a refusal: {said}");
            }
        }
        Ok(config) => {
            trace.saw(&format!("{} tenants", config.tenants.len()));
            trace.saw(&format!("vault {} tls {}", config.token_vault.is_some(), config.tls.is_some()));
            let again = Config::from_yaml(text, &|_| None).map(|again| again.settings);
            assert!(again.is_ok_and(|again| again == config.settings), "read twice");
            settings(&config.settings, trace);
        }
    }
}

/// An engine takes them or says why not, and takes them out of the journal alike.
fn settings(settings: &Settings, trace: &mut Trace) {
    let text = settings.to_json().to_string();
    let back: Settings = serde_json::from_str(&text).expect("settings are read back");
    assert_eq!(back.to_json().to_string(), text);
    let values: BTreeMap<_, _> = settings.detectors.clone();
    trace.sized("detectors", values.len());
    let engine = |settings: Settings| Engine::new(TenantId::default_tenant(), settings, super::engine::assemble());
    let (first, second) = (engine(settings.clone()), engine(back));
    trace.saw(&format!("engine {}", first.is_ok()));
    assert_eq!(first.map(|_| ()).map_err(|e| e.to_string()), second.map(|_| ()).map_err(|e| e.to_string()));
}

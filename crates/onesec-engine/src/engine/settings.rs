//! Settings and presets that change while the engine runs.

use std::sync::Arc;

use onesec_detector::{Descriptor, Finding, Module, StateReader, StateWriter};
use onesec_enforcement::Preset;
use onesec_telemetry::{Name, Record, Severity};
use serde_json::Value;

use super::{Engine, reported_finding};
use crate::alerts::Found;
use crate::chains::chain_rules_of;
use crate::output::Output;
use crate::settings::Settings;
use crate::setup::{OwnPolicies, SWITCHED_OFF, assembled, catalogue, policies, tracker_config};

impl Engine {
    /// Another table of verdicts, and other policies with it. One that cannot be used changes nothing.
    pub(super) fn set_preset(&mut self, name: &str, record: &Record) {
        let Some(preset) = Preset::from_name(name) else { return };
        let Ok(policies) = policies(&self.settings, preset, &self.own_policies) else { return };
        self.preset = preset;
        self.responder.take(policies, self.settings.enforcement.four_eyes);
        self.responder.made_by(record);
    }

    /// A person's policy, or its end. One that cannot be used changes nothing.
    pub(super) fn set_policy(&mut self, name: &Name, policy: Option<Value>, record: &Record) {
        let mut own = OwnPolicies::clone(&self.own_policies);
        match policy {
            Some(policy) => drop(own.insert(name.clone(), policy)),
            None => drop(own.remove(name)),
        }
        let Ok(policies) = policies(&self.settings, self.preset, &own) else { return };
        self.own_policies = Arc::new(own);
        self.responder.take(policies, self.settings.enforcement.four_eyes);
        self.responder.made_by(record);
    }

    /// That nothing is enforced any more is worth an alert of its own.
    pub(super) fn file_switched_off(&mut self, record: &Record, output: &mut Output) {
        let by = Descriptor::new(SWITCHED_OFF, Module::TokenVault, "Enforcement was switched off");
        let who = record.sender.owner.as_ref().map_or("the configuration", AsRef::as_ref);
        let reason = format!("{who} went from live to dry run: what is found is no longer acted on");
        let finding = Finding::about(record, Severity::High, reason);
        let filed = self.alerts.file(Found { record, by: &by, finding: &finding, attribution: record.attribution() });
        output.transitions.extend(filed.transitions);
        output.touched.push(filed.alert.clone());
        output.findings.push(reported_finding(record, by.code, &finding, Some(filed.alert)));
    }

    /// Takes new settings. They were checked before they became a record; what cannot be used changes nothing.
    pub(super) fn configure(&mut self, content: &serde_json::Value, record: &Record) {
        let Ok(settings) = serde_json::from_value::<Settings>(content.clone()) else { return };
        let Ok(detectors) = assembled(&settings, &self.assemble) else { return };
        let (Ok(config), Ok(catalogue)) = (tracker_config(&settings), catalogue(&settings)) else { return };
        let changed = settings.enforcement != self.settings.enforcement;
        let preset = if changed { settings.enforcement.preset } else { self.preset };
        let own = if changed { unnamed(&self.own_policies, &settings) } else { self.own_policies.clone() };
        let Ok(policies) = policies(&settings, preset, &own) else { return };
        let Ok(chain_rules) = chain_rules_of(&settings) else { return };
        let old = std::mem::replace(&mut self.detectors, detectors);
        for guarded in &mut self.detectors {
            let code = guarded.descriptor().code;
            let Some(former) = old.iter().find(|g| g.descriptor().code == code) else { continue };
            let mut out = StateWriter::default();
            former.save(&mut out);
            let sections = out.into_sections().into_iter().collect();
            let state = StateReader::new(&sections);
            guarded.load(state, state.below("state/"));
        }
        self.trackers.reconfigure(config, catalogue);
        self.chain_rules = chain_rules;
        self.responder.take(policies, settings.enforcement.four_eyes);
        self.own_policies = own;
        if changed {
            (self.mode, self.preset) = (settings.enforcement.mode, settings.enforcement.preset);
            self.responder.made_by(record);
        }
        self.settings = settings;
    }
}

/// What people set, but for what the configuration, which is the later word, names itself.
#[must_use]
pub fn unnamed(set: &OwnPolicies, settings: &Settings) -> Arc<OwnPolicies> {
    let named = |name: &Name| {
        settings.enforcement.policies.iter().any(|p| p.get("name").and_then(Value::as_str) == Some(name.as_str()))
    };
    Arc::new(set.iter().filter(|(name, _)| !named(name)).map(|(name, policy)| (name.clone(), policy.clone())).collect())
}

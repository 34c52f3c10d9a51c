//! An engine that was saved, and comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use onesec_detector::{StateError, StateReader, StateWriter};
use onesec_enforcement::Preset;
use onesec_telemetry::{Mode, Name, TenantId};
use onesec_trackers::Trackers;
use serde_json::Value;

use super::Engine;
use crate::alerts::AlertBook;
use crate::settings::Settings;
use crate::setup::{Assemble, OwnPolicies, SetupError, catalogue, policies, tracker_config};

impl Engine {
    /// An engine as it was when [`Engine::save`] was called.
    ///
    /// # Errors
    /// [`SetupError`] where the saved state cannot be used.
    pub fn load(
        tenant: TenantId,
        assemble: Assemble,
        sections: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, SetupError> {
        let state = StateReader::new(sections);
        let text: String = state.get("settings")?;
        let settings = serde_json::from_str(&text).map_err(|_| StateError::Undecodable("settings".to_owned()))?;
        let (mode, preset) = state.get("policy")?;
        Self::load_with(Self::new(tenant, settings, assemble)?, (mode, preset, saved_own(state)), state)
    }

    /// The same with other settings than were saved, where this version refuses those: what was measured stays, and what
    /// it is judged by changes. Policies that people set and that cannot be used any more come back by name.
    ///
    /// # Errors
    /// [`SetupError`] where the saved state cannot be used even so.
    pub fn load_instead(
        (tenant, settings): (TenantId, Settings),
        assemble: Assemble,
        sections: &BTreeMap<String, Vec<u8>>,
    ) -> Result<(Self, Vec<Name>), SetupError> {
        let state = StateReader::new(sections);
        let (mode, preset): (Mode, Preset) = state.get("policy")?;
        let preset =
            if policies(&settings, preset, &OwnPolicies::new()).is_ok() { preset } else { settings.enforcement.preset };
        let usable = |(name, policy): &(Name, Value)| {
            let alone = OwnPolicies::from([(name.clone(), policy.clone())]);
            policies(&settings, preset, &alone).is_ok()
        };
        let (good, bad): (OwnPolicies, OwnPolicies) = saved_own(state).into_iter().partition(usable);
        let engine = Self::new(tenant, settings.clone(), assemble)?;
        let engine = Self::load_with(engine, (mode, preset, good), state)?;
        Ok((engine, bad.into_keys().collect()))
    }

    fn load_with(
        mut engine: Self,
        (mode, preset, own): (Mode, Preset, OwnPolicies),
        state: StateReader<'_>,
    ) -> Result<Self, SetupError> {
        (engine.mode, engine.preset, engine.own_policies) = (mode, preset, Arc::new(own));
        let in_force = policies(&engine.settings, preset, &engine.own_policies)?;
        engine.responder.take(in_force, engine.settings.enforcement.four_eyes);
        engine.responder.load(state.below("respond/"))?;
        engine.restraints = state.get("restraints")?;
        engine.processes = state.get("processes")?;
        engine.chains = state.get("chains")?;
        engine.exceptions = state.get("exceptions")?;
        engine.alerts = AlertBook::from_saved(state)?;
        let config = tracker_config(&engine.settings)?;
        engine.trackers = Trackers::load(config, catalogue(&engine.settings)?, state.below("trackers/"))?;
        for guarded in &mut engine.detectors {
            let outer = format!("detector/{}/", guarded.descriptor().code);
            let inner = format!("{outer}state/");
            guarded.load(state.below(&outer), state.below(&inner));
        }
        Ok(engine)
    }

    /// Saves everything that later output depends on.
    pub fn save(&mut self, out: &mut StateWriter) {
        out.put("settings", &self.settings.to_json().to_string());
        out.put("policy", &(self.mode, self.preset));
        out.put("own_policies", &serde_json::to_string(&*self.own_policies).unwrap_or_default());
        out.put("exceptions", &self.exceptions);
        out.put("alerts", &self.alerts.to_saved());
        out.put("restraints", &self.restraints);
        out.put("processes", &self.processes);
        out.put("chains", &self.chains);
        out.nested("respond", |out| self.responder.save(out));
        out.nested("trackers", |out| self.trackers.save(out));
        out.nested("detector", |out| {
            for guarded in &self.detectors {
                let code = guarded.descriptor().code;
                out.nested(code, |out| guarded.save(out));
            }
        });
    }
}

/// None where the snapshot is of a version that knew none.
fn saved_own(state: StateReader<'_>) -> OwnPolicies {
    let text: String = state.get("own_policies").unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

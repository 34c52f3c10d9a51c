//! Whether what is configured can be carried out here: asked at the start and before every reload.

use std::fmt;
use std::sync::Arc;

use onesec_enforcement::{ActionSpec, Policy, Webhook};
use onesec_engine::{Settings, SetupError};
use serde_json::Value;

use super::Actions;

/// What there is to carry actions out with.
#[derive(Clone)]
pub(crate) struct Able(Arc<Actions>);

impl Able {
    pub(crate) const fn new(actions: Arc<Actions>) -> Self {
        Self(actions)
    }

    /// Refuses policies that cannot run as written: nobody should rely on half of them.
    ///
    /// # Errors
    /// [`SetupError`] with the first that cannot, and why.
    pub(crate) fn check(&self, settings: &Settings, hooks: &[Webhook]) -> Result<(), SetupError> {
        for hook in hooks {
            self.can(&ActionSpec::Webhook(Box::new(hook.clone())), "enforcement")?;
        }
        let enforced = &settings.enforcement;
        let own = Value::from(enforced.policies.clone());
        let policies = Policy::read_all(&own, "enforcement.policies", enforced.webhook.as_ref());
        for (at, policy) in
            policies.map_err(|error| wrong("enforcement.policies", &error.to_string()))?.iter().enumerate()
        {
            for (index, spec) in policy.actions.iter().enumerate() {
                self.can(spec, &format!("enforcement.policies[{at}].actions[{index}]"))?;
            }
        }
        Ok(())
    }

    fn can(&self, spec: &ActionSpec, path: &str) -> Result<(), SetupError> {
        let path = format!("{path}.{}", spec.kind());
        let action = self.0.get(spec.kind()).ok_or_else(|| wrong(&path, "nothing here carries such an action out"))?;
        action.check(spec).map_err(|why| wrong(&path, &why))
    }
}

impl fmt::Debug for Able {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn wrong(setting: &str, why: &str) -> SetupError {
    SetupError::Setting { setting: setting.to_owned(), why: why.to_owned() }
}

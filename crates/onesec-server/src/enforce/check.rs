//! Whether what is configured can be carried out here: asked at the start and before every reload.

use std::fmt;
use std::sync::Arc;

use onesec_enforcement::{ActionSpec, Policy, Preset, Webhook};
use onesec_engine::{OwnPolicies, Settings, SetupError};

use super::Actions;

/// What there is to carry actions out with.
#[derive(Clone)]
pub(crate) struct Able(Arc<Actions>);

impl Able {
    pub(crate) const fn new(actions: Arc<Actions>) -> Self {
        Self(actions)
    }

    /// Refuses policies that cannot run as written: nobody should rely on half of them. Asked for what the configuration
    /// says, without what people may have set besides.
    ///
    /// # Errors
    /// [`SetupError`] with the first that cannot, and why.
    pub(crate) fn check(&self, settings: &Settings, hooks: &[Webhook]) -> Result<(), SetupError> {
        for hook in hooks {
            self.can(&ActionSpec::Webhook(Box::new(hook.clone())), "enforcement")?;
        }
        self.check_in_force((settings, settings.enforcement.preset), &OwnPolicies::new())
    }

    /// The same, of a preset and with what people set: what they bring must run as written, too.
    ///
    /// # Errors
    /// [`SetupError`] with the first that cannot, and why.
    pub(crate) fn check_in_force(
        &self,
        (settings, preset): (&Settings, Preset),
        set: &OwnPolicies,
    ) -> Result<(), SetupError> {
        onesec_engine::policies(settings, preset, set)?.iter().try_for_each(|policy| self.check_policy(policy))
    }

    /// The same, of one policy.
    ///
    /// # Errors
    /// [`SetupError`] with the first action that cannot run, and why.
    pub(crate) fn check_policy(&self, policy: &Policy) -> Result<(), SetupError> {
        for (index, spec) in policy.actions.iter().enumerate() {
            self.can(spec, &format!("policy `{}`: actions[{index}]", policy.name))?;
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

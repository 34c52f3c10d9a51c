//! What reaches beyond one tenant: the machine itself, and what all tenants share. With several tenants that is for
//! operators: who administers one tenant is nobody to the others.

use onesec_enforcement::{ActionSpec, Policy};

use super::App;
use super::problem::Problem;
use crate::keys::Caller;

/// Refuses who is no operator, where there are several tenants.
pub(super) fn operators_only(app: &App, caller: &Caller) -> Result<(), Problem> {
    if caller.operator || app.core.tenants().len() == 1 {
        return Ok(());
    }
    Err(Problem::forbidden("operators-only", "with several tenants this needs an operator's key"))
}

/// The same, of a policy that runs programs of this machine.
pub(super) fn may_set(app: &App, caller: &Caller, policy: &Policy) -> Result<(), Problem> {
    let runs_programs = policy.actions.iter().any(|spec| matches!(spec, ActionSpec::Command { .. }));
    if runs_programs { operators_only(app, caller) } else { Ok(()) }
}

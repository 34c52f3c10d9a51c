//! What onesec does to the world outside: messages, processes, programs, the firewall.

use std::sync::Arc;

use onesec_actions::{Hook, KillProcess, Process, Processes, RunCommand, Webhooks};
use onesec_auth0::{HttpError, HttpOptions, http_client_resolving};
use onesec_enforcement::{Action, ActionSpec, Webhook};
use onesec_telemetry::{AgentId, TenantId};

use super::Actions;
use crate::core::Core;

/// The actions that reach outside, and the one whose addresses change with the configuration.
pub(crate) fn outside_actions(core: &Core, hooks: &[Webhook]) -> Result<(Actions, Arc<Webhooks>), HttpError> {
    let clock = core.clock();
    let client = |resolver| http_client_resolving(&HttpOptions::default(), resolver);
    let webhooks = Arc::new(Webhooks::new(&client, Arc::new(move || clock.now()))?);
    know(&webhooks, hooks);
    let actions: [Arc<dyn Action>; 3] =
        [webhooks.clone(), Arc::new(KillProcess::new(Registered(core.clone()))), Arc::new(RunCommand)];
    let actions = actions.into_iter().map(|action| (action.kind().to_owned(), action)).collect();
    Ok((actions, webhooks))
}

/// Tells it where messages may go from now on.
pub(crate) fn know(webhooks: &Webhooks, hooks: &[Webhook]) {
    webhooks.set(hooks.iter().filter_map(|hook| Hook::of(&ActionSpec::Webhook(Box::new(hook.clone())))));
}

/// Processes that were registered, in whichever tenant: an agent's name in another tenant is another agent.
struct Registered(Core);

impl Processes for Registered {
    fn of(&self, tenant: &TenantId, agent: &AgentId) -> Vec<Process> {
        let Some(view) = self.0.view(tenant) else { return Vec::new() };
        let known = view.processes.of(agent).iter();
        known
            .map(|process| Process {
                pid: process.pid,
                start_ticks: process.start_ticks,
                boot_id: process.boot_id.to_string(),
            })
            .collect()
    }
}

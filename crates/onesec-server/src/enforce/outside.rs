//! What onesec does to the world outside: messages, processes, programs, users at Auth0.

use std::sync::Arc;

use onesec_actions::{
    Clients, FlagUser, Hook, KillProcess, Process, Processes, RevokeConnectedAccount, RevokeRefreshTokens, RunCommand,
    Webhooks,
};
use onesec_auth0::{Clock, HttpError, HttpOptions, Management, MyAccount, http_client_resolving};
use onesec_enforcement::{Action, ActionSpec, Webhook};
use onesec_telemetry::{AgentId, TenantId};
use url::Url;

use super::Actions;
use crate::core::Core;

/// The way to Auth0, by tenant of ours.
pub(crate) struct AtAuth0 {
    pub(crate) management: Clients<Management>,
    pub(crate) my_account: Clients<MyAccount>,
}

/// The actions that reach outside, and the one whose addresses change with the configuration. Messages link to pages
/// below `dashboard`.
pub(crate) fn outside_actions(
    core: &Core,
    (hooks, dashboard): (&[Webhook], Option<&Url>),
    auth0: AtAuth0,
) -> Result<(Actions, Arc<Webhooks>), HttpError> {
    let clock = core.clock();
    let clock: Arc<dyn Clock> = Arc::new(move || clock.now());
    let client = |resolver| http_client_resolving(&HttpOptions::default(), resolver);
    let webhooks = Webhooks::new(&client, clock.clone())?;
    let webhooks = Arc::new(match dashboard {
        Some(base) => webhooks.with_dashboard(base.clone()),
        None => webhooks,
    });
    know(&webhooks, hooks);
    let AtAuth0 { management, my_account } = auth0;
    let actions: [Arc<dyn Action>; 6] = [
        webhooks.clone(),
        Arc::new(KillProcess::new(Registered(core.clone()))),
        Arc::new(RunCommand),
        Arc::new(RevokeRefreshTokens::new(management.clone())),
        Arc::new(FlagUser::new(management, clock.clone())),
        Arc::new(RevokeConnectedAccount::new(my_account, clock)),
    ];
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

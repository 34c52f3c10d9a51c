//! Auth0's log as configured: who may deliver it, and what is done beside.

use std::sync::Arc;

use onesec_telemetry::TenantId;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::auth0::Administrators;
use crate::auth0_logs::{Accounts, Intake, Puller, ReadBack, reconcile};
use crate::config::{Config, TokenVaultConfig};
use crate::core::Core;
use crate::http::LogStreams;
use crate::identity::Identity;
use crate::metrics::Metrics;

/// Where entries enter, who may deliver them, and what goes on beside.
pub(super) struct Logs {
    pub(super) intake: Intake,
    pub(super) streams: LogStreams,
    pub(super) puller: Puller,
    pub(super) accounts: Accounts,
    pub(super) beside: Vec<JoinHandle<()>>,
}

pub(super) fn logs(
    config: &Config,
    (core, identity, metrics): (&Core, &Arc<Identity>, &Metrics),
    admins: &Administrators,
    stopping: &watch::Receiver<bool>,
) -> Logs {
    let with_log: Vec<(TenantId, &TokenVaultConfig)> = vaults(config).filter(|(_, vault)| vault.has_log()).collect();
    for (tenant, _) in with_log.iter().filter(|(tenant, _)| !admins.contains_key(tenant)) {
        // Neither can the log be asked for.
        tracing::warn!(%tenant, "no client of the Management API: links in Auth0's log cannot be read back, and do not count");
    }
    let bell = Arc::new(Notify::new());
    let reads_back = admins.keys().cloned().collect();
    let intake = Intake::new((core.clone(), identity.agents.clone()), metrics.clone(), (reads_back, bell.clone()));
    let shown =
        with_log.iter().filter_map(|(tenant, vault)| Some((tenant.clone(), vault.log_stream_authorization.as_ref()?)));
    let streams = LogStreams::new(shown);
    let read_back = ReadBack::new(core.clone(), admins.clone(), bell);
    let mut beside = vec![tokio::spawn(read_back.run(stopping.clone()))];
    let puller = Puller::new(core.clone(), intake.clone(), admins.clone());
    let accounts = Accounts::new(core.clone(), admins.clone());
    for (tenant, vault) in vaults(config).filter(|(tenant, _)| admins.contains_key(tenant)) {
        if let Some(every) = vault.pull_logs {
            beside.push(tokio::spawn(puller.clone().run(tenant.clone(), every, stopping.clone())));
        }
        if let Some(every) = vault.reconcile {
            beside.push(tokio::spawn(reconcile(accounts.clone(), tenant, every, stopping.clone())));
        }
    }
    Logs { intake, streams, puller, accounts, beside }
}

/// Token Vault of every tenant that has one.
fn vaults(config: &Config) -> impl Iterator<Item = (TenantId, &TokenVaultConfig)> {
    let own = config.token_vault.iter().map(|vault| (TenantId::default_tenant(), vault));
    own.chain(config.tenants.iter().filter_map(|tenant| Some((tenant.name.clone(), tenant.token_vault.as_ref()?))))
}

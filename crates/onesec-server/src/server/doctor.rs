//! What a doctor is to look at, as the configuration has it: the same that `up` would start with.

use std::sync::Arc;

use onesec_auth0::doctor::{ClientUse as Uses, Plan, PlannedClient, Server};
use onesec_auth0::{Auth0Config, Clock, http_client};
use onesec_telemetry::{Secret, TenantId};

use super::StartError;
use super::auth0::administrator;
use super::vaults::{at, http_options, one_client, origin_for, unusable};
use crate::config::{ClientUse, Config, TokenVaultConfig};

/// Where Auth0's log streams lead.
const RECEIVER: &str = "api/v1/auth0/logs";

/// What is asked about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// One connection only.
    pub(crate) connection: Option<String>,
    /// A user.
    pub(crate) user: Option<String>,
}

/// The tenants that have Token Vault.
pub(crate) fn with_vault(config: &Config) -> Vec<TenantId> {
    config.tenant_names().into_iter().filter(|tenant| vault_of(config, tenant).is_some()).collect()
}

/// The plan for one of them.
pub(crate) fn plan(
    config: &Config,
    tenant: &TenantId,
    (asked, clock): (&Asked, Arc<dyn Clock>),
) -> Result<Plan, StartError> {
    let vault = vault_of(config, tenant).ok_or_else(|| unusable(tenant, "is not configured"))?;
    let nobody = Auth0Config::new(&vault.domain, "none", Secret::new("none".to_owned()));
    let nobody = at(tenant, vault, nobody.map_err(|error| unusable(tenant, error))?)?;
    let options = onesec_auth0::HttpOptions { origin: origin_for(vault), ..http_options(vault)? };
    Ok(Plan {
        tenant: nobody,
        http: http_client(&options).map_err(|error| unusable(tenant, error))?,
        clients: clients(tenant, vault)?,
        audiences: vault.audiences.clone(),
        management: administrator(config, tenant, clock.clone())?,
        clock,
        connections: named(config, tenant),
        only: asked.connection.clone(),
        user: asked.user.clone(),
        proxy: vault.proxy.as_ref().map(|proxy| proxy.domain.clone()),
        server: Server {
            receiver: receiver(config),
            takes_logs: vault.log_stream_authorization.is_some(),
            ..Server::default()
        },
    })
}

fn vault_of<'a>(config: &'a Config, tenant: &TenantId) -> Option<&'a TokenVaultConfig> {
    match config.tenants.iter().find(|other| other.name == *tenant) {
        Some(own) => own.token_vault.as_ref(),
        None => config.token_vault.as_ref(),
    }
}

fn clients(tenant: &TenantId, vault: &TokenVaultConfig) -> Result<Vec<PlannedClient>, StartError> {
    let mut clients = Vec::new();
    if !vault.client_id.is_empty() {
        let auth0 = Auth0Config::new(&vault.domain, &vault.client_id, vault.client_secret.clone());
        let auth0 = at(tenant, vault, auth0.map_err(|error| unusable(tenant, error))?)?;
        // It serves whatever no other client is named for.
        let left = vault.audiences.iter().filter(|audience| !vault.clients.iter().any(|c| serves(c, audience)));
        clients.push(PlannedClient { auth0, uses: Uses::Refresh, audiences: left.cloned().collect() });
    }
    for client in &vault.clients {
        let (uses, audiences) = match client.purpose {
            ClientUse::Refresh => (Uses::Refresh, Vec::new()),
            ClientUse::Worker => (Uses::Worker, Vec::new()),
            ClientUse::Access => {
                let own = client.audience.clone().map(|audience| vec![audience]);
                (Uses::Access, own.unwrap_or_else(|| vault.audiences.clone()))
            }
        };
        clients.push(PlannedClient { auth0: one_client(tenant, vault, client)?, uses, audiences });
    }
    Ok(clients)
}

fn serves(client: &crate::config::VaultClient, audience: &str) -> bool {
    client.purpose == ClientUse::Access && client.audience.as_deref().is_none_or(|own| own == audience)
}

/// Connections that the configuration names.
fn named(config: &Config, tenant: &TenantId) -> Vec<String> {
    let (exclusive, complete) = match config.tenants.iter().find(|other| other.name == *tenant) {
        Some(own) => (&own.exclusive, &own.ledger_complete),
        None => (&config.settings.exclusive, &config.settings.ledger_complete),
    };
    let all = exclusive.iter().chain(complete).filter(|name| *name != "*");
    let mut names: Vec<String> = all.cloned().collect();
    names.sort();
    names.dedup();
    names
}

fn receiver(config: &Config) -> Option<String> {
    let base = config.public_url.as_ref()?.as_str().trim_end_matches('/').to_owned();
    Some(format!("{base}/{RECEIVER}"))
}

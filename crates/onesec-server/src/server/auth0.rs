//! The way to Auth0 for actions: an administrator's for what we may do, the user's own for what only the user may.

use std::collections::BTreeMap;
use std::sync::Arc;

use onesec_actions::Clients;
use onesec_auth0::{Auth0Config, Clock, HttpOptions, Management, MyAccount, http_client};
use onesec_telemetry::{Secret, TenantId};

use super::StartError;
use super::vaults::{at, http_options, origin_for, unusable};
use crate::config::{Config, ManagementConfig, TokenVaultConfig};
use crate::core::Core;
use crate::enforce::AtAuth0;

/// Clients of the Management API, where there are credentials. Nothing is asked yet.
pub(super) fn administrators(config: &Config, core: &Core) -> Result<Administrators, StartError> {
    let clock = core.clock();
    let clock: Arc<dyn Clock> = Arc::new(move || clock.now());
    let mut clients = Administrators::new();
    for tenant in config.tenant_names() {
        if let Some(client) = administrator(config, &tenant, clock.clone())? {
            clients.insert(tenant, Arc::new(client));
        }
    }
    Ok(clients)
}

/// By tenant of ours.
pub(crate) type Administrators = BTreeMap<TenantId, Arc<Management>>;

/// Clients for every tenant that has what they need. Nothing is asked yet.
pub(super) fn at_auth0(config: &Config, core: &Core, admins: &Administrators) -> Result<AtAuth0, StartError> {
    let clock = core.clock();
    let clock: Arc<dyn Clock> = Arc::new(move || clock.now());
    let own = config.token_vault.iter().map(|vault| (TenantId::default_tenant(), vault));
    let others = config.tenants.iter().filter_map(|tenant| Some((tenant.name.clone(), tenant.token_vault.as_ref()?)));
    let mut users = Vec::new();
    for (tenant, vault) in own.chain(others) {
        let client = my_account((&tenant, vault), clock.clone())?;
        users.push((tenant, Arc::new(client)));
    }
    Ok(AtAuth0 { management: Clients::new(admins.clone()), my_account: Clients::new(users) })
}

/// Our client of the Management API of this tenant, where there is one. Nobody else's serves in its place.
pub(super) fn administrator(
    config: &Config,
    tenant: &TenantId,
    clock: Arc<dyn Clock>,
) -> Result<Option<Management>, StartError> {
    let other = config.tenants.iter().find(|other| other.name == *tenant);
    let (said, vault) = match other {
        Some(own) => (own.management.as_ref(), own.token_vault.as_ref()),
        None => (config.management.as_ref(), config.token_vault.as_ref()),
    };
    said.map(|said| management((tenant, said), vault, clock)).transpose()
}

fn management(
    (tenant, said): (&TenantId, &ManagementConfig),
    vault: Option<&TokenVaultConfig>,
    clock: Arc<dyn Clock>,
) -> Result<Management, StartError> {
    let auth0 = Auth0Config::new(&said.domain, &said.client_id, said.client_secret.clone());
    let auth0 = auth0.map_err(|error| unusable(tenant, error))?;
    let (auth0, options) = match (&said.base_url, vault.filter(|vault| vault.domain == said.domain)) {
        (Some(url), vault) => {
            let there = auth0.with_base_url(url.as_str()).map_err(|error| unusable(tenant, error))?;
            (there, vault.map(http_options).transpose()?.unwrap_or_default())
        }
        (None, Some(vault)) => {
            let options = HttpOptions { origin: origin_for(vault), ..http_options(vault)? };
            (at(tenant, vault, auth0)?, options)
        }
        (None, None) => (auth0, HttpOptions::default()),
    };
    let http = http_client(&options).map_err(|error| unusable(tenant, error))?;
    Ok(Management::new(auth0, http, clock))
}

fn my_account((tenant, vault): (&TenantId, &TokenVaultConfig), clock: Arc<dyn Clock>) -> Result<MyAccount, StartError> {
    // Requests carry the user's token and nothing of ours.
    let auth0 = Auth0Config::new(&vault.domain, "none", Secret::new("none".to_owned()));
    let auth0 = at(tenant, vault, auth0.map_err(|error| unusable(tenant, error))?)?;
    let options = HttpOptions { origin: origin_for(vault), ..http_options(vault)? };
    let http = http_client(&options).map_err(|error| unusable(tenant, error))?;
    Ok(MyAccount::new(auth0, http, clock))
}

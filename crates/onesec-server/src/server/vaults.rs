//! Token Vault as configured: one gateway per tenant that has credentials.

use std::collections::BTreeMap;

use onesec_auth0::{Auth0Config, HttpOptions, Roots};
use onesec_telemetry::TenantId;

use super::StartError;
use crate::config::{Config, TokenVaultConfig};
use crate::core::Core;
use crate::gateway::{Gateway, GatewayOptions};
use crate::http::TenantVault;

pub(super) fn vaults(config: &Config, core: &Core) -> Result<BTreeMap<TenantId, TenantVault>, StartError> {
    let own = config.token_vault.iter().map(|vault| (TenantId::default_tenant(), vault));
    let others = config.tenants.iter().filter_map(|tenant| Some((tenant.name.clone(), tenant.token_vault.as_ref()?)));
    let mut vaults = BTreeMap::new();
    for (tenant, vault) in own.chain(others) {
        let gateway = if vault.is_configured() { Some(gateway(&tenant, vault, core)?) } else { None };
        vaults.insert(tenant, TenantVault { domain: vault.domain.clone(), gateway });
    }
    Ok(vaults)
}

fn gateway(tenant: &TenantId, vault: &TokenVaultConfig, core: &Core) -> Result<Gateway, StartError> {
    let unusable = |why: String| StartError::TokenVault { tenant: tenant.clone(), why };
    let mut auth0 = Auth0Config::new(&vault.domain, &vault.client_id, vault.client_secret.clone())
        .map_err(|error| unusable(error.to_string()))?;
    if let Some(url) = &vault.base_url {
        auth0 = auth0.with_base_url(url.as_str()).map_err(|error| unusable(error.to_string()))?;
    }
    let mut options = GatewayOptions::new(tenant.clone(), auth0);
    options.audiences.clone_from(&vault.audiences);
    options.unproven = vault.unproven_subject;
    options.http = http_options(vault)?;
    Gateway::new(core.clone(), options).map_err(|error| unusable(error.to_string()))
}

fn http_options(vault: &TokenVaultConfig) -> Result<HttpOptions, StartError> {
    let mut options = HttpOptions { total_timeout: vault.request_timeout, ..HttpOptions::default() };
    if let Some(path) = &vault.extra_root_ca {
        let pem = std::fs::read_to_string(path).map_err(|source| StartError::File { path: path.clone(), source })?;
        options.roots = Roots::SystemAndPem(pem);
    }
    Ok(options)
}

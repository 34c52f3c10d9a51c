//! Who is asking, as configured: issuers, our own signing keys, and what the ledger knows of agents.

use std::path::Path;
use std::sync::Arc;

use onesec_auth0::{Clock, HttpOptions, http_client};
use onesec_identity::KeySet;
use onesec_telemetry::TenantId;

use super::StartError;
use super::vaults::http_options;
use crate::config::Config;
use crate::core::Core;
use crate::identity::{AgentIssuers, Agents, Identity, Links, Signer, UsedProofs};

pub(super) fn identity(config: &Config, core: &Core) -> Result<Identity, StartError> {
    let (tenants, now) = (core.tenants(), core.now());
    let signer = Signer::open(&config.data_dir, now).map_err(|error| StartError::Signing(error.to_string()))?;
    let others = config.root_keys.as_deref().map(root_keys).transpose()?;
    let links = Links::new(signer.clone(), others, (config.link_lifetime, config.settings.max_depth));
    Ok(Identity {
        agents: Agents::load(core.reader(), &tenants)?,
        used: UsedProofs::load(core.reader(), &tenants, now)?,
        issuers: issuers(config, core)?,
        links,
        signer,
    })
}

fn root_keys(path: &Path) -> Result<KeySet, StartError> {
    let text = std::fs::read_to_string(path).map_err(|source| StartError::File { path: path.to_owned(), source })?;
    let keys = KeySet::from_jwks_json(&text).map_err(|error| StartError::Signing(format!("root keys: {error}")))?;
    if keys.is_empty() {
        return Err(StartError::Signing(format!("`{}` has no usable key", path.display())));
    }
    Ok(keys)
}

fn issuers(config: &Config, core: &Core) -> Result<AgentIssuers, StartError> {
    let clock = core.clock();
    let clock: Arc<dyn Clock> = Arc::new(move || clock.now());
    let mut issuers = AgentIssuers::default();
    let default = TenantId::default_tenant();
    let own = config.agent_issuers.iter().map(|issuer| (&default, issuer, config.token_vault.as_ref()));
    let others = config.tenants.iter().flat_map(|tenant| {
        tenant.agent_issuers.iter().map(move |issuer| (&tenant.name, issuer, tenant.token_vault.as_ref()))
    });
    for (tenant, issuer, vault) in own.chain(others) {
        let unusable = |why: String| StartError::Issuer { issuer: issuer.issuer.clone(), why };
        // Whoever trusts a private authority for the tenant has its other servers behind it, too.
        let options = vault.map_or_else(|| Ok(HttpOptions::default()), http_options)?;
        let http = http_client(&options).map_err(|error| unusable(error.to_string()))?;
        issuers.add((tenant, issuer), http, clock.clone()).map_err(|error| unusable(error.to_string()))?;
    }
    Ok(issuers)
}

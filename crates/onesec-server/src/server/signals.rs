//! Whose security events are believed, as configured.

use std::sync::Arc;

use onesec_auth0::{Clock, HttpOptions, http_client};
use onesec_telemetry::TenantId;

use super::StartError;
use super::vaults::http_options;
use crate::config::Config;
use crate::core::Core;
use crate::revoke::Revocations;
use crate::signals::Transmitters;

pub(super) fn transmitters(
    config: &Config,
    (core, revocations): (&Core, &Arc<Revocations>),
) -> Result<Transmitters, StartError> {
    let clock = core.clock();
    let clock: Arc<dyn Clock> = Arc::new(move || clock.now());
    let default = TenantId::default_tenant();
    let own = std::iter::once((&default, &config.signals, config.token_vault.as_ref()));
    let others = config.tenants.iter().map(|tenant| (&tenant.name, &tenant.signals, tenant.token_vault.as_ref()));
    let mut all = Transmitters::new(core.clone(), revocations.clone());
    for (tenant, signals, vault) in own.chain(others) {
        let unusable = |why: String| StartError::Issuer { issuer: format!("security_events of `{tenant}`"), why };
        let options = vault.map_or_else(|| Ok(HttpOptions::default()), http_options)?;
        let http = http_client(&options).map_err(|error| unusable(error.to_string()))?;
        all.add((tenant, signals), &http, &clock).map_err(|error| unusable(error.to_string()))?;
    }
    Ok(all)
}

//! Whose security events are believed, as configured.

use std::collections::BTreeMap;
use std::sync::Arc;

use onesec_actions::EventPush;
use onesec_auth0::{Clock, HttpOptions, http_client};
use onesec_telemetry::TenantId;

use super::StartError;
use super::vaults::http_options;
use crate::config::{Config, SignalsConfig, TokenVaultConfig};
use crate::core::Core;
use crate::identity::Identity;
use crate::revoke::Revocations;
use crate::signals::{Receiver, Stream, Teller, Transmitters};

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

/// Who is told what we did.
pub(super) fn teller(config: &Config, (core, identity): (&Core, &Arc<Identity>)) -> Result<Arc<Teller>, StartError> {
    let default = TenantId::default_tenant();
    let own = std::iter::once((&default, &config.signals, config.token_vault.as_ref()));
    let others = config.tenants.iter().map(|tenant| (&tenant.name, &tenant.signals, tenant.token_vault.as_ref()));
    let mut streams = BTreeMap::new();
    for (tenant, signals, vault) in own.chain(others).filter(|(_, signals, _)| !signals.receivers.is_empty()) {
        streams.insert(tenant.clone(), stream(tenant, signals, vault)?);
    }
    Ok(Arc::new(Teller::new((core.clone(), identity.signer.clone()), streams)))
}

fn stream(tenant: &TenantId, signals: &SignalsConfig, vault: Option<&TokenVaultConfig>) -> Result<Stream, StartError> {
    let issuer = signals.issuer.clone().unwrap_or_default();
    let mut receivers = Vec::new();
    for said in &signals.receivers {
        let unusable =
            |why: String| StartError::Issuer { issuer: format!("receiver `{}` of `{tenant}`", said.name), why };
        let options = vault.map_or_else(|| Ok(HttpOptions::default()), http_options)?;
        let push = said.url.as_ref().map(|url| {
            let http = http_client(&options).map_err(|error| unusable(error.to_string()))?;
            EventPush::new(url, said.authorization.clone(), http).map_err(|error| unusable(error.to_string()))
        });
        receivers.push(Receiver { name: said.name.clone(), audience: said.audience.clone(), push: push.transpose()? });
    }
    // Users are users of the tenant at Auth0, where there is one.
    let subjects = vault.map_or_else(|| issuer.clone(), |vault| format!("https://{}/", vault.domain));
    Ok(Stream { issuer, subjects, receivers })
}

//! Who is asked to take access back, as configured.

use std::collections::BTreeMap;
use std::sync::Arc;

use onesec_actions::{AtProvider, HeldTokens};
use onesec_auth0::http_client;
use onesec_telemetry::{ConnectionName, TenantId};

use super::StartError;
use super::vaults::{http_options, unusable};
use crate::config::{Config, TokenVaultConfig};
use crate::core::Core;
use crate::enforce::AtAuth0;
use crate::identity::Identity;
use crate::revoke::Revocations;
use crate::signals::Teller;

/// The way to providers, and the tokens that are held for it.
pub(super) struct ToProviders {
    of: BTreeMap<(TenantId, ConnectionName), AtProvider>,
    pub(super) held: Arc<HeldTokens>,
}

pub(super) fn to_providers(config: &Config) -> Result<ToProviders, StartError> {
    let own = config.token_vault.iter().map(|vault| (TenantId::default_tenant(), vault));
    let others = config.tenants.iter().filter_map(|tenant| Some((tenant.name.clone(), tenant.token_vault.as_ref()?)));
    let mut of = BTreeMap::new();
    for (tenant, vault) in own.chain(others) {
        for at in &vault.revoke_at_provider {
            of.insert((tenant.clone(), at.connection.clone()), provider((&tenant, vault), at)?);
        }
    }
    Ok(ToProviders { of, held: Arc::default() })
}

fn provider(
    (tenant, vault): (&TenantId, &TokenVaultConfig),
    at: &crate::config::RevokeAt,
) -> Result<AtProvider, StartError> {
    let wrong = |why: String| unusable(tenant, format!("token_vault.revoke_at_provider `{}`: {why}", at.connection));
    let http = http_client(&http_options(vault)?).map_err(|error| wrong(error.to_string()))?;
    AtProvider::new(at.provider.clone(), at.url.as_deref(), http).map_err(|error| wrong(error.to_string()))
}

pub(super) fn revocations(
    (core, identity): (&Core, &Arc<Identity>),
    auth0: &AtAuth0,
    (providers, teller): (ToProviders, Arc<Teller>),
) -> Arc<Revocations> {
    let parts = (core.clone(), identity.clone());
    Arc::new(Revocations::new(parts, auth0.management.clone(), providers.of, (providers.held, teller)))
}

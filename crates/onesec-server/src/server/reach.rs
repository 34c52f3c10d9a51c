//! Whom the server knows and reaches: agents, users, Auth0, providers, transmitters.

use std::collections::BTreeMap;
use std::sync::Arc;

use onesec_telemetry::TenantId;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::StartError;
use super::auth0::{Administrators, administrators, at_auth0};
use super::identity::identity;
use super::revocation::{revocations, to_providers};
use super::signals::{teller, transmitters};
use super::vaults::vaults;
use crate::config::Config;
use crate::core::Core;
use crate::enforce::AtAuth0;
use crate::http::{Beyond, TenantVault};
use crate::identity::Identity;

pub(super) struct Reach {
    pub(super) identity: Arc<Identity>,
    pub(super) vaults: BTreeMap<TenantId, TenantVault>,
    pub(super) admins: Administrators,
    pub(super) auth0: AtAuth0,
    pub(super) beyond: Beyond,
}

/// As configured. Nobody is asked yet.
pub(super) fn reach(config: &Config, core: &Core) -> Result<Reach, StartError> {
    let identity = Arc::new(identity(config, core)?);
    let providers = to_providers(config)?;
    let vaults = vaults(config, core, (&identity, &providers.held))?;
    let admins = administrators(config, core)?;
    let auth0 = at_auth0(config, core, &admins)?;
    let teller = teller(config, (core, &identity))?;
    let revocations = revocations((core, &identity), &auth0, (providers, teller.clone()));
    let transmitters = transmitters(config, (core, &revocations))?;
    let own = config.token_vault.iter().map(|vault| (TenantId::default_tenant(), vault));
    let others = config.tenants.iter().filter_map(|tenant| Some((tenant.name.clone(), tenant.token_vault.as_ref()?)));
    let redirect_uris = own.chain(others).map(|(name, vault)| (name, vault.connect_redirect_uris.clone())).collect();
    let my_account = auth0.my_account.clone();
    let beyond = Beyond { revocations, transmitters, teller, my_account, redirect_uris };
    Ok(Reach { identity, vaults, admins, auth0, beyond })
}

/// Takes back and tells, until told to stop.
pub(super) fn at_work(beyond: &Beyond, stopping: &watch::Receiver<bool>) -> JoinHandle<()> {
    let revoking = beyond.revocations.clone().run(stopping.clone());
    let telling = beyond.teller.clone().run(stopping.clone());
    tokio::spawn(async move {
        tokio::join!(revoking, telling);
    })
}

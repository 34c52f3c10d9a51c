//! Token Vault as configured: one gateway per tenant that has credentials.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use onesec_actions::HeldTokens;
use onesec_auth0::{Auth0Config, ClientKey, HttpOptions, Origin, OriginOptions, Roots, http_client};
use onesec_identity::SigningKey;
use onesec_telemetry::TenantId;

use super::StartError;
use crate::config::{ClientUse, Config, ProxyConfig, TokenVaultConfig, VaultClient, VaultCredential};
use crate::core::Core;
use crate::gateway::{Gateway, GatewayOptions, LaneOptions};
use crate::http::{CustomDomain, TenantVault};
use crate::identity::Identity;

pub(super) fn vaults(
    config: &Config,
    core: &Core,
    (identity, held): (&Arc<Identity>, &Arc<HeldTokens>),
) -> Result<BTreeMap<TenantId, TenantVault>, StartError> {
    let own = config.token_vault.iter().map(|vault| (TenantId::default_tenant(), vault));
    let others = config.tenants.iter().filter_map(|tenant| Some((tenant.name.clone(), tenant.token_vault.as_ref()?)));
    let mut vaults = BTreeMap::new();
    for (tenant, vault) in own.chain(others) {
        let gateway =
            if vault.is_configured() { Some(gateway((&tenant, vault), core, (identity, held))?) } else { None };
        let proxy = vault.proxy.as_ref().map(|proxy| custom_domain((&tenant, vault), proxy)).transpose()?;
        vaults.insert(tenant, TenantVault { domain: vault.domain.clone(), gateway, proxy });
    }
    Ok(vaults)
}

pub(super) fn unusable(tenant: &TenantId, why: impl std::fmt::Display) -> StartError {
    StartError::TokenVault { tenant: tenant.clone(), why: why.to_string() }
}

fn gateway(
    (tenant, vault): (&TenantId, &TokenVaultConfig),
    core: &Core,
    (identity, held): (&Arc<Identity>, &Arc<HeldTokens>),
) -> Result<Gateway, StartError> {
    let (auth0, clients) = clients(tenant, vault)?;
    let mut options = GatewayOptions::new(tenant.clone(), auth0);
    options.clients = clients;
    options.pass_through.clone_from(&vault.pass_through);
    options.audiences.clone_from(&vault.audiences);
    if !vault.revoke_at_provider.is_empty() {
        let at = vault.revoke_at_provider.iter().map(|at| at.connection.clone()).collect();
        options.held = Some((held.clone(), at));
    }
    options.unproven = vault.unproven_subject;
    options.http = HttpOptions { origin: origin_for(vault), ..http_options(vault)? };
    Gateway::new(core.clone(), identity.clone(), options).map_err(|error| unusable(tenant, error))
}

/// The client for whatever no other is named for, and the others.
fn clients(tenant: &TenantId, vault: &TokenVaultConfig) -> Result<(Auth0Config, Vec<LaneOptions>), StartError> {
    let mut named = Vec::new();
    for client in &vault.clients {
        let lane = LaneOptions::new(one_client(tenant, vault, client)?, client.purpose, client.audience.clone());
        named.push(lane);
    }
    if !vault.client_id.is_empty() {
        let auth0 = Auth0Config::new(&vault.domain, &vault.client_id, vault.client_secret.clone());
        let auth0 = auth0.map_err(|error| unusable(tenant, error))?;
        return Ok((at(tenant, vault, auth0)?, named));
    }
    let first = |purpose| named.iter().find(|lane| lane.purpose == purpose);
    let default = first(ClientUse::Refresh).or_else(|| first(ClientUse::Access)).or_else(|| named.first());
    let default = default.map(|lane| lane.auth0.clone());
    default.map(|default| (default, named)).ok_or_else(|| unusable(tenant, "no client is configured"))
}

pub(super) fn one_client(
    tenant: &TenantId,
    vault: &TokenVaultConfig,
    client: &VaultClient,
) -> Result<Auth0Config, StartError> {
    let auth0 = match &client.credential {
        VaultCredential::Secret(secret) => Auth0Config::new(&vault.domain, &client.client_id, secret.clone()),
        VaultCredential::Key { file, kid } => {
            let key = ClientKey { key: Arc::new(private_key(tenant, file)?), kid: kid.clone() };
            Auth0Config::with_private_key(&vault.domain, &client.client_id, key)
        }
    };
    at(tenant, vault, auth0.map_err(|error| unusable(tenant, error))?)
}

/// Where requests go.
pub(super) fn at(tenant: &TenantId, vault: &TokenVaultConfig, auth0: Auth0Config) -> Result<Auth0Config, StartError> {
    let elsewhere = vault.base_url.as_ref().map(url::Url::as_str);
    match elsewhere.or_else(|| behind(vault).map(|proxy| proxy.origin.as_str())) {
        Some(url) => auth0.with_base_url(url).map_err(|error| unusable(tenant, error)),
        None => Ok(auth0),
    }
}

/// The origin of the custom domain, where our own requests go there too: because that is said, or because the domain is
/// the custom one, which leads back to ourselves.
fn behind(vault: &TokenVaultConfig) -> Option<&ProxyConfig> {
    let proxy = vault.proxy.as_ref()?;
    let name = vault.domain.split(':').next().unwrap_or_default();
    let there = match &vault.base_url {
        Some(url) => url::Url::parse(&proxy.origin).is_ok_and(|origin| origin == *url),
        None => [name, &vault.domain].iter().any(|name| name.eq_ignore_ascii_case(&proxy.domain)),
    };
    there.then_some(proxy)
}

/// What that origin must be shown.
pub(super) fn origin_for(vault: &TokenVaultConfig) -> Option<OriginOptions> {
    behind(vault).map(origin)
}

fn private_key(tenant: &TenantId, path: &Path) -> Result<SigningKey, StartError> {
    let text = std::fs::read_to_string(path).map_err(|source| StartError::File { path: path.to_owned(), source })?;
    SigningKey::from_pem(&text).map_err(|error| unusable(tenant, format!("`{}`: {error}", path.display())))
}

fn custom_domain(
    (tenant, vault): (&TenantId, &TokenVaultConfig),
    proxy: &ProxyConfig,
) -> Result<CustomDomain, StartError> {
    let http = http_client(&http_options(vault)?).map_err(|error| unusable(tenant, error))?;
    let origin =
        Origin::new(&origin(proxy), http).map_err(|error| unusable(tenant, format!("custom domain: {error}")))?;
    Ok(CustomDomain { domain: proxy.domain.to_ascii_lowercase(), origin })
}

fn origin(proxy: &ProxyConfig) -> OriginOptions {
    let (base_url, host) = (proxy.origin.clone(), proxy.origin_host.clone());
    OriginOptions { base_url, host, api_key: proxy.api_key.clone() }
}

pub(super) fn http_options(vault: &TokenVaultConfig) -> Result<HttpOptions, StartError> {
    let mut options = HttpOptions { total_timeout: vault.request_timeout, ..HttpOptions::default() };
    if let Some(path) = &vault.extra_root_ca {
        let pem = std::fs::read_to_string(path).map_err(|source| StartError::File { path: path.clone(), source })?;
        options.roots = Roots::SystemAndPem(pem);
    }
    Ok(options)
}

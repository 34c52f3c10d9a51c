//! What is enforced: mode, preset, policies. What of it is secret stays out of the settings, which become records.

use onesec_enforcement::{ActionSpec, FourEyes, Policy, PolicyError, Preset, Webhook};
use onesec_engine::EnforcementSettings;
use onesec_telemetry::{Mode, Secret};
use serde_json::{Map, Value};
use url::Url;

use super::meant::check_auth0;
use super::said::{Said, as_switch};
use super::{ConfigError, ManagementConfig};

/// What is enforced, and the addresses that messages go to.
pub(super) fn enforcement(said: &Said) -> Result<(EnforcementSettings, Vec<Webhook>), ConfigError> {
    let default = default_hook(said)?;
    let own = said.get("enforcement.policies").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    let policies = Policy::read_all(&own, "enforcement.policies", default.as_ref().map(|(written, _)| written))?;
    let mut hooks: Vec<Webhook> = Vec::new();
    for spec in policies.iter().flat_map(|policy| &policy.actions).chain(default.as_ref().map(|(_, spec)| spec)) {
        if let ActionSpec::Webhook(hook) = spec
            && !hooks.iter().any(|known| known.digest == hook.digest)
        {
            hooks.push((**hook).clone());
        }
    }
    let settings = EnforcementSettings {
        mode: if said.text("enforcement.mode").as_deref() == Some("live") { Mode::Live } else { Mode::DryRun },
        preset: said.text("enforcement.preset").as_deref().and_then(Preset::from_name).unwrap_or_default(),
        policies: policies.iter().map(Policy::to_json).collect(),
        webhook: default.map(|(_, spec)| spec.shown()),
        four_eyes: if said.text("enforcement.four_eyes").as_deref() == Some("off") {
            FourEyes::Off
        } else {
            FourEyes::Owner
        },
    };
    Ok((settings, hooks))
}

/// The `webhook` action that policies mean which name no address, as written and as read.
fn default_hook(said: &Said) -> Result<Option<(Value, ActionSpec)>, ConfigError> {
    let mut members = Map::new();
    for name in ["url", "secret", "template"] {
        if let Some(text) = said.text(&format!("enforcement.webhook.{name}")).filter(|text| !text.is_empty()) {
            members.insert(name.to_owned(), Value::String(text));
        }
    }
    if let Some(on) = said.get("enforcement.webhook.allow_private").and_then(as_switch) {
        members.insert("allow_private".to_owned(), Value::Bool(on));
    }
    if members.is_empty() {
        return Ok(None);
    }
    let written = Value::Object(Map::from_iter([("webhook".to_owned(), Value::Object(members))]));
    let spec = ActionSpec::read(&written, "enforcement", None)?;
    Ok(Some((written, spec)))
}

/// Our client of the Management API. Where nothing else is said it is that of Token Vault's tenant.
pub(super) fn management(said: &Said) -> Result<Option<ManagementConfig>, ConfigError> {
    let own = |name: &str| said.text(&format!("enforcement.auth0.{name}")).filter(|text| !text.is_empty());
    let (client_id, client_secret) = match (own("client_id"), own("client_secret")) {
        (Some(id), Some(secret)) => (id, Secret::new(secret)),
        (None, None) if own("domain").is_none() && own("base_url").is_none() => return Ok(None),
        (None, _) => return Err(ConfigError::value("enforcement.auth0.client_id", "is needed")),
        (_, None) => return Err(ConfigError::value("enforcement.auth0.client_secret", "is needed")),
    };
    let (domain, base_url) = match own("domain") {
        Some(domain) => (domain, own("base_url")),
        None => {
            let why = "is needed, or `token_vault.auth0_domain`";
            let domain = said.text("token_vault.auth0_domain").filter(|domain| !domain.is_empty());
            let domain = domain.ok_or_else(|| ConfigError::value("enforcement.auth0.domain", why))?;
            (domain, own("base_url").or_else(|| said.text("token_vault.auth0_base_url")))
        }
    };
    check_auth0((&domain, base_url.as_deref()), ["enforcement.auth0.domain", "enforcement.auth0.base_url"])?;
    let base_url = base_url.and_then(|url| Url::parse(&url).ok());
    Ok(Some(ManagementConfig { domain, base_url, client_id, client_secret }))
}

impl From<PolicyError> for ConfigError {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::Unknown { path, suggestion } => Self::Unknown { path, suggestion },
            PolicyError::Value { path, why } => Self::Value { path, why },
            other => Self::Value { path: "enforcement".to_owned(), why: other.to_string() },
        }
    }
}

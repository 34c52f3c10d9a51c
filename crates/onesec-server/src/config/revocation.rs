//! Which providers may be asked to end their own tokens.

use onesec_actions::Provider;
use onesec_telemetry::{ConnectionName, Secret};

use super::ConfigError;
use super::keys::Type;
use super::said::Said;

/// A provider that may be asked to end the tokens of one connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RevokeAt {
    /// Whose tokens.
    pub connection: ConnectionName,
    /// Which provider, and as whom.
    pub provider: Provider,
    /// In place of the provider's own address.
    pub url: Option<String>,
}

/// One entry of `token_vault.revoke_at_provider`.
pub(super) const REVOKE_AT: &[(&str, Type)] = &[
    ("connection", Type::Text),
    ("provider", Type::Word(&["google", "github", "slack"])),
    ("client_id", Type::Text),
    ("client_secret", Type::Secret),
    ("url", Type::Text),
];

pub(super) fn revoke_at(said: &Said) -> Result<Vec<RevokeAt>, ConfigError> {
    let mut all: Vec<RevokeAt> = Vec::new();
    for (index, said) in said.sections("token_vault.revoke_at_provider").into_iter().enumerate() {
        let wrong =
            |name: &str, why: &str| ConfigError::value(&format!("token_vault.revoke_at_provider[{index}].{name}"), why);
        let connection = said.text("connection").and_then(|name| ConnectionName::new(&name).ok());
        let connection = connection.ok_or_else(|| wrong("connection", "must name a connection"))?;
        if all.iter().any(|other| other.connection == connection) {
            return Err(wrong("connection", "stands twice"));
        }
        let client = (said.text("client_id"), said.text("client_secret"));
        let provider = match (said.text("provider").as_deref(), client) {
            (Some("google"), (None, None)) => Provider::Google,
            (Some("slack"), (None, None)) => Provider::Slack,
            (Some("github"), (Some(client_id), Some(secret))) => {
                Provider::GitHub { client_id, client_secret: Secret::new(secret) }
            }
            (Some("github"), _) => return Err(wrong("client_id", "and `client_secret` of the application are needed")),
            (Some("google" | "slack"), _) => return Err(wrong("client_id", "is for `github` only")),
            _ => return Err(wrong("provider", "must be one of `google`, `github`, `slack`")),
        };
        all.push(RevokeAt { connection, provider, url: said.text("url") });
    }
    Ok(all)
}

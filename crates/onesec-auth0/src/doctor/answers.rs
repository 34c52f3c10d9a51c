//! What the tenant shows, as far as it matters here. Members that could hold a secret are never read.

use serde::Deserialize;
use serde_json::Value;

/// A client's settings, as far as they matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct ClientSettings {
    /// `grant_types`.
    pub grant_types: Option<Vec<String>>,
    /// `token_endpoint_auth_method`.
    pub token_endpoint_auth_method: Option<String>,
    /// `is_first_party`.
    pub is_first_party: Option<bool>,
    /// `oidc_conformant`.
    pub oidc_conformant: Option<bool>,
    /// `app_type`.
    pub app_type: Option<String>,
    /// `resource_server_identifier`.
    pub resource_server_identifier: Option<String>,
    /// `refresh_token`.
    pub refresh_token: Option<RefreshTokenSettings>,
    /// `token_vault_privileged_access`.
    pub token_vault_privileged_access: Option<PrivilegedAccess>,
}

/// `refresh_token` of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct RefreshTokenSettings {
    /// `rotation_type`.
    pub rotation_type: Option<String>,
    /// For which APIs one refresh token is good (MRRT).
    pub policies: Option<Vec<RefreshPolicy>>,
}

/// One policy of a multi-resource refresh token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct RefreshPolicy {
    /// The API.
    pub audience: String,
    /// What for.
    #[serde(default)]
    pub scope: Vec<String>,
}

/// `token_vault_privileged_access` of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct PrivilegedAccess {
    /// From where it may ask.
    #[serde(default)]
    pub ip_allowlist: Vec<String>,
    /// What it may ask for.
    #[serde(default)]
    pub grants: Vec<Value>,
}

/// A grant of a client for an API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct ClientGrant {
    /// Its id.
    #[serde(default)]
    pub id: String,
    /// On whose behalf; `client` where it is not said.
    pub subject_type: Option<String>,
    /// What for.
    #[serde(default)]
    pub scope: Option<Vec<String>>,
    /// Everything.
    #[serde(default)]
    pub allow_all_scopes: Option<bool>,
}

/// An API of the tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct Api {
    /// Whether refresh tokens may be had for it.
    pub allow_offline_access: Option<bool>,
    /// How its access tokens are signed.
    pub signing_alg: Option<String>,
}

/// An account in Token Vault.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct VaultAccount {
    /// Its id (`cac_…`).
    pub id: String,
    /// The connection.
    pub connection: String,
    /// What it may do.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
    /// `offline`, where Auth0 can renew it.
    #[serde(default)]
    pub access_type: Option<String>,
}

/// A log stream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct LogStream {
    /// Its id.
    #[serde(default)]
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// `http` and others.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// `active`, `paused`, `suspended`.
    #[serde(default)]
    pub status: String,
    /// Where to. Its `httpAuthorization` is a secret and not read.
    #[serde(default)]
    pub sink: LogSink,
    /// What it is narrowed to.
    #[serde(default)]
    pub filters: Option<Vec<Value>>,
}

/// Where a log stream leads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct LogSink {
    /// The address.
    pub http_endpoint: Option<String>,
    /// `JSONLINES`, `JSONARRAY`, `JSONOBJECT`.
    pub http_content_format: Option<String>,
    /// The media type.
    pub http_content_type: Option<String>,
}

/// A client in the tenant's list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct ClientSummary {
    /// Its id.
    pub client_id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// `grant_types`.
    #[serde(default)]
    pub grant_types: Option<Vec<String>>,
}

/// A custom domain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct CustomDomain {
    /// The name.
    pub domain: String,
    /// `self_managed_certs` or `auth0_managed_certs`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// `ready`, or not yet.
    #[serde(default)]
    pub status: String,
}

/// A tenant access control list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "who judges other facts than gathered ones builds them")]
pub struct NetworkAcl {
    /// Whether it applies.
    #[serde(default)]
    pub active: bool,
    /// What it does: `action`, `match`, `not_match`, `scope`.
    #[serde(default)]
    pub rule: Value,
}

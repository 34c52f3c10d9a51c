//! What can be wrong with how a tenant is set up, one switch each.

use serde_json::{Value, json};

use crate::specs::GrantType;

/// One thing that is not as Token Vault, or onesec, needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetupFault {
    /// Multi-factor authentication is required always.
    MfaAlways,
    /// This client has no Token Vault grant. The client stands in the next ones, too.
    NoGrant(String),
    /// `token_endpoint_auth_method` is `none`.
    Public(String),
    /// It is third-party.
    ThirdParty(String),
    /// It is not OIDC conformant.
    NotConformant(String),
    /// Its refresh tokens rotate.
    Rotating(String),
    /// A client that exchanges access tokens is a regular web application.
    NotCustomApi(String),
    /// It is the Custom API Client of another API.
    OtherApi(String),
    /// A worker is granted no connection.
    NoWorkerGrants(String),
    /// A worker may be used nowhere.
    NoWorkerAddresses(String),
    /// A worker may be used everywhere.
    WideWorkerAddresses(String),
    /// No API has the audience.
    NoApi,
    /// APIs do not allow offline access.
    NoOfflineAccess,
    /// APIs sign with a shared secret.
    Hs256,
    /// The My Account API is not activated.
    NoMyAccount,
    /// No client is granted the My Account API.
    NoMyAccountGrant,
    /// The grant was asked for users and stored for machines.
    MyAccountGrantForClients,
    /// The grant lacks a scope.
    MyAccountGrantNarrow,
    /// No policy of multi-resource refresh tokens.
    NoMrrt(String),
    /// The connections are gone.
    NoConnection,
    /// They are switched on for nobody.
    ConnectionOff,
    /// They are there for login only.
    LoginOnly,
    /// They ask for no refresh token.
    NotOffline,
    /// No log stream at all.
    NoLogStream,
    /// The log stream leads elsewhere.
    StreamElsewhere,
    /// It is paused.
    StreamPaused,
    /// It has a format that nobody reads.
    StreamFormat,
    /// It is narrowed to some categories.
    StreamFiltered,
    /// Somebody else's client has the Token Vault grant.
    StrangerHasGrant,
    /// The custom domain's certificates are Auth0's.
    DomainNotSelfManaged,
    /// The tenant's own domain is open.
    CanonicalDomainOpen,
}

impl SetupFault {
    /// Changes what is shown of client `id`, where this fault is about it.
    pub(crate) fn spoil_client(&self, id: &str, shown: &mut Value) {
        let change = match self {
            Self::NoGrant(whose) => (whose, "/grant_types", json!(["authorization_code", "refresh_token"])),
            Self::Public(whose) => (whose, "/token_endpoint_auth_method", json!("none")),
            Self::ThirdParty(whose) => (whose, "/is_first_party", json!(false)),
            Self::NotConformant(whose) => (whose, "/oidc_conformant", json!(false)),
            Self::Rotating(whose) => (whose, "/refresh_token/rotation_type", json!("rotating")),
            Self::NotCustomApi(whose) => (whose, "/app_type", json!("regular_web")),
            Self::OtherApi(whose) => (whose, "/resource_server_identifier", json!("https://other-api.test")),
            Self::NoWorkerGrants(whose) => (whose, "/token_vault_privileged_access/grants", json!([])),
            Self::NoWorkerAddresses(whose) => (whose, "/token_vault_privileged_access/ip_allowlist", json!([])),
            Self::WideWorkerAddresses(whose) => {
                (whose, "/token_vault_privileged_access/ip_allowlist", json!(["0.0.0.0/0"]))
            }
            Self::NoMrrt(whose) => (whose, "/refresh_token/policies", json!([])),
            _ => return,
        };
        let (whose, pointer, value) = change;
        if whose == id {
            put(shown, pointer, value);
        }
    }

    pub(crate) fn hides_api(&self, my_account: bool) -> bool {
        match self {
            Self::NoApi => !my_account,
            Self::NoMyAccount => my_account,
            _ => false,
        }
    }

    pub(crate) fn spoil_api(&self, shown: &mut Value) {
        match self {
            Self::NoOfflineAccess => put(shown, "/allow_offline_access", json!(false)),
            Self::Hs256 => put(shown, "/signing_alg", json!("HS256")),
            _ => {}
        }
    }

    /// Whether the grant for the My Account API is there all the same.
    pub(crate) fn spoil_grant(&self, shown: &mut Value) -> bool {
        match self {
            Self::MyAccountGrantForClients => put(shown, "/subject_type", json!("client")),
            Self::MyAccountGrantNarrow => put(shown, "/scope", json!(["read:me:connected_accounts"])),
            _ => {}
        }
        *self != Self::NoMyAccountGrant
    }

    pub(crate) fn spoil_connection(&self, shown: &mut Value) {
        match self {
            Self::LoginOnly => put(shown, "/connected_accounts/active", json!(false)),
            Self::NotOffline => put(shown, "/options/upstream_params", json!({})),
            _ => {}
        }
    }

    pub(crate) fn spoil_stream(&self, shown: &mut Value) {
        match self {
            Self::StreamElsewhere => put(shown, "/sink/httpEndpoint", json!("https://siem.example/in")),
            Self::StreamPaused => put(shown, "/status", json!("paused")),
            Self::StreamFormat => put(shown, "/sink/httpContentFormat", json!("XML")),
            Self::StreamFiltered => put(shown, "/filters", json!([{"type": "category", "name": "auth.login.fail"}])),
            _ => {}
        }
    }

    /// Whether the token endpoint, too, knows `grant` of client `id` no more.
    pub(crate) fn withholds(&self, id: &str, grant: GrantType) -> bool {
        matches!(self, Self::NoGrant(whose) if whose == id) && grant == GrantType::TokenVault
    }
}

fn put(shown: &mut Value, pointer: &str, value: Value) {
    if let Some(there) = shown.pointer_mut(pointer) {
        *there = value;
    }
}

//! How the tenant is set up, as far as a doctor asks. Reads only.

use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{MOST_PAGES, Management};
use crate::doctor::{
    Api, ClientGrant, ClientSettings, ClientSummary, ConnectionFacts, CustomDomain, Enabled, LogStream, NetworkAcl,
    VaultAccount,
};
use crate::error::ExchangeError;
use crate::rest::{ApiError, Call};

/// Members of a client that are read: its secret is none of them.
const CLIENT_FIELDS: &str = "client_id,grant_types,token_endpoint_auth_method,is_first_party,oidc_conformant,app_type,\
                             resource_server_identifier,refresh_token,token_vault_privileged_access";
/// Items on a page of a numbered listing.
const PER_PAGE: usize = 50;

/// A connection as the tenant lists it.
#[derive(Deserialize)]
pub(crate) struct Connection {
    id: String,
    pub(crate) name: String,
    #[serde(default)]
    strategy: String,
    connected_accounts: Option<Purpose>,
    options: Option<Options>,
}

#[derive(Deserialize)]
struct Purpose {
    active: Option<bool>,
}

/// A connection's options: the provider's client secret is not read.
#[derive(Deserialize)]
struct Options {
    client_id: Option<String>,
    access_type: Option<String>,
    offline_access: Option<bool>,
    #[serde(default)]
    scope: Value,
    #[serde(default)]
    upstream_params: Value,
}

impl Connection {
    /// Whether it is there for Token Vault.
    pub(crate) fn for_token_vault(&self) -> bool {
        self.connected_accounts.as_ref().and_then(|purpose| purpose.active) == Some(true)
    }

    /// What is known of it.
    pub(crate) fn facts(&self, enabled: Enabled) -> ConnectionFacts {
        ConnectionFacts {
            id: self.id.clone(),
            strategy: self.strategy.clone(),
            for_token_vault: self.connected_accounts.as_ref().and_then(|purpose| purpose.active),
            offline: self.options.as_ref().map(Options::ask_offline),
            provider_client_id: self.options.as_ref().and_then(|options| options.client_id.clone()),
            enabled,
        }
    }
}

impl Options {
    fn ask_offline(&self) -> bool {
        let named =
            |value: &Value| value.as_str().is_some_and(|text| text.split([' ', ',']).any(|s| s == "offline_access"));
        let scopes = named(&self.scope) || self.scope.as_array().is_some_and(|all| all.iter().any(named));
        let upstream = self.upstream_params.pointer("/access_type/value").and_then(Value::as_str);
        scopes
            || self.offline_access == Some(true)
            || self.access_type.as_deref() == Some("offline")
            || upstream == Some("offline")
    }
}

impl Management {
    /// Whether our client gets a token at all.
    pub(crate) async fn has_token(&self) -> Result<(), ExchangeError> {
        match self.token().await {
            Ok(_) => Ok(()),
            Err(ApiError::NoToken(error)) => Err(error),
            Err(_) => Err(ExchangeError::Unsendable),
        }
    }

    /// Scope `read:mfa_policies`.
    pub(crate) async fn mfa_policies(&self) -> Result<Vec<String>, ApiError> {
        self.read(&["guardian", "policies"], &[]).await
    }

    /// Scope `read:clients`.
    pub(crate) async fn client(&self, id: &str) -> Result<ClientSettings, ApiError> {
        self.read(&["clients", id], &[("fields", CLIENT_FIELDS), ("include_fields", "true")]).await
    }

    /// The first 1 000. Scope `read:clients`.
    pub(crate) async fn all_clients(&self) -> Result<Vec<ClientSummary>, ApiError> {
        self.numbered(&["clients"], &[("fields", "client_id,name,grant_types"), ("include_fields", "true")]).await
    }

    /// Scope `read:resource_servers`.
    pub(crate) async fn api(&self, identifier: &str) -> Result<Api, ApiError> {
        self.read(&["resource-servers", identifier], &[]).await
    }

    /// Scope `read:client_grants`.
    pub(crate) async fn client_grants(&self, client: &str, audience: &str) -> Result<Vec<ClientGrant>, ApiError> {
        self.numbered(&["client-grants"], &[("client_id", client), ("audience", audience)]).await
    }

    /// Scope `read:connections`; options need `read:connections_options`.
    pub(crate) async fn connections(&self) -> Result<Vec<Connection>, ApiError> {
        self.numbered(&["connections"], &[]).await
    }

    /// The clients that a connection is switched on for. Scope `read:connections`.
    pub(crate) async fn clients_of(&self, connection: &Connection) -> Result<Vec<String>, ApiError> {
        #[derive(Deserialize)]
        struct Client {
            client_id: String,
        }
        let clients: Vec<Client> = self.continued(&["connections", &connection.id, "clients"], "clients").await?;
        Ok(clients.into_iter().map(|client| client.client_id).collect())
    }

    /// Connections that a user logged in with. Scope `read:users`.
    pub(crate) async fn identities(&self, user: &str) -> Result<Vec<String>, ApiError> {
        #[derive(Deserialize)]
        struct User {
            #[serde(default)]
            identities: Vec<Identity>,
        }
        #[derive(Deserialize)]
        struct Identity {
            connection: String,
        }
        let fields = [("fields", "user_id,identities"), ("include_fields", "true")];
        let user: User = self.read(&["users", user], &fields).await?;
        Ok(user.identities.into_iter().map(|identity| identity.connection).collect())
    }

    /// Accounts of a user in Token Vault. Scope `read:users`.
    pub(crate) async fn vault_accounts(&self, user: &str) -> Result<Vec<VaultAccount>, ApiError> {
        self.continued(&["users", user, "connected-accounts"], "connected_accounts").await
    }

    /// Scope `read:log_streams`.
    pub(crate) async fn log_streams(&self) -> Result<Vec<LogStream>, ApiError> {
        self.read(&["log-streams"], &[]).await
    }

    /// Scope `read:custom_domains`.
    pub(crate) async fn custom_domains(&self) -> Result<Vec<CustomDomain>, ApiError> {
        self.read(&["custom-domains"], &[]).await
    }

    /// Scope `read:network_acls`.
    pub(crate) async fn network_acls(&self) -> Result<Vec<NetworkAcl>, ApiError> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Answer {
            Paged { network_acls: Vec<NetworkAcl> },
            Plain(Vec<NetworkAcl>),
        }
        Ok(match self.read(&["network-acls"], &[]).await? {
            Answer::Paged { network_acls } => network_acls,
            Answer::Plain(all) => all,
        })
    }

    async fn read<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T, ApiError> {
        let mut url = self.url(&[&["api", "v2"], path].concat())?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.call(&Call { method: Method::GET, url, body: None }).await?.decode()
    }

    /// A listing with numbered pages.
    async fn numbered<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<T>, ApiError> {
        let mut all = Vec::new();
        let size = PER_PAGE.to_string();
        for page in 0..MOST_PAGES {
            let page = page.to_string();
            let query = [query, &[("page", page.as_str()), ("per_page", size.as_str())]].concat();
            let items: Vec<T> = self.read(path, &query).await?;
            let last = items.len() < PER_PAGE;
            all.extend(items);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// A listing whose pages name the next one.
    async fn continued<T: DeserializeOwned>(&self, path: &[&str], name: &str) -> Result<Vec<T>, ApiError> {
        let (mut all, mut from) = (Vec::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let mut query = vec![("take", "50")];
            query.extend(from.as_deref().map(|from| ("from", from)));
            let mut page: Value = self.read(path, &query).await?;
            let items = page.get_mut(name).map(Value::take).unwrap_or_default();
            let undecodable = ApiError::Undecodable { status: 200, body_len: 0 };
            let items: Vec<T> = serde_json::from_value(items).map_err(|_| undecodable)?;
            all.extend(items);
            from = page.get("next").and_then(Value::as_str).filter(|next| !next.is_empty()).map(str::to_owned);
            if from.is_none() {
                break;
            }
        }
        Ok(all)
    }
}

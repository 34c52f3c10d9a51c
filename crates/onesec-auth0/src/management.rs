//! The Management API of one tenant: what an administrator can do for a user in trouble.

mod revocation;
mod setup;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use onesec_telemetry::catalogue::Catalogue;
use onesec_telemetry::{AccountId, ConnectionName, Name, ScopeSet, Secret, Timestamp, UserId};
use reqwest::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::config::Auth0Config;
use crate::endpoint::{Grant, TokenEndpoint, TokenSource};
use crate::rest::{ApiError, Call, Reply, below, call};

pub use revocation::{GrantInfo, SessionInfo};

/// A token is fetched anew so long before it expires.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a token is believed to live where the tenant does not say.
const SHORT_LIFE: Duration = Duration::from_secs(300);
/// Pages of a listing that are read.
const MOST_PAGES: usize = 20;
/// Items on a page.
const PAGE: usize = 50;
/// Users on a page: each of them is a question of its own.
const USERS: usize = 50;
/// Pages that a search of users gives.
const SEARCH_PAGES: usize = 1_000 / USERS;

/// A refresh token of a user, as a listing has it: never the token itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[non_exhaustive]
pub struct RefreshTokenInfo {
    /// Its id.
    pub id: String,
    /// The client it was issued to.
    #[serde(default)]
    pub client_id: Option<String>,
}

/// What our flag says, as it stands in `app_metadata.onesec`, where Actions of the tenant read it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Deserialize)]
pub struct UserFlag {
    /// Always, where it is there.
    pub flagged: bool,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Since when (RFC 3339).
    #[serde(default)]
    pub at: String,
    /// The alert behind it.
    #[serde(default)]
    pub alert: String,
}

/// A connected account of a user, as the Management API lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountInfo {
    /// `cac_…`.
    pub id: AccountId,
    /// Where.
    pub connection: ConnectionName,
    /// `offline`.
    pub access_type: Option<Name>,
    /// What the user granted, in canonical form; absent where the tenant does not say.
    pub scopes: Option<ScopeSet>,
    /// When it was connected.
    pub created_at: Option<Timestamp>,
}

/// The Management API as one machine client. Its token is fetched when it is needed, kept in memory until shortly
/// before it expires, and never leaves this type.
pub struct Management {
    endpoint: TokenEndpoint,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    /// Held while one is fetched: whoever comes meanwhile takes the same.
    token: tokio::sync::Mutex<Option<Held>>,
}

struct Held {
    token: Secret,
    until: Timestamp,
}

impl Management {
    /// As the client of `config`, which must be granted the tenant's Management API. Asks nothing yet.
    #[must_use]
    pub fn new(config: Auth0Config, http: reqwest::Client, clock: Arc<dyn Clock>) -> Self {
        let endpoint = TokenEndpoint::new(config, http.clone(), Arc::clone(&clock));
        Self { endpoint, http, clock, token: tokio::sync::Mutex::default() }
    }

    /// The tenant's domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.endpoint.config().domain()
    }

    /// The refresh tokens of a user, the first 1 000. Scope `read:refresh_tokens`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn refresh_tokens(&self, user: &UserId) -> Result<Vec<RefreshTokenInfo>, ApiError> {
        #[derive(Deserialize)]
        struct Page {
            tokens: Vec<RefreshTokenInfo>,
            next: Option<String>,
        }
        let mut tokens = Vec::new();
        let mut from: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.url(&["api", "v2", "users", user.as_str(), "refresh-tokens"])?;
            url.query_pairs_mut().append_pair("take", &PAGE.to_string());
            if let Some(from) = &from {
                url.query_pairs_mut().append_pair("from", from);
            }
            let page: Page = self.call(&Call { method: Method::GET, url, body: None }).await?.decode()?;
            tokens.extend(page.tokens);
            from = page.next.filter(|next| !next.is_empty());
            if from.is_none() {
                break;
            }
        }
        Ok(tokens)
    }

    /// The accounts that a user has connected, the first 1 000. Scope `read:users`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn connected_accounts(&self, user: &UserId) -> Result<Vec<AccountInfo>, ApiError> {
        let mut accounts = Vec::new();
        let mut from: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.url(&["api", "v2", "users", user.as_str(), "connected-accounts"])?;
            url.query_pairs_mut().append_pair("take", &PAGE.to_string());
            if let Some(from) = &from {
                url.query_pairs_mut().append_pair("from", from);
            }
            let page: Listed = self.call(&Call { method: Method::GET, url, body: None }).await?.decode()?;
            accounts.extend(page.connected_accounts.into_iter().filter_map(Account::read));
            from = page.next.filter(|next| !next.is_empty());
            if from.is_none() {
                break;
            }
        }
        Ok(accounts)
    }

    /// A page of the tenant's users, oldest first: those after `after`, which an earlier page gave. Scope `read:users`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn users(&self, after: Option<&str>) -> Result<UserPage, ApiError> {
        let (since, page) = place(after);
        let url = search(self.url(&["api", "v2", "users"])?, (since, page));
        let found: Vec<Found> = self.call(&Call { method: Method::GET, url, body: None }).await?.decode()?;
        let full = found.len() == USERS;
        // A search gives 1 000 users and no more: then it goes on from the newest of them.
        let newest = found.last().and_then(|user| user.created_at.clone());
        let next = match (full, newest) {
            (true, Some(newest)) if page + 1 == SEARCH_PAGES && since != Some(&newest) => Some(format!("0 {newest}")),
            (true, _) => Some(format!("{} {}", page + 1, since.unwrap_or_default())),
            (false, _) => None,
        };
        let users = found.into_iter().filter_map(|user| UserId::new(&user.user_id).ok()).collect();
        Ok(UserPage { users, next })
    }

    /// One page of the tenant's log, oldest first: the entries after `after`, or from the oldest that is kept on. Each is
    /// JSON text as it stands. Scope `read:logs`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn logs(&self, after: Option<&str>, take: usize) -> Result<Vec<Box<RawValue>>, ApiError> {
        let mut url = self.url(&["api", "v2", "logs"])?;
        match after {
            // A checkpoint sorts by itself, and takes no page.
            Some(after) => url.query_pairs_mut().append_pair("from", after).append_pair("take", &take.to_string()),
            None => url.query_pairs_mut().append_pair("per_page", &take.to_string()).append_pair("sort", "date:1"),
        };
        self.call(&Call { method: Method::GET, url, body: None }).await?.decode()
    }

    /// Revokes every refresh token of a user. Scope `delete:refresh_tokens`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn revoke_all_refresh_tokens(&self, user: &UserId) -> Result<(), ApiError> {
        let url = self.url(&["api", "v2", "users", user.as_str(), "refresh-tokens"])?;
        self.call(&Call { method: Method::DELETE, url, body: None }).await.map(drop)
    }

    /// Revokes one refresh token. One that is gone is revoked. Scope `delete:refresh_tokens`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn revoke_refresh_token(&self, token: &RefreshTokenInfo) -> Result<(), ApiError> {
        let url = self.url(&["api", "v2", "refresh-tokens", &token.id])?;
        match self.call(&Call { method: Method::DELETE, url, body: None }).await {
            Ok(_) | Err(ApiError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What our flag on a user says; `None` where there is none. Scope `read:users`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn flag_of(&self, user: &UserId) -> Result<Option<UserFlag>, ApiError> {
        #[derive(Deserialize)]
        struct User {
            #[serde(default)]
            app_metadata: Option<Value>,
        }
        let mut url = self.url(&["api", "v2", "users", user.as_str()])?;
        url.query_pairs_mut().append_pair("fields", "app_metadata").append_pair("include_fields", "true");
        let user: User = self.call(&Call { method: Method::GET, url, body: None }).await?.decode()?;
        let ours = user.app_metadata.as_ref().and_then(|metadata| metadata.get("onesec")).cloned();
        let flag: Option<UserFlag> = ours.and_then(|ours| serde_json::from_value(ours).ok());
        Ok(flag.filter(|flag| flag.flagged))
    }

    /// Puts our flag on a user, in place of what it said before, or takes it off. Nothing else of the user's metadata is
    /// touched. Scope `update:users`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn set_flag(&self, user: &UserId, flag: Option<&UserFlag>) -> Result<(), ApiError> {
        let url = self.url(&["api", "v2", "users", user.as_str()])?;
        // The first level is merged and the second replaced: `null` removes ours and nobody else's.
        let body = json!({"app_metadata": {"onesec": flag}});
        self.call(&Call { method: Method::PATCH, url, body: Some(&body) }).await.map(drop)
    }

    fn url(&self, parts: &[&str]) -> Result<url::Url, ApiError> {
        below(self.endpoint.config().url("/"), parts)
    }

    /// With the token that is kept; where the tenant does not know it any more, once with a new one.
    async fn call(&self, what: &Call<'_>) -> Result<Reply, ApiError> {
        let token = self.token().await?;
        match call(&self.http, &token, what).await {
            Err(ApiError::Refused { status: 401, .. }) => {
                self.forget(&token).await;
                call(&self.http, &self.token().await?, what).await
            }
            other => other,
        }
    }

    async fn token(&self) -> Result<Secret, ApiError> {
        let mut held = self.token.lock().await;
        if let Some(good) = held.as_ref().filter(|held| self.clock.now() < held.until) {
            return Ok(good.token.clone());
        }
        let fresh = self.fetch().await.map_err(ApiError::NoToken)?;
        let token = fresh.token.clone();
        *held = Some(fresh);
        Ok(token)
    }

    async fn forget(&self, token: &Secret) {
        let mut held = self.token.lock().await;
        // Somebody may have fetched a new one already.
        if held.as_ref().is_some_and(|held| held.token.thumbprint() == token.thumbprint()) {
            *held = None;
        }
    }

    async fn fetch(&self) -> Result<Held, crate::error::ExchangeError> {
        #[derive(Deserialize)]
        struct Issued {
            access_token: Secret,
            expires_in: Option<u64>,
        }
        let audience = format!("{}api/v2/", self.endpoint.config().issuer());
        let params = [("grant_type", "client_credentials"), ("audience", audience.as_str())];
        let asked_at = self.clock.now();
        let answer = self.endpoint.grant(&Grant { params: &params, token_name: "", token: TokenSource::None }).await?;
        let issued: Issued = answer.decode()?;
        if issued.access_token.is_empty() {
            return Err(answer.undecodable());
        }
        let life = issued.expires_in.map_or(SHORT_LIFE, Duration::from_secs);
        Ok(Held { token: issued.access_token, until: asked_at + life.saturating_sub(MARGIN) })
    }
}

/// Some of a tenant's users.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserPage {
    /// Who.
    pub users: Vec<UserId>,
    /// What the next page comes after; absent at the end.
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct Found {
    user_id: String,
    created_at: Option<String>,
}

fn search(mut url: url::Url, (since, page): (Option<&str>, usize)) -> url::Url {
    let mut query = url.query_pairs_mut();
    query.append_pair("per_page", &USERS.to_string()).append_pair("page", &page.to_string());
    query.append_pair("sort", "created_at:1").append_pair("fields", "user_id,created_at");
    query.append_pair("include_fields", "true").append_pair("search_engine", "v3");
    if let Some(since) = since {
        query.append_pair("q", &format!("created_at:[{since} TO *]"));
    }
    drop(query);
    url
}

/// Since when, and which page of that search.
fn place(after: Option<&str>) -> (Option<&str>, usize) {
    let Some((page, since)) = after.and_then(|after| after.split_once(' ')) else { return (None, 0) };
    (Some(since).filter(|since| !since.is_empty()), page.parse().unwrap_or_default())
}

#[derive(Deserialize)]
struct Listed {
    connected_accounts: Vec<Account>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Account {
    id: String,
    connection: String,
    access_type: Option<String>,
    scopes: Option<Vec<String>>,
    created_at: Option<String>,
}

impl Account {
    /// One that names nothing we could keep is none.
    fn read(self) -> Option<AccountInfo> {
        let connection = ConnectionName::new(&self.connection).ok()?;
        let catalogue = Catalogue::builtin();
        let provider = catalogue.provider_of_connection(connection.as_str());
        let scopes = self.scopes.and_then(|scopes| ScopeSet::parse(&scopes.join(" ")).ok());
        Some(AccountInfo {
            id: AccountId::new(&self.id).ok()?,
            access_type: self.access_type.and_then(|kind| Name::new(&kind).ok()),
            scopes: scopes.map(|scopes| catalogue.canonical(provider, &scopes)),
            created_at: self.created_at.and_then(|at| at.parse().ok()),
            connection,
        })
    }
}

impl fmt::Debug for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Management").field("domain", &self.domain()).finish_non_exhaustive()
    }
}

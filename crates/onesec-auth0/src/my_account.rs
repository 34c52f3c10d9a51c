//! The My Account API of one tenant: what only the user can do, with the user's own token in hand.

mod connect;

use std::fmt;
use std::sync::Arc;

use onesec_identity::{AccessTokenPolicy, verify_access_token};
use onesec_telemetry::{ConnectionName, Secret, UserId};
use reqwest::Method;
use serde::Deserialize;

use crate::clock::Clock;
use crate::config::Auth0Config;
use crate::jwks::Jwks;
use crate::rest::{ApiError, Call, below, call};

pub use connect::{Complaint, ConnectError, ConnectParams, ConnectRequest, Connecting, OwnAccount, ValidationError};

/// Pages of a listing that are read.
const MOST_PAGES: usize = 20;
/// Items on a page: the most that the interface gives.
const PAGE: usize = 20;

/// Connects accounts, lists and removes them. A token is used for the one request that it was handed in for, and not kept.
pub struct MyAccount {
    config: Auth0Config,
    http: reqwest::Client,
    jwks: Jwks,
    policy: AccessTokenPolicy,
    clock: Arc<dyn Clock>,
}

/// One connected account, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ConnectedAccount {
    /// `cac_…`.
    pub id: String,
    /// Where.
    pub connection: String,
}

impl MyAccount {
    /// Of the tenant of `config`; its client and credentials are not used. Asks nothing yet.
    #[must_use]
    pub fn new(config: Auth0Config, http: reqwest::Client, clock: Arc<dyn Clock>) -> Self {
        let jwks = Jwks::new(&config, http.clone(), Arc::clone(&clock));
        let issuer = config.issuer();
        let policy = AccessTokenPolicy::new(&issuer, [format!("{issuer}me/").as_str()]);
        Self { config, http, jwks, policy, clock }
    }

    /// Whether `token` is `user`'s, for this interface, by the tenant's signature: another user's token would remove
    /// that user's account.
    ///
    /// # Errors
    /// [`ApiError::NotTheUsers`]; [`ApiError::Unreachable`] where there are no keys to tell by.
    pub async fn proves(&self, token: &Secret, user: &UserId) -> Result<(), ApiError> {
        let now = self.clock.now();
        let keys = self.jwks.keys().await.map_err(|_| ApiError::Unreachable { timed_out: false })?;
        let proof = verify_access_token(token, &keys, &self.policy, now)
            .map_err(|_| ApiError::NotTheUsers("it is no valid access token for the My Account API of the tenant"))?;
        if proof.user() == user { Ok(()) } else { Err(ApiError::NotTheUsers("it is another user's")) }
    }

    /// The accounts that the token's user has at `connection`. Scope `read:me:connected_accounts`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn accounts(
        &self,
        token: &Secret,
        connection: &ConnectionName,
    ) -> Result<Vec<ConnectedAccount>, ApiError> {
        #[derive(Deserialize)]
        struct Page {
            accounts: Vec<ConnectedAccount>,
            next: Option<String>,
        }
        let mut accounts = Vec::new();
        let mut from: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.url(&[])?;
            url.query_pairs_mut().append_pair("connection", connection.as_str()).append_pair("take", &PAGE.to_string());
            if let Some(from) = &from {
                url.query_pairs_mut().append_pair("from", from);
            }
            let reply = call(&self.http, token, &Call { method: Method::GET, url, body: None }).await?;
            let page: Page = reply.decode()?;
            accounts.extend(page.accounts.into_iter().filter(|account| account.connection == connection.as_str()));
            from = page.next.filter(|next| !next.is_empty());
            if from.is_none() {
                break;
            }
        }
        Ok(accounts)
    }

    /// Removes one account of the token's user from the vault; one that is gone is removed. Tokens of the provider that
    /// were issued live on. Scope `delete:me:connected_accounts`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn remove(&self, token: &Secret, account: &ConnectedAccount) -> Result<(), ApiError> {
        let url = self.url(&[&account.id])?;
        match call(&self.http, token, &Call { method: Method::DELETE, url, body: None }).await {
            Ok(_) | Err(ApiError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn url(&self, more: &[&str]) -> Result<url::Url, ApiError> {
        below(self.config.url("/"), &[&["me", "v1", "connected-accounts", "accounts"], more].concat())
    }
}

impl fmt::Debug for MyAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MyAccount").field("domain", &self.config.domain()).finish_non_exhaustive()
    }
}

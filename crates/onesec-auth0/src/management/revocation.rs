//! What ends a user's access at the tenant: sessions, refresh tokens, consent. Each call names the scope that it needs.

use onesec_telemetry::UserId;
use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::{MOST_PAGES, Management, PAGE};
use crate::rest::{ApiError, Call};

/// A session of a user, as a listing has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its id.
    pub id: String,
}

/// A user's consent to a client, as a listing has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[non_exhaustive]
pub struct GrantInfo {
    /// Its id.
    pub id: String,
    /// The client that was consented to.
    #[serde(default, rename = "clientID")]
    pub client_id: Option<String>,
}

impl Management {
    /// Ends a user's sessions and refresh tokens in one call. Scopes `delete:sessions` and `delete:refresh_tokens`. Not
    /// every tenant has it: where it is missing it answers like a user who is not there.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn revoke_access(&self, user: &UserId) -> Result<(), ApiError> {
        let url = self.url(&["api", "v2", "users", user.as_str(), "revoke-access"])?;
        let body = json!({});
        self.call(&Call { method: Method::POST, url, body: Some(&body) }).await.map(drop)
    }

    /// The sessions of a user, the first 1 000. Scope `read:sessions`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn sessions(&self, user: &UserId) -> Result<Vec<SessionInfo>, ApiError> {
        #[derive(Deserialize)]
        struct Page {
            sessions: Vec<SessionInfo>,
            next: Option<String>,
        }
        let mut sessions = Vec::new();
        let mut from: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.url(&["api", "v2", "users", user.as_str(), "sessions"])?;
            url.query_pairs_mut().append_pair("take", &PAGE.to_string());
            if let Some(from) = &from {
                url.query_pairs_mut().append_pair("from", from);
            }
            let page: Page = self.read_at(url).await?;
            sessions.extend(page.sessions);
            from = page.next.filter(|next| !next.is_empty());
            if from.is_none() {
                break;
            }
        }
        Ok(sessions)
    }

    /// Ends every session of a user. Scope `delete:sessions`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn end_sessions(&self, user: &UserId) -> Result<(), ApiError> {
        let url = self.url(&["api", "v2", "users", user.as_str(), "sessions"])?;
        self.call(&Call { method: Method::DELETE, url, body: None }).await.map(drop)
    }

    /// What a user consented to, the first 1 000. Scope `read:grants`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn grants(&self, user: &UserId) -> Result<Vec<GrantInfo>, ApiError> {
        let mut grants = Vec::new();
        for number in 0..MOST_PAGES {
            let mut url = self.url(&["api", "v2", "grants"])?;
            url.query_pairs_mut()
                .append_pair("user_id", user.as_str())
                .append_pair("per_page", &PAGE.to_string())
                .append_pair("page", &number.to_string());
            let page: Vec<GrantInfo> = self.read_at(url).await?;
            let last = page.len() < PAGE;
            grants.extend(page);
            if last {
                break;
            }
        }
        Ok(grants)
    }

    /// Withdraws all that a user consented to. Scope `delete:grants`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn withdraw_grants(&self, user: &UserId) -> Result<(), ApiError> {
        let mut url = self.url(&["api", "v2", "grants"])?;
        url.query_pairs_mut().append_pair("user_id", user.as_str());
        self.call(&Call { method: Method::DELETE, url, body: None }).await.map(drop)
    }

    async fn read_at<T: DeserializeOwned>(&self, url: url::Url) -> Result<T, ApiError> {
        self.call(&Call { method: Method::GET, url, body: None }).await?.decode()
    }
}

//! Connecting accounts with the user's own token: begun, completed, listed. The interface's statuses and its complaints are
//! kept; nothing else of a body is.

use onesec_identity::verify_access_token;
use onesec_telemetry::redact::redact_text;
use onesec_telemetry::{ConnectionName, Secret, UserId};
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::Url;

use super::{MOST_PAGES, MyAccount, PAGE};
use crate::body::{TimedOut, read_capped};
use crate::pass_through::secret_header;
use crate::rest::{ApiError, Call, below, call};

/// A connection that is to be made.
#[derive(Debug, Clone)]
pub struct ConnectRequest<'a> {
    /// To which provider.
    pub connection: &'a ConnectionName,
    /// Where the browser comes back to.
    pub redirect_uri: &'a str,
    /// What comes back with it.
    pub state: &'a str,
    /// Scopes to ask for; those that the connection is set up with where there are none.
    pub scopes: &'a [String],
    /// PKCE, S256 (RFC 7636).
    pub code_challenge: &'a str,
    /// Passed on to the provider as they are.
    pub authorization_params: Option<&'a Value>,
}

/// A connection that was begun: the browser goes to `connect_uri` with the ticket.
#[derive(Deserialize)]
pub struct Connecting {
    /// Where the browser goes.
    pub connect_uri: Url,
    /// What completes it, with the code.
    pub auth_session: Secret,
    /// What the browser takes along.
    pub connect_params: ConnectParams,
    /// In so many seconds it is over.
    #[serde(default)]
    pub expires_in: u64,
}

/// What the browser takes along.
#[derive(Deserialize)]
pub struct ConnectParams {
    /// Good once.
    pub ticket: Secret,
}

/// An account, as the tenant describes it to its user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OwnAccount {
    /// `cac_…`.
    pub id: String,
    /// Where.
    pub connection: String,
    /// `offline`.
    #[serde(default)]
    pub access_type: Option<String>,
    /// What the user granted.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// When it was connected.
    #[serde(default)]
    pub created_at: Option<String>,
    /// When it ends, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// What the interface complains of (a problem document), without what looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Complaint {
    /// HTTP status.
    pub status: u16,
    /// In a few words.
    pub title: String,
    /// In a sentence.
    pub detail: String,
    /// What is wrong with which field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub validation_errors: Vec<ValidationError>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ValidationError {
    /// In a sentence.
    pub detail: String,
    /// Which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Where in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

/// Why an account was not connected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The interface said no: 400, 401, 403, 409…
    #[error("the tenant answered {}: {}", .0.status, .0.title)]
    Refused(Complaint),
    /// There is no answer that could be used.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl MyAccount {
    /// Whose token it is, by the tenant's signature.
    ///
    /// # Errors
    /// [`ApiError::NotTheUsers`]; [`ApiError::Unreachable`] where there are no keys to tell by.
    pub async fn user_of(&self, token: &Secret) -> Result<UserId, ApiError> {
        let now = self.clock.now();
        let keys = self.jwks.keys().await.map_err(|_| ApiError::Unreachable { timed_out: false })?;
        let proof = verify_access_token(token, &keys, &self.policy, now)
            .map_err(|_| ApiError::NotTheUsers("it is no valid access token for the My Account API of the tenant"))?;
        Ok(proof.user().clone())
    }

    /// Begins. Scope `create:me:connected_accounts`. Not repeated: each begins another.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(&self, token: &Secret, wanted: &ConnectRequest<'_>) -> Result<Connecting, ConnectError> {
        let mut body = json!({
            "connection": wanted.connection, "redirect_uri": wanted.redirect_uri, "state": wanted.state,
            "code_challenge": wanted.code_challenge, "code_challenge_method": "S256",
        });
        if let Some(members) = body.as_object_mut() {
            if !wanted.scopes.is_empty() {
                members.insert("scopes".to_owned(), json!(wanted.scopes));
            }
            if let Some(params) = wanted.authorization_params {
                members.insert("authorization_params".to_owned(), params.clone());
            }
        }
        self.create(token, "connect", &body).await
    }

    /// Completes what was begun, with the code that the browser brought back. Not repeated: a code is good once.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn complete_connection(
        &self,
        token: &Secret,
        (auth_session, code): (&Secret, &Secret),
        (redirect_uri, verifier): (&str, &Secret),
    ) -> Result<OwnAccount, ConnectError> {
        let body = json!({
            "auth_session": auth_session.expose_to_wire(), "connect_code": code.expose_to_wire(),
            "redirect_uri": redirect_uri, "code_verifier": verifier.expose_to_wire(),
        });
        self.create(token, "complete", &body).await
    }

    /// The accounts of the token's user, everywhere or at one connection. Scope `read:me:connected_accounts`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn connected(
        &self,
        token: &Secret,
        connection: Option<&ConnectionName>,
    ) -> Result<Vec<OwnAccount>, ApiError> {
        #[derive(Deserialize)]
        struct Page {
            accounts: Vec<OwnAccount>,
            next: Option<String>,
        }
        let (mut accounts, mut from) = (Vec::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let mut url = self.url(&[])?;
            url.query_pairs_mut().append_pair("take", &PAGE.to_string());
            if let Some(connection) = connection {
                url.query_pairs_mut().append_pair("connection", connection.as_str());
            }
            if let Some(from) = &from {
                url.query_pairs_mut().append_pair("from", from);
            }
            let page: Page = call(&self.http, token, &Call { method: Method::GET, url, body: None }).await?.decode()?;
            accounts.extend(page.accounts);
            from = page.next.filter(|next| !next.is_empty());
            if from.is_none() {
                break;
            }
        }
        Ok(accounts)
    }

    /// Removes one account of the token's user from the vault; one that is gone is removed. Scope
    /// `delete:me:connected_accounts`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn remove_by_id(&self, token: &Secret, id: &str) -> Result<(), ApiError> {
        let url = self.url(&[id])?;
        match call(&self.http, token, &Call { method: Method::DELETE, url, body: None }).await {
            Ok(_) | Err(ApiError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// 201 and nothing else is success here.
    async fn create<T: DeserializeOwned>(&self, token: &Secret, what: &str, body: &Value) -> Result<T, ConnectError> {
        let url = below(self.config.url("/"), &["me", "v1", "connected-accounts", what])?;
        let bearer = Secret::new(format!("Bearer {}", token.expose_to_wire()));
        let authorization = secret_header(&bearer).map_err(|_| ApiError::Unsendable)?;
        let sent = self.http.post(url).header(AUTHORIZATION, authorization).json(body).send().await;
        let response = sent.map_err(|error| ApiError::Unreachable { timed_out: error.is_timeout() })?;
        let status = response.status().as_u16();
        let body = read_capped(response, MAX_ANSWER_BYTES).await;
        let body = body.map_err(|TimedOut| ApiError::Unreachable { timed_out: true })?;
        match status {
            201 if body.complete => serde_json::from_slice(&body.bytes)
                .map_err(|_| ApiError::Undecodable { status, body_len: body.bytes.len() }.into()),
            429 => Err(ApiError::RateLimited { retry_after: None }.into()),
            400..=499 => Err(ConnectError::Refused(complaint(status, &body.bytes))),
            500.. => Err(ApiError::Down { status }.into()),
            _ => Err(ApiError::Undecodable { status, body_len: body.bytes.len() }.into()),
        }
    }
}

fn complaint(status: u16, body: &[u8]) -> Complaint {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value, name: &str| {
        let text = value.get(name).and_then(Value::as_str)?;
        let short: String = text.chars().take(MOST_CHARS).collect();
        Some(redact_text(&short).into_owned())
    };
    let errors = said.get("validation_errors").and_then(Value::as_array).into_iter().flatten().take(MOST_ERRORS);
    let validation_errors = errors
        .map(|error| ValidationError {
            detail: text(error, "detail").unwrap_or_default(),
            field: text(error, "field"),
            pointer: text(error, "pointer"),
        })
        .collect();
    let title = text(&said, "title").unwrap_or_else(|| "Refused".to_owned());
    Complaint { status, detail: text(&said, "detail").unwrap_or_default(), title, validation_errors }
}

/// The most bytes of an answer that are read.
const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// Of a text in a complaint.
const MOST_CHARS: usize = 300;
const MOST_ERRORS: usize = 20;

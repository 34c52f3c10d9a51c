//! Auth0 as a client: token exchanges, proof of users, key sets.
//!
//! **What it is.** [`TokenVault`] trades an Auth0 token for a provider's, [`SubjectResolver`] learns whose token it
//! was, [`Jwks`] keeps an issuer's keys; all over one [`http_client`] and one [`TokenEndpoint`] per client, with
//! time-outs, careful retries and a circuit breaker. [`TokenEndpoint::pass_through`] and [`Origin`] forward what is
//! somebody else's. [`read_log`] says what entries of the tenant's log mean. [`Management`] and [`MyAccount`] take back and note what an administrator, or the user, can.
//!
//! **What it is not.** No policy: it does not ask whether an exchange is all right. No storage: tokens pass through.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use onesec_auth0::*;
//! # use onesec_telemetry::{ConnectionName, Secret, Timestamp};
//! # async fn example(clock: Arc<dyn Clock>, refresh_token: Secret) -> Result<(), Box<dyn std::error::Error>> {
//! let tenant = Auth0Config::new("tenant.eu.auth0.com", "client-id", Secret::new("client-secret".into()))?;
//! let http = http_client(&HttpOptions::default())?;
//! let endpoint = Arc::new(TokenEndpoint::new(tenant, http, clock));
//! let issued = TokenVault::new(endpoint)
//!     .exchange(&ExchangeRequest {
//!         subject_token: refresh_token,
//!         subject: SubjectKind::RefreshToken,
//!         connection: ConnectionName::new("google-oauth2")?,
//!         login_hint: None,
//!     })
//!     .await?;
//! # drop(issued); Ok(())
//! # }
//! ```
//!
//! **Invariants.** Errors hold no body and no token. No redirect is followed, no proxy is taken from the
//! environment, no body beyond a cap is read, and nothing waits without a time limit. A request that may have been
//! acted on is not sent again. A user is only ever named by a verified signature. What our client signs is signed anew
//! for each attempt; what is passed on carries its sender's credentials and never ours.
//!
//! **Where next.** [`ExchangeError`] says who must act; [`Circuit`] is the breaker, pure and testable.

mod body;
mod bytes;
mod checked;
mod circuit;
mod clock;
mod config;
mod credentials;
mod discovery;
pub mod doctor;
mod endpoint;
mod error;
mod http;
mod jwks;
mod logs;
mod management;
mod my_account;
mod origin;
mod pass_through;
mod resolver;
mod rest;
mod sanitise;
mod vault;
mod worker;

pub use bytes::SecretBytes;
pub use circuit::{Circuit, CircuitSettings, Outcome, Permit};
pub use clock::{Clock, ManualClock};
pub use config::{Auth0Config, ConfigError};
pub use credentials::ClientKey;
pub use endpoint::{EndpointOptions, TokenEndpoint};
pub use error::{ExchangeError, OAuthCode};
pub use http::{HttpClient, HttpError, HttpOptions, Roots, http_client, http_client_resolving};
pub use jwks::{Jwks, JwksError, JwksOptions, VerifyError};
pub use logs::{LogEntry, Meaning, log_elements, log_mapping, log_types, read_log};
pub use management::{AccountInfo, GrantInfo, Management, RefreshTokenInfo, SessionInfo, UserFlag, UserPage};
pub use my_account::{
    Complaint, ConnectError, ConnectParams, ConnectRequest, ConnectedAccount, Connecting, MyAccount, OwnAccount,
    ValidationError,
};
pub use origin::{Forwarded, Origin, OriginOptions, ToForward};
pub use pass_through::{PassThrough, PassedThrough};
pub use resolver::{ProofError, ProofKind, ResolvedUser, Subject, SubjectResolver};
pub use rest::ApiError;
pub use vault::{ExchangeRequest, IssuedToken, IssuedTokenKind, SubjectKind, TokenKind, TokenVault};
pub use worker::WorkerExchange;

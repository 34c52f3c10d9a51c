//! Proofs of who is asking and for whom: access tokens of people and of agents, delegation links, DPoP, client
//! assertions, requests of privileged workers, API keys.
//!
//! **What it is.** Functions from (token, keys, policy, time) to a proof or a reason. A proof type such as
//! [`VerifiedSubject`] has private fields and no public constructor: whoever holds one knows that a signature
//! was checked.
//!
//! **What it is not.** No network, no clock, no cache: fetching keys is the business of `onesec-auth0`.
//!
//! ```
//! use onesec_identity::{AccessTokenPolicy, Algorithm, KeySet, SigningKey, verify_access_token};
//! use onesec_telemetry::Timestamp;
//! use serde_json::json;
//!
//! let key = SigningKey::generate(Algorithm::Es256)?;
//! let keys = KeySet::from_jwks_json(&json!({"keys": [key.public_jwk("k1")]}).to_string())?;
//! let token = key.sign(&json!({
//!     "iss": "https://tenant.eu.auth0.com/", "sub": "auth0|ana", "aud": "https://api.example/",
//!     "azp": "app-1", "iat": 1_000, "exp": 2_000, "scope": "read:mail",
//! }), "JWT", "k1")?;
//!
//! let policy = AccessTokenPolicy::new("https://tenant.eu.auth0.com/", ["https://api.example/"]);
//! let proof = verify_access_token(&token, &keys, &policy, Timestamp::from_secs(1_500))?;
//! assert_eq!(proof.user().as_str(), "auth0|ana");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Invariants.** Only RS256, PS256, ES256 and, where agents bring keys of their own, EdDSA with Ed25519 are ever
//! tried, and only with a key made for them. Nothing from a token reaches an error text. The same inputs give the
//! same answer. What needs memory, such as ids used once, is a value that the caller keeps: [`ReplayCache`].
//!
//! **Where next.** [`TokenRefused`] lists every reason; [`SigningKey`] is the other side, for simulators, for agents
//! and for what onesec signs itself. An agent proves itself with [`verify_agent_token`], [`verify_client_assertion`] or
//! an [`ApiKey`], and asks in its own name with what [`verify_worker_request`] reads. [`verify_chain`] reads who lent
//! what to whom, and [`delegate`] lends on without a network; [`verify_dpop`] reads that the sender holds a key.
//! `vectors/links.json` has chains that verify and forgeries that must not, for other implementations, too.

mod access;
mod actor;
mod agent_token;
mod api_key;
mod assertion;
mod claims;
mod compact;
mod dpop;
mod id_token;
mod issued;
mod keys;
mod link;
mod pem;
mod possession;
mod public_key;
mod refused;
mod replay;
mod security_event;
mod signing;
mod strict_json;
#[cfg(test)]
mod testkit;
mod worker;

pub use access::{AccessTokenPolicy, VerifiedSubject, verify_access_token, verify_access_token_bound};
pub use actor::{Actor, MAX_ACTORS, MayAct};
pub use agent_token::{AgentTokenPolicy, VerifiedAgentToken, verify_agent_token};
pub use api_key::{ApiKey, ApiKeyError, ApiKeySecret, KeyHash, PresentedKey};
pub use assertion::{
    ASSERTION_LIFE, AssertionExpect, AssertionRefused, AssertionSpec, MAX_ASSERTION_LIFE, VerifiedAssertion,
    claimed_client, claimed_issuer, sign_client_assertion, verify_client_assertion,
};
pub use compact::MAX_TOKEN_BYTES;
pub use dpop::{DpopExpect, DpopRefused, VerifiedDpop, verify_dpop};
pub use id_token::{IdTokenPolicy, VerifiedIdToken, verify_id_token};
pub use issued::TokenId;
pub use keys::{Algorithm, KeySet, KeySetError, KeyUnusable, MAX_JWKS_BYTES, MAX_JWKS_KEYS, MIN_RSA_BITS, UnusableKey};
pub use link::{
    DelegateError, DelegateKey, LINK_TYPE, LinkPolicy, LinkRefused, LinkSpec, Narrower, VerifiedChain, delegate,
    join_chain, sign_link, split_chain, verify_chain,
};
pub use possession::{Binding, Presented};
pub use public_key::PublicKey;
pub use refused::TokenRefused;
pub use replay::{ReplayCache, ReplayRefused};
pub use security_event::{
    EventSubject, SECURITY_EVENT_TYPE, SecurityEventPolicy, VerifiedSecurityEvent, verify_security_event,
};
pub use signing::{SignError, SigningKey};
pub use worker::{
    MAX_WORKER_REQUEST_AGE, VerifiedWorkerRequest, WORKER_REQUEST_TYPE, WorkerExpect, WorkerRefused, WorkerRequest,
    verify_worker_request,
};

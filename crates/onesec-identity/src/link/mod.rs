//! Delegation links: a person lends access to an agent, the agent lends less of it to the next one, and each
//! step is a signed JWT that names the key which alone may sign the step below.
//!
//! | member | meaning |
//! |---|---|
//! | header `typ` | [`LINK_TYPE`] |
//! | header `alg` | `EdDSA` (Ed25519), `ES256`, `RS256` or `PS256` |
//! | header `kid` | the signing key: of the root keys, or the `kid` in the `cnf` above where one stands there |
//! | `iss`, `sub` | delegator and delegate |
//! | `connection` | optional: absent means any |
//! | `scope` | optional: absent states no bound, empty means nothing; separated by spaces |
//! | `aud` | optional: for whom the link is meant |
//! | `iat`, `exp`, `jti` | required; `nbf` is honoured |
//! | `cnf` | `{"jwk": …}` or `{"jkt": …}`: the delegate's public key (RFC 7800; RFC 9449, section 6.1) |
//! | `parent` | base64url SHA-256 of the exact text of the link above; absent at the root |
//! | `max_depth` | optional: how many links a chain through this one may have at most, this one's position being at least 1 |
//!
//! A chain that travels as one text is its links, root first, joined by `~`.

mod chain;
mod confirmation;
mod delegate;
mod refused;
#[cfg(test)]
mod tests;
mod walk;

pub use chain::{LinkPolicy, VerifiedChain, verify_chain};
pub use delegate::{DelegateError, Narrower, delegate, join_chain, split_chain};
pub use refused::LinkRefused;

use onesec_telemetry::{AgentId, ConnectionName, Name, ScopeSet, Secret, Thumbprint, Timestamp};
use serde_json::{Map, Value, json};

use crate::public_key::PublicKey;
use crate::signing::{SignError, SigningKey};

/// `typ` of a link.
pub const LINK_TYPE: &str = "onesec-delegation+jwt";

/// What one link says. Times are cut to whole seconds when signed.
#[derive(Debug, Clone)]
pub struct LinkSpec {
    /// `iss`: who delegates.
    pub delegator: Name,
    /// `sub`: to whom.
    pub delegate: AgentId,
    /// The connection it is for; `None` for any.
    pub connection: Option<ConnectionName>,
    /// Bound on scopes: `None` states none, the empty set grants nothing.
    pub scopes: Option<ScopeSet>,
    /// `aud`.
    pub audience: Option<String>,
    /// `iat`.
    pub issued_at: Timestamp,
    /// `exp`.
    pub expires_at: Timestamp,
    /// `jti`: unique per delegator.
    pub jti: Name,
    /// `cnf`: the key that alone signs the next link.
    pub delegate_key: DelegateKey,
    /// [`Secret::thumbprint`] of the link above; `None` at the root.
    pub parent: Option<Thumbprint>,
    /// How many links a chain through this one may have at most.
    pub max_depth: Option<u8>,
}

/// How a link names the delegate's key.
#[derive(Debug, Clone)]
pub enum DelegateKey {
    /// The key itself: anybody can verify the next link.
    Key(PublicKey),
    /// Its thumbprint (RFC 7638): the verifier must know the key to accept a next link.
    Thumbprint(Thumbprint),
}

/// Signs one link.
///
/// Nothing is checked against the link above: that is the verifier's business, and [`delegate`]'s.
///
/// # Errors
/// [`SignError::Sign`].
pub fn sign_link(key: &SigningKey, spec: &LinkSpec, kid: &str) -> Result<Secret, SignError> {
    key.sign(&Value::Object(claims_of(spec)), LINK_TYPE, kid)
}

fn claims_of(spec: &LinkSpec) -> Map<String, Value> {
    let cnf = match &spec.delegate_key {
        DelegateKey::Key(key) => json!({"jwk": key.jwk()}),
        DelegateKey::Thumbprint(jkt) => json!({"jkt": jkt.to_base64url()}),
    };
    let optional = [
        ("connection", spec.connection.as_ref().map(|c| c.as_str().into())),
        ("scope", spec.scopes.as_ref().map(|scopes| scopes.to_string().into())),
        ("aud", spec.audience.as_deref().map(Value::from)),
        ("parent", spec.parent.map(|parent| parent.to_base64url().into())),
        ("max_depth", spec.max_depth.map(Value::from)),
    ];
    let required = [
        ("iss", spec.delegator.as_str().into()),
        ("sub", spec.delegate.as_str().into()),
        ("iat", spec.issued_at.as_secs().into()),
        ("exp", spec.expires_at.as_secs().into()),
        ("jti", spec.jti.as_str().into()),
        ("cnf", cnf),
    ];
    let stated = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
    required.into_iter().chain(stated).map(|(name, value)| (name.to_owned(), value)).collect()
}

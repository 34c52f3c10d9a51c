//! How our client proves that it is itself: by a shared secret, or by a signature (RFC 7523).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use onesec_identity::SigningKey;
use onesec_telemetry::{Secret, Timestamp};
use serde_json::{Value, json};

use crate::error::ExchangeError;

/// `client_assertion_type` of a JWT (RFC 7523, section 2.2).
pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long what is signed here may be used.
pub(crate) const SIGNED_LIFE: Duration = Duration::from_secs(60);

/// A private key that our client is registered with. Auth0 takes RS256 and PS256. Mute.
#[derive(Clone)]
pub struct ClientKey {
    /// The key.
    pub key: Arc<SigningKey>,
    /// Its name at the tenant; without one, the tenant tries every key of the client.
    pub kid: Option<String>,
}

impl ClientKey {
    /// A JWT of this type.
    pub(crate) fn sign(&self, claims: &Value, typ: &str) -> Result<Secret, ExchangeError> {
        let mut header = json!({"alg": self.key.algorithm().name(), "typ": typ});
        if let (Some(kid), Value::Object(members)) = (&self.kid, &mut header) {
            members.insert("kid".into(), kid.clone().into());
        }
        self.key.sign_raw(&header.to_string(), &claims.to_string()).map_err(|_| ExchangeError::Unsigned)
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientKey(…)")
    }
}

/// What a client has.
#[derive(Debug, Clone)]
pub(crate) enum Credentials {
    Secret(Secret),
    Key(ClientKey),
}

/// What it shows in one request.
pub(crate) enum Shown {
    Secret(Secret),
    Assertion(Secret),
}

impl Credentials {
    /// Whether there is nothing to show.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Secret(secret) => secret.is_empty(),
            Self::Key(key) => key.kid.as_ref().is_some_and(String::is_empty),
        }
    }

    /// The secret, or an assertion made for this one request: it can be used once.
    pub(crate) fn show(&self, client_id: &str, issuer: &str, now: Timestamp) -> Result<Shown, ExchangeError> {
        match self {
            Self::Secret(secret) => Ok(Shown::Secret(secret.clone())),
            Self::Key(key) => {
                let claims = json!({"iss": client_id, "sub": client_id, "aud": issuer, "jti": random_id()?,
                    "iat": now.as_secs(), "exp": (now + SIGNED_LIFE).as_secs()});
                key.sign(&claims, "JWT").map(Shown::Assertion)
            }
        }
    }
}

impl Shown {
    pub(crate) const fn secret(&self) -> &Secret {
        match self {
            Self::Secret(secret) | Self::Assertion(secret) => secret,
        }
    }

    /// As parameters of a token request.
    pub(crate) fn params(&self) -> Vec<(&str, &str)> {
        match self {
            Self::Secret(secret) => vec![("client_secret", secret.expose_to_wire())],
            Self::Assertion(assertion) => {
                vec![("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.expose_to_wire())]
            }
        }
    }
}

/// 128 random bits in hex.
fn random_id() -> Result<String, ExchangeError> {
    random_bits().map(|bits| format!("{bits:032x}"))
}

/// A random UUID (RFC 9562, section 5.4): 122 random bits, the version and the variant.
pub(crate) fn uuid_v4() -> Result<String, ExchangeError> {
    let bits = random_bits()?;
    let (low, version) = (bits >> 96, (bits >> 64) & 0x0fff | 0x4000);
    let (middle, variant) = ((bits >> 80) & 0xffff, (bits >> 48) & 0x3fff | 0x8000);
    Ok(format!("{low:08x}-{middle:04x}-{version:04x}-{variant:04x}-{:012x}", bits & 0xffff_ffff_ffff))
}

fn random_bits() -> Result<u128, ExchangeError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| ExchangeError::Unsigned)?;
    Ok(u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_form_and_do_not_repeat() {
        let uuid = uuid_v4().expect("random");
        let parts: Vec<&str> = uuid.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{uuid}");
        assert_ne!(uuid_v4().expect("random"), uuid);
        assert_eq!(random_id().map(|id| id.len()), Ok(32));
        assert_ne!(random_id(), random_id());
    }
}

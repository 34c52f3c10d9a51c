//! Secrets are mute: nothing here prints, serialises or compares one.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A token, key or password. No `Display`, `Serialize` or `PartialEq`; `Debug` prints the kind only;
/// the memory is wiped on drop.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of the secret text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself. Every call is a place where it can leak: only to write it to the wire
    /// or to hash it.
    #[must_use]
    pub fn expose_to_wire(&self) -> &str {
        &self.0
    }

    /// What may be kept of it.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint::of(self.0.as_bytes())
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// SHA-256 of the exact ASCII of a token: how a token lives on once it is gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 32]);

/// The text is no SHA-256 in hex or base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 thumbprint in hex (64 digits) or base64url (43 characters)")]
pub struct ThumbprintError;

impl Thumbprint {
    /// Hashes `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Adopts a digest that was computed elsewhere.
    #[must_use]
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Base64url without padding: how `jkt`, `x5t#S256` and `ath` write it (RFC 9449, section 6.1).
    #[must_use]
    pub fn to_base64url(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads what [`Thumbprint::to_base64url`] writes, and no other spelling of the same digest.
    #[must_use]
    pub fn from_base64url(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().map(Self).ok()
    }
}

impl FromStr for Thumbprint {
    type Err = ThumbprintError;

    /// Hex and base64url decode alike: Auth0 does not document which of them its logs use.
    fn from_str(text: &str) -> Result<Self, ThumbprintError> {
        let text = text.trim();
        let text = text.strip_prefix("sha256:").unwrap_or(text);
        let mut digest = [0; 32];
        if text.len() == 64 && hex::decode_to_slice(text, &mut digest).is_ok() {
            return Ok(Self(digest));
        }
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| ThumbprintError)?;
        bytes.try_into().map(Self).map_err(|_| ThumbprintError)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

impl Serialize for Thumbprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Thumbprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            <[u8; 32]>::deserialize(deserializer).map(Self)
        }
    }
}

impl schemars::JsonSchema for Thumbprint {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Thumbprint".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "SHA-256 of the token, 64 hex digits or 43 base64url characters",
            "pattern": "^([0-9a-fA-F]{64}|[A-Za-z0-9_-]{43}=?)$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_and_base64url_decode_alike() {
        let print = Thumbprint::of(b"ya29.token");
        let b64 = URL_SAFE_NO_PAD.encode(print.as_bytes());
        assert_eq!(print.to_string().parse(), Ok(print));
        assert_eq!(print.to_string().to_uppercase().parse(), Ok(print));
        assert_eq!(b64.parse(), Ok(print));
        assert_eq!(format!("{b64}=").parse(), Ok(print));
        assert_eq!("ya29.token".parse::<Thumbprint>(), Err(ThumbprintError));
    }

    #[test]
    fn base64url_has_one_spelling() {
        let print = Thumbprint::from_digest([0xff; 32]);
        let text = print.to_base64url();
        assert_eq!((text.len(), Thumbprint::from_base64url(&text)), (43, Some(print)));
        let stray_bits = format!("{}9", "_".repeat(42));
        let plain = "/".repeat(42) + "8";
        for other in [format!("{text}="), format!(" {text}"), print.to_string(), stray_bits, plain, "_w".into()] {
            assert_eq!(Thumbprint::from_base64url(&other), None, "{other}");
        }
    }

    #[test]
    fn a_secret_is_mute() {
        let secret = Secret::new("ya29.very-secret".into());
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "Secret(…) Some(Secret(…))");
    }
}

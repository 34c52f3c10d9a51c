//! API keys of onesec: `os_<id>_<secret>`, 256 random bits, kept as a hash.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onesec_telemetry::{KeyId, Secret};
use subtle::ConstantTimeEq as _;

const PREFIX: &str = "os_";
const ID_CHARS: usize = 8;
const SECRET_BYTES: usize = 32;
/// 32 letters: five bits each, none that people mix up.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The namespace of making and reading keys.
#[derive(Debug)]
pub struct ApiKey;

/// What went wrong with an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    NoRandomness,
    /// The text is no key of ours.
    #[error("not an API key: expected `os_`, eight characters, `_`, 43 characters")]
    Malformed,
}

/// A freshly made key, to be shown once.
#[derive(Debug)]
pub struct ApiKeySecret(Secret);

impl ApiKeySecret {
    /// The key itself, to show it once or to write it to a file with mode 0600.
    #[must_use]
    pub fn expose_to_wire(&self) -> &str {
        self.0.expose_to_wire()
    }

    /// As a plain secret.
    #[must_use]
    pub fn into_secret(self) -> Secret {
        self.0
    }
}

/// SHA-256 of the whole key. No password hash is needed: a key has 256 random bits.
/// No `PartialEq`: comparing goes through [`KeyHash::matches`], in constant time.
#[derive(Clone)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Hashes a presented key.
    #[must_use]
    pub fn of(key: &Secret) -> Self {
        Self(*key.thumbprint().as_bytes())
    }

    /// Adopts a stored hash.
    #[must_use]
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// For the store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are of the same key, in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// A key as a client presented it: looked up by `id`, proven by `hash`.
#[derive(Debug, Clone)]
pub struct PresentedKey {
    /// The public part.
    pub id: KeyId,
    /// To be compared with the stored hash.
    pub hash: KeyHash,
}

impl ApiKey {
    /// Makes a key from the system's randomness.
    ///
    /// # Errors
    /// [`ApiKeyError::NoRandomness`].
    pub fn generate() -> Result<(ApiKeySecret, KeyHash, KeyId), ApiKeyError> {
        let (mut id_bits, mut secret) = ([0; ID_CHARS], [0; SECRET_BYTES]);
        getrandom::fill(&mut id_bits).map_err(|_| ApiKeyError::NoRandomness)?;
        getrandom::fill(&mut secret).map_err(|_| ApiKeyError::NoRandomness)?;
        let id: String =
            id_bits.iter().filter_map(|bits| ALPHABET.get(usize::from(bits & 31))).map(|c| *c as char).collect();
        let key = Secret::new(format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(secret)));
        let presented = Self::parse(&key)?;
        Ok((ApiKeySecret(key), presented.hash, presented.id))
    }

    /// Reads a presented key.
    ///
    /// # Errors
    /// [`ApiKeyError::Malformed`] where the text cannot be a key of ours; it is then not looked up at all.
    pub fn parse(presented: &Secret) -> Result<PresentedKey, ApiKeyError> {
        let rest = presented.expose_to_wire().strip_prefix(PREFIX).ok_or(ApiKeyError::Malformed)?;
        let (id, secret) = rest.split_once('_').ok_or(ApiKeyError::Malformed)?;
        let decoded = URL_SAFE_NO_PAD.decode(secret).map_err(|_| ApiKeyError::Malformed)?;
        if id.len() != ID_CHARS || !id.bytes().all(|b| ALPHABET.contains(&b)) || decoded.len() != SECRET_BYTES {
            return Err(ApiKeyError::Malformed);
        }
        let id = KeyId::new(id).map_err(|_| ApiKeyError::Malformed)?;
        Ok(PresentedKey { id, hash: KeyHash::of(presented) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_again_and_no_other_is() {
        let (key, hash, id) = ApiKey::generate().expect("key");
        let (other, ..) = ApiKey::generate().expect("key");
        let read = ApiKey::parse(&Secret::new(key.expose_to_wire().into())).expect("well-formed");
        assert_eq!(read.id, id);
        assert!(read.hash.matches(&hash));
        assert!(!KeyHash::of(&other.into_secret()).matches(&hash));
        assert_eq!(key.expose_to_wire().len(), 3 + 8 + 1 + 43);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let (key, ..) = ApiKey::generate().expect("key");
        let text = key.expose_to_wire();
        let padded = format!("{text}=");
        let upper = text.to_uppercase();
        let cut: String = text.chars().take(54).collect();
        let headless: String = text.chars().skip(1).collect();
        for bad in ["", "os_", "os__", "sk_abcdefgh_x", &cut, &padded, &upper, &headless, &format!("{text}x")] {
            assert_eq!(ApiKey::parse(&Secret::new(bad.into())).err(), Some(ApiKeyError::Malformed));
        }
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let (key, hash, _) = ApiKey::generate().expect("key");
        let secret = key.expose_to_wire().chars().skip(12).collect::<String>();
        let read = ApiKey::parse(&Secret::new(key.expose_to_wire().into())).expect("well-formed");
        let printed = format!("{key:?} {hash:?} {read:?}");
        assert!(!printed.contains(&secret));
        assert!(printed.contains("KeyHash(…)"));
    }
}

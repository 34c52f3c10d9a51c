//! Our own keys: they sign the delegations that people make here. Kept in a file of mode 0600, replaced on request.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use onesec_identity::{Algorithm, KeySet, MAX_JWKS_KEYS, SigningKey};
use onesec_telemetry::{Secret, Thumbprint, Timestamp};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::files::write_private;

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignerError {
    /// The file cannot be read or written.
    #[error("cannot use `{}`", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what this program wrote.
    #[error("`{}` is no file of signing keys", .0.display())]
    Damaged(PathBuf),
    /// No key could be made.
    #[error("no signing key could be made")]
    Generate,
}

/// The keys in the file, newest first.
#[derive(Serialize, Deserialize)]
struct Kept {
    keys: Vec<KeptKey>,
}

#[derive(Serialize, Deserialize)]
struct KeptKey {
    kid: String,
    made_at: Timestamp,
    /// When another one took its place.
    retired_at: Option<Timestamp>,
    /// PKCS#8, base64url; gone once it is retired.
    private: Option<String>,
    public: Value,
}

/// What signs now, and what signatures are verified with.
pub(crate) struct Keys {
    current: SigningKey,
    kid: String,
    /// The current one and those whose links may still be alive.
    pub(crate) set: KeySet,
    jwks: Value,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Signs delegations. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Signer {
    path: Arc<Path>,
    keys: Arc<RwLock<Arc<Keys>>>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// Reads the keys of the data directory; the first start makes one.
    ///
    /// # Errors
    /// [`SignerError`]. A damaged file is no reason to make a new key: links that are out would all be void.
    pub(crate) fn open(data_dir: &Path, now: Timestamp) -> Result<Self, SignerError> {
        let path = data_dir.join(FILE);
        let kept = match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|_| SignerError::Damaged(path.clone()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let kept = Kept { keys: vec![made(now)?.1] };
                keep(&path, &kept)?;
                kept
            }
            Err(source) => return Err(SignerError::File { path, source }),
        };
        let keys = ready(&kept, now).ok_or_else(|| SignerError::Damaged(path.clone()))?;
        Ok(Self { path: path.into(), keys: Arc::new(RwLock::new(Arc::new(keys))) })
    }

    pub(crate) fn keys(&self) -> Arc<Keys> {
        self.keys.read().clone()
    }

    /// Signs with a new key from now on. The old one still verifies what it signed, as long as that may live.
    ///
    /// # Errors
    /// [`SignerError`]; the old key stays in use then.
    pub(crate) fn rotate(&self, now: Timestamp) -> Result<Thumbprint, SignerError> {
        let mut current = self.keys.write();
        let text = std::fs::read_to_string(&self.path).map_err(|source| self.file(source))?;
        let mut kept: Kept = serde_json::from_str(&text).map_err(|_| SignerError::Damaged(self.path.to_path_buf()))?;
        for old in &mut kept.keys {
            old.retired_at.get_or_insert(now);
            old.private = None;
        }
        kept.keys.retain(|key| key.retired_at.is_some_and(|at| now.since(at) < MAX_LINK_LIFE));
        // Newest first: whoever rotates so often does without the oldest.
        kept.keys.truncate(MAX_JWKS_KEYS - 1);
        let (thumbprint, new) = made(now)?;
        kept.keys.insert(0, new);
        // What could not be read again is not written.
        let ready = ready(&kept, now).ok_or(SignerError::Generate)?;
        keep(&self.path, &kept)?;
        *current = Arc::new(ready);
        Ok(thumbprint)
    }

    fn file(&self, source: std::io::Error) -> SignerError {
        SignerError::File { path: self.path.to_path_buf(), source }
    }
}

impl Keys {
    pub(crate) const fn current(&self) -> (&SigningKey, &str) {
        (&self.current, self.kid.as_str())
    }

    /// The public halves (RFC 7517, section 5).
    pub(crate) const fn jwks(&self) -> &Value {
        &self.jwks
    }
}

fn made(now: Timestamp) -> Result<(Thumbprint, KeptKey), SignerError> {
    let key = SigningKey::generate(Algorithm::EdDsa).map_err(|_| SignerError::Generate)?;
    let thumbprint = key.public_key().map_err(|_| SignerError::Generate)?.thumbprint();
    let private = key.to_pkcs8().map_err(|_| SignerError::Generate)?;
    let kid = thumbprint.to_base64url();
    let public = key.public_jwk(&kid);
    let private = Some(private.expose_to_wire().to_owned());
    Ok((thumbprint, KeptKey { kid, made_at: now, retired_at: None, private, public }))
}

fn ready(kept: &Kept, now: Timestamp) -> Option<Keys> {
    use base64::Engine as _;
    let newest = kept.keys.first()?;
    let der = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(newest.private.as_deref()?).ok()?;
    let current = SigningKey::from_pkcs8(Algorithm::EdDsa, &der).ok()?;
    let alive = |key: &&KeptKey| key.retired_at.is_none_or(|at| now.since(at) < MAX_LINK_LIFE);
    let jwks = json!({"keys": kept.keys.iter().filter(alive).map(|key| &key.public).collect::<Vec<_>>()});
    let set = KeySet::from_jwks_json(&jwks.to_string()).ok()?;
    Some(Keys { current, kid: newest.kid.clone(), set, jwks })
}

fn keep(path: &Path, kept: &Kept) -> Result<(), SignerError> {
    let text = Secret::new(serde_json::to_string(kept).map_err(|_| SignerError::Generate)?);
    write_private(path, &text).map_err(|source| SignerError::File { path: path.to_owned(), source })
}

/// The file in the data directory.
const FILE: &str = "signing.keys";
/// No link lives longer than this: so long a key that is retired still verifies.
pub(crate) const MAX_LINK_LIFE: Duration = Duration::from_secs(31 * 86_400);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn keys_outlive_a_restart_and_a_rotation_and_nothing_else_reads_them() {
        let dir = tempfile::tempdir().expect("directory");
        let first = Signer::open(dir.path(), NOW).expect("made");
        let kid = first.keys().current().1.to_owned();
        let mode = std::fs::metadata(dir.path().join(FILE)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = Signer::open(dir.path(), NOW).expect("read");
        assert_eq!(again.keys().current().1, kid);
        let thumbprint = again.rotate(NOW).expect("rotated");
        let keys = again.keys();
        assert_eq!(keys.current().1, thumbprint.to_base64url());
        assert_eq!(keys.set.kids().count(), 2, "the old one still verifies");
        let text = std::fs::read_to_string(dir.path().join(FILE)).expect("there");
        assert_eq!(text.matches("\"private\":null").count(), 1, "and cannot sign any more");
        let later = NOW + MAX_LINK_LIFE;
        assert_eq!(Signer::open(dir.path(), later).expect("read").keys().set.kids().count(), 1);
    }

    #[test]
    fn rotating_again_and_again_leaves_a_file_that_can_be_read() {
        let dir = tempfile::tempdir().expect("directory");
        let signer = Signer::open(dir.path(), NOW).expect("made");
        for _ in 0..MAX_JWKS_KEYS + 2 {
            signer.rotate(NOW).expect("rotated");
        }
        let again = Signer::open(dir.path(), NOW).expect("read");
        assert_eq!(again.keys().current().1, signer.keys().current().1);
        assert_eq!(again.keys().set.kids().count(), MAX_JWKS_KEYS);
    }

    #[test]
    fn a_damaged_file_is_not_replaced() {
        let dir = tempfile::tempdir().expect("directory");
        std::fs::write(dir.path().join(FILE), "{}").expect("written");
        assert!(matches!(Signer::open(dir.path(), NOW), Err(SignerError::Damaged(_))));
        assert_eq!(std::fs::read_to_string(dir.path().join(FILE)).expect("there"), "{}");
    }
}

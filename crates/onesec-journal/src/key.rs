//! `journal.key`: what signs chain heads and checkpoints.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::error::JournalError;
use crate::open::{DB_FILE, KEY_FILE};

/// Not Debug: it is a secret.
#[derive(Clone)]
pub(crate) struct SigningKey([u8; KEY_BYTES]);

const KEY_BYTES: usize = 32;

impl SigningKey {
    /// Reads the key, or makes one where no journal exists yet.
    pub(crate) fn load_or_create(dir: &Path) -> Result<Found, JournalError> {
        match Self::load(dir) {
            Err(JournalError::KeyMissing) => {}
            other => return other.map(Found::Kept),
        }
        match Self::read(&dir.join(FRESH_FILE)) {
            // A first start ended before it had made everything.
            Ok(key) => Ok(Found::Fresh(key)),
            Err(_) if dir.join(DB_FILE).exists() => Err(JournalError::KeyMissing),
            Err(_) => Self::create(dir).map(Found::Fresh),
        }
    }

    fn create(dir: &Path) -> Result<Self, JournalError> {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key)
            .map_err(|e| JournalError::io("make a signing key")(std::io::Error::other(e.to_string())))?;
        let mut file = private(OpenOptions::new().create(true).truncate(true).write(true))
            .open(dir.join(FRESH_FILE))
            .map_err(JournalError::io("create `journal.key`"))?;
        file.write_all(&key).and_then(|()| file.sync_all()).map_err(JournalError::io("write `journal.key`"))?;
        sync(dir)?;
        Ok(Self(key))
    }

    /// The journal is made: from now on there is none without this key, and no key without it.
    pub(crate) fn keep(dir: &Path) -> Result<(), JournalError> {
        std::fs::rename(dir.join(FRESH_FILE), dir.join(KEY_FILE)).map_err(JournalError::io("write `journal.key`"))?;
        sync(dir)
    }

    /// Reads the key.
    pub(crate) fn load(dir: &Path) -> Result<Self, JournalError> {
        Self::read(&dir.join(KEY_FILE))
    }

    fn read(path: &Path) -> Result<Self, JournalError> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(JournalError::KeyMissing),
            Err(e) => return Err(JournalError::io("open `journal.key`")(e)),
        };
        let mut bytes = Vec::new();
        (&mut file).take(1_024).read_to_end(&mut bytes).map_err(JournalError::io("read `journal.key`"))?;
        bytes.try_into().map(Self).map_err(|_| JournalError::corrupt("`journal.key` has the wrong length"))
    }

    /// Signs the length-prefixed `fields`.
    pub(crate) fn sign(&self, fields: &[&[u8]]) -> [u8; 32] {
        self.mac(fields).finalize().into_bytes().into()
    }

    /// Whether `signature` is ours, in constant time.
    pub(crate) fn signed(&self, fields: &[&[u8]], signature: &[u8]) -> bool {
        self.mac(fields).verify_slice(signature).is_ok()
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104, section 2)")]
    fn mac(&self, fields: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length will do");
        for field in fields {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field);
        }
        mac
    }
}

/// What is there of a key.
pub(crate) enum Found {
    /// A journal was made with it.
    Kept(SigningKey),
    /// No journal was made with it yet; see [`SigningKey::keep`].
    Fresh(SigningKey),
}

/// The key has this name until its journal is made, and whole: a crash must leave neither half a key nor a key that seems
/// to have lost its journal.
const FRESH_FILE: &str = "journal.key.new";

fn sync(dir: &Path) -> Result<(), JournalError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(JournalError::io("sync the data directory"))
}

/// Files here are for the owner alone.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

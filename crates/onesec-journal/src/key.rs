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
    pub(crate) fn load_or_create(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join(KEY_FILE);
        match Self::load(dir) {
            Err(JournalError::KeyMissing) if !dir.join(DB_FILE).exists() => {}
            other => return other,
        }
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key)
            .map_err(|e| JournalError::io("make a signing key")(std::io::Error::other(e.to_string())))?;
        // Complete under another name first: a crash must not leave half a key.
        let fresh = dir.join("journal.key.new");
        let mut file = private(OpenOptions::new().create(true).truncate(true).write(true))
            .open(&fresh)
            .map_err(JournalError::io("create `journal.key`"))?;
        file.write_all(&key).and_then(|()| file.sync_all()).map_err(JournalError::io("write `journal.key`"))?;
        std::fs::rename(&fresh, &path).map_err(JournalError::io("write `journal.key`"))?;
        File::open(dir).and_then(|d| d.sync_all()).map_err(JournalError::io("sync the data directory"))?;
        Ok(Self(key))
    }

    /// Reads the key.
    pub(crate) fn load(dir: &Path) -> Result<Self, JournalError> {
        let mut file = match File::open(dir.join(KEY_FILE)) {
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

/// Files here are for the owner alone.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

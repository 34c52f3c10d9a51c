//! Bytes that must not be printed: an answer may hold a live token.

use std::fmt;

use bytes::Bytes;
use zeroize::Zeroizing;

/// A body. No `Display`, `Serialize` or `PartialEq`; `Debug` prints its length only; the memory is wiped on drop.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    pub(crate) const fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The bytes themselves: only to write them to the wire.
    #[must_use]
    pub fn expose_to_wire(&self) -> &[u8] {
        &self.0
    }

    /// For a body on the wire, without a copy; wiped with the last of its clones.
    #[must_use]
    pub fn into_wire(self) -> Bytes {
        Bytes::from_owner(self.0)
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

//! Where a listing goes on.

use std::fmt;

use crate::error::JournalError;

/// A place in one listing. Opaque: only what a page returned is of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// In the listing's order.
    pub items: Vec<T>,
    /// Where the next page starts; `None` at the end. A page may be short and still have a next one.
    pub next: Option<Cursor>,
}

impl Cursor {
    /// Takes what a client sends back.
    ///
    /// # Errors
    /// [`JournalError::BadCursor`] where no page ever returned such a text.
    pub fn parse(text: &str) -> Result<Self, JournalError> {
        let known = text.len() <= MAX_CURSOR_BYTES && hex::decode(text).is_ok_and(|bytes| !bytes.is_empty());
        if known { Ok(Self(text.to_owned())) } else { Err(JournalError::BadCursor) }
    }

    pub(crate) fn number(listing: u8, value: u64) -> Self {
        Self::text(listing, &value.to_string())
    }

    pub(crate) fn text(listing: u8, value: &str) -> Self {
        let mut bytes = vec![listing];
        bytes.extend_from_slice(value.as_bytes());
        Self(hex::encode(bytes))
    }

    pub(crate) fn as_number(&self, listing: u8) -> Result<u64, JournalError> {
        self.as_text(listing)?.parse().map_err(|_| JournalError::BadCursor)
    }

    pub(crate) fn as_text(&self, listing: u8) -> Result<String, JournalError> {
        let bytes = hex::decode(&self.0).map_err(|_| JournalError::BadCursor)?;
        match bytes.split_first() {
            Some((tag, rest)) if *tag == listing => {
                String::from_utf8(rest.to_vec()).map_err(|_| JournalError::BadCursor)
            }
            _ => Err(JournalError::BadCursor),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) const ALERTS: u8 = 1;
pub(crate) const LEDGER: u8 = 2;
pub(crate) const DEAD_LETTERS: u8 = 3;
pub(crate) const RESPONSES: u8 = 4;
pub(crate) const RECORDS: u8 = 5;

/// Ids are at most a few hundred bytes; hex doubles them.
const MAX_CURSOR_BYTES: usize = 2_048;

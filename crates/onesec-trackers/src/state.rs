//! Saved state: named sections of bytes, the same for trackers, detectors and engine.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Collects sections of a snapshot.
#[derive(Debug, Default)]
pub struct StateWriter {
    prefix: String,
    sections: BTreeMap<String, Vec<u8>>,
}

/// Why saved state cannot be used. It is then rebuilt from records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// A section is missing.
    #[error("section `{0}` is missing")]
    Missing(String),
    /// A section cannot be decoded: another version, or damaged.
    #[error("section `{0}` cannot be decoded")]
    Undecodable(String),
    /// Another version wrote it, in a form that this one does not read.
    #[error("it is written in format {found}, and this version reads {read}")]
    OtherFormat {
        /// The format it is written in.
        found: u32,
        /// The format that is read.
        read: u32,
    },
}

impl StateWriter {
    /// Writes one section; sections of one writer are written under its prefix.
    pub fn put<T: Serialize>(&mut self, name: &str, value: &T) {
        // postcard into a vector fails only for types without a known length, which no state of ours has, and for names
        // outside of a snapshot's table: loading would miss the section.
        if let Ok(bytes) = postcard::to_stdvec(value) {
            self.sections.insert(format!("{}{name}", self.prefix), bytes);
        }
    }

    /// Lets `write` put its sections under `name/`.
    pub fn nested(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        let outer = self.prefix.clone();
        self.prefix = format!("{outer}{name}/");
        write(self);
        self.prefix = outer;
    }

    /// The sections in order of their names.
    #[must_use]
    pub fn into_sections(self) -> Vec<(String, Vec<u8>)> {
        self.sections.into_iter().collect()
    }
}

/// Reads sections of a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct StateReader<'a> {
    prefix: &'a str,
    sections: &'a BTreeMap<String, Vec<u8>>,
}

impl<'a> StateReader<'a> {
    /// Reads `sections` from the top.
    #[must_use]
    pub const fn new(sections: &'a BTreeMap<String, Vec<u8>>) -> Self {
        Self { prefix: "", sections }
    }

    /// The same sections, below `prefix` (which ends with `/`).
    #[must_use]
    pub const fn below(self, prefix: &'a str) -> Self {
        Self { prefix, sections: self.sections }
    }

    /// Whether nothing was saved here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.sections.keys().any(|name| name.starts_with(self.prefix))
    }

    /// One section, value after value, in the order in which they were written.
    pub(crate) fn stream(&self, name: &str) -> Result<Stream<'a>, StateError> {
        let name = format!("{}{name}", self.prefix);
        match self.sections.get(&name) {
            Some(rest) => Ok(Stream { name, rest }),
            None => Err(StateError::Missing(name)),
        }
    }

    /// One section.
    ///
    /// # Errors
    /// [`StateError`] where it is missing or cannot be decoded.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T, StateError> {
        let full = format!("{}{name}", self.prefix);
        let bytes = self.sections.get(&full).ok_or_else(|| StateError::Missing(full.clone()))?;
        postcard::from_bytes(bytes).map_err(|_| StateError::Undecodable(full))
    }
}

/// What is left of a section: a large one never is in memory twice.
#[derive(Debug)]
pub(crate) struct Stream<'a> {
    name: String,
    rest: &'a [u8],
}

impl<'a> Stream<'a> {
    /// The next value.
    pub(crate) fn next<T: Deserialize<'a>>(&mut self) -> Result<T, StateError> {
        let (value, rest) =
            postcard::take_from_bytes(self.rest).map_err(|_| StateError::Undecodable(self.name.clone()))?;
        self.rest = rest;
        Ok(value)
    }

    /// How many values follow, where a list begins. Each takes a byte at least, or what says so is damaged.
    pub(crate) fn count(&mut self) -> Result<usize, StateError> {
        let count = self.next()?;
        if count > self.rest.len() { Err(StateError::Undecodable(self.name.clone())) } else { Ok(count) }
    }
}

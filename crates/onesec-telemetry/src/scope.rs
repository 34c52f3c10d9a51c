//! Scopes (RFC 6749, section 3.3) and sets of them, in one canonical form.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::limits::{MAX_SCOPE_BYTES, MAX_SCOPES};

/// One scope token.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(with = "String")]
#[serde(transparent)]
pub struct Scope(CompactString);

/// Why a text is no set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// A character that no scope may have (RFC 6749, section 3.3 allows printable ASCII but `"` and `\`).
    #[error("a scope may only contain printable ASCII without quote and backslash")]
    Character,
    /// A single scope is longer than [`MAX_SCOPE_BYTES`].
    #[error("a scope must not be longer than {MAX_SCOPE_BYTES} bytes")]
    TooLong,
    /// More than [`MAX_SCOPES`] in one set.
    #[error("a set must not have more than {MAX_SCOPES} scopes")]
    TooMany,
}

impl Scope {
    /// Checks one scope token.
    ///
    /// # Errors
    /// [`ScopeError`] where RFC 6749 does not allow it.
    pub fn new(token: &str) -> Result<Self, ScopeError> {
        if token.len() > MAX_SCOPE_BYTES {
            return Err(ScopeError::TooLong);
        }
        let allowed = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if token.is_empty() || !token.bytes().all(allowed) {
            return Err(ScopeError::Character);
        }
        Ok(Self(CompactString::from(token)))
    }

    /// The token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A set of scopes: sorted, without duplicates. Equal sets are equal values.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(with = "Vec<String>")]
#[serde(transparent)]
pub struct ScopeSet(Vec<Scope>);

impl ScopeSet {
    /// The set of nothing.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Vec::new())
    }

    /// Splits at white space and commas, as senders do both.
    ///
    /// # Errors
    /// [`ScopeError`] where a token is no scope or there are too many.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        Self::parse_all(std::iter::once(text))
    }

    /// The union of several texts, each split as by [`ScopeSet::parse`].
    ///
    /// # Errors
    /// [`ScopeError`] where a token is no scope or there are too many.
    pub fn parse_all<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let mut scopes = Vec::new();
        for text in texts {
            let tokens = text.split(|c: char| c.is_whitespace() || c == ',');
            for token in tokens.filter(|t| !t.is_empty()) {
                if scopes.len() >= MAX_SCOPES * 4 {
                    return Err(ScopeError::TooMany);
                }
                scopes.push(Scope::new(token)?);
            }
        }
        let set: Self = scopes.into_iter().collect();
        if set.len() > MAX_SCOPES { Err(ScopeError::TooMany) } else { Ok(set) }
    }

    /// How many scopes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In ascending order.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.0.iter()
    }

    /// Exact membership; what a scope implies is the catalogue's business.
    #[must_use]
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.binary_search(scope).is_ok()
    }

    /// Adds one scope; `true` if it was new.
    pub fn insert(&mut self, scope: Scope) -> bool {
        match self.0.binary_search(&scope) {
            Ok(_) => false,
            Err(at) => {
                self.0.insert(at, scope);
                true
            }
        }
    }

    /// All of both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).cloned().collect()
    }

    /// What `other` has not, compared exactly.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self(self.iter().filter(|s| !other.contains(s)).cloned().collect())
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut scopes: Vec<Scope> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }
}

impl<'a> IntoIterator for &'a ScopeSet {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ScopeSet {
    /// Separated by spaces, as RFC 6749 writes them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.iter().enumerate() {
            let gap = if i == 0 { "" } else { " " };
            write!(f, "{gap}{scope}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_one_set() {
        let want = ScopeSet::parse("a b").expect("valid");
        for text in ["b a", "a,b", "a, b", " b\ta\n", "a b a", "a,,b", "b,a,b"] {
            assert_eq!(ScopeSet::parse(text).expect("valid"), want, "{text:?}");
        }
        assert_eq!(ScopeSet::parse_all(["b", "a,b"]).expect("valid"), want);
        assert_eq!(want.to_string(), "a b");
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        assert_eq!(ScopeSet::parse("a \"b"), Err(ScopeError::Character));
        assert_eq!(ScopeSet::parse("mаil"), Err(ScopeError::Character)); // Cyrillic а
        assert_eq!(ScopeSet::parse("a\u{200b}"), Err(ScopeError::Character));
        assert_eq!(ScopeSet::parse(&"x".repeat(MAX_SCOPE_BYTES + 1)), Err(ScopeError::TooLong));
        let many: Vec<String> = (0..=MAX_SCOPES).map(|i| i.to_string()).collect();
        assert_eq!(ScopeSet::parse(&many.join(" ")), Err(ScopeError::TooMany));
    }
}

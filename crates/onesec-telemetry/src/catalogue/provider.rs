//! One provider: its scopes, what they imply, and every spelling of them.

use hashbrown::HashMap;
use std::borrow::Cow;

use super::CatalogueError;
use super::class::{ClassSet, Risk};
use super::data::{Case, RawProvider, RawScope};
use crate::scope::Scope;

#[derive(Debug, Clone)]
pub(super) struct Provider {
    pub(super) name: String,
    pub(super) entries: Vec<Entry>,
    fold: bool,
    /// What may stand before any scope: `https://graph.microsoft.com/`.
    pub(super) url_prefixes: Vec<String>,
    /// Every spelling, and where case folds also in lower case → position in `entries`.
    pub(super) spellings: HashMap<Box<str>, usize>,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) scope: Scope,
    pub(super) classes: ClassSet,
    pub(super) risk: Risk,
    /// Positions of everything implied, transitively; sorted, without itself.
    implied: Box<[usize]>,
}

impl Provider {
    pub(super) fn build(raw: &RawProvider) -> Result<Self, CatalogueError> {
        let mut provider = Self {
            name: raw.id.clone(),
            entries: Vec::with_capacity(raw.scopes.len()),
            fold: raw.case == Some(Case::Fold),
            url_prefixes: raw.url_prefixes.clone(),
            spellings: HashMap::default(),
        };
        for entry in &raw.scopes {
            provider.add(entry)?;
        }
        let direct = provider.direct_implications(&raw.scopes)?;
        for (position, entry) in provider.entries.iter_mut().enumerate() {
            entry.implied = closure(position, &direct)
                .ok_or_else(|| CatalogueError::Cycle { provider: raw.id.clone(), scope: entry.scope.to_string() })?;
        }
        Ok(provider)
    }

    /// The position of a known scope, in whatever spelling. Canonical spellings cost one look-up.
    pub(super) fn find(&self, spelling: &str) -> Option<usize> {
        let found = self.spellings.get(spelling).or_else(|| self.spellings.get(self.bare(spelling)?));
        if found.is_some() || !self.fold || !spelling.bytes().any(|b| b.is_ascii_uppercase()) {
            return found.copied();
        }
        let lower = spelling.to_ascii_lowercase();
        self.spellings.get(lower.as_str()).or_else(|| self.spellings.get(self.bare(&lower)?)).copied()
    }

    pub(super) fn entry(&self, spelling: &str) -> Option<&Entry> {
        self.entries.get(self.find(spelling)?)
    }

    /// Whether the scope at one position gives all that the scope at the other gives.
    pub(super) fn gives(&self, holder: usize, wanted: usize) -> bool {
        let implies = |entry: &Entry| entry.implied.binary_search(&wanted).is_ok();
        holder == wanted || self.entries.get(holder).is_some_and(implies)
    }

    /// The one spelling of a scope that the catalogue does not know.
    pub(super) fn unknown_form<'a>(&self, spelling: &'a str) -> Cow<'a, str> {
        if self.fold && spelling.bytes().any(|b| b.is_ascii_uppercase()) {
            let lower = spelling.to_ascii_lowercase();
            return Cow::Owned(self.bare(&lower).map(str::to_owned).unwrap_or(lower));
        }
        Cow::Borrowed(self.bare(spelling).unwrap_or(spelling))
    }

    /// The scope behind one of the provider's URL prefixes. It has no slash of its own, so that a
    /// prefix cannot hide another.
    fn bare<'a>(&self, spelling: &'a str) -> Option<&'a str> {
        let behind = self.url_prefixes.iter().filter_map(|prefix| spelling.strip_prefix(prefix.as_str()));
        behind.into_iter().find(|rest| !rest.is_empty() && !rest.contains('/'))
    }

    fn add(&mut self, raw: &RawScope) -> Result<(), CatalogueError> {
        let position = self.entries.len();
        let scope = Scope::new(&raw.scope)?;
        for spelling in std::iter::once(&raw.scope).chain(&raw.aliases) {
            Scope::new(spelling)?;
            self.spell(spelling, position)?;
            if self.fold {
                self.spell(&spelling.to_ascii_lowercase(), position)?;
            }
        }
        if raw.class.is_empty() {
            return Err(CatalogueError::NoClass { provider: self.name.clone(), scope: raw.scope.clone() });
        }
        let classes = raw.class.iter().copied().collect();
        self.entries.push(Entry { scope, classes, risk: raw.risk, implied: Box::default() });
        Ok(())
    }

    fn spell(&mut self, spelling: &str, position: usize) -> Result<(), CatalogueError> {
        match self.spellings.insert(spelling.into(), position) {
            Some(other) if other != position => {
                Err(CatalogueError::Duplicate { provider: self.name.clone(), scope: spelling.to_owned() })
            }
            _ => Ok(()),
        }
    }

    fn direct_implications(&self, scopes: &[RawScope]) -> Result<Vec<Vec<usize>>, CatalogueError> {
        let position = |implied: &String| {
            self.find(implied)
                .ok_or_else(|| CatalogueError::UnknownImplied { provider: self.name.clone(), scope: implied.clone() })
        };
        scopes.iter().map(|raw| raw.implies.iter().map(position).collect()).collect()
    }
}

/// Everything that can be reached from `start`, sorted; `None` where that is `start` itself.
fn closure(start: usize, direct: &[Vec<usize>]) -> Option<Box<[usize]>> {
    let mut reached = std::collections::BTreeSet::new();
    let mut open = vec![start];
    while let Some(position) = open.pop() {
        for next in direct.get(position).into_iter().flatten() {
            if *next == start {
                return None;
            }
            if reached.insert(*next) {
                open.push(*next);
            }
        }
    }
    Some(reached.into_iter().collect())
}

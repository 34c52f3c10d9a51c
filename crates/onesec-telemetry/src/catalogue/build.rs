//! From the written catalogue to the one that answers: merged, checked, hashed.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry as Slot;

use super::combination::{Combination, rule};
use super::data::{Case, RawCatalogue, RawCombination, RawProvider, RawScope};
use super::provider::Provider;
use super::{Catalogue, ProviderId};
use crate::scope::ScopeError;

pub(super) const BUILTIN_JSON: &str = include_str!("../../data/scopes.json");

/// The shape of file that this program reads.
const VERSION: u32 = 1;

/// Why a catalogue is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// It is no JSON of the right shape.
    #[error("the scope catalogue does not parse: {0}")]
    Json(#[from] serde_json::Error),
    /// It was written for another program.
    #[error("the scope catalogue has version {0}, this program reads version {VERSION}")]
    Version(u32),
    /// A name in it is no scope.
    #[error("the scope catalogue names something that is no scope: {0}")]
    Scope(#[from] ScopeError),
    /// Two entries of one provider claim the same spelling.
    #[error("provider `{provider}` has two scopes spelt `{scope}`")]
    Duplicate {
        /// Whose.
        provider: String,
        /// The spelling.
        scope: String,
    },
    /// A scope without class.
    #[error("scope `{scope}` of provider `{provider}` has no class")]
    NoClass {
        /// Whose.
        provider: String,
        /// The scope.
        scope: String,
    },
    /// A scope implies one that is not there.
    #[error("provider `{provider}` has no scope `{scope}`, which another implies")]
    UnknownImplied {
        /// Whose.
        provider: String,
        /// The scope that is not there.
        scope: String,
    },
    /// A scope implies itself.
    #[error("scope `{scope}` of provider `{provider}` implies itself")]
    Cycle {
        /// Whose.
        provider: String,
        /// The scope.
        scope: String,
    },
    /// Two providers claim one connection.
    #[error("connection `{0}` belongs to two providers")]
    Connection(String),
    /// An addition replaces what is not there.
    #[error("provider `{provider}` has no scope `{scope}` to replace")]
    NothingToReplace {
        /// Whose.
        provider: String,
        /// The scope.
        scope: String,
    },
    /// A combination names a provider that is not there, names scopes without a provider, has no
    /// condition, or the name of another.
    #[error("combination `{0}` names no known provider for its scopes, has no condition, or is there twice")]
    Combination(String),
    /// More providers than an id can count.
    #[error("the scope catalogue has too many providers")]
    TooManyProviders,
}

/// Reads the texts, each adding to the ones before it.
pub(super) fn from_json(texts: &[&str]) -> Result<Catalogue, CatalogueError> {
    let mut merged = RawCatalogue { version: VERSION, providers: Vec::new(), combinations: Vec::new() };
    for text in texts {
        let raw: RawCatalogue = serde_json::from_str(text)?;
        if raw.version != VERSION {
            return Err(CatalogueError::Version(raw.version));
        }
        for provider in raw.providers {
            merge(&mut merged.providers, provider)?;
        }
        merged.combinations.extend(raw.combinations);
    }
    build(&merged)
}

fn merge(providers: &mut Vec<RawProvider>, new: RawProvider) -> Result<(), CatalogueError> {
    let Some(known) = providers.iter_mut().find(|known| known.id == new.id) else {
        if let Some(scope) = new.scopes.iter().find(|scope| scope.replace) {
            return Err(CatalogueError::NothingToReplace { provider: new.id.clone(), scope: scope.scope.clone() });
        }
        providers.push(RawProvider { case: new.case.or(Some(Case::Exact)), ..new });
        return Ok(());
    };
    known.connections.extend(new.connections);
    known.url_prefixes.extend(new.url_prefixes);
    known.case = new.case.or(known.case);
    for scope in new.scopes {
        merge_scope(known, scope)?;
    }
    Ok(())
}

fn merge_scope(provider: &mut RawProvider, new: RawScope) -> Result<(), CatalogueError> {
    if !new.replace {
        provider.scopes.push(new); // a spelling that is there already is found when it is built
        return Ok(());
    }
    let Some(known) = provider.scopes.iter_mut().find(|known| known.scope == new.scope) else {
        return Err(CatalogueError::NothingToReplace { provider: provider.id.clone(), scope: new.scope });
    };
    *known = new;
    Ok(())
}

fn build(raw: &RawCatalogue) -> Result<Catalogue, CatalogueError> {
    if u16::try_from(raw.providers.len()).is_err() {
        return Err(CatalogueError::TooManyProviders);
    }
    let mut catalogue = Catalogue {
        providers: raw.providers.iter().map(Provider::build).collect::<Result<_, _>>()?,
        connections: HashMap::default(),
        anywhere: HashMap::default(),
        distinctive: HashMap::default(),
        combinations: Vec::new(),
    };
    for (provider, raw) in (0..=u16::MAX).map(ProviderId).zip(&raw.providers) {
        for connection in &raw.connections {
            let owner = *catalogue.connections.entry(connection.as_str().into()).or_insert(provider);
            if owner != provider {
                return Err(CatalogueError::Connection(connection.clone()));
            }
        }
    }
    catalogue.index_spellings();
    for raw in &raw.combinations {
        let combination = catalogue.combination(raw)?;
        catalogue.combinations.push(combination);
    }
    Ok(catalogue)
}

impl Catalogue {
    /// What a spelling means without a provider, and which spellings give their provider away.
    fn index_spellings(&mut self) {
        let mut owners: HashMap<Box<str>, Option<ProviderId>> = HashMap::default();
        for (id, provider) in (0..=u16::MAX).map(ProviderId).zip(&self.providers) {
            for (spelling, position) in &provider.spellings {
                let Some(entry) = provider.entries.get(*position) else { continue };
                let prefixes = provider.url_prefixes.iter().map(String::as_str).chain([""]);
                for text in prefixes.map(|prefix| format!("{prefix}{spelling}").to_ascii_lowercase()) {
                    let known = self.anywhere.entry(text.as_str().into()).or_insert((entry.classes, entry.risk));
                    *known = (known.0.union(entry.classes), known.1.max(entry.risk));
                    match owners.entry(text.into()) {
                        Slot::Vacant(slot) => _ = slot.insert(Some(id)),
                        Slot::Occupied(slot) if *slot.get() == Some(id) => {}
                        Slot::Occupied(mut slot) => _ = slot.insert(None),
                    }
                }
            }
        }
        self.distinctive = owners.into_iter().filter_map(|(text, owner)| Some((text, owner?))).collect();
    }

    fn combination(&self, raw: &RawCombination) -> Result<Combination, CatalogueError> {
        let fault = || CatalogueError::Combination(raw.name.clone());
        let provider = match &raw.provider {
            Some(name) => Some(self.provider(name).ok_or_else(fault)?),
            None => None,
        };
        let all = raw.all.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
        let needs_provider = raw.all.iter().any(|c| matches!(c, super::data::Condition::Scopes(_)));
        let twice = self.combinations.iter().any(|known| known.name == raw.name);
        if all.is_empty() || twice || (needs_provider && provider.is_none()) {
            return Err(fault());
        }
        let (name, why) = (raw.name.clone(), raw.why.clone());
        Ok(Combination { name, why, severity: raw.severity, provider, all })
    }
}

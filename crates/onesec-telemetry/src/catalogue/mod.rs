//! The scope catalogue: what a scope means at its provider.
//!
//! It knows, per provider, which scopes there are, what they allow ([`Class`], [`Risk`]), which other
//! scopes they imply, how else they are spelt, and which are worse together. It is data
//! (`data/scopes.json`); users [add their own](Catalogue::with_additions). Of a scope that it does not
//! know it guesses the class by the name, and takes for `write` what it does not understand.
//!
//! ```
//! use onesec_telemetry::{Scope, ScopeSet, catalogue::{Catalogue, Class}};
//!
//! let catalogue = Catalogue::builtin();
//! let github = catalogue.provider_of_connection("github");
//! let bound = ScopeSet::parse("repo read:org")?;
//! let wanted = ScopeSet::parse("repo:status delete_repo")?;
//! assert_eq!(catalogue.beyond(github, &bound, &wanted).to_string(), "delete_repo");
//! assert!(catalogue.classes(github, &Scope::new("delete_repo")?).contains(Class::Delete));
//! # Ok::<(), onesec_telemetry::ScopeError>(())
//! ```

mod build;
mod class;
mod combination;
mod data;
mod guess;
mod provider;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use hashbrown::HashMap;

pub use build::CatalogueError;
pub use class::{Class, ClassSet, Risk};
pub use combination::{Combination, Severity as CombinationSeverity};

use crate::scope::{Scope, ScopeSet};
use provider::Provider;

/// A provider of one catalogue. Those that are built in have the same id in every catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderId(u16);

/// What is known of providers and their scopes.
#[derive(Debug, Clone)]
pub struct Catalogue {
    providers: Vec<Provider>,
    connections: HashMap<Box<str>, ProviderId>,
    /// What a spelling means where nothing says at whose: the union over all providers.
    anywhere: HashMap<Box<str>, (ClassSet, Risk)>,
    /// Spellings that only one provider has.
    distinctive: HashMap<Box<str>, ProviderId>,
    combinations: Vec<Combination>,
}

static BUILTIN: LazyLock<Catalogue> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the data file is a part of the program, and a test reads it")]
    build::from_json(&[build::BUILTIN_JSON]).expect("the catalogue that is built in is valid")
});

impl Catalogue {
    /// The catalogue that is built in: Google, GitHub, Slack, Microsoft Graph, Salesforce.
    #[must_use]
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// The built-in catalogue and what `json` adds, in the shape of `data/scopes.json`: providers,
    /// connections and scopes of known providers, combinations. An entry with `"replace": true`
    /// takes the place of a built-in one.
    ///
    /// # Errors
    /// [`CatalogueError`] where the additions are malformed or contradict what is there.
    pub fn with_additions(json: &str) -> Result<Self, CatalogueError> {
        build::from_json(&[build::BUILTIN_JSON, json])
    }

    /// The provider of this name, such as `google`.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<ProviderId> {
        let position = self.providers.iter().position(|provider| provider.name == name)?;
        u16::try_from(position).ok().map(ProviderId)
    }

    /// The name of a provider; empty for one of another catalogue.
    #[must_use]
    pub fn provider_name(&self, provider: ProviderId) -> &str {
        self.get(Some(provider)).map_or("", |provider| provider.name.as_str())
    }

    /// Every provider, in the order of the file.
    pub fn providers(&self) -> impl Iterator<Item = ProviderId> {
        (0..=u16::MAX).zip(&self.providers).map(|(position, _)| ProviderId(position))
    }

    /// The provider that an Auth0 connection of this name leads to. Names compare exactly.
    #[must_use]
    pub fn provider_of_connection(&self, connection: impl AsRef<str>) -> Option<ProviderId> {
        self.connections.get(connection.as_ref()).copied()
    }

    /// The provider that most of these scopes belong to, for consents that name no connection. Scopes
    /// that several providers have (`openid`) do not count; a tie has no answer.
    #[must_use]
    pub fn provider_of_scopes(&self, scopes: &ScopeSet) -> Option<ProviderId> {
        let mut votes = vec![0_usize; self.providers.len()];
        for scope in scopes {
            let Some(provider) = self.owner_of(scope.as_str()) else { continue };
            if let Some(count) = votes.get_mut(usize::from(provider.0)) {
                *count += 1;
            }
        }
        let most = votes.iter().copied().max().filter(|most| *most > 0)?;
        let mut winners = self.providers().zip(&votes).filter(|(_, count)| **count == most);
        let (winner, _) = winners.next()?;
        winners.next().is_none().then_some(winner)
    }

    /// Every scope in the one spelling that the catalogue prefers: aliases and, where the provider's
    /// case folds, ASCII case. Without a provider nothing changes.
    #[must_use]
    pub fn canonical(&self, provider: Option<ProviderId>, scopes: &ScopeSet) -> ScopeSet {
        let Some(known) = self.get(provider) else { return scopes.clone() };
        let one = |scope: &Scope| match known.entry(scope.as_str()) {
            Some(entry) => entry.scope.clone(),
            None => Scope::new(&known.unknown_form(scope.as_str())).unwrap_or_else(|_| scope.clone()),
        };
        scopes.iter().map(one).collect()
    }

    /// Whether the bound gives the scope: exactly, in another spelling, or by what it implies.
    #[must_use]
    pub fn covers(&self, provider: Option<ProviderId>, bound: &ScopeSet, scope: &Scope) -> bool {
        if bound.contains(scope) {
            return true;
        }
        let Some(known) = self.get(provider) else { return false };
        match known.find(scope.as_str()) {
            Some(wanted) => {
                bound.iter().filter_map(|b| known.find(b.as_str())).any(|holder| known.gives(holder, wanted))
            }
            None => {
                let wanted = known.unknown_form(scope.as_str());
                bound.iter().any(|b| known.unknown_form(b.as_str()) == wanted)
            }
        }
    }

    /// What is wanted and the bound does not give.
    #[must_use]
    pub fn beyond(&self, provider: Option<ProviderId>, bound: &ScopeSet, wanted: &ScopeSet) -> ScopeSet {
        wanted.iter().filter(|scope| !self.covers(provider, bound, scope)).cloned().collect()
    }

    /// Whether the catalogue describes the scope; if not, its classes are a guess by its name.
    #[must_use]
    pub fn knows(&self, provider: Option<ProviderId>, scope: &Scope) -> bool {
        self.described(provider, scope).is_some()
    }

    /// What the scope allows; never empty. Without a provider: what it allows at any that knows it.
    #[must_use]
    pub fn classes(&self, provider: Option<ProviderId>, scope: &Scope) -> ClassSet {
        self.described(provider, scope).map_or_else(|| guess::guess(scope.as_str()), |(classes, _)| classes)
    }

    /// How much harm the scope can do. Without a provider: the most at any that knows it.
    #[must_use]
    pub fn risk(&self, provider: Option<ProviderId>, scope: &Scope) -> Risk {
        let guess = || Risk::of_classes(guess::guess(scope.as_str()));
        self.described(provider, scope).map_or_else(guess, |(_, risk)| risk)
    }

    /// What all the scopes together allow.
    #[must_use]
    pub fn classes_of_all(&self, provider: Option<ProviderId>, scopes: &ScopeSet) -> ClassSet {
        scopes.iter().map(|scope| self.classes(provider, scope)).fold(ClassSet::EMPTY, ClassSet::union)
    }

    /// Scopes that are worse together, in the order of the file. Without a provider, those of every
    /// provider count: adding scopes of another provider hides nothing.
    #[must_use]
    pub fn risky_combinations(&self, provider: Option<ProviderId>, scopes: &ScopeSet) -> Vec<&Combination> {
        let concerns = |c: &&Combination| provider.is_none() || c.provider.is_none() || c.provider == provider;
        self.combinations.iter().filter(concerns).filter(|c| c.holds(self, provider, scopes)).collect()
    }

    fn get(&self, provider: Option<ProviderId>) -> Option<&Provider> {
        self.providers.get(usize::from(provider?.0))
    }

    fn described(&self, provider: Option<ProviderId>, scope: &Scope) -> Option<(ClassSet, Risk)> {
        if let Some(known) = self.get(provider) {
            return known.entry(scope.as_str()).map(|entry| (entry.classes, entry.risk));
        }
        let found = self.anywhere.get(scope.as_str());
        found.or_else(|| self.anywhere.get(scope.as_str().to_ascii_lowercase().as_str())).copied()
    }

    fn owner_of(&self, spelling: &str) -> Option<ProviderId> {
        let found = self.distinctive.get(spelling);
        found.or_else(|| self.distinctive.get(spelling.to_ascii_lowercase().as_str())).copied()
    }
}

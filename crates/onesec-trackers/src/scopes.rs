//! What scopes mean at a connection, by the catalogue.

use std::sync::Arc;

use onesec_telemetry::catalogue::{Catalogue, Class, ProviderId};
use onesec_telemetry::{ActionClass, ActionSet, Scope, ScopeSet};

/// The catalogue: the built-in one, or one that was made at run time.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CatalogueRef {
    /// Lives as long as the process.
    Static(&'static Catalogue),
    /// Shared by those who use it.
    Shared(Arc<Catalogue>),
}

impl From<&'static Catalogue> for CatalogueRef {
    fn from(catalogue: &'static Catalogue) -> Self {
        Self::Static(catalogue)
    }
}

impl From<Arc<Catalogue>> for CatalogueRef {
    fn from(catalogue: Arc<Catalogue>) -> Self {
        Self::Shared(catalogue)
    }
}

impl AsRef<Catalogue> for CatalogueRef {
    fn as_ref(&self) -> &Catalogue {
        match self {
            Self::Static(catalogue) => catalogue,
            Self::Shared(catalogue) => catalogue,
        }
    }
}

/// The catalogue, read for one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meaning<'a> {
    catalogue: &'a Catalogue,
    provider: Option<ProviderId>,
}

impl<'a> Meaning<'a> {
    pub(crate) fn new(catalogue: &'a Catalogue, connection: &str) -> Self {
        Self { catalogue, provider: catalogue.provider_of_connection(connection) }
    }

    /// What of `wanted` nothing in `bound` covers.
    pub(crate) fn beyond(&self, bound: &ScopeSet, wanted: &ScopeSet) -> ScopeSet {
        self.catalogue.beyond(self.provider, bound, wanted)
    }

    /// The kinds of act that scopes allow.
    pub(crate) fn acts(&self, scopes: &ScopeSet) -> ActionSet {
        self.catalogue.classes_of_all(self.provider, scopes).iter().map(act_of_class).collect()
    }

    /// Whether a scope can only identify or read.
    pub(crate) fn is_modest(&self, scope: &Scope) -> bool {
        self.catalogue.classes(self.provider, scope).is_passive()
    }

    /// What of `wanted` is more than identity and read.
    pub(crate) fn immodest(&self, wanted: &ScopeSet) -> ScopeSet {
        wanted.iter().filter(|scope| !self.is_modest(scope)).cloned().collect()
    }

    /// What of `wanted` is identity and read.
    pub(crate) fn modest(&self, wanted: &ScopeSet) -> ScopeSet {
        wanted.iter().filter(|scope| self.is_modest(scope)).cloned().collect()
    }
}

const fn act_of_class(class: Class) -> ActionClass {
    match class {
        Class::Identity | Class::Read | Class::Offline => ActionClass::Read,
        Class::Write | Class::Admin => ActionClass::Write,
        Class::Send => ActionClass::Send,
        Class::Delete => ActionClass::Delete,
    }
}

//! The catalogue as it is written down: said here, meant in `build`.

use serde::Deserialize;

use super::class::{Class, Risk};
use super::combination::Severity;

/// The file. The version changes when its shape does, not when entries are added.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCatalogue {
    pub(super) version: u32,
    #[serde(default)]
    pub(super) providers: Vec<RawProvider>,
    #[serde(default)]
    pub(super) combinations: Vec<RawCombination>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProvider {
    pub(super) id: String,
    #[serde(default)]
    pub(super) connections: Vec<String>,
    /// Of a provider that is built in, it may be left out.
    pub(super) case: Option<Case>,
    #[serde(default)]
    pub(super) url_prefixes: Vec<String>,
    #[serde(default)]
    pub(super) scopes: Vec<RawScope>,
}

/// Whether two spellings that differ in ASCII case are one scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Case {
    Fold,
    Exact,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScope {
    pub(super) scope: String,
    pub(super) class: Vec<Class>,
    pub(super) risk: Risk,
    #[serde(default)]
    pub(super) implies: Vec<String>,
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    /// Only for additions: the entry takes the place of the one that is built in.
    #[serde(default)]
    pub(super) replace: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCombination {
    pub(super) name: String,
    pub(super) severity: Severity,
    pub(super) why: String,
    pub(super) provider: Option<String>,
    /// Every one of them must hold.
    pub(super) all: Vec<Condition>,
}

/// Something that a set of scopes has.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Condition {
    /// It covers one of these.
    Scopes(Vec<String>),
    /// One of its scopes has this class.
    Class(Class),
    /// The name of one of its scopes has one of these words.
    Words(Vec<String>),
}

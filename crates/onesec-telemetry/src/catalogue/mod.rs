//! The scope catalogue: what a scope means at its provider.

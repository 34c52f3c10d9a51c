//! Deterministic state that measures exchanges, connected accounts and delegations.

//! A simulated Auth0 tenant with Token Vault, for demo and tests.

//! Auth0 as a client: token exchanges, user proof, JWKS.

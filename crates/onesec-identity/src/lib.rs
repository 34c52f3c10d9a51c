//! Proofs of who is asking and for whom: JWT verification, API keys; pure given keys and time.

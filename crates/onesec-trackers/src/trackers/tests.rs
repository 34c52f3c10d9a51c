//! What is true for a user.

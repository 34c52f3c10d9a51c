//! End to end: what is true for a user.

mod crash;

//! What end-to-end tests are made of: the real binary, real HTTP, a simulated tenant, a power failure.

pub mod http;
pub mod power;
pub mod process;
pub mod proofs;
pub mod tls;
pub mod world;

pub use http::{Answer, Http};
pub use process::{Process, Start};
pub use proofs::Key;
pub use world::{Agent, Plan, World};

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

//! What end-to-end tests are made of: the real binary, real HTTP, a power failure.

pub mod http;
pub mod power;
pub mod process;

pub use http::{Answer, Http};
pub use process::{Process, Start};

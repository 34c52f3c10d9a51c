//! The onesec server: edge, HTTP API, gateway, command line.

mod cli;
pub mod clock;
pub mod config;
pub mod core;
mod demo;
pub mod gateway;
pub mod http;
pub mod keys;
pub mod metrics;
pub mod server;

pub use cli::main_with;

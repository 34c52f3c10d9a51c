//! The onesec server: edge, HTTP API, gateway, command line.

pub mod clock;
pub mod core;
pub mod gateway;
pub mod config;
pub mod http;
pub mod keys;
pub mod metrics;
pub mod server;

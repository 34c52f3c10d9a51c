//! The onesec server: edge, HTTP API, gateway, command line.

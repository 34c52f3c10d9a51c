//! The server with one fault, which a feature gives it: crash tests must catch each of them.

use std::process::ExitCode;

fn main() -> ExitCode {
    onesec_e2e::fail_point::arm();
    onesec_server::main_with(|_| Ok(Vec::new()))
}

//! The server with its commits crippled: acknowledged without having reached the disk.

use std::process::ExitCode;

fn main() -> ExitCode {
    onesec_server::main_with(|_| Ok(Vec::new()))
}

//! The server as it is shipped, under a name of its own, so that tests find it.

use std::process::ExitCode;

fn main() -> ExitCode {
    onesec_server::main_with(|_| Ok(Vec::new()))
}

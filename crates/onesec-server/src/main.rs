//! The `onesec` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    onesec_server::main_with(|_settings| Ok(Vec::new()))
}

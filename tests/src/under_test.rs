//! The server as it is shipped, under a name of its own, so that tests find it, and so that they can have it end at a
//! named place.

use std::process::ExitCode;

fn main() -> ExitCode {
    onesec_e2e::fail_point::arm();
    onesec_server::main_with(|_| Ok(Vec::new()))
}

//! The whole server with a detector of your own beside the built-in ones: `cargo run -p custom-server -- up`.

use std::process::ExitCode;

use custom_detector::NightShift;

fn main() -> ExitCode {
    onesec_server::main_with(|_settings| Ok(vec![Box::new(NightShift::new(100_000))]))
}

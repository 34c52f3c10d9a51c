//! The crash harness as a program: rounds without end, if need be, and a summary.
//!
//! `cargo xtask crash` runs it; `onesec-crash [--fail-points N] [--kills N] [--seed N] [--program FILE] [--without-power]`

use std::process::ExitCode;
use std::time::Instant;

use onesec_e2e::crash::{self, Plan};

/// Rounds in one directory: long enough for snapshots, retries and repetitions to meet.
const EACH: u64 = 20;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let number = |name: &str| value(name).and_then(|text| text.parse::<u64>().ok());
    let beside =
        || Some(std::env::current_exe().ok()?.with_file_name("onesec-under-test").to_string_lossy().into_owned());
    let Some(program) = value("--program").cloned().or_else(beside) else {
        eprintln!("which program is to be tested?");
        return ExitCode::from(2);
    };
    let seed = number("--seed").unwrap_or(1);
    let without_power = args.iter().any(|arg| arg == "--without-power");
    let mut wrong = 0;
    for (what, kills, rounds) in
        [("fail-points", false, number("--fail-points").unwrap_or(0)), ("kills", true, number("--kills").unwrap_or(0))]
    {
        if rounds == 0 {
            continue;
        }
        let started = Instant::now();
        let plan = Plan { program: program.clone(), rounds, each: EACH, seed, kills, without_power };
        let report = crash::play(&plan);
        println!("-- {what}, seeds from {seed}: {} rounds in {:.0} s", report.rounds, started.elapsed().as_secs_f64());
        println!(
            "   {} operations acknowledged, {} actions looked at, {} bytes of unsynced writes taken back",
            report.acknowledged, report.actions, report.taken_back
        );
        println!("   {} ended while coming up, {} never reached their place", report.at_start, report.not_reached);
        for (place, count) in &report.ended {
            println!("   {place:<18} {count:>5}");
        }
        for line in &report.wrong {
            println!("   WRONG: {line}");
        }
        println!("   lost, doubled or otherwise wrong: {}", report.wrong.len());
        wrong += report.wrong.len();
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

//! The fuzzer as a program: `cargo xtask fuzz` runs it.
//!
//! `onesec-fuzz [TARGET] [--seconds N] [--executions N] [--seed S] [--out DIR] [--input FILE]`
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use onesec_fuzz::{Campaign, Failure, Limits, Report, Shape, TARGETS, Target, Trace};

/// The longest that one input may take, whatever the machine: something has gone wrong with its size then.
const TOO_LONG: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let number = |name: &str| value(name).and_then(|text| text.parse::<u64>().ok());
    let named = args.first().filter(|first| !first.starts_with("--"));
    let chosen: Vec<&Target> = TARGETS.iter().filter(|target| named.is_none_or(|name| name == target.name)).collect();
    if chosen.is_empty() {
        let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("no such target; there are: {}", all.join(", "));
        return ExitCode::from(2);
    }
    if let (Some(file), [target]) = (value("--input"), chosen.as_slice()) {
        return again(target, Path::new(file));
    }
    let seconds = number("--seconds").unwrap_or(60);
    let limits = Limits { executions: number("--executions").unwrap_or(u64::MAX), time: Duration::from_secs(seconds) };
    let out = value("--out").map_or_else(|| PathBuf::from("target/fuzz"), PathBuf::from);
    let seed = number("--seed").unwrap_or(1);
    match chosen.into_iter().try_fold(0, |failures, target| Ok(failures + campaign(target, (seed, limits), &out)?)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            let why: std::io::Error = why;
            eprintln!("the inputs cannot be written: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Runs one input and lets its panic be seen.
fn again(target: &Target, file: &Path) -> ExitCode {
    match fs::read(file) {
        Ok(input) => {
            (target.run)(&input, &mut Trace::default());
            println!("{}: {} bytes, nothing wrong", target.name, input.len());
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{}: {why}", file.display());
            ExitCode::FAILURE
        }
    }
}

/// One campaign; how many failures. What is being run lies in a file, for the case that nobody is left to say so.
fn campaign(target: &Target, (seed, limits): (u64, Limits), out: &Path) -> std::io::Result<usize> {
    fs::create_dir_all(out)?;
    let running = out.join(format!("{}.running", target.name));
    let mut file = File::create(&running)?;
    let report = Campaign::new(target, seed).run(limits, |input| {
        // A failure to write costs the input of a crash, not the campaign.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(input));
    });
    fs::remove_file(&running)?;
    tell(target, seed, &report);
    for (number, failure) in report.failures.iter().enumerate() {
        show(target, failure, &out.join(format!("{}-{seed}-{number}.input", target.name)))?;
    }
    let slow = report.slowest > TOO_LONG;
    if slow {
        let path = out.join(format!("{}-{seed}-slow.input", target.name));
        fs::write(&path, &report.slowest_input)?;
        println!("  TOO SLOW: {:.1} s, input in {}", report.slowest.as_secs_f64(), path.display());
    }
    Ok(report.failures.len() + usize::from(slow))
}

fn tell(target: &Target, seed: u64, report: &Report) {
    let seconds = report.took.as_secs_f64().max(0.001);
    println!(
        "{:<12} seed {seed}: {} executions in {seconds:.1} s ({:.0}/s), {} observations, {} inputs kept, slowest {:.1} ms, {} failures",
        target.name,
        report.executions,
        report.executions as f64 / seconds,
        report.observed,
        report.kept,
        report.slowest.as_secs_f64() * 1_000.0,
        report.failures.len(),
    );
}

fn show(target: &Target, failure: &Failure, path: &Path) -> std::io::Result<()> {
    fs::write(path, &failure.input)?;
    println!("  FAILED at {}: {}", failure.place, failure.what.chars().take(2_000).collect::<String>());
    println!("  {} bytes in {}", failure.input.len(), path.display());
    if target.shape != Shape::Parts {
        println!("  {}", String::from_utf8_lossy(&failure.input).chars().take(500).collect::<String>());
    }
    println!("  to repeat it: cargo xtask fuzz {} --input {}", target.name, path.display());
    Ok(())
}

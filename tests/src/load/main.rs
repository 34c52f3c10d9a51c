//! The load program: measures what criterion cannot, and prints ratios taken in one run.
//!
//! `cargo run --release -p onesec-e2e --bin onesec-load -- [ingest|single|gateway|identity|enforcement|logs|restart|memory|tenants|flood|saving|all] [SECONDS]`

mod enforcement;
mod flood;
mod gateway;
mod identity;
mod ingest;
mod logs;
mod proxy;
mod state;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// As the server's binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What was measured: printed as a table for people, and as one line of JSON for programs.
#[derive(Debug, Default)]
struct Report(Map<String, Value>);

impl Report {
    #[expect(clippy::print_stdout, reason = "a command line program")]
    fn put(&mut self, name: &str, value: f64, unit: &str) {
        println!("{name:<58} {:>14} {unit}", grouped(value));
        self.0.insert(name.to_owned(), json!({"value": value, "unit": unit}));
    }
}

fn grouped(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.3}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]
fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let mode = args.next().unwrap_or_else(|| "all".to_owned());
    let seconds = args.next().and_then(|s| s.parse().ok()).unwrap_or(10);
    let time = Duration::from_secs(seconds);
    let mut report = Report::default();
    let all = mode == "all";
    let mut known = all;
    for (name, run) in [
        ("ingest", ingest::batches as fn(&mut Report, Duration)),
        ("single", ingest::singles),
        ("gateway", gateway::added),
        ("identity", identity::verdicts),
        ("enforcement", enforcement::hanging),
        ("logs", logs::deliveries),
        ("restart", state::restart),
        ("memory", state::memory),
        ("tenants", ingest::tenants),
        ("flood", flood::names),
        ("saving", state::saving),
    ] {
        // These take longer than all the others, and are asked for by name.
        if (all && !["flood", "saving"].contains(&name)) || mode == name {
            known = true;
            println!("-- {name}");
            run(&mut report, time);
        }
    }
    if !known {
        eprintln!(
            "modes: ingest, single, gateway, identity, enforcement, logs, restart, memory, tenants, flood, saving, all"
        );
        return ExitCode::from(2);
    }
    println!("{}", Value::Object(report.0));
    ExitCode::SUCCESS
}

//! `cargo xtask fuzz`: the fuzzer at length, with a bound on its memory, and an answer where it is ended from outside.

use std::path::Path;
use std::process::Command;

use crate::{Result, cargo};

const PACKAGE: &str = "onesec-fuzz";
/// Address space in KiB: an input of 64 KiB that needs more has found something.
const MEMORY_KIB: u32 = 3 * 1024 * 1024;

/// Fuzzes one target, or each of them in turn. Everything goes on to `onesec-fuzz`; its inputs lie in `target/fuzz`.
/// `false` where a property does not hold.
pub(crate) fn run(args: &[&str]) -> Result<bool> {
    let root = cargo::root();
    let target_dir = cargo::workspace(&root)?.target_dir;
    let build = ["build", "--locked", "-p", PACKAGE];
    let built = cargo::command().args(build).current_dir(&root).status();
    if !built.map_err(|e| format!("cargo does not start: {e}"))?.success() {
        return Err(format!("`cargo {}` failed", build.join(" ")));
    }
    let out = target_dir.join("fuzz");
    let mut fuzzer = Command::new("sh");
    fuzzer.args(["-c", &format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\"")]);
    fuzzer.arg(target_dir.join("debug").join(PACKAGE)).args(args);
    if !args.contains(&"--out") {
        fuzzer.arg("--out").arg(&out);
    }
    let status = fuzzer.status().map_err(|e| format!("the fuzzer does not start: {e}"))?;
    if status.code().is_none() {
        println!("the fuzzer was ended ({status}); {}", running(&out));
    }
    Ok(status.success())
}

/// Where the input lies that was being run: an overflow of the stack or a lack of memory leaves nobody to say so.
fn running(out: &Path) -> String {
    let entries = std::fs::read_dir(out).into_iter().flatten().filter_map(std::result::Result::ok);
    let mut paths = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "running"));
    paths.next().map_or_else(
        || "nothing says by which input".to_owned(),
        |path| format!("its input lies in {}", path.display()),
    )
}

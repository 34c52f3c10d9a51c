//! What cargo knows of the workspace, and how to run it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Result;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The cargo that runs us, so that the toolchain stays the same.
pub(crate) fn command() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// The members of a workspace and where their build output goes.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// Members, by name.
    pub(crate) packages: Vec<Package>,
    /// Where cargo builds.
    pub(crate) target_dir: PathBuf,
}

/// One member.
#[derive(Debug)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its manifest, from the root, with slashes.
    pub(crate) manifest: String,
    /// What it depends on.
    pub(crate) dependencies: Vec<Dependency>,
    /// The names of its benches.
    pub(crate) benches: Vec<String>,
}

/// One arrow out of a package.
#[derive(Debug)]
pub(crate) struct Dependency {
    /// The package at its other end.
    pub(crate) name: String,
    /// Needed by tests, benches and examples only.
    pub(crate) dev: bool,
}

/// Asks cargo about the workspace at `root`. Needs neither network nor registry.
pub(crate) fn workspace(root: &Path) -> Result<Workspace> {
    let output = command()
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cargo metadata does not start: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|e| format!("cargo metadata: {e}"))?;
    // Cargo resolves links on the way to the root; its paths are cut against its own idea of it.
    let base = PathBuf::from(text(&metadata, "workspace_root"));
    let mut packages: Vec<Package> = list(&metadata, "packages").map(|p| package(p, &base)).collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Workspace { packages, target_dir: PathBuf::from(text(&metadata, "target_directory")) })
}

fn package(value: &Value, base: &Path) -> Package {
    let manifest = PathBuf::from(text(value, "manifest_path"));
    let dependencies = list(value, "dependencies")
        .map(|d| Dependency { name: text(d, "name"), dev: text(d, "kind") == "dev" })
        .collect();
    let benches = list(value, "targets")
        .filter(|target| list(target, "kind").any(|kind| kind == "bench"))
        .map(|target| text(target, "name"))
        .collect();
    Package {
        name: text(value, "name"),
        manifest: manifest.strip_prefix(base).unwrap_or(&manifest).to_string_lossy().replace('\\', "/"),
        dependencies,
        benches,
    }
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

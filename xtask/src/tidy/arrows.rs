//! Which crate may use which: the layering of the house, as data.

use super::Fault;
use crate::cargo::Package;

/// Where a crate stands and what it may use of ours.
struct Row {
    level: u8,
    name: &'static str,
    may_use: &'static [&'static str],
}

const fn row(level: u8, name: &'static str, may_use: &'static [&'static str]) -> Row {
    Row { level, name, may_use }
}

/// Every crate below `crates/`, lowest first. An arrow leads from a crate to lower levels only, and only where it is
/// listed here. Rows of crates that do not exist yet keep their place.
const ARROWS: &[Row] = &[
    row(0, "onesec-telemetry", &[]),
    row(1, "onesec-identity", &["onesec-telemetry"]),
    row(1, "onesec-text", &["onesec-telemetry"]),
    row(1, "onesec-trackers", &["onesec-telemetry"]),
    row(2, "onesec-detector", &["onesec-telemetry", "onesec-trackers"]),
    row(2, "onesec-enforcement", &["onesec-telemetry"]),
    row(2, "onesec-auth0", &["onesec-telemetry", "onesec-identity"]),
    row(2, "onesec-journal", &["onesec-telemetry"]),
    row(3, "onesec-detectors", &["onesec-telemetry", "onesec-trackers", "onesec-detector"]),
    row(3, "onesec-engine", &["onesec-telemetry", "onesec-trackers", "onesec-detector", "onesec-enforcement"]),
    row(3, "onesec-actions", &["onesec-telemetry", "onesec-enforcement", "onesec-auth0"]),
    row(
        4,
        "onesec-testkit",
        &[
            "onesec-telemetry",
            "onesec-text",
            "onesec-trackers",
            "onesec-detector",
            "onesec-enforcement",
            "onesec-engine",
        ],
    ),
    row(4, "onesec-auth0-sim", &["onesec-telemetry", "onesec-identity"]),
    row(
        5,
        "onesec-server",
        &[
            "onesec-telemetry",
            "onesec-identity",
            "onesec-text",
            "onesec-trackers",
            "onesec-detector",
            "onesec-enforcement",
            "onesec-auth0",
            "onesec-journal",
            "onesec-detectors",
            "onesec-engine",
            "onesec-actions",
            "onesec-testkit",
            "onesec-auth0-sim",
        ],
    ),
];

/// Dependencies of others' that only some of our crates may have, with the reason.
const KEPT: &[(&str, &[&str], &str)] = &[(
    "reqwest",
    &["onesec-auth0", "onesec-actions"],
    "clients without redirects, with capped bodies and time-outs are made in one place",
)];

/// Checks the members of the workspace; `manifest_text` finds the manifest whose line a fault names.
///
/// Development dependencies have no level: a detector is tested with the test kit that stands above it.
pub(super) fn check<'a>(packages: &[Package], manifest_text: impl Fn(&str) -> &'a str) -> Vec<Fault> {
    let mut faults = Vec::new();
    // Examples, end-to-end tests and xtask stand outside: they may use everything, and nothing uses them.
    for package in packages.iter().filter(|p| p.manifest.starts_with("crates/")) {
        let Some(row) = find(&package.name) else {
            let what = format!("`{}` has no row in the arrow table: add it with its level", package.name);
            faults.push(Fault::new(&package.manifest, 1, what));
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| !d.dev) {
            if let Some(what) = wrong(row, &dependency.name, packages) {
                let line = line_of(manifest_text(&package.manifest), &dependency.name);
                faults.push(Fault::new(&package.manifest, line, what));
            }
        }
    }
    faults
}

fn wrong(row: &Row, dependency: &str, packages: &[Package]) -> Option<String> {
    if let Some((_, allowed, reason)) = KEPT.iter().find(|(name, ..)| *name == dependency) {
        let elsewhere = format!("`{dependency}` is kept to {}: {reason}", allowed.join(" and "));
        return (!allowed.contains(&row.name)).then_some(elsewhere);
    }
    if !packages.iter().any(|p| p.name == dependency) {
        return None;
    }
    let Some(target) = find(dependency) else {
        return Some(format!("`{}` may not use `{dependency}`: it is no crate of the house", row.name));
    };
    if target.level >= row.level {
        let (from, to) = (row.level, target.level);
        return Some(format!(
            "`{}` (level {from}) may not use `{dependency}` (level {to}): arrows lead down",
            row.name
        ));
    }
    let listed = row.may_use.contains(&dependency);
    (!listed).then(|| format!("`{}` may not use `{dependency}`: the arrow table does not list it", row.name))
}

fn find(name: &str) -> Option<&'static Row> {
    ARROWS.iter().find(|row| row.name == name)
}

/// The line of a manifest that names a dependency; the first line where cargo knows better than we.
fn line_of(manifest: &str, dependency: &str) -> usize {
    let names = |line: &str| {
        let line = line.trim_start().trim_start_matches("[dependencies.");
        line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with(['.', ' ', '=', ']']))
    };
    manifest.lines().position(names).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::Dependency;

    fn package(name: &str, dependencies: &[(&str, bool)]) -> Package {
        Package {
            name: name.to_owned(),
            manifest: format!("crates/{name}/Cargo.toml"),
            dependencies: dependencies.iter().map(|(n, dev)| Dependency { name: (*n).to_owned(), dev: *dev }).collect(),
            benches: Vec::new(),
        }
    }

    fn faults(packages: &[Package]) -> Vec<String> {
        check(packages, |_| "[dependencies]\nserde = \"1\"\n").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_listed_arrow_leads_strictly_down_to_a_listed_crate() {
        for row in ARROWS {
            for target in row.may_use {
                let target = find(target).unwrap_or_else(|| panic!("{target} has no row"));
                assert!(target.level < row.level, "{} -> {}", row.name, target.name);
            }
        }
    }

    #[test]
    fn the_simulated_tenant_is_used_by_the_server_alone() {
        let users: Vec<_> = ARROWS.iter().filter(|r| r.may_use.contains(&"onesec-auth0-sim")).map(|r| r.name).collect();
        assert_eq!(users, ["onesec-server"]);
    }

    #[test]
    fn an_arrow_that_leads_up_is_found() {
        let packages = [package("onesec-telemetry", &[("onesec-engine", false)]), package("onesec-engine", &[])];
        let found = faults(&packages);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found.iter().any(|f| f.contains("(level 0) may not use `onesec-engine` (level 3)")), "{found:?}");
    }

    #[test]
    fn an_arrow_that_leads_down_but_is_not_listed_is_found() {
        let packages = [package("onesec-engine", &[("onesec-journal", false)]), package("onesec-journal", &[])];
        assert!(faults(&packages).iter().any(|f| f.contains("does not list it")));
    }

    #[test]
    fn a_crate_without_a_row_is_found() {
        assert!(faults(&[package("onesec-new", &[])]).iter().any(|f| f.contains("has no row")));
    }

    #[test]
    fn http_clients_are_kept_to_two_crates() {
        assert!(faults(&[package("onesec-server", &[("reqwest", false)])]).iter().any(|f| f.contains("is kept to")));
        assert!(faults(&[package("onesec-auth0", &[("reqwest", false)])]).is_empty());
    }

    #[test]
    fn tests_may_use_what_stands_above() {
        let packages = [package("onesec-detectors", &[("onesec-testkit", true)]), package("onesec-testkit", &[])];
        assert!(faults(&packages).is_empty());
    }

    #[test]
    fn the_fault_names_the_line() {
        let packages = [package("onesec-engine", &[("onesec-journal", false)]), package("onesec-journal", &[])];
        let manifest = "[package]\n[dependencies]\nonesec-journal.workspace = true\n";
        assert_eq!(check(&packages, |_| manifest).first().map(|f| f.line), Some(3));
    }
}

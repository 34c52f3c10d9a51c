//! Every rule finds the fault that is planted for it, and the rest of the tree in order.

use std::fmt::Write as _;
use std::fs;

use tempfile::TempDir;

use super::{arrows, check};
use crate::cargo;

const MANIFEST: &str = "[package]\nname = \"onesec-telemetry\"\nversion = \"0.1.0\"\nedition.workspace = true\n\
                        license.workspace = true\n\n[lints]\nworkspace = true\n";

const LIB: &str = "//! A crate.\n//!\n//! **What this is.** A.\n//! **What it is not.** B.\n//! ```\n//! ```\n\
                   //! **Invariants.** C.\n//! **Where next.** D.\n\n/// Nothing.\npub fn nothing() {}\n";

/// A workspace with one crate in which nothing is wrong, and then `planted`.
fn tree(planted: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n[workspace.package]\n\
                edition = \"2024\"\nlicense = \"MIT\"\n[workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
    let sound = [
        ("Cargo.toml", root),
        ("crates/onesec-telemetry/Cargo.toml", MANIFEST),
        ("crates/onesec-telemetry/src/lib.rs", LIB),
    ];
    for (path, text) in sound.iter().chain(planted) {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn faults(planted: &[(&str, &str)]) -> Vec<String> {
    check(tree(planted).path()).unwrap().faults.iter().map(ToString::to_string).collect()
}

/// Exactly one fault is found, at `place`, and it says `what`.
#[track_caller]
fn finds(path: &str, text: &str, place: &str, what: &str) {
    let found = faults(&[(path, text)]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found.iter().all(|f| f.starts_with(place) && f.contains(what)), "{found:?}");
}

#[test]
fn a_sound_tree_has_no_fault() {
    assert_eq!(faults(&[]), Vec::<String>::new());
    assert!(check(tree(&[]).path()).unwrap().notes.is_empty());
}

#[test]
fn a_file_must_say_what_it_is_for() {
    finds("tests/src/lib.rs", "fn a() {}\n", "tests/src/lib.rs:1:", "does not open with `//!`");
}

#[test]
fn a_promise_names_a_test_that_is_there() {
    let page =
        |test: &str| format!("| fault | behaviour | test |\n|---|---|---|\n| a | `b` | `tests/it/a.rs` `{test}` |\n");
    let test = ("tests/it/a.rs", "//! Tests.\nfn lives() {}\n");
    assert_eq!(faults(&[test, ("docs/reliability.md", &page("lives"))]), Vec::<String>::new());
    let found = faults(&[test, ("docs/reliability.md", &page("lived"))]);
    assert_eq!(found, ["docs/reliability.md:3: names the test `lived`, and tests/it/a.rs has none"]);
    let found = faults(&[("docs/reliability.md", &page("lives"))]);
    assert!(found.len() == 2 && found[0].contains("`tests/it/a.rs`, which is not there"), "{found:?}");
    let found = faults(&[test, ("docs/bypasses.md", &page("lived"))]);
    assert_eq!(found, ["docs/bypasses.md:3: names the test `lived`, and tests/it/a.rs has none"]);
}

#[test]
fn a_file_must_not_be_too_long() {
    let lines = |count: usize| format!("//! Long.\n{}", "// a line\n".repeat(count - 1));
    finds("xtask/src/long.rs", &lines(401), "xtask/src/long.rs:1:", "401 lines without tests");
    assert!(faults(&[("xtask/src/long.rs", &lines(400))]).is_empty());
    let tested = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", lines(400), "// a case\n".repeat(100));
    assert!(faults(&[("xtask/src/long.rs", &tested)]).is_empty());
    assert!(faults(&[("xtask/src/long/tests.rs", &lines(500))]).is_empty());
}

#[test]
fn a_function_must_not_be_too_long() {
    let long = |count: usize| format!("//! Long.\nfn long() {{\n{}}}\n", "    step();\n".repeat(count));
    finds("xtask/src/long.rs", &long(61), "xtask/src/long.rs:2:", "`long` has 61 lines");
    assert!(faults(&[("xtask/src/long.rs", &long(60))]).is_empty());
}

#[test]
fn the_largest_are_named() {
    let report = check(tree(&[]).path()).unwrap();
    assert!(report.largest.iter().any(|line| line.contains("lib.rs (11 lines)")), "{:?}", report.largest);
}

#[test]
fn a_crate_must_answer_five_questions() {
    let dir = tree(&[("crates/onesec-telemetry/src/lib.rs", "//! A crate.\n")]);
    let report = check(dir.path()).unwrap();
    let said = if super::answers::ARE_LAW { report.faults } else { report.notes };
    assert_eq!(said.len(), 5, "{said:?}");
}

#[test]
fn words_that_have_no_place_are_found() {
    let planted = [
        (concat!("see /wo", "rk/main"), "directory of one machine"),
        (concat!("see (/ro", "ot/.cargo)"), "directory of one machine"),
        (concat!("get it from index.crates", ".io"), "package registry"),
        (concat!("https://docs", ".rs/serde"), "package registry"),
        (concat!("FIX", "ME: later"), "note to oneself"),
    ];
    for (text, what) in planted {
        finds("docs/page.md", &format!("# Page\n{text}\n"), "docs/page.md:2:", what);
    }
    let alike = concat!("src/wo", "rk/a.rs and {home}/ro", "ot/x\n");
    assert!(faults(&[("docs/page.md", alike)]).is_empty());
}

#[test]
fn unfinished_and_unbounded_code_is_found() {
    for word in [
        concat!("tod", "o!()"),
        concat!("unimple", "mented!()"),
        concat!("db", "g!(1)"),
        concat!("unbounded", "_channel()"),
    ] {
        let text = format!("//! A.\nfn a() {{\n    {word};\n}}\n");
        finds("examples/a.rs", &text, "examples/a.rs:3:", word.trim_end_matches(['(', ')', '1']));
        let spoken_of = format!("//! Never {word}.\nconst A: &str = \"{word}\";\n");
        assert!(faults(&[("examples/a.rs", &spoken_of)]).is_empty());
    }
}

#[test]
fn what_is_switched_off_needs_a_reason() {
    finds("examples/a.rs", "//! A.\n#[test]\n#[ignore]\nfn a() {}\n", "examples/a.rs:3:", "ignored without a reason");
    assert!(faults(&[("examples/a.rs", "//! A.\n#[ignore = \"needs root\"]\nfn a() {}\n")]).is_empty());
    let silenced = concat!("//! A.\n#[all", "ow(\n    dead_code\n)]\nfn a() {}\n");
    finds("examples/a.rs", silenced, "examples/a.rs:2:", "silenced without a reason");
    let reasoned = concat!("//! A.\n#![all", "ow(dead_code, reason = \"an example\")]\nfn a() {}\n");
    assert!(faults(&[("examples/a.rs", reasoned)]).is_empty());
}

#[test]
fn large_and_binary_files_are_found() {
    finds("docs/large.txt", &"a".repeat(512 * 1024 + 1), "docs/large.txt:1:", "more than 512");
    finds("docs/a.bin", "a\0b", "docs/a.bin:1:", "is binary");
}

#[test]
fn the_law_of_the_workspace_applies_to_every_package() {
    let manifest = "crates/onesec-telemetry/Cargo.toml";
    finds(manifest, &MANIFEST.replace("[lints]\nworkspace = true\n", ""), manifest, "add `[lints]`");
    finds(manifest, &MANIFEST.replace("edition.workspace = true", "edition = \"2024\""), manifest, "the edition");
    finds(manifest, &MANIFEST.replace("license.workspace = true\n", ""), manifest, "the license");
}

#[test]
fn an_arrow_that_leads_up_is_found() {
    let engine = MANIFEST.replace("telemetry", "engine");
    let mut telemetry = MANIFEST.to_owned();
    writeln!(telemetry, "\n[target.'cfg(unix)'.dependencies]\nonesec-engine = {{ path = \"../onesec-engine\" }}")
        .unwrap();
    let found = faults(&[
        ("crates/onesec-telemetry/Cargo.toml", &telemetry),
        ("crates/onesec-engine/Cargo.toml", &engine),
        ("crates/onesec-engine/src/lib.rs", LIB),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found.iter().all(|f| f.starts_with("crates/onesec-telemetry/Cargo.toml:11:") && f.contains("arrows lead down")),
        "{found:?}"
    );
}

#[test]
fn the_arrows_of_this_repository_lead_down() {
    let workspace = cargo::workspace(&cargo::root()).unwrap();
    assert!(workspace.packages.iter().any(|p| p.name == "onesec-telemetry"), "the workspace was not found");
    assert_eq!(arrows::check(&workspace.packages, |_| ""), Vec::new());
}

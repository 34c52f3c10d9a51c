//! `docs/detectors.md`: made of what the detectors say of themselves and of the stories that prove them.

use std::fmt::Write as _;
use std::path::Path;

use onesec_detector::{Descriptor, GuardClass};
use onesec_testkit::{Role, Scenario, list};

use super::scenarios::built_in;
use crate::{SCENARIOS, all};

const HEAD: &str = "\
# Detectors

What each built-in detector sees, what it needs to see it, and what it cannot see. This page is made of the detectors'
own descriptors and of their scenarios (`ONESEC_WRITE_DOCS=1 cargo test -p onesec-detectors document` writes it; a test
fails where it is out of date). `onesec coverage --run` runs every story named here.

An attack must be found, and its benign twin, which differs in one field or one event, must raise nothing above LOW.

";

fn document() -> String {
    let scenarios: Vec<Scenario> =
        SCENARIOS.iter().map(|(name, text)| Scenario::parse(text).unwrap_or_else(|e| panic!("{name}: {e}"))).collect();
    let report = list(&scenarios, built_in);
    let mut page = HEAD.to_owned();
    let detectors = all(&crate::Settings::default());
    let mut descriptors: Vec<&Descriptor> = detectors.iter().map(|detector| detector.descriptor()).collect();
    descriptors.sort_by_key(|descriptor| (descriptor.module, descriptor.code));
    for descriptor in descriptors {
        write(&mut page, descriptor);
        for (role, title) in [(Role::Attack, "Finds"), (Role::Benign, "Leaves alone")] {
            let own = report.cases.iter().filter(|case| case.detector == descriptor.code && case.role == role);
            let shown: Vec<String> = own.map(|case| format!("- {} (`{}`)", case.shows, case.name)).collect();
            writeln!(page, "\n{title}:\n\n{}", shown.join("\n")).expect("memory");
        }
    }
    page
}

fn write(page: &mut String, descriptor: &Descriptor) {
    let list = |items: Vec<&str>| if items.is_empty() { "–".to_owned() } else { items.join(", ") };
    let kinds: Vec<String> = descriptor.kinds.iter().map(|kind| format!("`{}`", kind.as_str())).collect();
    let kinds = if kinds.is_empty() { "events of every kind".to_owned() } else { kinds.join(", ") };
    let guard = match descriptor.guard {
        GuardClass::Closed => "what it guards is refused",
        GuardClass::Advisory => "the rest goes on without it, and somebody is told",
    };
    writeln!(
        page,
        "\n## `{}`: {}\n\n| | |\n|---|---|\n| module | `{}` |\n| OWASP | {} |\n| reads | {kinds} |\n| when it is dead | {guard} |\n| cannot see | {} |\n| what to do | {} |\n| references | {} |",
        descriptor.code,
        descriptor.title,
        descriptor.module.as_str(),
        list(descriptor.owasp.to_vec()),
        descriptor.blind_spot,
        descriptor.mitigation,
        list(descriptor.references.to_vec()),
    )
    .expect("memory");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how a person asks a test to write")]
fn the_document_is_what_the_detectors_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/detectors.md");
    let page = document();
    if std::env::var("ONESEC_WRITE_DOCS").is_ok() {
        std::fs::write(&path, &page).expect("a page");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page,
        "docs/detectors.md is out of date: ONESEC_WRITE_DOCS=1 cargo test -p onesec-detectors document"
    );
}

#[test]
fn every_detector_says_what_it_cannot_see_and_what_to_do() {
    for detector in all(&crate::Settings::default()) {
        let descriptor = detector.descriptor();
        let said = [descriptor.blind_spot, descriptor.mitigation, descriptor.title];
        assert!(said.iter().all(|text| !text.is_empty()), "{}", descriptor.code);
    }
}

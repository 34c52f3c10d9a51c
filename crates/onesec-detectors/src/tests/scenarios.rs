//! The scenario files.

use std::path::Path;

use onesec_engine::{Settings, SetupError};
use onesec_testkit::run_scenarios;

use crate::all;

pub(super) fn built_in(_: &Settings) -> Result<Vec<Box<dyn onesec_detector::Detector>>, SetupError> {
    Ok(all(&crate::Settings::default()))
}

#[test]
fn every_attack_is_found_and_every_twin_is_left_alone() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let report = run_scenarios(&dir, built_in).expect("readable scenarios");
    assert!(report.ok(), "{report}");
    for detector in all(&crate::Settings::default()) {
        let code = detector.descriptor().code;
        let (attacks, benign) = report.proved(code);
        assert!(attacks >= 2 && benign >= 2, "{code}: {attacks} attacks, {benign} benign twins");
    }
}

//! The built-in detectors, with a stranger's beside them, for what is judged in this process.

use std::sync::Arc;

use onesec_detector::Descriptor;
use onesec_engine::{Settings, SetupError};
use onesec_telemetry::catalogue::Catalogue;

use crate::core::SharedAssemble;

/// The built-in detectors, then `more`.
pub(crate) fn with(more: &SharedAssemble) -> SharedAssemble {
    let more = more.clone();
    Arc::new(move |settings| {
        let mut detectors = onesec_detectors::all(&configured(settings)?);
        detectors.extend(more(settings)?);
        Ok(detectors)
    })
}

fn configured(settings: &Settings) -> Result<onesec_detectors::Settings, SetupError> {
    let mut configured = onesec_detectors::Settings::default();
    if let Some(text) = &settings.catalogue {
        let wrong = |why: String| SetupError::Setting { setting: "catalogue".to_owned(), why };
        configured.catalogue = Arc::new(Catalogue::with_additions(text).map_err(|error| wrong(error.to_string()))?);
    }
    Ok(configured)
}

/// What a built-in detector says of itself.
pub(crate) fn descriptor(code: &str) -> Option<Descriptor> {
    let all = onesec_detectors::all(&onesec_detectors::Settings::default());
    all.iter().map(|detector| detector.descriptor()).find(|descriptor| descriptor.code == code).cloned()
}

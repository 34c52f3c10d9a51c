//! The built-in detectors, with a stranger's beside them, for what is judged in this process.

use std::sync::Arc;

use onesec_detector::Descriptor;

use crate::core::SharedAssemble;
use crate::server::builtin_detectors;

/// The built-in detectors, then `more`: the same that the server runs.
pub(crate) fn with(more: &SharedAssemble) -> SharedAssemble {
    let more = more.clone();
    Arc::new(move |settings| {
        let mut detectors = builtin_detectors(settings)?;
        detectors.extend(more(settings)?);
        Ok(detectors)
    })
}

/// What a built-in detector says of itself.
pub(crate) fn descriptor(code: &str) -> Option<Descriptor> {
    let all = onesec_detectors::all(&onesec_detectors::Settings::default());
    let own = all.iter().map(|detector| detector.descriptor());
    own.chain([&onesec_engine::CHAIN_DESCRIPTOR]).find(|descriptor| descriptor.code == code).cloned()
}

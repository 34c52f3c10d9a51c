//! What the built-in detectors are set to.

use std::sync::Arc;

use onesec_telemetry::catalogue::Catalogue;

use crate::consent_phishing::ConsentLimits;
use crate::tool_misuse::ToolLimits;

/// Settings of all built-in detectors. Windows and rates that trackers count by are set there.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The scope catalogue.
    pub catalogue: Arc<Catalogue>,
    /// When a grant to an application is too much.
    pub consent: ConsentLimits,
    /// When the use of a tool is misuse.
    pub tools: ToolLimits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            catalogue: Arc::new(Catalogue::builtin().clone()),
            consent: ConsentLimits::default(),
            tools: ToolLimits::default(),
        }
    }
}

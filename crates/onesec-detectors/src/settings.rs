//! What the built-in detectors are set to.

use std::sync::Arc;

use onesec_telemetry::catalogue::Catalogue;

use crate::agent_web_access::WebLimits;
use crate::consent_phishing::ConsentLimits;
use crate::rogue_agent::RogueLimits;
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
    /// When an agent has gone its own way.
    pub rogue: RogueLimits,
    /// When an agent goes too far on the web.
    pub web: WebLimits,
    /// Whether messages between agents must be signed.
    pub require_signatures: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            catalogue: Arc::new(Catalogue::builtin().clone()),
            consent: ConsentLimits::default(),
            tools: ToolLimits::default(),
            rogue: RogueLimits::default(),
            web: WebLimits::default(),
            require_signatures: false,
        }
    }
}
